"""What becomes of a sign-in that succeeded: checked, and made the one of the profile, or refused without a trace."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from copilot_mcp.auth.answers import Account, person_of, read_grant
from copilot_mcp.auth.cache_content import Content, refuse_other_person, with_account
from copilot_mcp.auth.entra import DeviceFlow, Entra
from copilot_mcp.auth.renewal import OPENID_SCOPES, checked_home
from copilot_mcp.auth.sign_in_cache import SignInCache
from copilot_mcp.errors import AuthenticationError

__all__ = ["store_sign_in"]


def store_sign_in(
    entra: Entra,
    cache: SignInCache,
    flow: DeviceFlow,
    answer: dict[str, Any],
    names: frozenset[str],
    wanted: Callable[[], bool],
    *,
    replace_account: bool,
) -> Account:
    """Check a success and make it the sign-in. `wanted` is asked last. Runs in a worker thread.

    Raises:
        AuthenticationError: It cannot be used, is somebody else's (`other_account`), or is not wanted any more.
    """
    grant = read_grant(answer, entra.asked.cloud, names)
    person = person_of(answer, entra.asked.client_id, entra.tenant_id(flow))
    content, home_account_id = entra.signed_in(flow)
    account = replace(
        person,
        scopes=tuple(sorted(grant.scopes - OPENID_SCOPES)),
        home_account_id=checked_home(person, home_account_id),
        sign_in_id=secrets.token_hex(8),
    )

    def signed_in(current: Content) -> Content:
        if not wanted():
            raise AuthenticationError("The sign-in was cancelled.", kind="sign_in_cancelled")
        if not replace_account:
            refuse_other_person(current, account)
        return with_account(content, account)

    cache.update(signed_in)
    return account
