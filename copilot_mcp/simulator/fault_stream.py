"""Faults of stage `stream`: which events go out, how they are framed, and how the stream ends."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from copilot_mcp.simulator.conversations import DISENGAGED
from copilot_mcp.simulator.faults import Fault

__all__ = ["Ending", "framed", "planned"]

Event = dict[str, Any]
_FAILED: Final = "The turn failed after it had begun."


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ends: the last event may go out by half, and the connection may be reset."""

    half: bool = False
    reset: bool = False


def planned(events: Sequence[Event], faults: Sequence[Fault]) -> tuple[list[Event], Ending]:
    """The events that go out, and how the stream ends."""
    kept = list(events)
    half = reset = False
    for fault in faults:
        place = _place(fault, events)
        match fault.name:
            case "disengaged_event":
                kept = [*kept[: place - 1], *({**event, "state": DISENGAGED} for event in kept[place - 1 :])]
            case "stream_error":
                kept = [*kept[: place - 1], _error(fault)]
            case "no_final":
                kept = [event for event in kept if event is not events[-1]]
            case "empty_final":
                kept = [_without_text(event) if len(event.get("messages", ())) > 1 else event for event in kept]
            case "cut_stream" | "reset_stream" | "cut_event":
                kept = kept[:place]
                half = half or fault.name == "cut_event"
                reset = reset or fault.name == "reset_stream"
    return kept, Ending(half, reset)


def _error(fault: Fault) -> Event:
    """The error object; with a status, that of the service behind, which only the message names."""
    behind = "" if fault.status is None else f" Status = {fault.status}"
    return {"error": {"code": "InternalServerError", "message": f"{_FAILED}{behind}"}}


def _without_text(event: Event) -> Event:
    *before, answer = event["messages"]
    return {**event, "messages": [*before, {**answer, "text": "", "adaptiveCards": [], "attributions": []}]}


def _place(fault: Fault, events: Sequence[Event]) -> int:
    """The number of the event that the fault is about, from 1; in the middle of the growing answer when not said."""
    if fault.at is not None:
        at = fault.at if fault.at > 0 else len(events) + 1 + fault.at
        return min(max(at, 1), len(events))
    growing = sum(len(event.get("messages", ())) == 1 for event in events)
    before = next((place for place, event in enumerate(events) if event.get("messages")), len(events) - 1)
    share = max(1, growing * 2 // 3) if fault.name.startswith("cut") else max(1, growing // 2)
    return min(before + share + (fault.name == "stream_error"), len(events) - 1)


def framed(event: Event, number: int, last: bool, faults: Sequence[Fault]) -> bytes:
    """One event as bytes: `data:` first and `id:N` after it, or as a fault frames it."""
    names = {fault.name for fault in faults}
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    if last and "line_breaks" in names:
        text = _with_line_breaks(event, text)
    if "multi_line" in names or "data_lines" in names:
        text = json.dumps(event, ensure_ascii=False, indent=2)
    if "data_lines" in names:
        text = text.replace("\n", "\ndata: ")
    lines = [f"data: {text}", f"id:{number}", ""]
    if "comments" in names:
        lines = [": keep-alive", "", lines[0], ": and another", *lines[1:]]
    if "no_blank_lines" in names:
        lines = [line for line in lines if line]
    whole = "\n".join(lines) + "\n"
    if "crlf" in names:
        whole = f": keep-alive\n{whole}".replace("\n", "\r\n")
    return whole.encode()


def _with_line_breaks(event: Event, text: str) -> str:
    """The final event as captured: its adaptive card is indented, with real line breaks."""
    for card in _cards(event):
        compact = json.dumps(card, ensure_ascii=False, separators=(",", ":"))
        text = text.replace(compact, json.dumps(card, ensure_ascii=False, indent=2))
    return text


def _cards(event: Event) -> Iterator[dict[str, Any]]:
    for message in event.get("messages", ()):  # an error object has none
        yield from message["adaptiveCards"]
