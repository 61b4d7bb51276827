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
    foreign = await login.get("/simulator", headers={"Origin": "https://evil.example"})

    assert (own.status_code, foreign.status_code) == (200, 403)


@pytest.mark.anyio
async def test_a_person_approves_on_the_page(login: httpx.AsyncClient, start: Starter, poll: Any) -> None:
    begun = await start()
    page = await login.get("/devicelogin", params={"code": begun["user_code"]})
    assert "simulated sign-in" in page.text
    assert f'value="{begun["user_code"]}"' in page.text
    assert re.findall(r'type="radio" name="user" value="(\w+)"', page.text) == ["adele", "megan"]
    assert "default-src 'none'" in page.headers["content-security-policy"]

    form = {"code": begun["user_code"], "user": "megan", "decision": "approve"}
    done = await login.post("/devicelogin", data=form)

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
