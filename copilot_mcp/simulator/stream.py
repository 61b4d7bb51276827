"""chatOverStream: a finished turn told bit by bit, framed as the service was seen to frame it.

Each event repeats the whole envelope; the text is cumulative. `data:` comes first and `id:N` after it, without a
blank. Events that only report progress bear an intermediate title; the last one alone has the echo, the turn's
number and the first prompt as title.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Sequence
from typing import Any, Final

from copilot_mcp.simulator.conversations import DISENGAGED, Conversation, Turn, message_body
from copilot_mcp.simulator.fault_stream import framed, planned
from copilot_mcp.simulator.fault_values import altered
from copilot_mcp.simulator.faults import Fault
from copilot_mcp.simulator.prose import Answer
from copilot_mcp.simulator.replies import graph_time

__all__ = ["stream_turn"]

INTERMEDIATE_TITLE: Final = "Intermediate Conversation Update"
ATOMS_PER_EVENT: Final = 4
MAX_SNAPSHOTS: Final = 200
_CONTEXT_HOST: Final = "https://back-end.copilot-mcp.test/api/beta/copilot"


async def stream_turn(
    turn: Turn,
    conversation: Conversation,
    faults: Sequence[Fault],
    seen: list[Any],
    pause: Callable[[], Awaitable[None]],
) -> AsyncGenerator[bytes, None]:
    """The bytes of the stream, event by event. `seen` is filled with the events as they go out.

    While the stream runs the conversation is busy.

    Raises:
        ConnectionResetError: a fault breaks the connection here.
    """
    conversation.busy = True
    try:
        events, ending = planned(list(_events(turn, {fault.name for fault in faults})), faults)
        for number, event in enumerate(events, start=1):
            event = altered(event, faults)
            if event.get("state") == DISENGAGED:
                conversation.state = DISENGAGED
            seen.append(event)
            last = number == len(events)
            content = framed(event, number, last, faults)
            yield content[: len(content) // 2] if last and ending.half else content
            if not last:
                await pause()
        if ending.reset:
            raise ConnectionResetError("the simulated tenant reset the connection")
    finally:
        conversation.busy = False


def _events(turn: Turn, faults: Collection[str]) -> Iterator[dict[str, Any]]:
    """Every event; the last one is final."""
    yield _progress(turn, turn.asked, 0)
    yield _progress(turn, turn.asked, 1)
    yield from _snapshots(turn, faults)
    yield _progress(turn, turn.answered, 0)
    yield _progress(turn, turn.answered, 0)
    cards = [turn.answer.card()] if turn.answer.text else []
    yield _with_context(turn) | turn.envelope(cards)


def _snapshots(turn: Turn, faults: Collection[str]) -> Iterator[dict[str, Any]]:
    """The answer as it grows. With `deltas` each event has only the new words; with `rewrites` one has others."""
    atoms = turn.answer.atoms()
    step = max(ATOMS_PER_EVENT, -(-len(atoms) // MAX_SNAPSHOTS))
    ends = [*range(step, len(atoms), step), len(atoms)] if atoms else []
    for place, end in enumerate(ends):
        if "rewrites" in faults and place == len(ends) // 2:
            yield _snapshot(turn, turn.answer.part(["Let me ", "put ", "that ", "differently. "]))
        start = ends[place - 1] if "deltas" in faults and place else 0
        yield _snapshot(turn, turn.answer.part(atoms[start:end]))


def _snapshot(turn: Turn, part: Answer) -> dict[str, Any]:
    event = _progress(turn, turn.answered, 0)
    event["messages"] = [message_body(turn.answer_id, part.text, turn.answered, part, [part.card()])]
    return event


def _with_context(turn: Turn) -> dict[str, Any]:
    path = f"conversations('{turn.conversation_id}')/microsoft.graph.copilot.chatOverStream"
    return {"@odata.context": f"{_CONTEXT_HOST}/{path}/$metadata#Edm.Stream/$entity", "id": "", "agentId": None}


def _progress(turn: Turn, when: float, count: int) -> dict[str, Any]:
    return _with_context(turn) | {
        "id": turn.conversation_id,
        "createdDateTime": graph_time(when),
        "displayName": INTERMEDIATE_TITLE,
        "state": turn.state,
        "turnCount": count,
        "messages": [],
    }
