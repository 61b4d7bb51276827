"""Real answers of Entra made wrong: tokens, device codes, discovery documents, keys; and codes used in odd ways."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest

from copilot_mcp.simulator import Simulator

CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
TENANT_ID = "00000000-0000-4000-8000-000000000001"
OTHER_TENANT_ID = "00000000-0000-4000-8000-000000000002"
CONSUMERS_TENANT_ID = "9188040d-6c67-4c5b-b112-36a304b66dad"
GRAPH = "https://graph.copilot-mcp.test"
TOKEN = "/organizations/oauth2/v2.0/token"
KEYS = "/organizations/discovery/v2.0/keys"
DISCOVERY = "/organizations/v2.0/.well-known/openid-configuration"
Starter = Callable[..., Awaitable[dict[str, Any]]]
Poller = Callable[..., Awaitable[httpx.Response]]

pytestmark = pytest.mark.anyio


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, whoever signed it."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


def uid_of(client_info: str) -> tuple[str, str]:
    """The person and tenant of a client_info."""
    info = json.loads(base64.urlsafe_b64decode(client_info + "=="))
    return info["uid"], info["utid"]


@pytest.mark.parametrize(
    ("name", "value", "member", "expected"),
    [
        ("odd_access_token", None, "access_token", 42),
        ("odd_access_token", "", "access_token", ""),
        ("odd_access_token", ["x"], "access_token", ["x"]),
        ("expires_in", None, "expires_in", 0),
        ("expires_in", "soon", "expires_in", "soon"),
        ("expires_in", -1, "expires_in", -1),
        ("expires_in", 10**12, "expires_in", 10**12),
        ("broken_id_token", None, "id_token", "not.a.jwt!"),
    ],
)
async def test_members_take_other_values(
    simulator: Simulator, sign_in: Starter, name: str, value: Any, member: str, expected: Any
) -> None:
    simulator.faults.add(name, value=value)

    spoilt, whole = await sign_in(), await sign_in()

    assert spoilt[member] == expected
    assert set(spoilt) == set(whole)
    assert whole[member] != expected


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("no_access_token", {"access_token"}),
        ("no_expires_in", {"expires_in", "ext_expires_in"}),
        ("no_client_info", {"client_info"}),
    ],
)
async def test_members_are_missing(simulator: Simulator, sign_in: Starter, name: str, gone: set[str]) -> None:
    simulator.faults.add(name)

    spoilt, whole = await sign_in(), await sign_in()

    assert set(whole) - set(spoilt) == gone


async def test_id_tokens_of_another_person_or_tenant_are_signed_and_wrong(
    simulator: Simulator, sign_in: Starter, login: httpx.AsyncClient
) -> None:
    adele, megan = simulator.users
    simulator.faults.add("id_token_of_another_person")
    simulator.faults.add("id_token_of_another_tenant", times=2)
    both = await sign_in()
    tenant = await sign_in()
    simulator.faults.add("id_token_of_another_person")
    person = await sign_in()

    keys = jwt.PyJWKSet.from_dict((await login.get(KEYS)).json())
    key = keys[jwt.get_unverified_header(person["id_token"])["kid"]]
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    assert jwt.decode(person["id_token"], key, ["RS256"], options, audience=CLIENT_ID)["oid"] == megan.id
    assert uid_of(person["client_info"]) == (adele.id, TENANT_ID)
    for each in (both, tenant):
        claims = claims_of(each["id_token"])
        assert (claims["tid"], claims["preferred_username"]) == (OTHER_TENANT_ID, "carol@fabrikam.example")
        assert claims["iss"] == f"https://login.copilot-mcp.test/{OTHER_TENANT_ID}/v2.0"


@pytest.mark.parametrize(
    ("name", "tenant_id"),
    [("approved_by_a_stranger", OTHER_TENANT_ID), ("personal_account", CONSUMERS_TENANT_ID)],
)
async def test_strangers_bring_tokens_that_graph_refuses(
    simulator: Simulator, sign_in: Starter, name: str, tenant_id: str
) -> None:
    simulator.faults.add(name)

    tokens = await sign_in()

    assert claims_of(tokens["id_token"])["tid"] == claims_of(tokens["access_token"])["tid"] == tenant_id
    assert uid_of(tokens["client_info"])[1] == tenant_id
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator.app), base_url=GRAPH) as graph:
        answer = await graph.post("/beta/copilot/conversations", json={}, headers=headers)
    assert answer.status_code == 401


async def test_app_only_token_has_roles_and_no_scopes(simulator: Simulator, sign_in: Starter) -> None:
    simulator.faults.add("app_only_token")

    claims = claims_of((await sign_in("adele", "Mail.Read"))["access_token"])

    assert (claims["idtyp"], claims["roles"], claims["oid"]) == ("app", ["Mail.Read"], CLIENT_ID)
    assert not {"scp", "upn", "name", "preferred_username"} & set(claims)


async def test_fewer_scopes_are_granted_than_asked(simulator: Simulator, sign_in: Starter) -> None:
    simulator.faults.add("fewer_scopes")
    last = await sign_in("adele", "Mail.Read Chat.Read")
    simulator.faults.add("fewer_scopes", value=["Chat.Read"])
    chosen = await sign_in("adele", "Mail.Read Chat.Read")

    assert (last["scope"], claims_of(last["access_token"])["scp"]) == ("Mail.Read openid profile", "Mail.Read")
    assert (chosen["scope"], claims_of(chosen["access_token"])["scp"]) == ("Chat.Read openid profile", "Chat.Read")


async def test_scopes_are_spelt_in_small_letters(simulator: Simulator, sign_in: Starter) -> None:
    simulator.faults.add("scopes_in_another_case")
    small = await sign_in("adele", "Mail.Read Chat.Read")
    assert small["scope"] == "mail.read chat.read openid profile"
    assert claims_of(small["access_token"])["scp"] == "Mail.Read Chat.Read"


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("discovery_over_http", "http://login.copilot-mcp.test"),
        ("discovery_elsewhere", "https://login.evil.example"),
    ],
)
async def test_discovery_names_addresses_elsewhere(
    simulator: Simulator, login: httpx.AsyncClient, name: str, root: str
) -> None:
    simulator.faults.add(name)

    body = (await login.get(DISCOVERY)).json()

    assert body["token_endpoint"] == f"{root}{TOKEN}"
    assert body["authorization_endpoint"].startswith(root) and body["jwks_uri"].startswith(root)


async def test_discovery_with_a_foreign_issuer_or_none_at_all(simulator: Simulator, login: httpx.AsyncClient) -> None:
    simulator.faults.add("foreign_issuer")
    simulator.faults.add("discovery_missing")

    missing, foreign = await login.get(DISCOVERY), await login.get(DISCOVERY)

    assert missing.status_code == 404
    assert foreign.json()["issuer"] == "https://login.evil.example/v2.0"


async def test_keys_are_empty_doubled_elliptic_many_or_rotated(simulator: Simulator, login: httpx.AsyncClient) -> None:
    (real,) = (await login.get(KEYS)).json()["keys"]
    answers = {}
    for name in ("keys_empty", "keys_twice", "keys_elliptic", "keys_flood", "keys_rotated"):
        simulator.faults.add(name)
        answers[name] = (await login.get(KEYS)).json()["keys"]

    assert answers["keys_empty"] == []
    assert [key["kid"] for key in answers["keys_twice"]] == [real["kid"]] * 2
    assert answers["keys_twice"][0]["n"] != answers["keys_twice"][1]["n"] == real["n"]
    (curve,) = answers["keys_elliptic"]
    assert (curve["kid"], curve["kty"], curve["crv"]) == (real["kid"], "EC", "P-256")
    assert len({key["kid"] for key in answers["keys_flood"]}) == 10_000
    assert [key["kid"] for key in answers["keys_rotated"]] != [real["kid"]]
    simulator.faults.add("keys_flood", value=3)
    assert len((await login.get(KEYS)).json()["keys"]) == 3


def test_the_number_of_keys_must_be_a_number(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="value must be a number"):
        simulator.faults.add("keys_flood", value="many")


# F21 to F31: device codes.


async def test_slow_down_storm_lasts_as_long_as_asked(simulator: Simulator, start: Starter, poll: Poller) -> None:
    begun = await start()
    simulator.approve(begun["user_code"], "adele")
    simulator.faults.add("slow_down", times=5)

    answers = [await poll(begun["device_code"]) for _ in range(6)]

    assert [each.json().get("error") for each in answers] == ["slow_down"] * 5 + [None]


async def test_intervals_may_be_odd(simulator: Simulator, start: Starter) -> None:
    told = []
    for value in (None, -1, "5", 10**6):
        simulator.faults.add("interval", value=value)
        told.append((await start())["interval"])

    assert told == [0, -1, "5", 10**6]


@pytest.mark.parametrize("value", [0, 10**9])
async def test_life_of_a_code_may_be_odd_or_missing(simulator: Simulator, start: Starter, value: int) -> None:
    simulator.faults.add("expires_in", operation="devicecode", value=value)
    odd = await start()
    simulator.faults.add("no_expires_in", operation="devicecode")
    missing = await start()

    assert odd["expires_in"] == value
    assert "expires_in" not in missing


async def test_device_codes_come_with_hostile_texts(simulator: Simulator, start: Starter) -> None:
    for name in ("verification_uri", "message", "user_code"):
        simulator.faults.add(name)
    hostile = await start()
    simulator.faults.add("user_code", value="A" * 1_000_000)
    large = await start()

    assert hostile["verification_uri"] == "https://microsoft.com.evil.example/devicelogin"
    for name in ("message", "user_code"):
        assert "\x1b]0;" in hostile[name] and "\u202e" in hostile[name] and "](https://evil.example)" in hostile[name]
    assert len(large["user_code"]) == 1_000_000


async def test_two_starts_are_two_codes_that_know_nothing_of_each_other(
    simulator: Simulator, start: Starter, poll: Poller
) -> None:
    first, second = await start(), await start()
    simulator.approve(second["user_code"], "megan")

    waiting, done = await poll(first["device_code"]), await poll(second["device_code"])

    assert waiting.json()["error"] == "authorization_pending"
    assert claims_of(done.json()["id_token"])["name"] == "Megan Bowen"


async def test_approval_after_the_client_has_gone_gives_nobody_a_token(
    simulator: Simulator, start: Starter, poll: Poller
) -> None:
    begun = await start()
    await poll(begun["device_code"])

    simulator.approve(begun["user_code"], "adele")

    assert "access_token" not in simulator.secrets_issued.values.values()
    assert [entry["operation"] for entry in simulator.trace] == ["devicecode", "token"]


async def test_server_error_in_the_middle_and_then_success(simulator: Simulator, start: Starter, poll: Poller) -> None:
    begun = await start()
    statuses = [(await poll(begun["device_code"])).status_code]
    simulator.faults.add("entra_down", operation="token", times=2)
    simulator.approve(begun["user_code"], "adele")
    statuses += [(await poll(begun["device_code"])).status_code for _ in range(3)]

    assert statuses == [400, 503, 503, 200]


async def test_replayed_device_code_is_unknown(simulator: Simulator, start: Starter, poll: Poller) -> None:
    begun = await start()
    simulator.approve(begun["user_code"], "adele")
    await poll(begun["device_code"])

    replayed = (await poll(begun["device_code"])).json()

    assert (replayed["error"], replayed["error_codes"]) == ("bad_verification_code", [70018])


async def test_fault_about_a_person_leaves_answers_without_tokens_alone(simulator: Simulator, start: Starter) -> None:
    simulator.faults.add("fewer_scopes", operation="devicecode")

    assert (await start())["interval"] == 1


async def test_fault_about_members_leaves_the_page_of_the_browser_alone(
    simulator: Simulator, login: httpx.AsyncClient
) -> None:
    simulator.faults.add("expires_in", operation="authorize")
    query = {"client_id": CLIENT_ID, "response_type": "code", "redirect_uri": "http://localhost", "scope": "openid"}

    assert "asks for" in (await login.get("/organizations/oauth2/v2.0/authorize", params=query)).text
