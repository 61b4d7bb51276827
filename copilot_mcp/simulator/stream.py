"""chatOverStream: a finished turn told bit by bit, framed as the service was seen to frame it.

Each event repeats the whole envelope; the text is cumulative. `data:` comes first and `id:N` after it, without a
blank. Events that only report progress bear an intermediate title; the last one alone has the echo, the turn's
number and the first prompt as title.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator
from typing import Any, Final

from copilot_mcp.simulator.conversations import Conversation, Turn, message_body
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
    faults: Collection[str],
    seen: list[Any],
    pause: Callable[[], Awaitable[None]],
) -> AsyncGenerator[bytes, None]:
    """The bytes of the stream, event by event. `seen` is filled with the events as they go out.

    While the stream runs the conversation is busy.
    """
    conversation.busy = True
    try:
        for number, (event, last) in enumerate(_events(turn, faults), start=1):
            seen.append(event)
            yield _framed(event, number, last, faults)
            if not last:
                await pause()
    finally:
        conversation.busy = False


def _events(turn: Turn, faults: Collection[str]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Every event, and whether it is the final one."""
    yield _progress(turn, turn.asked, 0), False
    yield _progress(turn, turn.asked, 1), False
    snapshots = list(_snapshots(turn, faults))
    if "stream_error" in faults:
        for snapshot in snapshots[: max(1, len(snapshots) // 2)]:
            yield snapshot, False
        yield {"error": {"code": "InternalServerError", "message": "The turn failed after it had begun."}}, False
        return
    if "cut_stream" in faults:
        snapshots = snapshots[: max(1, len(snapshots) * 2 // 3)]
    for snapshot in snapshots:
        yield snapshot, False
    if "cut_stream" in faults:
        return
    yield _progress(turn, turn.answered, 0), False
    yield _progress(turn, turn.answered, 0), False
    cards = [turn.answer.card()] if turn.answer.text else []
    yield _with_context(turn) | turn.envelope(cards), True


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


def _framed(event: dict[str, Any], number: int, last: bool, faults: Collection[str]) -> bytes:
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    if last and "line_breaks" in faults:
        text = _with_line_breaks(event, text)
    framed = f"data: {text}\nid:{number}\n\n"
    if "crlf" in faults:
        framed = f": keep-alive\n{framed}".replace("\n", "\r\n")
    return framed.encode()


def _with_line_breaks(event: dict[str, Any], text: str) -> str:
    """The final event as captured: its adaptive card is indented, with real line breaks."""
    for message in event["messages"]:
        for card in message["adaptiveCards"]:
            compact = json.dumps(card, ensure_ascii=False, separators=(",", ":"))
            text = text.replace(compact, json.dumps(card, ensure_ascii=False, indent=2))
    return text
