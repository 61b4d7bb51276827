"""Claims challenges at the credential: a refresh with them, else the sign-in after it, each once."""

import json
from functools import partial
from typing import Any

import anyio
import pytest

from copilot_mcp.auth.cache_content import without_token
from copilot_mcp.errors import AuthenticationRequiredError

pytestmark = pytest.mark.anyio

FILES = ("Files.Read.All", "Sites.Read.All")
CLAIMS = '{"access_token": {"nbf": {"essential": true, "value": "1767225600"}}}'
WITH_CP1 = {"access_token": {"nbf": {"essential": True, "value": "1767225600"}, "xms_cc": {"values": ["cp1"]}}}
CP1 = {"access_token": {"xms_cc": {"values": ["cp1"]}}}


async def test_every_request_declares_that_challenges_are_understood(credential: Any, entra: Any, sign_in: Any) -> None:
    await sign_in()
    await credential.token(["Mail.Read"])
    forms = [form for form in entra.forms if "client_id" in form]
    assert [json.loads(form["claims"]) for form in forms] == [CP1] * 3


async def test_challenge_is_answered_by_one_refresh_that_names_it(credential: Any, entra: Any, sign_in: Any) -> None:
    await sign_in()
    first = await credential.token(FILES)
    second = await credential.token(FILES, rejected=first, claims=CLAIMS)
    assert (first, second) == ("access-1-SECRETMARK", "access-2-SECRETMARK")
    assert json.loads(entra.forms[-1]["claims"]) == WITH_CP1
    assert entra.log.count("refresh_token") == 1
    assert await credential.token(FILES, rejected=first, claims=CLAIMS) == second


async def test_challenge_is_not_answered_with_an_older_token_of_the_cache(
    credential: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in(*FILES, "Mail.Read")
    narrow = await credential.token(FILES)
    await credential.token(["Mail.Read", "Chat.Read"])
    assert await credential.token(["Mail.Read"], rejected=narrow, claims=CLAIMS) == "access-3-SECRETMARK"


async def test_caller_with_claims_does_not_join_an_errand_without_them(
    credential: Any, cache: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in()
    first = await credential.token(FILES)
    cache.update(partial(without_token, secret=first))
    tokens: dict[str, str] = {}

    async def plain() -> None:
        tokens["plain"] = await credential.token(FILES)

    async def challenged() -> None:
        tokens["challenged"] = await credential.token(FILES, rejected=first, claims=CLAIMS)

    async with anyio.create_task_group() as group:
        group.start_soon(plain)
        group.start_soon(challenged)
    sent = [json.loads(form["claims"]) for form in entra.forms if form.get("grant_type") == "refresh_token"]
    assert WITH_CP1 in sent
    named = {f"access-{2 + number}-SECRETMARK" for number, claims in enumerate(sent) if claims == WITH_CP1}
    assert tokens["challenged"] in named


@pytest.mark.parametrize(
    ("number", "kind"), [(0, "reauth_required"), (50076, "mfa_required"), (70043, "sign_in_frequency")]
)
async def test_challenge_that_no_refresh_can_satisfy_goes_into_the_next_sign_in(
    credential: Any, entra: Any, sign_in: Any, number: int, kind: str
) -> None:
    await sign_in()
    first = await credential.token(FILES)
    entra.script["token"].append(entra.refusal("interaction_required", number))
    for _ in range(3):  # remembered, so that a model's retries cost nothing
        with pytest.raises(AuthenticationRequiredError) as caught:
            await credential.token(FILES, rejected=first, claims=CLAIMS)
        assert (caught.value.kind, caught.value.scopes) == (kind, FILES)
    assert entra.log.count("refresh_token") == 1
    await sign_in()
    begun, asked = (next(f for f in reversed(entra.forms) if key in f) for key in ("scope", "device_code"))
    assert json.loads(asked["claims"]) == WITH_CP1
    assert "claims" in begun
    assert await credential.token(FILES) == "access-2-SECRETMARK"
    await sign_in("Mail.Read")
    assert json.loads(entra.forms[-1]["claims"]) == CP1


async def test_claims_of_entras_own_refusal_go_into_the_next_sign_in(
    credential: Any, entra: Any, sign_in: Any, clock: Any
) -> None:
    await sign_in("Files.Read.All")
    entra.script["token"].append(entra.refusal("invalid_grant", 50079, claims=CLAIMS))
    with pytest.raises(AuthenticationRequiredError):
        await credential.token(["Mail.Read"])
    clock.now += 899
    pending = await credential.start_sign_in(["Mail.Read"])
    assert json.loads(entra.forms[-1]["claims"]) == WITH_CP1
    assert await credential.start_sign_in(["Mail.Read"]) == pending


async def test_claims_are_forgotten_after_a_quarter_of_an_hour(
    credential: Any, entra: Any, sign_in: Any, clock: Any
) -> None:
    await sign_in("Files.Read.All")
    entra.script["token"].append(entra.refusal("invalid_grant", 50079, claims=CLAIMS))
    with pytest.raises(AuthenticationRequiredError):
        await credential.token(["Mail.Read"])
    clock.now += 900
    await credential.start_sign_in(["Mail.Read"])
    assert json.loads(entra.forms[-1]["claims"]) == CP1


async def test_new_claims_make_a_new_code(credential: Any, entra: Any, sign_in: Any) -> None:
    await sign_in("Files.Read.All")
    await credential.start_sign_in(["Mail.Read"])
    entra.script["token"].append(entra.refusal("invalid_grant", 50079, claims=CLAIMS))
    with pytest.raises(AuthenticationRequiredError):
        await credential.token(["Mail.Read"])
    await credential.start_sign_in(["Mail.Read"])
    assert entra.log.count("devicecode") == 3
