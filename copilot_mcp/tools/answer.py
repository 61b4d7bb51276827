"""What copilot_chat hands back: the answer with its sources, as data and as Markdown."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from copilot_mcp.errors import GraphError, ServiceUnavailableError
from copilot_mcp.quoting import bracketed, fact, quoted
from copilot_mcp.tools._tool import ToolResult
from copilot_mcp.tools.labels import Label, label_of, label_text
from copilot_mcp.tools.received import inert_answer

if TYPE_CHECKING:
    from copilot_mcp.graph import CopilotConversation

__all__ = ["ChatResult", "Source", "Turn", "not_begun", "pending_result", "render", "result_of"]


_CUT = (
    "The stream was cut before its end: this is what had arrived. The turn was not sent again; ask in a follow-up for "
    "the rest."
)
_CANCELLED = (
    "A cancelled call ended the turn before its end: this is what had arrived. The turn was not sent again; ask in a "
    "follow-up for the rest."
)
_EMPTY_END = (
    "The last event held no text: this is what had arrived before it, and may not be all. The turn was not sent again; "
    "ask in a follow-up for the rest."
)
_DISENGAGED = (
    "The responsible-AI filter closed this conversation: it takes no further turns. Start a new one without "
    "conversationId."
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What was asked, as far as the answer has to repeat it."""

    conversation_id: str
    prompt: str
    web_enabled: bool
    time_zone: str
    notes: tuple[str, ...] = ()


class Source(BaseModel):
    """A citation, or the link of a person, file or event that the answer names."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, defer_build=True)

    number: int | None = Field(None, description="Of its marker in the answer.")
    title: str
    url: str
    kind: str = Field(description="citation or annotation.")
    placed: bool = Field(False, exclude=True)  # the answer links to it


class ChatResult(ToolResult):
    """One answered turn."""

    answer: str = Field(description="Markdown.")
    citations: list[Source]
    conversation_id: str = Field(description="Pass back to follow up.")
    turn_count: int | None = None
    state: str | None = None
    sensitivity_label: Label | None = None
    web_enabled: bool = Field(description="Web search was on.")
    time_zone: str
    complete: bool = Field(description="False: the answer was cut short, or goes on in pendingTurn.")
    pending_turn: str | None = Field(None, description="Pass back alone to wait for the rest.")
    notes: list[str]


def result_of(
    turn: Turn,
    conversation: "CopilotConversation",
    complete: bool,
    text: str = "",
    worded: "CopilotConversation | None" = None,
    *,
    cancelled: bool = False,
) -> ChatResult:
    """The published form of the last thing the service said about `turn`; `cancelled`, before it had said all.

    `text` is the answer where the last event did not repeat the whole of it; `worded` is the last event with
    a text, which stands for the answer where later ones held none; it then counts as incomplete.

    Raises:
        GraphError: There is no answer in it; `disengaged` when the service closed the conversation.
    """
    message = conversation.answer(turn.prompt)
    emptied = message is not None and not message.text.strip()
    if message is None or (emptied and not text.strip()):
        raise _no_answer(turn, conversation, complete, cancelled=cancelled)
    note = _EMPTY_END if complete and emptied else _CANCELLED if cancelled else _CUT
    whole = complete and not emptied
    return _result(turn, conversation, text, () if whole else (note,), complete=whole, worded=worded)


def pending_result(turn: Turn, conversation: "CopilotConversation | None", text: str, pending_turn: str) -> ChatResult:
    """What there is of an answer that goes on; `pending_turn` is the id under which the rest can be had."""
    note = (
        f"{'This is the answer so far' if text else 'There is no text yet'}: Copilot is still writing. "
        "Call copilot_chat with pendingTurn alone to wait for the rest; do not ask again."
    )
    return _result(turn, conversation, text, (note,), complete=False, pending_turn=pending_turn)


def _result(
    turn: Turn,
    conversation: "CopilotConversation | None",
    text: str,
    notes: tuple[str, ...],
    *,
    complete: bool,
    pending_turn: str | None = None,
    worded: "CopilotConversation | None" = None,
) -> ChatResult:
    message = conversation.answer(turn.prompt) if conversation else None
    if message and not message.text.strip() and worded:
        message = worded.answer(turn.prompt)
    read = inert_answer(message.model_copy(update={"text": text or message.text})) if message else None
    answer, label = read or (None, None)
    closed = (_DISENGAGED,) if conversation and conversation.disengaged else ()
    return ChatResult(
        answer=answer.markdown if answer else "",
        citations=[
            Source(number=each.number, title=each.title, url=each.url, kind=each.kind, placed=each.placed)
            for each in (answer.citations if answer else ())
        ],
        conversation_id=turn.conversation_id,
        turn_count=(conversation.turn_count or None) if conversation else None,
        state=(conversation.state or None) if conversation else None,
        sensitivity_label=label_of(label),
        web_enabled=turn.web_enabled,
        time_zone=turn.time_zone,
        complete=complete,
        pending_turn=pending_turn,
        notes=[*turn.notes, *(answer.notes if answer else ()), *notes, *closed],
    )


def _no_answer(turn: Turn, conversation: "CopilotConversation", complete: bool, *, cancelled: bool) -> GraphError:
    request_id = conversation.request_id
    if conversation.disengaged:
        return GraphError(
            "The responsible-AI filter of Microsoft 365 closed this conversation without an answer.",
            "Start a new one without conversationId, and ask in other words.",
            kind="disengaged",
            request_id=request_id,
        )
    if not complete:
        return not_begun(turn, request_id, conversation.requests_used, cancelled=cancelled)
    return GraphError(
        "Microsoft 365 Copilot gave no answer to this turn.",
        f"Ask a more specific question, or go on in conversation {turn.conversation_id}.",
        kind="no_answer",
        request_id=request_id,
    )


def not_begun(turn: Turn, request_id: str, requests_used: int, *, cancelled: bool = False) -> ServiceUnavailableError:
    """The error of a stream that ended before it held any of the answer; `cancelled`, by the call that waited."""
    what = "A cancelled call ended the turn" if cancelled else "The stream was cut"
    error = ServiceUnavailableError(
        f"{what} before an answer began. The turn may have been recorded; it was not sent again.",
        f"Ask in conversation {turn.conversation_id} whether the question arrived, before asking it again.",
        kind="cancelled" if cancelled else None,
        request_id=request_id,
    )
    error.requests_used = requests_used
    return error


def render(result: ChatResult) -> str:
    """The text half: the answer, its sources, then what belongs to the turn in one line."""
    blocks = [quoted(result.answer.strip("\n"))] if result.answer.strip() else []
    listed = [each for each in result.citations if each.kind != "annotation" or not each.placed]
    listed.sort(key=lambda source: (source.number is None, source.number or 0))  # Markdown counts on from the first
    if listed:  # a link that already stands in the answer is not said again
        blocks.append("Sources:\n" + "\n".join(_source_line(each) for each in listed))
    if result.notes:
        blocks.append("\n".join(f"- Note: {note}" for note in result.notes))
    facts = [f"conversationId: {result.conversation_id}"]
    if result.pending_turn:
        facts.append(f"pendingTurn: {result.pending_turn}")
    if result.turn_count is not None:
        facts.append(f"turn {result.turn_count}")
    if result.state:
        facts.append(f"state {fact(result.state)}")
    if result.sensitivity_label:
        facts.append(f"label {label_text(result.sensitivity_label, full=True)}")
    facts.append(f"web search {'on' if result.web_enabled else 'off'}")
    facts.append(f"time zone {result.time_zone}")
    facts.append("complete" if result.complete else "incomplete")
    blocks.append(f"({'; '.join(facts)})")
    return "\n\n".join(blocks)


def _source_line(source: Source) -> str:
    number = f"{source.number}." if source.number is not None else "-"
    kind = "" if source.kind in ("citation", "") else f" ({fact(source.kind)})"
    shown = [*([fact(source.title)] if source.title else []), *([bracketed(source.url)] if source.url else [])]
    return " ".join([number, *(shown or ["(without title and address)"])]) + kind
