"""What copilot_retrieve hands back: hits with their passages, as data and as Markdown."""

import base64
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from copilot_mcp.graph import RetrievalBody
from copilot_mcp.tools._tool import ToolResult
from copilot_mcp.tools.labels import Label, label_of

if TYPE_CHECKING:
    from copilot_mcp.graph import RetrievalHit, RetrievalResponse

__all__ = ["Hit", "RetrieveResult", "render", "result_of"]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, defer_build=True)


class Extract(_Part):
    """One passage, verbatim."""

    text: str
    relevance_score: float | None = Field(None, description="0 to 1.")
    page_numbers: list[int] | None = None


class Thumbnail(_Part):
    """A picture of one page."""

    page_number: int | None = None
    media_type: str | None = None
    content: str = Field(description="Base64.")


class Hit(_Part):
    """One document. `id` is short and the same whenever the same document comes back."""

    id: str
    web_url: str
    title: str
    extracts: list[Extract]
    resource_type: str | None = None
    resource_metadata: dict[str, str] | None = None
    sensitivity_label: Label | None = None
    thumbnails: list[Thumbnail] | None = None


class RetrieveResult(ToolResult):
    """Hits, best first, and what was sent to find them."""

    hits: list[Hit]
    data_source: str
    filter_expression: str | None = Field(None, description="As sent.")
    requests_used: int = Field(description="Of 200 an hour.")
    notes: list[str]


def result_of(response: "RetrievalResponse", body: RetrievalBody, notes: Sequence[str]) -> RetrieveResult:
    """The published form of an answer to `body`."""
    said = list(notes)
    if not response.retrieval_hits:
        said.append(_nothing_found(body))
    return RetrieveResult(
        hits=_ordered([_hit(hit) for hit in response.retrieval_hits]),
        data_source=body.data_source,
        filter_expression=body.filter_expression,
        requests_used=response.requests_used,
        notes=said,
    )


def _nothing_found(body: RetrievalBody) -> str:
    scope = "Try without the filter, or" if body.filter_expression else "Try"
    return (
        f"No hits. That does not prove that nothing exists: the index may lack it, or the person may not read it. "
        f"{scope} other words or another data source."
    )


def _hit(hit: "RetrievalHit") -> Hit:
    return Hit(
        id=_short_id(hit.web_url),
        web_url=hit.web_url,
        title=hit.metadata("title") or _last_part(hit.web_url),
        extracts=[
            Extract(text=each.text, relevance_score=each.relevance_score, page_numbers=each.page_numbers or None)
            for each in hit.extracts
        ],
        resource_type=hit.resource_type,
        resource_metadata=hit.resource_metadata or None,
        sensitivity_label=label_of(hit.sensitivity_label),
        thumbnails=[
            Thumbnail(page_number=each.page_number, media_type=each.media_type, content=each.content)
            for each in hit.thumbnails
        ]
        or None,
    )


def _short_id(url: str) -> str:
    return base64.b32encode(hashlib.sha256(url.encode()).digest())[:6].decode().lower()


def _last_part(url: str) -> str:
    """The file's name; where the path says nothing, the whole address."""
    parts = urlsplit(url)
    name = unquote(parts.path.rstrip("/").rpartition("/")[2])
    return f"{name}?{parts.query}" if name and parts.query else name or url


def _ordered(hits: list[Hit]) -> list[Hit]:
    """Best score first. The service sends no order; hits without scores keep the one they came in."""
    if any(_score(hit) is None for hit in hits):
        return hits
    return sorted(hits, key=lambda hit: -(_score(hit) or 0.0))


def _score(hit: Hit) -> float | None:
    scores = [each.relevance_score for each in hit.extracts if each.relevance_score is not None]
    return max(scores, default=None)


def render(result: RetrieveResult) -> str:
    """The text half: each document with its facts in one line and its passages as quotations."""
    count = f"{len(result.hits)} hit{'' if len(result.hits) == 1 else 's'}"
    scope = f", filter `{result.filter_expression}`" if result.filter_expression else ", no filter"
    used = f"{result.requests_used} request{'' if result.requests_used == 1 else 's'} used"
    blocks = [f"{count} in {result.data_source}{scope}; {used}."]
    blocks += [_hit_text(number, hit) for number, hit in enumerate(result.hits, 1)]
    if result.notes:
        blocks.append("\n".join(f"- Note: {note}" for note in result.notes))
    return "\n\n".join(blocks)


def _hit_text(number: int, hit: Hit) -> str:
    facts = [f"id {hit.id}"]
    if hit.resource_type:
        facts.append(hit.resource_type)
    if hit.sensitivity_label:
        facts.append(f"label {hit.sensitivity_label.display_name}")
    facts += [f"{name}: {value}" for name, value in (hit.resource_metadata or {}).items() if name.lower() != "title"]
    facts += [f"thumbnail of page {each.page_number}, {each.media_type}" for each in hit.thumbnails or ()]
    lines = [f"{number}. {hit.title} <{hit.web_url}>", f"   ({'; '.join(facts)})"]
    lines += [_extract_text(each) for each in hit.extracts]
    return "\n".join(lines)


def _extract_text(extract: Extract) -> str:
    where = f"p. {', '.join(map(str, extract.page_numbers))}; " if extract.page_numbers else ""
    score = "" if extract.relevance_score is None else f"[{where}score {extract.relevance_score:.2f}] "
    quoted = extract.text.strip().replace("\n", "\n   > ")
    return f"   > {score}{quoted}"
