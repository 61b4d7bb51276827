"""Discovery, device codes and tokens in Entra's wire form."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest

from copilot_mcp.simulator import Simulator
from copilot_mcp.simulator.entra_errors import EntraRefusalError
from copilot_mcp.simulator.sign_ins import SignIns

CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
TENANT_ID = "00000000-0000-4000-8000-000000000001"
LOGIN = "https://login.copilot-mcp.test"
TOKEN = "/organizations/oauth2/v2.0/token"
PREFIX = "https://graph.copilot-mcp.test/"
Starter = Callable[..., Awaitable[dict[str, Any]]]
Poller = Callable[..., Awaitable[httpx.Response]]


def refusal(answer: httpx.Response) -> tuple[int, str, list[int]]:
    body = answer.json()
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    assert body["correlation_id"] == answer.headers["client-request-id"]
    assert body["timestamp"].endswith("Z")
    return answer.status_code, body["error"], body["error_codes"]


@pytest.mark.anyio
@pytest.mark.parametrize("tenant", [TENANT_ID, "organizations", "contoso.example"])
async def test_discovery_names_addresses_under_the_name_asked(login: httpx.AsyncClient, tenant: str) -> None:
    answer = await login.get(f"/{tenant}/v2.0/.well-known/openid-configuration")

    body = answer.json()
    assert body["token_endpoint"] == f"{LOGIN}/{tenant}/oauth2/v2.0/token"
    assert body["device_authorization_endpoint"] == f"{LOGIN}/{tenant}/oauth2/v2.0/devicecode"
    assert body["jwks_uri"] == f"{LOGIN}/{tenant}/discovery/v2.0/keys"
    assert body["issuer"] == f"{LOGIN}/{TENANT_ID}/v2.0"


@pytest.mark.anyio
async def test_discovery_follows_a_loopback_host(simulator: Simulator) -> None:
    transport = httpx.ASGITransport(simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8123") as client:
        body = (await client.get("/organizations/v2.0/.well-known/openid-configuration")).json()

    assert body["token_endpoint"] == "http://127.0.0.1:8123/organizations/oauth2/v2.0/token"


@pytest.mark.anyio
async def test_an_unknown_tenant_is_refused(login: httpx.AsyncClient) -> None:
    answer = await login.get("/nobody.example/v2.0/.well-known/openid-configuration")

    assert refusal(answer) == (400, "invalid_tenant", [90002])


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "TRACE", "PROPFIND"])
async def test_a_wrong_method_is_refused(login: httpx.AsyncClient, method: str) -> None:
    answer = await login.request(method, TOKEN)

    assert refusal(answer) == (405, "invalid_request", [900561])
    assert answer.headers["allow"] == "POST"
    assert f"only accepts POST requests. Received a {method} request." in answer.json()["error_description"]


@pytest.mark.anyio
async def test_a_device_code_is_offered_as_entra_offers_it(start: Starter) -> None:
    begun = await start("Files.Read.All offline_access")

    assert set(begun) == {"user_code", "device_code", "verification_uri", "expires_in", "interval", "message"}
    assert begun["verification_uri"] == "http://127.0.0.1/devicelogin"
    assert (begun["expires_in"], begun["interval"]) == (900, 1)
    assert "simulated" in begun["message"]
    assert len(begun["user_code"]) == 9


@pytest.mark.anyio
async def test_an_approved_code_gives_tokens_that_say_who_and_for_what(
    simulator: Simulator, login: httpx.AsyncClient, start: Starter, poll: Poller, clock: Callable[[], float]
) -> None:
    begun = await start(f"{PREFIX}Files.Read.All sites.read.all openid profile offline_access")
    simulator.approve(begun["user_code"].lower(), "adele")

    body = (await poll(begun["device_code"])).json()

    keys = jwt.PyJWKSet.from_dict((await login.get(f"/{TENANT_ID}/discovery/v2.0/keys")).json())
    header = jwt.get_unverified_header(body["access_token"])
    key = keys[header["kid"]]
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(body["access_token"], key, ["RS256"], options, audience=PREFIX[:-1])
    identity = jwt.decode(body["id_token"], key, ["RS256"], options, audience=CLIENT_ID)
    adele = simulator.users[0]
    now = int(clock())
    assert claims.pop("uti").startswith("simulated-secret-1-")
    assert claims == {
        "aud": "https://graph.copilot-mcp.test",
        "iss": f"{LOGIN}/{TENANT_ID}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "tid": TENANT_ID,
        "oid": adele.id,
        "sub": adele.id,
        "name": "Adele Vance",
        "preferred_username": adele.username,
        "upn": adele.username,
        "appid": CLIENT_ID,
        "azp": CLIENT_ID,
        "idtyp": "user",
        "scp": "Files.Read.All Sites.Read.All",
        "ver": "2.0",
    }
    assert identity["name"] == "Adele Vance"
    assert body["scope"] == f"{PREFIX}Files.Read.All sites.read.all openid profile"
    info = json.loads(base64.urlsafe_b64decode(body["client_info"] + "=="))
    assert info == {"uid": adele.id, "utid": TENANT_ID}


@pytest.mark.anyio
async def test_a_code_waits_then_slows_an_impatient_client_down(start: Starter, poll: Poller, clock: Any) -> None:
    begun = await start()

    answers = [refusal(await poll(begun["device_code"]))[1]]
    answers.append(refusal(await poll(begun["device_code"]))[1])
    clock.advance(6)
    answers.append(refusal(await poll(begun["device_code"]))[1])

    assert answers == ["authorization_pending", "slow_down", "authorization_pending"]


@pytest.mark.anyio
async def test_approval_comes_before_slowing_down(simulator: Simulator, start: Starter, poll: Poller) -> None:
    begun = await start()
    await poll(begun["device_code"])
    simulator.approve(begun["user_code"], "megan")

    assert (await poll(begun["device_code"])).status_code == 200


@pytest.mark.anyio
async def test_a_code_is_good_once(simulator: Simulator, start: Starter, poll: Poller) -> None:
    begun = await start()
    simulator.approve(begun["user_code"], "adele")
    await poll(begun["device_code"])

    assert refusal(await poll(begun["device_code"])) == (400, "bad_verification_code", [70018])
    with pytest.raises(LookupError, match="not waiting"):
        simulator.approve(begun["user_code"], "adele")


@pytest.mark.anyio
async def test_a_declined_code_says_so(simulator: Simulator, start: Starter, poll: Poller) -> None:
    begun = await start()
    simulator.decline(begun["user_code"])

    assert refusal(await poll(begun["device_code"]))[1] == "authorization_declined"


@pytest.mark.anyio
async def test_a_code_expires_and_is_later_forgotten(
    simulator: Simulator, start: Starter, poll: Poller, clock: Any
) -> None:
    begun = await start()
    clock.advance(900)
    assert refusal(await poll(begun["device_code"])) == (400, "expired_token", [70020])
    with pytest.raises(LookupError):
        simulator.approve(begun["user_code"], "adele")

    clock.advance(901)
    await start()

    assert refusal(await poll(begun["device_code"]))[1] == "bad_verification_code"


@pytest.mark.anyio
async def test_the_person_who_approves_must_exist(simulator: Simulator, start: Starter) -> None:
    begun = await start()

    with pytest.raises(LookupError, match="no such user"):
        simulator.approve(begun["user_code"], "mallory")


@pytest.mark.anyio
async def test_an_unknown_client_is_refused_until_it_is_registered(
    simulator: Simulator, login: httpx.AsyncClient, sign_in: Starter
) -> None:
    other = "11111111-0000-4000-8000-000000000000"
    form = {"client_id": other, "scope": "Files.Read.All"}
    before = await login.post("/organizations/oauth2/v2.0/devicecode", data=form)
    assert refusal(before) == (400, "unauthorized_client", [700016])

    simulator.register(other, "Another app")

    assert (await sign_in("adele", "Files.Read.All", other))["token_type"] == "Bearer"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, (400, "invalid_request", [900144])),
        ({"client_id": CLIENT_ID}, (400, "invalid_request", [900144])),
        ({"client_id": CLIENT_ID, "grant_type": "password"}, (400, "unsupported_grant_type", [70003])),
        ({"client_id": CLIENT_ID, "grant_type": "refresh_token"}, (400, "invalid_request", [900144])),
        (
            {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": "made up"},
            (400, "invalid_grant", [50173]),
        ),
    ],
)
async def test_malformed_token_requests_are_refused(
    login: httpx.AsyncClient, form: dict[str, str], expected: tuple[int, str, list[int]]
) -> None:
    assert refusal(await login.post(TOKEN, data=form)) == expected


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("https://graph.example.com/Files.Read.All", (400, "invalid_resource", [500011])),
        ("Files.ReadWrite.All", (401, "invalid_client", [650053])),
    ],
)
async def test_scopes_of_another_resource_or_unknown_are_refused(
    login: httpx.AsyncClient, scope: str, expected: tuple[int, str, list[int]]
) -> None:
    form = {"client_id": CLIENT_ID, "scope": scope}

    assert refusal(await login.post("/organizations/oauth2/v2.0/devicecode", data=form)) == expected


@pytest.mark.anyio
async def test_a_refresh_token_gives_another_scope_set_until_it_is_revoked(
    simulator: Simulator, login: httpx.AsyncClient, sign_in: Starter
) -> None:
    first = await sign_in("adele", "Files.Read.All")
    form = {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_token": str(first["refresh_token"]),
        "scope": "Chat.Read",
    }

    second = await login.post(TOKEN, data=form)
    again = await login.post(TOKEN, data=form)
    simulator.revoke("adele")

    assert second.json()["scope"] == "Chat.Read openid profile"
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert again.status_code == 200
    assert refusal(await login.post(TOKEN, data=form)) == (400, "invalid_grant", [50173])


@pytest.mark.anyio
async def test_consent_narrows_a_sign_in_and_stops_a_refresh(
    simulator: Simulator, login: httpx.AsyncClient, sign_in: Starter
) -> None:
    simulator.consent("adele", ["Files.Read.All"])

    tokens = await sign_in("adele", "Files.Read.All Chat.Read")
    form = {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": str(tokens["refresh_token"])}
    answer = await login.post(TOKEN, data=form | {"scope": "Files.Read.All Chat.Read"})

    assert tokens["scope"] == "Files.Read.All openid profile"
    assert refusal(answer) == (400, "invalid_grant", [65001])
    assert answer.json()["suberror"] == "consent_required"
    everything = (await sign_in("megan", ".default"))["scope"].split()
    assert len(everything) == 11


@pytest.mark.anyio
async def test_no_consent_at_all_refuses_the_sign_in(simulator: Simulator, start: Starter, poll: Poller) -> None:
    simulator.consent("adele", [])
    begun = await start("Chat.Read")
    simulator.approve(begun["user_code"], "adele")

    assert refusal(await poll(begun["device_code"])) == (400, "invalid_grant", [65001])


@pytest.mark.anyio
async def test_a_tenant_may_approve_by_itself(clock: Any) -> None:
    simulator = Simulator(clock=clock, auto_approve="megan", interval=5)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator.app), base_url=LOGIN) as client:
        form = {"client_id": CLIENT_ID, "scope": "Chat.Read"}
        begun = (await client.post("/organizations/oauth2/v2.0/devicecode", data=form)).json()
        grant = {"client_id": CLIENT_ID, "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}
        answer = await client.post(TOKEN, data=grant | {"device_code": begun["device_code"]})

    assert begun["interval"] == 5
    assert jwt.decode(answer.json()["id_token"], options={"verify_signature": False})["name"] == "Megan Bowen"
    with pytest.raises(LookupError):
        Simulator(auto_approve="mallory")


@pytest.mark.anyio
async def test_entra_can_be_down_or_busy(simulator: Simulator, login: httpx.AsyncClient) -> None:
    simulator.faults.add("entra_down")
    simulator.faults.add("throttled", operation="token", retry_after="3")

    down = await login.get("/organizations/discovery/v2.0/keys")
    busy = await login.post(TOKEN, data={})

    assert (down.status_code, down.headers["content-type"]) == (503, "text/html")
    assert (busy.status_code, busy.headers["retry-after"], busy.json()["error"]) == (
        429,
        "3",
        "temporarily_unavailable",
    )
    assert (await login.get("/organizations/discovery/v2.0/keys")).status_code == 200


def test_the_oldest_refresh_token_and_code_are_forgotten_when_there_are_too_many(
    simulator: Simulator, clock: Any
) -> None:
    sign_ins = SignIns(simulator.tenant, clock, interval_s=1, auto_approve="adele")
    grant = sign_ins.redeem(sign_ins.start(CLIENT_ID, "Chat.Read")[0], CLIENT_ID)
    first = sign_ins.refresh_token(grant)
    for _ in range(10_000):
        last = sign_ins.refresh_token(grant)
    codes = [sign_ins.start(CLIENT_ID, "Chat.Read")[0] for _ in range(1_001)]

    assert sign_ins.refresh(last, CLIENT_ID, "Chat.Read").scopes == ("Chat.Read",)
    with pytest.raises(EntraRefusalError):
        sign_ins.refresh(first, CLIENT_ID, "Chat.Read")
    with pytest.raises(EntraRefusalError):
        sign_ins.redeem(codes[0], CLIENT_ID)
    assert sign_ins.redeem(codes[-1], CLIENT_ID).user.key == "adele"
