"""Calls that meet: one turn at a time in a conversation, and a cancelled call that closes its stream at once."""

from typing import Any

import anyio
import pytest

from copilot_mcp.tools.turns import MOST_RUNNING

pytestmark = pytest.mark.anyio

QUESTION = "How many weeks of parental leave do we get?"


def turns(tenant: Any) -> list[dict[str, Any]]:
    """Every chat request the tenant received."""
    return [entry for entry in tenant.exchanges if entry["operation"] in ("chat", "chatOverStream")]


async def start(desk: Any, tenant: Any) -> dict[str, Any]:
    """A conversation with one quick turn; every later one takes 49 s or so."""
    tenant.pause = 0.0
    first: dict[str, Any] = (await desk.ask(QUESTION)).data
    tenant.pause = 1.0
    tenant.clear_trace()
    return first


async def test_a_second_call_waits_its_turn(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down()
    desk.host_limit = 400
    first = await start(desk, slow_tenant)
    slow_tenant.pause = 0.3
    answers: list[Any] = []

    async def ask(question: str) -> None:
        answers.append(await desk.ask(question, conversationId=first["conversationId"]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, QUESTION)
        tasks.start_soon(ask, "Who wrote that?")
    assert [seen.data["turnCount"] for seen in answers] == [2, 3]
    assert [entry["status"] for entry in turns(slow_tenant)] == [200, 200]
    assert answers[1].progress[0] == (5.0, "Waiting for the turn before this one to end (5 s).")


async def test_a_call_whose_turn_does_not_come_says_which_one_is_running(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=10)
    first = await start(desk, slow_tenant)
    part = (await desk.ask(QUESTION, conversationId=first["conversationId"])).data
    refused = await desk.ask("Who wrote that?", conversationId=first["conversationId"])
    assert refused.error["kind"] == "conversation_busy"
    assert "Another turn of this conversation was still running after 10 s. The question was not sent." in refused.text
    assert f"call copilot_chat with pendingTurn {part['pendingTurn']} alone. Then ask." in refused.text
    assert refused.seconds == pytest.approx(10.0)
    assert len(turns(slow_tenant)) == 1
    await desk.time.sleep(60)
    assert len(turns(slow_tenant)) == 1


async def test_a_turn_that_another_call_waits_for_is_not_given_away(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=40)
    first = await start(desk, slow_tenant)
    seen: list[Any] = []

    async def ask() -> None:
        seen.append(await desk.ask(QUESTION, conversationId=first["conversationId"]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        tasks.start_soon(ask)
    (busy,) = [each for each in seen if each.result.is_error]
    assert "The question was not sent. Try again when it has ended." in busy.text


async def test_a_person_with_too_many_turns_is_told_so(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=10)
    await start(desk, slow_tenant)
    slow_tenant.pause = 20.0
    parts = [await desk.ask(QUESTION) for _ in range(MOST_RUNNING)]
    refused = await desk.ask(QUESTION)
    assert refused.error["kind"] == "too_many_turns"
    assert "Too many turns were running for 10 s. The question was not sent." in refused.text
    assert all(part.data["pendingTurn"] for part in parts)


async def test_a_turn_that_waited_and_then_cannot_begin_names_what_it_waits_for(
    sit_down: Any, slow_tenant: Any
) -> None:
    desk = await sit_down(call_limit=10)
    await start(desk, slow_tenant)
    slow_tenant.pause = 20.0
    for _ in range(MOST_RUNNING):
        await desk.ask(QUESTION)
    slow_tenant.faults.add("slow", operation="conversations", seconds=200)
    refused: list[Any] = []

    async def ask() -> None:
        refused.append(await desk.ask(QUESTION))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await desk.time.sleep(3)
        desk.services.turns._running[0].cancel()
    assert refused[0].error["kind"] == "timeout"
    assert "Microsoft 365 could not be reached within 10 s. The question was not sent." in refused[0].text


async def test_another_process_goes_on_with_the_conversation(sit_down: Any, slow_tenant: Any) -> None:
    desk, other = await sit_down(), await sit_down()
    first = await start(desk, slow_tenant)
    slow_tenant.pause = 0.0
    second = (await other.ask("Who wrote that?", conversationId=first["conversationId"])).data
    third = (await desk.ask("When?", conversationId=first["conversationId"])).data
    assert [second["turnCount"], third["turnCount"]] == [2, 3]


async def test_a_turn_that_runs_in_another_process_is_said(sit_down: Any, slow_tenant: Any) -> None:
    desk, other = await sit_down(call_limit=10), await sit_down()
    first = await start(desk, slow_tenant)
    part = (await desk.ask(QUESTION, conversationId=first["conversationId"])).data
    assert part["pendingTurn"]
    refused = await other.ask("Who wrote that?", conversationId=first["conversationId"])
    assert refused.error["kind"] == "conversation_busy"
    assert refused.error["status"] == 409


async def cancel_after(desk: Any, seconds: float, **arguments: Any) -> None:
    """Cancel a call after so many seconds, as a host does whose person has lost patience."""
    desk.host_limit = seconds
    with pytest.raises(TimeoutError):
        await desk.ask(**arguments)
    desk.host_limit = 60.0


async def test_a_cancelled_call_closes_its_stream_at_once(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down()
    first = await start(desk, slow_tenant)
    await cancel_after(desk, 12.5, message=QUESTION, conversationId=first["conversationId"])
    await desk.time.sleep(0)
    assert slow_tenant.paused == 0
    assert desk.time.seconds == pytest.approx(12.5)
    slow_tenant.pause = 0.0
    follow_up = await desk.ask("Who wrote that?", conversationId=first["conversationId"])
    assert follow_up.data["turnCount"] == 3
    assert len(turns(slow_tenant)) == 2


async def test_a_cancelled_wait_for_the_rest_closes_the_stream_and_keeps_what_had_come(
    sit_down: Any, slow_tenant: Any
) -> None:
    desk = await sit_down(call_limit=10)
    await start(desk, slow_tenant)
    part = (await desk.ask(QUESTION)).data
    await cancel_after(desk, 7.5, pendingTurn=part["pendingTurn"])
    await desk.time.sleep(0)
    assert slow_tenant.paused == 0
    kept = (await desk.ask(pendingTurn=part["pendingTurn"])).data
    assert kept["complete"] is False
    assert "pendingTurn" not in kept
    assert kept["answer"].startswith(part["answer"][:20])
    assert kept["notes"][-1].startswith("A cancelled call ended the turn before its end: this is what had arrived.")
    assert len(turns(slow_tenant)) == 1


async def test_a_cancelled_wait_for_a_first_word_says_what_ended_the_turn(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=10)
    await start(desk, slow_tenant)
    slow_tenant.faults.add("slow", operation="chatOverStream", seconds=40)
    pending = (await desk.ask(QUESTION)).data["pendingTurn"]
    await cancel_after(desk, 7.5, pendingTurn=pending)
    ended = await desk.ask(pendingTurn=pending)
    assert ended.text.startswith(
        "A cancelled call ended the turn before an answer began. The turn may have been recorded"
    )
    assert ended.error["kind"] == "cancelled"
    assert len(turns(slow_tenant)) == 0


async def test_one_cancelled_wait_does_not_end_another(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=10)
    await start(desk, slow_tenant)
    part = (await desk.ask(QUESTION)).data
    seen: list[Any] = []

    async def wait() -> None:
        seen.append(await desk.ask(pendingTurn=part["pendingTurn"]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await desk.time.sleep(1)
        async with anyio.create_task_group() as impatient:
            impatient.start_soon(wait)
            await desk.time.sleep(1)
            impatient.cancel_scope.cancel()
        await desk.time.sleep(1)
        assert slow_tenant.paused == 1
    assert seen[0].data["pendingTurn"] == part["pendingTurn"]


async def test_closing_the_process_closes_the_streams_in_the_background(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=10)
    await start(desk, slow_tenant)
    part = (await desk.ask(QUESTION)).data
    assert part["pendingTurn"]
    assert slow_tenant.paused == 1
    await sit_down.leave()
    assert slow_tenant.paused == 0
