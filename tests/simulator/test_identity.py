"""Consent states, Conditional Access, rotation of refresh tokens, and the address that controls them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator
from copilot_mcp.simulator.entra_errors import EntraRefusalError

CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
TOKEN = "/organizations/oauth2/v2.0/token"
POLICY = {"access_token": {"capolids": {"essential": True, "values": ["00000000-0000-4000-8000-0000000ca001"]}}}
Starter = Callable[..., Awaitable[dict[str, Any]]]
Poller = Callable[..., Awaitable[httpx.Response]]

pytestmark = pytest.mark.anyio


@pytest.fixture
def refresh(login: httpx.AsyncClient) -> Poller:
    """Redeem the refresh token of a token answer."""

    async def post(tokens: dict[str, Any], scope: str = "Files.Read.All", **more: str) -> httpx.Response:
        form = {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return await login.post(TOKEN, data=form | {"scope": scope} | more)

    return post


def told(answer: httpx.Response) -> tuple[str, int, str]:
    """Error, number and suberror of a refusal."""
    body = answer.json()
    return body["error"], body["error_codes"][0], body.get("suberror", "")


async def test_used_refresh_tokens_go_on_working_as_with_entra(
    simulator: Simulator, sign_in: Starter, refresh: Poller
) -> None:
    tokens = await sign_in()

    answers = [await refresh(tokens), await refresh(tokens)]
    newest = await refresh(answers[1].json())

    assert [each.status_code for each in (*answers, newest)] == [200, 200, 200]
    assert (simulator.identity.refreshes("adele"), simulator.identity.refreshes("megan")) == (3, 0)


async def test_second_use_under_strict_rotation_ends_the_family_and_no_other(
    simulator: Simulator, sign_in: Starter, refresh: Poller
) -> None:
    simulator.identity.rotate_refresh_tokens("strict")
    stolen, other = await sign_in(), await sign_in()
    heir = (await refresh(stolen)).json()

    replayed = await refresh(stolen)

    assert told(replayed) == ("invalid_grant", 70000, "")
    assert told(await refresh(heir)) == ("invalid_grant", 70000, "")
    assert (await refresh(other)).status_code == 200
    assert simulator.identity.refreshes("adele") == 2


async def test_refused_refresh_does_not_use_a_strict_token_up(
    simulator: Simulator, sign_in: Starter, refresh: Poller
) -> None:
    simulator.identity.rotate_refresh_tokens("strict")
    tokens = await sign_in()
    simulator.identity.block("adele", 53003, flows=["refresh"])
    refused = await refresh(tokens)
    simulator.identity.unblock("adele")

    assert told(refused) == ("invalid_grant", 53003, "message_only")
    assert (await refresh(tokens)).status_code == 200


async def test_refresh_tokens_end_after_ninety_idle_days(sign_in: Starter, refresh: Poller, clock: Any) -> None:
    tokens = await sign_in()
    clock.advance(89 * 86_400)
    newer = (await refresh(tokens)).json()
    clock.advance(86_400)

    assert told(await refresh(tokens)) == ("invalid_grant", 700082, "")
    assert (await refresh(newer)).status_code == 200


async def test_refresh_token_of_another_application_is_refused(
    simulator: Simulator, sign_in: Starter, refresh: Poller
) -> None:
    simulator.register("other")
    tokens = await sign_in()

    assert told(await refresh(tokens, client_id="other")) == ("invalid_grant", 50173, "")


async def test_consent_of_the_person_is_asked_at_sign_in_and_then_lasts(
    simulator: Simulator, start: Starter, poll: Poller, sign_in: Starter, refresh: Poller
) -> None:
    earlier = await sign_in("adele", "Mail.Read")
    simulator.identity.set_consent("adele", ["files.read.all"], "user")
    silent = await refresh(earlier)
    begun = await start("Files.Read.All")
    simulator.approve(begun["user_code"], "adele", consent=False)
    declined = await poll(begun["device_code"])
    agreed = await sign_in("adele", "Files.Read.All")

    assert told(silent) == ("invalid_grant", 65001, "consent_required")
    assert told(declined) == ("access_denied", 65004, "")
    assert agreed["scope"] == "Files.Read.All openid profile"
    assert (await refresh(earlier)).status_code == 200


async def test_admin_consent_stops_the_person_and_the_client_goes_on_waiting(
    simulator: Simulator, start: Starter, poll: Poller, login: httpx.AsyncClient
) -> None:
    simulator.identity.set_consent("megan", ["Chat.Read"], "admin")
    begun = await start(".default")

    shown = simulator.approve(begun["user_code"], "megan")
    called = await login.post("/simulator/approve", json={"user_code": begun["user_code"], "user": "megan"})
    page = await login.post("/devicelogin", data={"code": begun["user_code"], "user": "megan"})
    waiting = await poll(begun["device_code"])
    simulator.identity.set_consent("megan", ["Chat.Read"], "granted")
    again = simulator.approve(begun["user_code"], "megan")

    assert (shown, again) == (90094, None)
    assert called.json() == {"approved": False, "user": "megan", "shown": 90094}
    assert "AADSTS90094" in page.text
    assert told(waiting)[0] == "authorization_pending"
    assert (await poll(begun["device_code"])).status_code == 200


async def test_withheld_scope_is_left_out_in_silence(simulator: Simulator, sign_in: Starter) -> None:
    simulator.identity.set_consent("adele", ["Chat.Read"], "withheld")

    tokens = await sign_in("adele", "Chat.Read Mail.Read")

    assert tokens["scope"] == "Mail.Read openid profile"


async def test_block_told_to_the_client_ends_a_device_code(
    simulator: Simulator, start: Starter, poll: Poller, sign_in: Starter
) -> None:
    simulator.identity.block("adele", 530034, flows=["device"], shown="client")
    begun = await start()
    simulator.approve(begun["user_code"], "adele")

    answer = await poll(begun["device_code"])

    assert told(answer) == ("invalid_grant", 530034, "message_only")
    assert json.loads(answer.json()["claims"]) == POLICY
    assert (await sign_in("megan"))["token_type"] == "Bearer"


async def test_later_block_of_device_codes_stops_their_refreshes_too(
    simulator: Simulator, sign_in: Starter, refresh: Poller
) -> None:
    tokens = await sign_in()

    simulator.identity.block(None, 53003, flows=["device"])

    assert told(await refresh(tokens)) == ("invalid_grant", 53003, "message_only")


async def test_required_sign_in_stops_refreshes_until_there_was_one(
    simulator: Simulator, sign_in: Starter, refresh: Poller
) -> None:
    before = await sign_in()
    simulator.identity.require_sign_in("adele")
    refused = await refresh(before)
    after = await sign_in()

    assert told(refused) == ("invalid_grant", 50076, "basic_action")
    assert json.loads(refused.json()["claims"]) == POLICY
    assert (await refresh(after)).status_code == 200
    assert told(await refresh(before))[1] == 50076


async def test_required_claims_are_met_by_a_sign_in_that_asked_for_them(
    simulator: Simulator, login: httpx.AsyncClient, sign_in: Starter, poll: Poller, refresh: Poller
) -> None:
    claims = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
    simulator.identity.require_sign_in("adele", 50074, claims=claims)
    without = await sign_in()
    form = {"client_id": CLIENT_ID, "scope": "Files.Read.All", "claims": json.dumps(claims)}
    begun = (await login.post("/organizations/oauth2/v2.0/devicecode", data=form)).json()
    simulator.approve(begun["user_code"], "adele")
    met = (await poll(begun["device_code"])).json()

    refused = await refresh(without)
    assert (told(refused)[1], json.loads(refused.json()["claims"])) == (50074, claims)
    assert (await refresh(met)).status_code == 200


async def test_sign_in_frequency_counts_from_the_sign_in(
    simulator: Simulator, sign_in: Starter, refresh: Poller, clock: Any
) -> None:
    simulator.identity.require_sign_in_every(3600, "adele")
    tokens = await sign_in()
    clock.advance(3599)
    early = await refresh(tokens)
    clock.advance(1)

    assert early.status_code == 200
    assert told(await refresh(tokens)) == ("invalid_grant", 70043, "token_expired")


async def test_token_life_and_key_are_settable(
    simulator: Simulator, sign_in: Starter, login: httpx.AsyncClient, graph: httpx.AsyncClient
) -> None:
    simulator.identity.token_life(60)
    simulator.identity.rotate_key()
    assert (await sign_in())["expires_in"] == 60
    assert len((await login.get("/organizations/discovery/v2.0/keys")).json()["keys"]) == 2
    assert (await graph.post("/beta/copilot/conversations", json={})).status_code == 201

    simulator.identity.rotate_key(keep_old=False)

    assert len((await login.get("/organizations/discovery/v2.0/keys")).json()["keys"]) == 1
    refused = await graph.post("/beta/copilot/conversations", json={})
    assert (refused.status_code, refused.json()["error"]["message"]) == (401, "Signature is invalid.")


async def test_control_address_sets_and_tells(simulator: Simulator, login: httpx.AsyncClient) -> None:
    async def do(**body: Any) -> httpx.Response:
        return await login.post("/simulator/identity", json=body)

    await do(do="block", user="adele", number=53000, flows=["device", "refresh"])
    await do(do="token_life", seconds=120)
    await do(do="set_consent", user="megan", scopes=["Mail.Read"], state="admin")
    state = await do(do="rotate_refresh_tokens", rotation="strict")

    expected = {
        "rotation": "strict",
        "tokenLife": 120,
        "refreshes": {"adele": 0, "megan": 0},
        "policies": [{"number": 53000, "flows": ["device", "refresh"], "user": "adele"}],
    }
    assert state.json() == (await login.get("/simulator/identity")).json() == expected
    assert simulator.identity.sign_ins.consents.state(CLIENT_ID, simulator.users[1].id, "Mail.Read") == "admin"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "do must be one of block, challenge"),
        ({"do": "__init__"}, 400, "do must be one of"),
        ({"do": "block", "user": "mallory"}, 404, "no such user"),
        ({"do": "block", "number": 1}, 400, "no such error of Entra: 1"),
        ({"do": "block", "flows": ["post"]}, 400, "flows must be among"),
        ({"do": "block", "flows": []}, 400, "flows must be among"),
        ({"do": "block", "shown": "sky"}, 400, "shown must be"),
        ({"do": "block", "colour": "red"}, 400, "colour"),
        ({"do": "set_consent", "user": "adele", "scopes": ["X"], "state": "user"}, 400, "no such scope"),
        ({"do": "set_consent", "user": "adele", "scopes": [], "state": "maybe"}, 400, "state must be"),
        ({"do": "rotate_refresh_tokens", "rotation": "twice"}, 400, "rotation must be"),
        ({"do": "challenge", "user": "adele", "claims": {"id_token": {}}}, 400, "claims must be"),
        ({"do": "challenge", "user": "adele", "sources": ["mail"]}, 400, "sources must be among sharePoint"),
        ({"do": "challenge", "user": "adele", "status": 400}, 400, "status must be 401 or 403"),
    ],
)
async def test_control_address_explains_what_it_refuses(
    login: httpx.AsyncClient, body: dict[str, Any], status: int, words: str
) -> None:
    answer = await login.post("/simulator/identity", json=body)

    assert answer.status_code == status
    assert words in answer.json()["error"]


async def test_consent_that_an_administrator_takes_back_after_the_approval_is_told_to_the_client(
    simulator: Simulator, start: Starter, poll: Poller
) -> None:
    begun = await start("Chat.Read")
    simulator.approve(begun["user_code"], "adele")
    simulator.identity.set_consent("adele", ["Chat.Read"], "admin")

    assert told(await poll(begun["device_code"])) == ("invalid_grant", 90094, "")


def test_a_code_is_forgotten_once(simulator: Simulator) -> None:
    codes = simulator.identity.sign_ins.codes
    device_code, _ = codes.start(CLIENT_ID, ("Mail.Read",), {})
    codes.forget(device_code)

    with pytest.raises(EntraRefusalError, match="AADSTS70018"):
        codes.forget(device_code)


def test_consent_for_an_unknown_application_is_refused(simulator: Simulator) -> None:
    with pytest.raises(LookupError):
        simulator.identity.set_consent("adele", ["Mail.Read"], "user", client_id="nobody")
