"""The tenant's own addresses: what it is, the approval page, the trace, and who may ask at all."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator

Starter = Callable[..., Awaitable[dict[str, Any]]]


@pytest.mark.anyio
async def test_the_tenant_says_what_it_is(login: httpx.AsyncClient, simulator: Simulator) -> None:
    body = (await login.get("/simulator")).json()

    assert body["simulated"] is True
    assert body["fiction"] is True
    assert "fiction" in body["about"]
    assert [each["key"] for each in body["users"]] == ["adele", "megan"]
    assert [each["id"] for each in body["connections"]] == ["ContosoIT", "ContosoFacilities"]
    assert body["documents"] == len(simulator.tenant.documents)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:80", 200),
        ("127.8.8.8", 200),
        ("localhost:4000", 200),
        ("[::1]:4000", 200),
        ("anything.test", 200),
        ("192.168.1.1", 421),
        ("evil.example", 421),
        ("evil-test", 421),
        ("", 421),
        ("[::1", 421),
    ],
)
async def test_only_loopback_and_test_names_are_answered(login: httpx.AsyncClient, host: str, status: int) -> None:
    answer = await login.get("/simulator", headers={"Host": host})

    assert answer.status_code == status


@pytest.mark.anyio
async def test_a_foreign_origin_is_refused(login: httpx.AsyncClient) -> None:
    own = await login.get("/simulator", headers={"Origin": "https://login.copilot-mcp.test"})
    assert own.status_code == 200
    for origin in ("https://evil.example", "null", "", "http://[", "https://[::1"):
        assert (await login.get("/simulator", headers={"Origin": origin})).status_code == 403, origin


@pytest.mark.anyio
async def test_a_person_approves_on_the_page(login: httpx.AsyncClient, start: Starter, poll: Any) -> None:
    begun = await start()
    assert (await login.head("/devicelogin")).status_code == 200
    page = await login.get("/devicelogin", params={"code": begun["user_code"]})
    assert "simulated sign-in" in page.text
    assert f'value="{begun["user_code"]}"' in page.text
    assert re.findall(r'type="radio" name="user" value="(\w+)"', page.text) == ["adele", "megan"]
    assert "default-src 'none'" in page.headers["content-security-policy"]

    # What a browser sends with the form under this policy; under no-referrer it would send `null`.
    assert page.headers["referrer-policy"] == "same-origin"
    form = {"code": begun["user_code"], "user": "megan", "decision": "approve"}
    origin = str(login.base_url).rstrip("/")
    done = await login.post("/devicelogin", data=form, headers={"Origin": origin})

    assert done.status_code == 200
    assert "signed in as Megan Bowen" in done.text
    assert (await poll(begun["device_code"])).status_code == 200


@pytest.mark.anyio
async def test_a_person_declines_on_the_page(login: httpx.AsyncClient, start: Starter, poll: Any) -> None:
    begun = await start()

    done = await login.post("/devicelogin", data={"code": begun["user_code"], "decision": "decline"})

    assert "was refused" in done.text
    assert (await poll(begun["device_code"])).json()["error"] == "authorization_declined"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "form",
    [
        {"code": "NOSUCHCOD", "user": "adele", "decision": "approve"},
        {"code": "<script>alert(1)</script>", "decision": "decline"},
        {"code": "X" * 20_000},
        {},
    ],
)
async def test_a_wrong_code_is_explained_and_never_echoed_raw(login: httpx.AsyncClient, form: dict[str, str]) -> None:
    answer = await login.post("/devicelogin", data=form)

    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "<script" not in answer.text


@pytest.mark.anyio
async def test_a_person_nobody_knows_is_refused_on_the_page(login: httpx.AsyncClient, start: Starter) -> None:
    begun = await start()

    answer = await login.post("/devicelogin", data={"code": begun["user_code"], "user": "mallory"})

    assert answer.status_code == 400


@pytest.mark.anyio
async def test_another_process_approves_by_a_call(login: httpx.AsyncClient, start: Starter) -> None:
    begun = await start()
    second = await start()

    approved = await login.post("/simulator/approve", json={"user_code": begun["user_code"], "user": "adele"})
    declined = await login.post("/simulator/approve", json={"user_code": second["user_code"]})
    unknown = await login.post("/simulator/approve", json={"user_code": "NONE", "user": "adele"})
    malformed = [
        (await login.post("/simulator/approve", json={"user_code": 1})).status_code,
        (await login.post("/simulator/approve", json=[])).status_code,
        (await login.post("/simulator/approve", content=b"{")).status_code,
    ]

    assert approved.json() == {"approved": True, "user": "adele@contoso.example"}
    assert declined.json() == {"approved": False, "user": None}
    assert unknown.status_code == 404
    assert malformed == [400, 400, 400]


@pytest.mark.anyio
async def test_faults_are_asked_for_listed_and_cleared_by_calls(login: httpx.AsyncClient) -> None:
    added = await login.post("/simulator/faults", json={"name": "throttled", "times": 2, "retry_after": "1"})
    listed = await login.get("/simulator/faults")
    wrong = await login.post("/simulator/faults", json={"name": "earthquake"})
    odd = await login.post("/simulator/faults", json={"name": "slow", "speed": 1})
    cleared = await login.delete("/simulator/faults")

    expected = {
        "name": "throttled",
        "operation": "graph",
        "times": 2,
        "retry_after": "1",
        "seconds": 0.0,
        "status": None,
        "at": None,
        "form": "json",
        "user": "",
        "probability": 1.0,
        "seed": 0,
        "value": None,
    }
    assert added.json() == listed.json() == [expected]
    assert (wrong.status_code, odd.status_code, cleared.json()) == (400, 400, [])


@pytest.mark.anyio
async def test_the_trace_holds_no_secret(
    simulator: Simulator, login: httpx.AsyncClient, sign_in: Starter, start: Starter
) -> None:
    tokens = await sign_in("adele")
    begun = await start()

    shown = (await login.get("/simulator/trace")).text + repr(simulator.exchanges)

    secrets = [str(tokens[name]) for name in ("access_token", "refresh_token", "id_token", "client_info")]
    assert not [each for each in [*secrets, begun["device_code"], begun["user_code"]] if each in shown]
    operations = [entry["operation"] for entry in simulator.trace]
    assert operations == ["devicecode", "token", "devicecode"]
    assert simulator.exchanges[1]["request"]["grant_type"].endswith("device_code")
    simulator.clear_trace()
    assert (simulator.trace, simulator.exchanges) == ([], [])


@pytest.fixture
async def keyed(simulator: Simulator) -> Any:
    """A tenant of somebody's own documents: it asks for its start-up key."""
    with Simulator(simulator.tenant, key="the-key") as own:
        transport = httpx.ASGITransport(own.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield own, client


async def begin(client: httpx.AsyncClient) -> str:
    form = {"client_id": "00000000-0000-4000-8000-00000000c0de", "scope": "Files.Read.All Sites.Read.All"}
    code: str = (await client.post("/organizations/oauth2/v2.0/devicecode", data=form)).json()["user_code"]
    return code


@pytest.mark.anyio
@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic the-key"])
async def test_without_the_key_nothing_is_told_or_decided(keyed: Any, authorization: str) -> None:
    _, client = keyed
    headers = {"Authorization": authorization}
    code = await begin(client)
    approval = {"user_code": code, "user": "adele"}
    answers = [
        await client.get("/simulator", headers=headers),
        await client.get("/simulator/trace", headers=headers),
        await client.post("/simulator/faults", headers=headers, json={"name": "slow"}),
        await client.post("/simulator/approve", headers=headers, json=approval),
    ]
    assert [answer.status_code for answer in answers] == [401] * 4
    form = {"code": code, "user": "adele", "decision": "approve"}
    for given in ({}, {"key": ""}, {"key": "wrong"}):
        page = await client.post("/devicelogin", data=form | given)
        assert page.status_code == 403
        assert "start-up key is missing or wrong" in page.text
        assert "wrong&quot;" not in page.text


@pytest.mark.anyio
async def test_with_the_key_the_page_and_the_call_decide(keyed: Any) -> None:
    _, client = keyed
    headers = {"Authorization": "Bearer the-key"}
    assert (await client.get("/simulator", headers=headers)).json()["simulated"] is True
    called = {"user_code": await begin(client), "user": "adele"}
    assert (await client.post("/simulator/approve", headers=headers, json=called)).status_code == 200
    page = await client.get("/devicelogin", params={"key": "the-key"})
    assert 'name="key" value="the-key"' in page.text
    form = {"code": await begin(client), "user": "megan", "decision": "approve", "key": "the-key"}
    assert "signed in as Megan Bowen" in (await client.post("/devicelogin", data=form)).text
