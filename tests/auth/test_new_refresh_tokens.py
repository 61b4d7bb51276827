"""A refresh token works once here: the new one is kept, whatever is odd about the access token beside it."""

from typing import Any

import httpx
import pytest

from copilot_mcp.errors import AuthenticationError

pytestmark = pytest.mark.anyio

SECOND, THIRD = "access-2-SECRETMARK", "access-3-SECRETMARK"


def refresh_tokens(cache: Any) -> list[str]:
    return [entry["secret"] for entry in cache.read()["RefreshToken"].values()]


@pytest.mark.parametrize(
    "odd",
    [
        {"expires_in": "soon"},
        {"expires_in": None},
        {"expires_in": "absent"},
        {"expires_in": []},
        {"expires_in": "1e400"},
        {"expires_in": "9" * 5000},
        {"scope": 7},
        {"access_token": "with space"},
        {"token_type": "pop"},
    ],
    ids=lambda odd: next(iter(odd)),
)
async def test_answer_with_an_unusable_token_costs_one_call(
    credential: Any, cache: Any, entra: Any, sign_in: Any, clock: Any, odd: dict[str, Any]
) -> None:
    await sign_in("Files.Read.All")
    access_before = cache.read()["AccessToken"]
    entra.script["token"].append(lambda form: used(entra, form, odd))
    with pytest.raises(AuthenticationError) as caught:
        await credential.token(["Mail.Read"])
    assert caught.value.kind in ("bad_answer", "token_protection")
    assert (refresh_tokens(cache), cache.read()["AccessToken"]) == (["refresh-2-SECRETMARK"], access_before)
    clock.now += 31
    assert await credential.token(["Mail.Read"]) == THIRD
    assert refresh_tokens(cache) == ["refresh-3-SECRETMARK"]


@pytest.mark.parametrize(
    "odd",
    [
        {"scope": None},
        {"scope": "absent"},
        {"expires_in": "3600"},
        {"ext_expires_in": "soon"},
        {"refresh_in": "soon"},
        {"refresh_in": "1800"},
        {"refresh_in": 10**12},
        {"expires_on": "soon"},
    ],
    ids=str,
)
async def test_answer_with_something_odd_beside_a_usable_token_is_taken(
    credential: Any, new_credential: Any, cache: Any, entra: Any, sign_in: Any, odd: dict[str, Any]
) -> None:
    await sign_in("Files.Read.All")
    entra.script["token"].append(lambda form: used(entra, form, odd))
    assert await credential.token(["Mail.Read"]) == SECOND
    assert refresh_tokens(cache) == ["refresh-2-SECRETMARK"]
    assert await new_credential().token(["Mail.Read"]) == SECOND  # another process finds it in the cache
    assert await credential.token(["Chat.Read"]) == THIRD


def used(entra: Any, form: dict[str, str], odd: dict[str, Any]) -> Any:
    """A real answer to a refresh with something odd in it, or without it; the refresh token is spent."""
    entra.refresh_tokens.remove(form["refresh_token"])
    answer = entra.success(form["scope"]).json() | odd
    return httpx.Response(200, json={name: value for name, value in answer.items() if value != "absent"})
