"""Somebody is signed in and a tool's permissions were never granted: asked for once, where the person can."""

from typing import Any

import anyio
import pytest

from copilot_mcp.auth.host_sign_in import CONSENT_PAUSE_S
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

MESSAGE = {"message": "How many weeks of parental leave do we get?"}
QUESTION = {"queryString": "parental leave", "dataSource": "sharePoint"}
CLOSED = ["copilot_chat"]
LINK = "https://login.copilot-mcp.test/00000000-0000-4000-8000-000000000001/v2.0/adminconsent?"


def facts(result: Any) -> dict[str, Any]:
    assert result.is_error, result
    return dict((result.meta or {})["copilot-mcp/error"])


def codes_made(simulator: Simulator) -> int:
    return [entry["operation"] for entry in simulator.exchanges].count("devicecode")


async def signed_in(open_client: Any, simulator: Simulator, person: Any, *, asks: bool, state: str = "user") -> Any:
    """A client of somebody who has signed in for retrieval; one permission of chat is in this state."""
    client = await open_client(asks=asks)
    first = await client.call_tool("copilot_retrieve", QUESTION)
    if first.is_error:
        person.decide(facts(first)["userCode"])
        with anyio.fail_after(10):
            while (await client.call_tool("copilot_retrieve", QUESTION)).is_error:
                pass
    simulator.identity.set_consent("adele", ["Mail.Read"], state)
    simulator.clear_trace()
    person.asked.clear()
    return client


async def test_host_that_opens_pages_is_asked_and_the_same_call_goes_on(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await signed_in(open_client, simulator, person, asks=True)
    result = await client.call_tool("copilot_chat", MESSAGE)
    assert not result.is_error, result.content
    (asked,) = person.asked
    assert asked.message.startswith("Permission for ")
    assert "Mail.Read" in asked.message
    assert (codes_made(simulator), simulator.turns_recorded) == (1, 1)
    (account,) = [await services.host_sign_in._credential.account() for services in person.services]
    assert {"Mail.Read", "Files.Read.All"} <= set(account.scopes)
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
    assert (len(person.asked), codes_made(simulator)) == (1, 1)


async def test_host_that_cannot_open_pages_shows_the_code_and_the_next_call_works(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await signed_in(open_client, simulator, person, asks=False)
    first = await client.call_tool("copilot_chat", MESSAGE)
    told = facts(first)
    assert told["kind"] == "sign_in_pending"
    assert first.content[0].text.startswith("Permission for ")
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
    assert facts(await client.call_tool("copilot_chat", MESSAGE))["userCode"] == told["userCode"]
    person.decide(told["userCode"])
    with anyio.fail_after(10):
        while (await client.call_tool("copilot_chat", MESSAGE)).is_error:
            pass
    assert (codes_made(simulator), simulator.turns_recorded) == (1, 1)


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_person_who_does_not_want_to_is_not_asked_again_within_the_hour(
    open_client: Any, simulator: Simulator, person: Any, action: str
) -> None:
    client = await signed_in(open_client, simulator, person, asks=True)
    person.acts = [action]
    result = await client.call_tool("copilot_chat", MESSAGE)
    told, text = facts(result), result.content[0].text
    assert (told["kind"], told["closedTools"]) == ("consent_declined", CLOSED)
    assert "The person did not want to sign in for it, and is not asked again within the hour." in text
    assert "Mail.Read" in text
    assert LINK in text
    again = await client.call_tool("copilot_chat", MESSAGE)
    assert (facts(again)["kind"], facts(again)["closedTools"]) == ("consent_required", CLOSED)
    assert LINK in again.content[0].text
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
    assert (len(person.asked), simulator.turns_recorded) == (1, 0)
    host = person.services[0].host_sign_in
    host._monotonic = lambda: anyio.current_time() + CONSENT_PAUSE_S
    person.acts = ["approve", "accept"]
    assert not (await client.call_tool("copilot_chat", MESSAGE)).is_error
    assert len(person.asked) == 2


async def test_consent_by_somebody_else_opens_the_tool_without_a_question(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await signed_in(open_client, simulator, person, asks=True)
    person.acts = ["decline"]
    await client.call_tool("copilot_chat", MESSAGE)
    simulator.identity.set_consent("adele", ["Mail.Read"], "granted")
    credential = person.services[0].host_sign_in._credential
    credential._memory.forget()  # half a minute later
    assert not (await client.call_tool("copilot_chat", MESSAGE)).is_error
    assert len(person.asked) == 1


async def test_person_who_accepts_and_grants_nothing_is_asked_once_and_told_plainly(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await signed_in(open_client, simulator, person, asks=True)
    person.consents = False
    result = await client.call_tool("copilot_chat", MESSAGE)
    told, text = facts(result), result.content[0].text
    assert (told["kind"], told["closedTools"], told["code"]) == ("consent_declined", CLOSED, "AADSTS65004")
    assert LINK in text
    assert facts(await client.call_tool("copilot_chat", MESSAGE))["kind"] == "consent_required"
    assert (len(person.asked), codes_made(simulator), simulator.turns_recorded) == (1, 1, 0)
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error


async def test_consent_that_helps_nothing_gives_the_plain_error_and_no_second_question(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await signed_in(open_client, simulator, person, asks=True, state="withheld")
    for _ in range(3):
        result = await client.call_tool("copilot_chat", MESSAGE)
        assert (facts(result)["kind"], LINK in result.content[0].text) == ("consent_required", True)
        assert (len(person.asked), codes_made(simulator)) == (1, 1)
    assert simulator.turns_recorded == 0


@pytest.mark.parametrize(
    ("fault", "value", "kind"),
    [
        ("entra_error", 90094, "admin_consent_required"),
        ("fewer_scopes", ["Files.Read.All", "Sites.Read.All", "ExternalItem.Read.All"], "scopes_missing"),
    ],
)
async def test_where_an_administrator_must_nobody_is_asked(
    open_client: Any, simulator: Simulator, person: Any, fault: str, value: Any, kind: str
) -> None:
    client = await signed_in(open_client, simulator, person, asks=True, state="granted")
    simulator.faults.add(fault, value=value, operation="token")
    result = await client.call_tool("copilot_chat", MESSAGE)
    assert (facts(result)["kind"], "copilot_chat" in facts(result)["closedTools"]) == (kind, True)
    assert LINK in result.content[0].text
    assert (person.asked, codes_made(simulator)) == ([], 0)


async def test_consent_that_cannot_be_asked_for_leaves_the_error_that_says_what_is_missing(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await signed_in(open_client, simulator, person, asks=True)
    simulator.faults.add("entra_error", value=90033, operation="devicecode")
    assert facts(await client.call_tool("copilot_chat", MESSAGE))["kind"] == "consent_required"
    assert not (await client.call_tool("copilot_chat", MESSAGE)).is_error
    assert len(person.asked) == 1


async def test_consent_is_asked_for_after_a_sign_in_for_another_tool(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    """The sign-in that has just ended was for less, so its end is no answer to the wish for more."""
    simulator.identity.set_consent("adele", ["Mail.Read"], "user")
    client = await open_client(asks=False)
    code = facts(await client.call_tool("copilot_retrieve", QUESTION))["userCode"]
    person.decide(code)
    host = person.services[0].host_sign_in
    with anyio.fail_after(10):
        await host._waiting.done.wait()
    told = facts(await client.call_tool("copilot_chat", MESSAGE))
    assert (told["kind"], told["userCode"] == code) == ("sign_in_pending", False)


async def test_person_who_declines_one_question_leaves_the_code_to_another_that_is_still_asked(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=True)
    kinds: list[str] = []

    async def call() -> None:
        result = await client.call_tool("copilot_retrieve", QUESTION)
        kinds.append("ok" if not result.is_error else facts(result)["kind"])

    person.acts = ["both", "approve", "accept"]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        with anyio.fail_after(10):
            while not person.asked:
                await anyio.sleep(0.01)
        person.acts = ["decline"]
        await call()
        person.both_asked.set()
    assert kinds == ["sign_in_declined", "ok"]
    assert codes_made(simulator) == 1


async def test_code_being_typed_outlives_claims_that_a_refresh_satisfies_meanwhile(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await signed_in(open_client, simulator, person, asks=False)
    code = facts(await client.call_tool("copilot_chat", MESSAGE))["userCode"]
    simulator.identity.challenge("adele", sources=["sharePoint"])
    assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
    assert facts(await client.call_tool("copilot_chat", MESSAGE))["userCode"] == code
    assert codes_made(simulator) == 1


async def test_one_of_several_requests_that_lacks_a_permission_says_how_to_go_on(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await signed_in(open_client, simulator, person, asks=True)
    simulator.identity.set_consent("adele", ["ExternalItem.Read.All"], "user")
    tickets = {"queryString": "VPN access", "dataSource": "externalItem"}
    result = await client.call_tool("copilot_retrieve", {**QUESTION, "moreRequests": [tickets]})
    first, second = result.structured_content["requests"]
    assert (first["hits"] > 0, second["error"].endswith("[consent_required]")) == (True, True)
    assert (
        result.structured_content["notes"][-1]
        == "Request 2: call again for what was not answered; the person may then be asked to sign in."
    )
    assert person.asked == []
    assert not (await client.call_tool("copilot_retrieve", tickets)).is_error
    assert len(person.asked) == 1
