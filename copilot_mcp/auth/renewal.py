"""What a refresh changes in the saved sign-in, where that sign-in still is the one that was refreshed."""

from dataclasses import replace

from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.cache_content import Content, account_in, merged, with_account
from copilot_mcp.auth.refusals import signed_out

__all__ = ["OPENID_SCOPES", "renewed"]

OPENID_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})
"""MSAL asks for them by itself; they are no permissions of Graph."""


def renewed(current: Content, *, before: Content, after: Content, account: Account, scopes: frozenset[str]) -> Content:
    """The newest content with a refresh in it.

    Raises:
        AuthenticationRequiredError: That sign-in is over: the answer came late and is dropped.
    """
    newest = account_in(current)
    if newest is None or newest.sign_in_id != account.sign_in_id:
        raise signed_out()
    granted = tuple(sorted({*newest.scopes, *scopes} - OPENID_SCOPES))
    return with_account(merged(current, before, {**before, **after}), replace(newest, scopes=granted))
