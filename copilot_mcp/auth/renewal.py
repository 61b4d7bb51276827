"""What a refresh changes in the saved sign-in, while that is the one that was refreshed; and whose tokens they are."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from copilot_mcp.auth.answers import Account, person_of, unreadable
from copilot_mcp.auth.cache_content import Content, account_in, merged, with_account
from copilot_mcp.auth.refusals import signed_out
from copilot_mcp.auth.sign_in_cache import SignInCache
from copilot_mcp.errors import AuthenticationError

__all__ = ["OPENID_SCOPES", "check_person", "checked_home", "erased", "renewed", "with_tokens_of"]

logger = logging.getLogger(__name__)

OPENID_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})
"""MSAL asks for them by itself; they are no permissions of Graph."""


def check_person(answer: Mapping[str, Any], client_id: str, account: Account) -> None:
    """Refuse tokens for anybody but the person who signed in.

    Raises:
        AuthenticationError: They are for somebody else, or for nobody that is named (`bad_answer`).
    """
    if not person_of(answer, client_id, tenant="").same_person(account):
        raise _wrong_person()


def checked_home(person: Account, home_account_id: str) -> str:
    """MSAL's key of the account, which it makes of `client_info`, where that names the person of the ID token.

    Both name the same object where the person is at home in this tenant; a guest has an object of their own in each.

    Raises:
        AuthenticationError: They contradict each other (`bad_answer`).
    """
    object_id, _, tenant_id = home_account_id.lower().partition(".")
    if tenant_id == person.tenant_id and object_id != person.object_id:
        raise _wrong_person()
    return home_account_id


def _wrong_person() -> AuthenticationError:
    logger.warning("security: wrong_person_answer")
    return unreadable("tokens for another person")


def with_tokens_of(before: Content, after: Content) -> Content:
    """What a refresh brought, but for its access token, which is of no use."""
    return {**after, "AccessToken": before.get("AccessToken", {})}


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


def erased(cache: SignInCache) -> None:
    """Empty the cache after a refresh under way, so that its answer is forgotten too."""
    with cache.refreshing():
        cache.erase()
