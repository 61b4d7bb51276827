"""Claims challenges: what Graph sends, to whom, and what ends them."""

import base64
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest

from copilot_mcp.simulator import Simulator

CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
GRAPH = "https://graph.copilot-mcp.test"
TOKEN = "/organizations/oauth2/v2.0/token"
CP1 = {"xms_cc": {"values": ["cp1"]}}
STEP_UP = {"acrs": {"essential": True, "value": "c1"}}
BODY = {"queryString": "travel", "dataSource": "sharePoint"}
JSON = {"Content-Type": "application/json"}
Starter = Callable[..., Awaitable[dict[str, Any]]]
Asker = Callable[..., Awaitable[httpx.Response]]

pytestmark = pytest.mark.anyio


def asking(*members: dict[str, Any]) -> str:
    """A claims parameter."""
    merged: dict[str, Any] = {}
    for each in members:
        merged |= each
    return json.dumps({"access_token": merged})


@pytest.fixture
def capable(login: httpx.AsyncClient, simulator: Simulator) -> Starter:
    """Sign Adele in with the capability, and whatever else is asked."""

    async def sign_in(*members: dict[str, Any]) -> dict[str, Any]:
        form = {"client_id": CLIENT_ID, "scope": ".default"}
        begun = (await login.post("/organizations/oauth2/v2.0/devicecode", data=form)).json()
        simulator.approve(begun["user_code"], "adele")
        grant = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": begun["device_code"]}
        answer = await login.post(TOKEN, data=form | grant | {"claims": asking(CP1, *members)})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return sign_in


@pytest.fixture
def refresh(login: httpx.AsyncClient) -> Asker:
    """Refresh with the capability, and whatever else is asked."""

    async def post(tokens: dict[str, Any], *members: dict[str, Any]) -> httpx.Response:
        form = {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return await login.post(TOKEN, data=form | {"claims": asking(CP1, *members)})

    return post


@pytest.fixture
def retrieve(simulator: Simulator) -> Asker:
    """A retrieval with the access token of a token answer."""

    async def post(tokens: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator.app), base_url=GRAPH) as client:
            return await client.post("/v1.0/copilot/retrieval", json=BODY, headers=headers)

    return post


async def test_graph_challenges_until_a_token_with_the_claims_comes(
    simulator: Simulator, capable: Starter, refresh: Asker, retrieve: Asker
) -> None:
    first = await capable()
    simulator.identity.challenge("adele")

    refused = await retrieve(first)
    plain = await retrieve((await refresh(first)).json())
    met = (await refresh(first, STEP_UP)).json()
    later = (await refresh(first)).json()

    assert [refused.status_code, plain.status_code] == [401, 401]
    assert refused.json()["error"]["code"] == "InvalidAuthenticationToken"
    assert [(await retrieve(each)).status_code for each in (met, later, first)] == [200, 200, 401]


async def test_challenge_has_the_documented_form(simulator: Simulator, capable: Starter, retrieve: Asker) -> None:
    tokens = await capable()
    simulator.identity.challenge("adele")

    header = (await retrieve(tokens)).headers["www-authenticate"]

    assert header.startswith('Bearer realm="", authorization_uri="https://login.')
    members = dict(re.findall(r'(\w+)="([^"]*)"', header))
    assert members["error"] == "insufficient_claims"
    assert json.loads(base64.b64decode(members["claims"])) == {"access_token": STEP_UP}


async def test_only_clients_with_the_capability_are_challenged(
    simulator: Simulator, sign_in: Starter, capable: Starter, retrieve: Asker
) -> None:
    without, declared = await sign_in(), await capable()
    simulator.identity.challenge("adele")

    marks = [
        jwt.decode(each["access_token"], options={"verify_signature": False}).get("xms_cc")
        for each in (without, declared)
    ]
    assert marks == [None, ["cp1"]]
    assert [(await retrieve(each)).status_code for each in (without, declared)] == [200, 401]


async def test_challenge_that_needs_a_sign_in_is_not_met_by_a_refresh(
    simulator: Simulator, capable: Starter, refresh: Asker, retrieve: Asker
) -> None:
    first = await capable()
    simulator.identity.challenge("adele", needs_sign_in=True)

    ordinary = await refresh(first)
    refused = await refresh(first, STEP_UP)
    again = await capable(STEP_UP)

    assert ordinary.status_code == 200
    assert (await retrieve(ordinary.json())).status_code == 401
    body = refused.json()
    assert (body["error"], body["error_codes"], body["suberror"]) == ("invalid_grant", [50076], "basic_action")
    assert json.loads(body["claims"]) == {"access_token": STEP_UP}
    assert (await retrieve(again)).status_code == 200
    assert (await retrieve((await refresh(again)).json())).status_code == 200


async def test_revoked_sessions_are_refused_and_challenged(
    simulator: Simulator, capable: Starter, refresh: Asker, retrieve: Asker
) -> None:
    tokens = await capable()
    simulator.identity.revoke_sessions("adele")

    challenged = await retrieve(tokens)
    refused = await refresh(tokens)

    claims = re.findall(r'claims="([^"]*)"', challenged.headers["www-authenticate"])[0]
    nbf = {"nbf": {"essential": True, "value": "1790856000"}}
    assert json.loads(base64.b64decode(claims)) == {"access_token": nbf}
    assert refused.json()["error_codes"] == [50173]
    assert (await retrieve(await capable(nbf))).status_code == 200


async def test_challenges_may_be_endless_malformed_and_ended(
    simulator: Simulator, capable: Starter, refresh: Asker, retrieve: Asker
) -> None:
    tokens = await capable()
    simulator.identity.challenge("adele", endless=True, header='Bearer error="insufficient_claims", claims="%%%"')

    met = await retrieve((await refresh(tokens, STEP_UP)).json())
    simulator.identity.end_challenges("megan")
    still = await retrieve(tokens)
    simulator.identity.end_challenges("adele")

    assert (met.status_code, met.headers["www-authenticate"]) == (
        401,
        'Bearer error="insufficient_claims", claims="%%%"',
    )
    assert still.status_code == 401
    assert (await retrieve(tokens)).status_code == 200


async def test_challenge_may_concern_one_data_source_of_a_batch(
    simulator: Simulator, capable: Starter, refresh: Asker
) -> None:
    first = await capable()
    simulator.identity.challenge("adele", sources=["sharePoint"], status=403)

    async def statuses(tokens: dict[str, Any]) -> dict[str, tuple[int, str]]:
        requests = [
            {"id": source, "method": "POST", "url": "/copilot/retrieval", "headers": JSON, "body": asked}
            for source in ("sharePoint", "oneDriveBusiness", "externalItem")
            for asked in [{"queryString": "travel", "dataSource": source}]
        ]
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator.app), base_url=GRAPH) as client:
            answer = await client.post("/v1.0/$batch", json={"requests": requests}, headers=headers)
            assert answer.status_code == 200
            created = await client.post("/beta/copilot/conversations", json={}, headers=headers)
            assert created.status_code == 201
        return {
            each["id"]: (each["status"], each["headers"].get("WWW-Authenticate", "")[:6])
            for each in answer.json()["responses"]
        }

    assert await statuses(first) == {
        "sharePoint": (403, "Bearer"),
        "oneDriveBusiness": (200, ""),
        "externalItem": (200, ""),
    }
    assert set((await statuses((await refresh(first, STEP_UP)).json())).values()) == {(200, "")}


async def test_every_item_of_a_batch_is_challenged_by_itself(
    simulator: Simulator, capable: Starter, sign_in: Starter
) -> None:
    simulator.identity.challenge("adele")

    async def post(tokens: dict[str, Any]) -> httpx.Response:
        item = {"id": "1", "method": "POST", "url": "/copilot/retrieval", "headers": JSON, "body": BODY}
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator.app), base_url=GRAPH) as client:
            return await client.post("/v1.0/$batch", json={"requests": [item, item | {"id": "2"}]}, headers=headers)

    challenged, taken = await post(await capable()), await post(await sign_in())
    assert [
        (answer.status_code, [each["status"] for each in answer.json()["responses"]]) for answer in (challenged, taken)
    ] == [(200, [401, 401]), (200, [200, 200])]
    assert (await post({"access_token": "no token"})).status_code == 401


@pytest.mark.parametrize("options", [{"status": 400}, {"sources": ["mail"]}, {"sources": "sharePoint"}])
def test_challenge_of_another_form_is_refused(simulator: Simulator, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        simulator.identity.challenge("adele", **options)


async def test_claims_challenge_can_be_asked_for_as_a_fault(
    simulator: Simulator, sign_in: Starter, retrieve: Asker
) -> None:
    tokens = await sign_in()
    simulator.faults.add("claims_challenge", operation="retrieval")
    simulator.faults.add("claims_challenge", operation="retrieval", value="Basic, Bearer claims=")

    headers = [(await retrieve(tokens)).headers["www-authenticate"] for _ in range(2)]

    assert 'error="insufficient_claims"' in headers[0]
    assert headers[1] == "Basic, Bearer claims="
    assert (await retrieve(tokens)).status_code == 200


def test_the_oldest_tokens_are_forgotten(simulator: Simulator) -> None:
    sign_ins, challenges = simulator.identity.sign_ins, simulator.identity.challenges
    session = sign_ins.begin("device", simulator.users[0], CLIENT_ID, STEP_UP)
    grant = sign_ins.granted(session, ["Mail.Read"], {}, whole=True)
    for number in range(10_001):
        challenges.note(f"token-{number}", grant)
    simulator.identity.challenge("adele")

    def passes(token_id: str) -> bool:
        try:
            challenges.check({"xms_cc": ["cp1"], "uti": token_id, "oid": simulator.users[0].id})
        except Exception:
            return False
        return True

    assert [passes(f"token-{number}") for number in (0, 1, 10_000)] == [False, True, True]
