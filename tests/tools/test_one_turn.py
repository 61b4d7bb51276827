"""A turn is sent once: what the tenant received and recorded, counted under every fault that it knows."""

from typing import Any

import pytest

from copilot_mcp.simulator import FAULTS

pytestmark = pytest.mark.anyio

QUESTION = "How many weeks of parental leave do we get?"


def received(tenant: Any) -> list[int]:
    """The statuses of the chat requests that the tenant received and answered."""
    return [entry["status"] for entry in tenant.trace if entry["operation"] in ("chat", "chatOverStream")]


@pytest.mark.parametrize("chat", ["stream", "sync"])
async def test_no_fault_makes_two_turns_of_one(sit_down: Any, slow_tenant: Any, chat: str) -> None:
    desk = await sit_down(chat=chat)
    slow_tenant.pause = 0.0
    conversation = (await desk.ask(QUESTION)).data["conversationId"]
    recorded = 1
    for fault in FAULTS:
        slow_tenant.clear_trace()
        slow_tenant.faults.add(fault, operation="turns", times=None)
        await desk.ask(QUESTION, conversationId=conversation)
        slow_tenant.faults.clear()
        await desk.time.sleep(400)  # whatever would come later has come by now
        assert len(received(slow_tenant)) <= 1, fault
        follow_up = await desk.ask("Who wrote that?", conversationId=conversation)
        if follow_up.result.is_error:  # the fault ended the conversation
            follow_up = await desk.ask(QUESTION)
            recorded = 0
        conversation = follow_up.data["conversationId"]
        assert follow_up.data["turnCount"] in (recorded + 1, recorded + 2), fault
        recorded = follow_up.data["turnCount"]


@pytest.mark.parametrize("chat", ["stream", "sync"])
async def test_an_answer_fetched_in_parts_is_one_turn(sit_down: Any, slow_tenant: Any, chat: str) -> None:
    desk = await sit_down(chat=chat)
    slow_tenant.pause = 0.0
    slow_tenant.faults.add("slow", operation="turns", seconds=200)
    seen = await desk.ask(QUESTION)
    while "pendingTurn" in seen.data:
        seen = await desk.ask(pendingTurn=seen.data["pendingTurn"])
    assert seen.data["complete"] is True
    assert seen.data["turnCount"] == 1
    assert received(slow_tenant) == [200]
