"""Signing in from inside the host, in both eras: asked by URL elicitation where the host can, by an error elsewhere."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from copilot_mcp.auth import CLOUDS, SignInAttempt
from copilot_mcp.cli._services import GraphServices, open_credential
from copilot_mcp.server import build_server
from copilot_mcp.server.sign_in import SignInPendingError
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

MESSAGE = {"message": "How many weeks of parental leave do we get?"}
QUESTION = {"queryString": "parental leave", "dataSource": "sharePoint"}
SCOPES = "https://graph.copilot-mcp.test/Files.Read.All https://graph.copilot-mcp.test/Sites.Read.All"


def code_in(text: str) -> str:
    found = re.search(r"code ([A-Z]{9})\b", text)
    assert found, text
    return found[1]


def facts(result: Any) -> dict[str, Any]:
    assert result.is_error, result
    return dict((result.meta or {})["copilot-mcp/error"])


async def until_waiting(person: Any, calls: int) -> None:
    """Until this many calls wait for the person at the server; the sign-in has to be alive."""
    with anyio.fail_after(10):
        while True:
            host = person.services[0].host_sign_in
            waiting = host._waiting if host is not None else None
            if waiting is not None and waiting.calls == calls and len(person.asked) >= calls:
                return
            await anyio.sleep(0.01)


def started(simulator: Simulator) -> list[str]:
    """The scopes of every device code that was asked for."""
    asked = [entry["request"] for entry in simulator.exchanges if entry["operation"] == "devicecode"]
    return [each["scope"].removesuffix(" offline_access openid profile") for each in asked]


async def test_host_that_cannot_open_pages_shows_address_and_code_and_the_next_call_works(
    open_client: Any, simulator: Simulator, person: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await open_client(asks=False)
    first = await client.call_tool("copilot_retrieve", QUESTION)
    told = facts(first)
    text = first.content[0].text
    assert (told["kind"], told["whoActs"]) == ("sign_in_pending", "user")
    assert told["verificationUri"] in text
    assert told["userCode"] == code_in(text)
    assert "15 minutes are left" in text
    assert text.startswith("Nobody is signed in to Microsoft 365. To sign in, the person opens ")
    assert (
        "Show the person this address and this code (`copilot-mcp login` in a terminal would not reach this process, "
        "which keeps its sign-in in memory). Call this tool again when they are done; it will just work. "
        "[sign_in_pending]"
    ) in text
    assert f"enter the code {told['userCode']}" in capsys.readouterr().err

    again = facts(await client.call_tool("copilot_retrieve", QUESTION))
    assert (again["userCode"], len(started(simulator))) == (told["userCode"], 1)

    person.decide(told["userCode"])
    with anyio.fail_after(10):
        while (result := await client.call_tool("copilot_retrieve", QUESTION)).is_error:
            assert facts(result)["kind"] == "sign_in_pending"
    assert (result.structured_content or {})["hits"]
    assert len(started(simulator)) == 1


async def test_only_the_scopes_of_the_called_tool_are_asked_for(open_client: Any, simulator: Simulator) -> None:
    client = await open_client(asks=False)
    await client.call_tool("copilot_retrieve", QUESTION)
    assert [sorted(scopes.split()) for scopes in started(simulator)] == [sorted(SCOPES.split())]


async def test_nothing_but_a_graph_tool_waits_for_identity(open_client: Any, simulator: Simulator) -> None:
    client = await open_client(asks=False)
    assert len((await client.list_tools()).tools) == 3
    built = await client.call_tool("build_filter", {"dataSource": "sharePoint", "expression": "FileType:pdf"})
    assert not built.is_error
    assert simulator.exchanges == []


async def test_host_that_opens_pages_is_asked_and_the_same_call_goes_on(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=True)
    result = await client.call_tool("copilot_retrieve", QUESTION)
    assert not result.is_error, result.content
    assert result.structured_content["hits"]
    assert result.content[-1].text == (
        "Signed in as Adele Vance <adele@contoso.example>, tenant 00000000-0000-4000-8000-000000000001; granted: "
        "Files.Read.All, Sites.Read.All. The sign-in is kept in memory only."
    )
    assert result.structured_content["signedIn"] == result.content[-1].text
    assert "signedIn" not in (await client.call_tool("copilot_retrieve", QUESTION)).structured_content
    (asked,) = person.asked
    assert asked.mode == "url"
    assert asked.url.endswith("/devicelogin")
    assert "within 15 minutes" in asked.message
    assert "adele" not in f"{asked.url} {asked.message}"
    assert len((await client.call_tool("copilot_retrieve", QUESTION)).content) == 1
    assert len(person.asked) == 1


async def test_place_that_cannot_be_told_is_left_out_and_the_answer_comes(
    simulator: Simulator,
    in_process: Any,
    person: Any,
    era: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    cloud = CLOUDS["simulated"]
    settings = Settings(
        cloud=cloud.name, tenant=cloud.tenant_id, client_id=cloud.client_id, cache="plain", time_zone="Etc/UTC"
    )
    async with (
        GraphServices(settings, in_process(simulator, signs_in=False), sleep=person.sleep) as services,
        Client(build_server(services, settings, person=services.person), mode=era) as client,
    ):
        person.decide(facts(await client.call_tool("copilot_retrieve", QUESTION))["userCode"])
        with anyio.fail_after(10):
            while not list(tmp_path.glob("**/*.json")):
                await anyio.sleep(0.01)
        lock = next(tmp_path.glob("**/*.lock"))
        lock.unlink()
        lock.symlink_to(tmp_path / "elsewhere")
        with anyio.fail_after(10):
            while (result := await client.call_tool("copilot_retrieve", QUESTION)).is_error:
                pass
    assert result.content[-1].text == (
        "Signed in as Adele Vance <adele@contoso.example>, tenant 00000000-0000-4000-8000-000000000001; granted: "
        "Files.Read.All, Sites.Read.All."
    )


async def test_person_who_does_not_finish_is_given_the_code_and_the_next_call_works(
    open_client: Any, person: Any
) -> None:
    person.acts = ["accept"]
    client = await open_client(asks=True, wait_s=0.0)
    told = facts(await client.call_tool("copilot_retrieve", QUESTION))
    assert (told["kind"], told["userCode"]) == ("sign_in_pending", code_in(person.asked[0].message))
    person.acts = ["approve", "accept"]
    with anyio.fail_after(10):
        while (await client.call_tool("copilot_retrieve", QUESTION)).is_error:
            person.acts = ["accept"]
    assert {code_in(asked.message) for asked in person.asked} == {told["userCode"]}


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_person_who_does_not_want_to_sign_in_ends_the_attempt(
    open_client: Any, simulator: Simulator, person: Any, action: str
) -> None:
    person.acts = [action]
    client = await open_client(asks=True)
    assert facts(await client.call_tool("copilot_retrieve", QUESTION))["kind"] == "sign_in_declined"
    with pytest.raises(LookupError):
        for _ in range(2):  # the first approval comes too late and is not redeemed
            person.decide(code_in(person.asked[0].message))
    person.acts = ["approve", "accept"]
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
    assert code_in(person.asked[0].message) != code_in(person.asked[-1].message)


async def test_refusal_in_the_browser_is_said_once_and_the_call_after_it_begins_anew(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=False)
    first = facts(await client.call_tool("copilot_retrieve", QUESTION))
    person.decide(first["userCode"], None)
    with anyio.fail_after(10):
        while (told := facts(result := await client.call_tool("copilot_retrieve", QUESTION)))[
            "kind"
        ] == "sign_in_pending":
            assert told["userCode"] == first["userCode"]
    assert told["kind"] == "sign_in_declined"
    assert result.content[0].text.startswith(
        "Nobody is signed in to Microsoft 365. The sign-in was refused in the browser."
    )
    assert facts(await client.call_tool("copilot_retrieve", QUESTION))["kind"] == "sign_in_pending"
    assert len(started(simulator)) == 2


async def test_refusal_in_the_browser_while_the_call_waits_is_its_answer(open_client: Any, person: Any) -> None:
    person.acts = ["refuse", "accept"]
    client = await open_client(asks=True)
    told = facts(await client.call_tool("copilot_retrieve", QUESTION))
    assert (told["kind"], told["code"]) == ("sign_in_declined", "AADSTS70016")
    person.acts = ["approve", "accept"]
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error


@pytest.mark.shows("L7")
async def test_sixth_start_within_an_hour_is_refused(open_client: Any, simulator: Simulator, person: Any) -> None:
    person.acts = ["decline"]
    client = await open_client(asks=True)
    results = [await client.call_tool("copilot_retrieve", QUESTION) for _ in range(6)]
    assert [facts(result)["kind"] for result in results] == ["sign_in_declined"] * 5 + ["sign_in_limit"]
    assert (
        results[-1]
        .content[0]
        .text.startswith(
            "Nobody is signed in to Microsoft 365. A sign-in cannot be started: 5 sign-ins were started within an "
            "hour. Wait 60 minutes. (`copilot-mcp login` in a terminal would not reach this process, which keeps its "
            "sign-in in memory.) [sign_in_limit]"
        )
    )
    assert len(started(simulator)) == 5


async def test_two_tools_called_while_signed_out_share_one_code_and_both_work_after_it(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=False)
    told: list[dict[str, Any]] = []

    async def call(tool: str, arguments: dict[str, Any]) -> None:
        told.append(facts(await client.call_tool(tool, arguments)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, "copilot_retrieve", QUESTION)
        tasks.start_soon(call, "copilot_chat", MESSAGE)
    assert [each["kind"] for each in told] == ["sign_in_pending"] * 2
    assert told[0]["userCode"] == told[1]["userCode"]
    person.decide(told[0]["userCode"])
    for tool, arguments in (("copilot_chat", MESSAGE), ("copilot_retrieve", QUESTION)):
        with anyio.fail_after(10):
            while (await client.call_tool(tool, arguments)).is_error:
                pass
    assert len(started(simulator)) == 1


async def test_two_tools_that_wait_for_one_person_both_answer(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    person.acts = ["both", "approve", "accept"]
    client = await open_client(asks=True)
    failed: list[Any] = []

    async def call(tool: str, arguments: dict[str, Any]) -> None:
        result = await client.call_tool(tool, arguments)
        failed.extend(result.content if result.is_error else [])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, "copilot_retrieve", QUESTION)
            tasks.start_soon(call, "copilot_chat", MESSAGE)
    assert failed == []
    assert len({code_in(asked.message) for asked in person.asked}) == len(started(simulator)) == 1


async def test_a_call_that_found_nobody_just_before_a_sign_in_needs_no_other(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    person.acts = ["approve", "accept"]
    client = await open_client(asks=True)
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
    host = person.services[0].host_sign_in
    assert (host.successes, await host.start(("Files.Read.All",), since=0)) == (1, None)
    assert len(started(simulator)) == 1
    assert await host.start(("Files.Read.All",), since=1)  # whoever calls later, and finds nobody all the same
    assert len(started(simulator)) == 2


async def test_sign_in_that_was_revoked_later_is_asked_for_by_the_first_call(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    """The one before it, which began with another tool, is no answer to that."""
    client = await open_client(asks=False)
    person.decide(facts(await client.call_tool("copilot_chat", MESSAGE))["userCode"])
    with anyio.fail_after(10):
        while (await client.call_tool("copilot_retrieve", QUESTION)).is_error:
            pass
    simulator.identity.revoke_sessions("adele")
    assert facts(await client.call_tool("copilot_retrieve", QUESTION))["kind"] == "sign_in_pending"


async def test_sign_in_done_elsewhere_ends_the_one_in_the_host(
    open_client: Any, settings: Settings, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=False)
    told = facts(await client.call_tool("copilot_retrieve", QUESTION))
    services = person.services[0]
    assert services.host_sign_in is not None
    credential = services.host_sign_in._credential
    other = open_credential(settings, credential._entra._http, sleep=person.sleep)
    other._cache = credential._cache  # as another process that shares the file
    attempt = await other.start_sign_in(("Files.Read.All", "Sites.Read.All"))
    simulator.approve(attempt.user_code, "adele")
    await other.finish_sign_in(attempt)
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
    assert credential.sign_in_under_way() is None
    assert told["userCode"] != attempt.user_code


async def test_tenant_without_answers_gives_its_own_error(open_client: Any, simulator: Simulator) -> None:
    client = await open_client(asks=True)
    simulator.faults.add("entra_down", times=None)
    result = await client.call_tool("copilot_retrieve", QUESTION)
    told = facts(result)
    assert (told["kind"], told["whoActs"]) == ("identity_unavailable", "nobody")
    text = result.content[0].text
    assert text.startswith("Nobody is signed in to Microsoft 365. A sign-in cannot be started: ")
    assert "keeps its sign-in in memory.) [identity_unavailable]" in text


@pytest.mark.shows("F28")
async def test_server_that_stops_ends_the_pending_sign_in(
    simulator: Simulator, settings: Settings, in_process: Any, person: Any, era: Any
) -> None:
    async with (
        GraphServices(settings, in_process(simulator, signs_in=False), sleep=person.sleep) as services,
        Client(build_server(services, settings, person=services.person), mode=era) as client,
    ):
        told = facts(await client.call_tool("copilot_retrieve", QUESTION))
    polls = len(simulator.exchanges)
    person.decide(told["userCode"])
    for _ in range(20):
        await anyio.lowlevel.checkpoint()
    assert len(simulator.exchanges) == polls
    async with (
        GraphServices(settings, in_process(simulator)) as services,
        Client(build_server(services, settings, person=services.person), mode=era) as client,
    ):
        assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error


@pytest.mark.parametrize("era", ["legacy"], indirect=True)
async def test_person_who_finishes_before_the_dialog_is_answered_need_not_answer_it(
    open_client: Any, person: Any
) -> None:
    person.acts = ["approve", "never"]
    client = await open_client(asks=True)
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error


@pytest.mark.parametrize("era", ["legacy"], indirect=True)
async def test_host_that_cannot_do_what_it_declared_gets_the_code_in_the_end(open_client: Any, person: Any) -> None:
    person.acts = ["fail"]
    client = await open_client(asks=True, wait_s=0.01)
    assert facts(await client.call_tool("copilot_retrieve", QUESTION))["kind"] == "sign_in_pending"


@pytest.mark.shows("F28")
async def test_call_that_is_cancelled_takes_the_sign_in_with_it(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    person.acts = ["accept"]
    client = await open_client(asks=True)

    async def cancel_when_it_waits(scope: anyio.CancelScope) -> None:
        await until_waiting(person, 1)
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            tasks.start_soon(cancel_when_it_waits, scope)
            await client.call_tool("copilot_retrieve", QUESTION)
    assert scope.cancelled_caught
    person.acts = ["approve", "accept"]
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
    assert code_in(person.asked[0].message) != code_in(person.asked[-1].message)


async def test_call_that_is_cancelled_leaves_the_sign_in_to_another_that_waits(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    person.acts = ["both", "accept"]
    client = await open_client(asks=True)
    results: list[Any] = []
    patient = anyio.Event()

    async def wait() -> None:
        results.append(await client.call_tool("copilot_retrieve", QUESTION))
        patient.set()

    async def cancel_when_both_wait(scope: anyio.CancelScope) -> None:
        await until_waiting(person, 2)
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        with anyio.CancelScope() as scope:
            tasks.start_soon(cancel_when_both_wait, scope)
            await client.call_tool("copilot_retrieve", QUESTION)
        assert scope.cancelled_caught
        assert not patient.is_set()
        await until_waiting(person, 1)
        person.decide(code_in(person.asked[0].message))
    assert [result.is_error for result in results] == [False]
    assert len(started(simulator)) == 1


async def test_person_who_declines_one_call_leaves_the_sign_in_to_another_that_waits(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=True)
    declined = anyio.Event()
    kinds: list[str] = []

    async def wait() -> None:
        person.acts = ["accept"]
        result = await client.call_tool("copilot_retrieve", QUESTION)
        kinds.append("ok" if not result.is_error else facts(result)["kind"])

    async def decline() -> None:
        await until_waiting(person, 1)
        person.acts = ["decline"]
        kinds.append(facts(await client.call_tool("copilot_retrieve", QUESTION))["kind"])
        declined.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(decline)
        await declined.wait()
        person.decide(code_in(person.asked[0].message))
    assert kinds == ["sign_in_declined", "ok"]
    assert len(started(simulator)) == 1


@pytest.mark.shows("L7")
async def test_no_tool_takes_a_code_or_a_page_as_input(open_client: Any) -> None:
    client = await open_client(asks=False)
    names: set[str] = set()

    def collect(schema: Any) -> None:
        if isinstance(schema, dict):
            names.update(schema.get("properties", {}))
            for value in schema.values():
                collect(value)
        elif isinstance(schema, list):
            for value in schema:
                collect(value)

    for tool in (await client.list_tools()).tools:
        collect(tool.input_schema)
    assert [name for name in names if re.search(r"code|verification|token|redirect", name, re.IGNORECASE)] == []


async def test_a_sign_in_in_a_terminal_is_offered_where_it_serves() -> None:
    attempt = SignInAttempt("ABCD", "https://login.test/device", datetime.now(UTC) + timedelta(minutes=15), 5)
    error = SignInPendingError("Nobody is signed in.", attempt, shared=True)
    assert error.hint.startswith(
        "Show the person this address and this code, or they run `copilot-mcp login` in a terminal. Call this tool"
    )
