"""What copilot_chat hands back: the answer with its sources, as data and as Markdown."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from copilot_mcp.errors import GraphError, ServiceUnavailableError
from copilot_mcp.quoting import bracketed, fact, quoted
from copilot_mcp.tools._tool import ToolResult
from copilot_mcp.tools.labels import Label, label_of
from copilot_mcp.tools.received import inert_answer

if TYPE_CHECKING:
    from copilot_mcp.graph import AnswerText, CopilotConversation

__all__ = ["ChatResult", "Source", "Turn", "render", "result_of"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What was asked, as far as the answer has to repeat it."""

    conversation_id: str
    prompt: str
    web_enabled: bool
    time_zone: str


class Source(BaseModel):
    """A citation, or the link of a person, file or event that the answer names."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, defer_build=True)

    number: int | None = Field(None, description="Of its marker in the answer.")
    title: str
    url: str
    kind: str = Field(description="citation or annotation.")


class ChatResult(ToolResult):
    """One answered turn."""

    answer: str = Field(description="Markdown.")
    citations: list[Source]
    conversation_id: str = Field(description="Pass back to follow up.")
    turn_count: int | None = None
    state: str | None = None
    sensitivity_label: Label | None = None
    web_enabled: bool = Field(description="Whether this turn could search the web.")
    time_zone: str
    complete: bool = Field(description="False: the answer was cut short.")
    notes: list[str]


def result_of(turn: Turn, conversation: "CopilotConversation", complete: bool) -> ChatResult:
    """The published form of the last thing the service said about `turn`.

    Raises:
        GraphError: There is no answer in it; `disengaged` when the service closed the conversation.
    """
    message = conversation.answer(turn.prompt)
    if message is None or not message.text.strip():
        raise _no_answer(turn, conversation, complete)
    answer, label = inert_answer(message)
    return ChatResult(
        answer=answer.markdown,
        citations=[
            Source(number=each.number, title=each.title, url=each.url, kind=each.kind) for each in answer.citations
        ],
        conversation_id=turn.conversation_id,
        turn_count=conversation.turn_count or None,
        state=conversation.state or None,
        sensitivity_label=label_of(label),
        web_enabled=turn.web_enabled,
        time_zone=turn.time_zone,
        complete=complete,
        notes=_notes(answer, conversation, complete),
    )


def _notes(answer: "AnswerText", conversation: "CopilotConversation", complete: bool) -> list[str]:
    notes = list(answer.notes)
    if not complete:
        notes.append(
            "The stream was cut before its end: this is what had arrived. The turn was not sent again; ask in a "
            "follow-up for the rest."
        )
    if conversation.disengaged:
        notes.append(
            "The responsible-AI filter closed this conversation: it takes no further turns. Start a new one without "
            "conversationId."
        )
    return notes


def _no_answer(turn: Turn, conversation: "CopilotConversation", complete: bool) -> GraphError:
    request_id = conversation.request_id
    if conversation.disengaged:
        return GraphError(
            "The responsible-AI filter of Microsoft 365 closed this conversation without an answer.",
            "Start a new one without conversationId, and ask in other words.",
            kind="disengaged",
            request_id=request_id,
        )
    if not complete:
        return ServiceUnavailableError(
            "The stream was cut before an answer began. The turn may have been recorded; it was not sent again.",
            f"Ask in conversation {turn.conversation_id} whether the question arrived, before asking it again.",
            request_id=request_id,
        )
    return GraphError(
        "Microsoft 365 Copilot gave no answer to this turn.",
        f"Ask a more specific question, or go on in conversation {turn.conversation_id}.",
        kind="no_answer",
        request_id=request_id,
    )


def render(result: ChatResult) -> str:
    """The text half: the answer, its sources, then what belongs to the turn in one line."""
    blocks = [quoted(result.answer.strip("\n"))]
    listed = [each for each in result.citations if each.kind != "annotation" or each.url not in result.answer]
    if listed:  # a link that already stands in the answer is not said again
        blocks.append("Sources:\n" + "\n".join(_source_line(each) for each in listed))
    if result.notes:
        blocks.append("\n".join(f"- Note: {note}" for note in result.notes))
    facts = [f"conversationId: {result.conversation_id}"]
    if result.turn_count is not None:
        facts.append(f"turn {result.turn_count}")
    if result.state:
        facts.append(f"state {fact(result.state)}")
    if result.sensitivity_label:
        facts.append(f"label {fact(result.sensitivity_label.display_name)}")
    facts.append(f"web search {'on' if result.web_enabled else 'off'}")
    facts.append(f"time zone {result.time_zone}")
    facts.append("complete" if result.complete else "incomplete")
    blocks.append(f"({'; '.join(facts)})")
    return "\n\n".join(blocks)


def _source_line(source: Source) -> str:
    number = f"{source.number}." if source.number is not None else "-"
    kind = "" if source.kind == "citation" else f" ({fact(source.kind)})"
    url = bracketed(source.url)
    return f"{number} {source.title} {url}{kind}" if source.title else f"{number} {url}{kind}"
