"""What comes from the tenant, made fit to be shown before any tool looks at it: every text, name and address.

After this, a tool may put a passage into a quotation and a name into a line of its own. What was changed is counted
over the whole answer and said in one note.
"""

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from copilot_mcp.quoting import Quoter

if TYPE_CHECKING:
    from copilot_mcp.graph import (
        AnswerText,
        CopilotConversationResponseMessage,
        RetrievalHit,
        RetrievalResponse,
        SearchSensitivityLabelInfo,
    )

ModelT = TypeVar("ModelT", bound=BaseModel)

__all__ = ["inert_answer", "inert_responses", "inert_text"]


def inert_responses(responses: "Sequence[RetrievalResponse]") -> "tuple[list[RetrievalResponse], list[str]]":
    """The hits of one call with nothing in them that acts, and a note where something was changed."""
    quoter = Quoter()
    inert = [
        response.model_copy(update={"retrieval_hits": [_hit(hit, quoter) for hit in response.retrieval_hits]})
        for response in responses
    ]
    return inert, quoter.notes()


def inert_answer(
    message: "CopilotConversationResponseMessage",
) -> "tuple[AnswerText, SearchSensitivityLabelInfo | None]":
    """The answer as Markdown with nothing in it that acts, and its label. The note is among the answer's own."""
    from copilot_mcp.graph import to_markdown

    answer = to_markdown(message)
    quoter = Quoter()
    markdown = quoter.passage(answer.markdown)
    citations = tuple(
        replace(
            each,
            title=quoter.line(each.title) if each.title != each.url else quoter.address(each.url),
            url=quoter.address(each.url),
            kind=quoter.line(each.kind),
        )
        for each in answer.citations
    )
    label = _label(message.sensitivity_label, quoter)
    return replace(answer, markdown=markdown, citations=citations, notes=(*answer.notes, *quoter.notes())), label


def inert_text(text: str) -> str:
    """An answer so far, or what stands in place of one: marks read as far as they go without sources, nothing acts."""
    from copilot_mcp.graph import CopilotConversationResponseMessage, to_markdown

    return Quoter().passage(to_markdown(CopilotConversationResponseMessage(text=text)).markdown)


def _hit(hit: "RetrievalHit", quoter: Quoter) -> "RetrievalHit":
    address = quoter.address(hit.web_url)
    extracts = [_changed(each, {"text": quoter.passage(each.text)}) for each in hit.extracts]
    if address == hit.web_url and quoter.keeps(_lines(hit)) and all(map(operator.is_, extracts, hit.extracts)):
        return hit
    metadata = {quoter.line(name): quoter.line(value) for name, value in hit.resource_metadata.items()}
    update = {
        "web_url": address,
        "extracts": extracts,
        "resource_type": quoter.line(hit.resource_type),
        "resource_metadata": metadata,
        "sensitivity_label": _label(hit.sensitivity_label, quoter),
        "thumbnails": [_changed(each, {"media_type": quoter.line(each.media_type)}) for each in hit.thumbnails],
    }
    return hit.model_copy(update=update)


def _lines(hit: "RetrievalHit") -> list[str]:
    """All texts of a hit that will stand in a line."""
    label = _label_lines(hit.sensitivity_label).values() if hit.sensitivity_label else ()
    pictures = (each.media_type for each in hit.thumbnails)
    return [hit.resource_type, *hit.resource_metadata, *hit.resource_metadata.values(), *label, *pictures]


def _label(info: "SearchSensitivityLabelInfo | None", quoter: Quoter) -> "SearchSensitivityLabelInfo | None":
    if info is None:
        return None
    return _changed(info, {name: quoter.line(value) for name, value in _label_lines(info).items()})


def _label_lines(info: "SearchSensitivityLabelInfo") -> dict[str, str]:
    names = ("sensitivity_label_id", "display_name", "tooltip")
    return {name: value for name in names if (value := getattr(info, name)) is not None}


def _changed(model: ModelT, members: dict[str, Any]) -> ModelT:
    """The model with these members; itself where they are what it has, since a copy takes longer than to look."""
    for name, value in members.items():
        if getattr(model, name) != value:
            return model.model_copy(update=members)
    return model
