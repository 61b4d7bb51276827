"""Turns longer than a call: the rest by `pendingTurn`, progress by the clock, and never a second request."""

from itertools import pairwise
from typing import Any

import anyio
import pytest

from copilot_mcp.quoting import quoted
from copilot_mcp.tools import inert_text

pytestmark = pytest.mark.anyio

QUESTION = "How many weeks of parental leave do we get?"


def turns(tenant: Any) -> list[dict[str, Any]]:
    """Every chat request the tenant received."""
    return [entry for entry in tenant.exchanges if entry["operation"] in ("chat", "chatOverStream")]


async def lasting(tenant: Any, desk: Any, seconds: float) -> dict[str, Any]:
    """Ask at once, then let every further answer last so long; answers the quick one."""
    tenant.pause = 0.0
    quick = (await desk.ask(QUESTION)).data
    tenant.pause = seconds / (len(turns(tenant)[0]["response"]) - 1)
    tenant.clear_trace()
    return dict(quick)


async def fetch_rest(desk: Any, seen: Any) -> list[Any]:
    """Call with `pendingTurn` alone until the answer is whole."""
    calls = [seen]
    while "pendingTurn" in calls[-1].data:
        calls.append(await desk.ask(pendingTurn=calls[-1].data["pendingTurn"]))
    return calls


async def test_an_answer_of_300_s_ends_whole_through_a_host_that_waits_60_s(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down()
    quick = await lasting(slow_tenant, desk, 300)
    calls = await fetch_rest(desk, await desk.ask(QUESTION))
    assert [round(call.seconds, 3) for call in calls] == [55.0] * 5 + [25.0]
    assert [call.data["complete"] for call in calls] == [False] * 5 + [True]
    assert calls[-1].data["answer"] == quick["answer"]
    assert calls[-1].data["citations"] == quick["citations"]
    assert [len(call.data["answer"]) for call in calls] == sorted(len(call.data["answer"]) for call in calls)
    assert calls[-1].data["turnCount"] == 1
    assert [entry["operation"] for entry in turns(slow_tenant)] == ["chatOverStream"]


async def test_every_part_says_in_both_halves_how_to_get_the_rest(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=30)
    await lasting(slow_tenant, desk, 50)
    first = await desk.ask(QUESTION)
    assert first.data["complete"] is False
    assert first.data["webEnabled"] is False
    assert first.data["notes"] == [
        "This is the answer so far: Copilot is still writing. Call copilot_chat with pendingTurn alone to wait for "
        "the rest; do not ask again."
    ]
    for fact in (
        quoted(first.data["answer"].strip()),
        f"pendingTurn: {first.data['pendingTurn']}",
        f"conversationId: {first.data['conversationId']}",
        *first.data["notes"],
        "incomplete",
    ):
        assert fact in first.text
    rest = await desk.ask(pendingTurn=first.data["pendingTurn"])
    assert rest.data["complete"] is True
    assert "pendingTurn" not in rest.data
    assert rest.data["answer"].startswith(first.data["answer"][:40])


async def test_an_answer_that_has_not_begun_is_handed_back_without_text(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=20)
    quick = await lasting(slow_tenant, desk, 0)
    slow_tenant.faults.add("slow", operation="chatOverStream", seconds=32)
    first = await desk.ask(QUESTION)
    assert first.data["answer"] == ""
    assert first.data["notes"][0].startswith("There is no text yet: Copilot is still writing.")
    assert first.text.startswith("- Note: There is no text yet")
    rest = await desk.ask(pendingTurn=first.data["pendingTurn"])
    assert rest.data["answer"] == quick["answer"]
    assert round(rest.seconds, 3) == 12.0
    assert len(turns(slow_tenant)) == 1


async def test_progress_beats_every_5_s_and_says_honestly_that_there_is_no_text(
    sit_down: Any, slow_tenant: Any
) -> None:
    desk = await sit_down()
    await lasting(slow_tenant, desk, 0)
    slow_tenant.faults.add("slow", operation="conversations", seconds=7)
    slow_tenant.faults.add("slow", operation="chatOverStream", seconds=11)
    seen = await desk.ask(QUESTION)
    assert seen.progress[:3] == [
        (5.0, "Connecting to Microsoft 365 (5 s)."),
        (10.0, "Microsoft 365 Copilot is working on the answer, no text yet (10 s)."),
        (15.0, "Microsoft 365 Copilot is working on the answer, no text yet (15 s)."),
    ]
    assert seen.numbers == [float(number) for number in range(1, len(seen.numbers) + 1)]


@pytest.mark.parametrize("pause", [0.06, 0.1, 3.0, 7.0, 12.0])
async def test_progress_holds_its_intervals_at_every_pace(sit_down: Any, slow_tenant: Any, pause: float) -> None:
    desk = await sit_down(call_limit=300)
    desk.host_limit = 400
    await lasting(slow_tenant, desk, 0)
    slow_tenant.pause = pause
    seen = await desk.ask(QUESTION)
    gaps = [after - before for (before, _), (after, _) in pairwise(seen.progress)]
    assert min(gaps) >= 0.25 - 1e-9
    assert max(gaps) <= 5.0 + 1e-9
    assert seen.progress[0][0] <= 5.0
    assert seen.seconds - seen.progress[-1][0] <= 5.0
    texts = [text for _, text in seen.progress if "no text yet" not in text]
    assert all(after.startswith(before) for before, after in pairwise(texts))


async def test_a_synchronous_turn_beats_and_is_handed_back_too(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(chat="sync", call_limit=10)
    slow_tenant.faults.add("slow", operation="chat", seconds=24)
    calls = await fetch_rest(desk, await desk.ask(QUESTION))
    assert [call.data["answer"] != "" for call in calls] == [False, False, True]
    assert [[moment for moment, _ in call.progress] for call in calls] == [[5.0], [5.0], []]
    assert calls[-1].data["complete"] is True
    assert [entry["operation"] for entry in turns(slow_tenant)] == ["chat"]


async def test_a_rewrite_does_not_garble_progress(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down()
    quick = await lasting(slow_tenant, desk, 20)
    slow_tenant.faults.add("rewrites")
    seen = await desk.ask(QUESTION)
    growing = [
        inert_text(event["messages"][-1]["text"])
        for event in turns(slow_tenant)[0]["response"][:-1]
        if event["messages"]
    ]
    texts = [text for _, text in seen.progress if "no text yet" not in text]
    assert set(texts) <= set(growing)
    assert "Let me put that differently. " in texts
    assert seen.data["answer"] == quick["answer"]


async def test_a_finished_turn_can_be_fetched_again_for_15_minutes(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=10)
    await lasting(slow_tenant, desk, 15)
    first = await desk.ask(QUESTION)
    pending = first.data["pendingTurn"]
    rest = await desk.ask(pendingTurn=pending)
    assert rest.data["complete"] is True
    await desk.time.sleep(890)
    assert (await desk.ask(pendingTurn=pending)).data == rest.data
    await desk.time.sleep(901)
    gone = await desk.ask(pendingTurn=pending)
    assert gone.error["kind"] == "pending_turn_gone"
    assert len(turns(slow_tenant)) == 1


async def test_another_process_says_that_the_rest_is_not_there_and_sends_nothing(
    sit_down: Any, slow_tenant: Any
) -> None:
    desk, other = await sit_down(call_limit=10), await sit_down()
    await lasting(slow_tenant, desk, 15)
    first = await desk.ask(QUESTION)
    refused = await other.ask(pendingTurn=first.data["pendingTurn"])
    assert refused.error == {"kind": "pending_turn_gone"}
    assert "The rest of this turn is not here" in refused.text
    assert "The turn was not sent again." in refused.text
    assert len(turns(slow_tenant)) == 1


async def test_nobody_fetches_the_turn_of_somebody_else(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=10)
    await lasting(slow_tenant, desk, 15)
    first = await desk.ask(QUESTION)
    adele, desk.services._identity = desk.services._identity, "simulated/somebody/else"
    refused = await desk.ask(pendingTurn=first.data["pendingTurn"])
    desk.services._identity = adele
    assert refused.error == {"kind": "pending_turn_gone"}
    assert (await desk.ask(pendingTurn=first.data["pendingTurn"])).data["complete"] is True


async def test_a_turn_that_fails_in_the_background_says_so_when_fetched(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=10)
    await lasting(slow_tenant, desk, 30)
    slow_tenant.faults.add("stream_error")
    first = await desk.ask(QUESTION)
    failed = await desk.ask(pendingTurn=first.data["pendingTurn"])
    assert failed.error["kind"] == "service"
    assert first.data["conversationId"] in failed.text
    again = await desk.ask(pendingTurn=first.data["pendingTurn"])
    assert again.error == failed.error
    assert again.text == failed.text
    assert len(turns(slow_tenant)) == 1


async def test_two_calls_may_wait_for_the_same_rest(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=10)
    await lasting(slow_tenant, desk, 15)
    pending = (await desk.ask(QUESTION)).data["pendingTurn"]
    answers: list[Any] = []

    async def wait() -> None:
        answers.append((await desk.ask(pendingTurn=pending)).data)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
    assert answers[0] == answers[1]
    assert answers[0]["complete"] is True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "need `message`, the question; or `pendingTurn` alone, for the rest of an earlier answer."),
        ({"conversationId": "c"}, "need `message`, the question; or `pendingTurn` alone"),
        ({"message": "hello", "pendingTurn": "p"}, "hold `pendingTurn` and more: it goes alone"),
        ({"additionalContext": ["x"], "pendingTurn": "p"}, "hold `pendingTurn` and more: it goes alone"),
        ({"pendingTurn": "p" * 101}, "`pendingTurn` has 101 characters; at most 100 are allowed."),
        ({"pendingTurn": ""}, "need `message`, the question; or `pendingTurn` alone"),
        ({"message": {"text": ""}, "pendingTurn": ""}, "`message.text` is empty"),
        ({"contextualResources": {"webContext": {"isWebEnabled": True}}, "pendingTurn": "p"}, "it goes alone"),
        ({"pendingTurn": "p"}, "The rest of this turn is not here"),
    ],
)
async def test_a_call_asks_or_fetches(
    sit_down: Any, slow_tenant: Any, arguments: dict[str, Any], sentence: str
) -> None:
    refused = await (await sit_down()).ask(**arguments)
    assert refused.result.is_error
    assert sentence in refused.text
    assert turns(slow_tenant) == []


@pytest.mark.parametrize("message", ["", {}, {"text": ""}, None])
async def test_empty_members_beside_a_pending_turn_say_nothing(sit_down: Any, slow_tenant: Any, message: Any) -> None:
    desk = await sit_down(call_limit=10)
    await lasting(slow_tenant, desk, 15)
    first = (await desk.ask(QUESTION)).data
    empties = {"conversationId": "", "additionalContext": [], "locationHint": {}, "contextualResources": {"files": []}}
    rest = await desk.ask(pendingTurn=first["pendingTurn"], message=message, **empties)
    assert rest.data["complete"] is True


async def test_the_conversation_named_beside_a_pending_turn_has_to_be_its_own(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=10)
    await lasting(slow_tenant, desk, 15)
    first = (await desk.ask(QUESTION)).data
    refused = await desk.ask(pendingTurn=first["pendingTurn"], conversationId="another")
    assert "pendingTurn belongs to another conversation than conversationId." in refused.text
    rest = await desk.ask(pendingTurn=first["pendingTurn"], conversationId=first["conversationId"])
    assert rest.data["complete"] is True


async def test_a_call_that_gets_no_connection_ends_in_time_and_asks_nothing(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down(call_limit=20)
    slow_tenant.faults.add("slow", operation="conversations", seconds=50)
    refused = await desk.ask(QUESTION)
    assert refused.error["kind"] == "timeout"
    assert "Microsoft 365 could not be reached within 20 s. The question was not sent." in refused.text
    await desk.time.sleep(60)
    assert turns(slow_tenant) == []


@pytest.mark.parametrize(
    ("pieces", "sentence"),
    [
        (0, "The stream was cut before an answer began."),
        (6, "The stream was cut before its end: this is what had arrived."),
    ],
)
async def test_a_broken_connection_costs_no_second_turn(
    sit_down: Any, slow_tenant: Any, pieces: int, sentence: str
) -> None:
    desk = await sit_down()
    await lasting(slow_tenant, desk, 0)
    desk.transport.pieces = pieces
    seen = await desk.ask(QUESTION)
    assert sentence in seen.text
    assert bool(seen.result.is_error) == (pieces == 0)
    if seen.result.is_error:
        assert (bool(seen.error["requestId"]), seen.error["requestsUsed"]) == (True, 1)
    assert len(turns(slow_tenant)) == 1


async def test_a_turn_that_nobody_fetches_ends_at_its_own_limit(sit_down: Any, slow_tenant: Any) -> None:
    desk = await sit_down()
    await lasting(slow_tenant, desk, 600)
    first = await desk.ask(QUESTION)
    await desk.time.sleep(330 - 55 + 600 / 40)
    assert slow_tenant.paused == 0
    cut = await desk.ask(pendingTurn=first.data["pendingTurn"])
    assert cut.data["complete"] is False
    assert "pendingTurn" not in cut.data
    assert cut.data["notes"][-1].startswith("The stream was cut before its end")
    assert len(turns(slow_tenant)) == 1
