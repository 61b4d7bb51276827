"""What copilot_retrieve hands back: hits with their passages, as data and as Markdown."""

import base64
import hashlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from copilot_mcp.graph import RetrievalBody
from copilot_mcp.tools._tool import ToolResult
from copilot_mcp.tools.labels import Label, label_of
from copilot_mcp.tools.scope import Honoured, Scope

if TYPE_CHECKING:
    from copilot_mcp.graph import RetrievalHit, RetrievalResponse
    from copilot_mcp.kql import Verdict

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
    outside_filter: bool | None = Field(None, description="True: proven to lie outside the filter.")


class RetrieveResult(ToolResult):
    """Hits, best first, and what was sent to find them."""

    hits: list[Hit]
    data_source: str
    filter_expression: str | None = Field(None, description="As sent.")
    filter_honoured: Honoured | None = Field(
        None, description="Whether every hit was shown to lie inside the filter; no: hits lay outside it."
    )
    requests_used: int = Field(description="Of 200 an hour.")
    notes: list[str]


def result_of(
    response: "RetrievalResponse",
    body: RetrievalBody,
    notes: Sequence[str],
    *,
    scope: Scope | None,
    asked_metadata: Sequence[str] | None,
    mark_outside: bool,
) -> RetrieveResult:
    """The published form of an answer to `body`.

    Each hit is held against the filter. Those proven to lie outside are left out and counted, or with
    `mark_outside` shown and marked. Metadata that was asked for only to judge by is not shown.
    """
    said = [*notes, *(scope.notes if scope else ())]
    hidden = _folded(body.resource_metadata) - _folded(asked_metadata)
    verdicts = [scope.judge(hit) if scope else "inside" for hit in response.retrieval_hits]
    hits = [
        _hit(hit, hidden, outside=verdict == "outside")
        for hit, verdict in zip(response.retrieval_hits, verdicts, strict=True)
        if verdict != "outside" or mark_outside
    ]
    said += _outside_notes(verdicts, mark_outside)
    if not verdicts:
        said.append(_nothing_found(body))
    return RetrieveResult(
        hits=_ordered(hits),
        data_source=body.data_source,
        filter_expression=body.filter_expression,
        filter_honoured=Scope.honoured(verdicts) if scope else None,
        requests_used=response.requests_used,
        notes=said,
    )


def _folded(names: Sequence[str] | None) -> set[str]:
    return {name.casefold() for name in names or ()}


def _outside_notes(verdicts: "Sequence[Verdict]", marked: bool) -> list[str]:
    outside = verdicts.count("outside")
    if not outside:
        return []
    count = f"{outside} hit{'' if outside == 1 else 's'}"
    if marked:
        return [f"{count} outside the filter marked as such: the service seems to have ignored it."]
    return [
        f"{count} outside the filter {'was' if outside == 1 else 'were'} withheld: the service seems to have "
        "ignored it."
    ]


def _nothing_found(body: RetrievalBody) -> str:
    scope = "Try without the filter, or" if body.filter_expression else "Try"
    return (
        f"No hits. That does not prove that nothing exists: the index may lack it, or the person may not read it. "
        f"{scope} other words or another data source."
    )


def _hit(hit: "RetrievalHit", hidden: Collection[str], *, outside: bool) -> Hit:
    return Hit(
        id=_short_id(hit.web_url),
        web_url=hit.web_url,
        title=hit.metadata("title") or _last_part(hit.web_url),
        extracts=[
            Extract(text=each.text, relevance_score=each.relevance_score, page_numbers=each.page_numbers or None)
            for each in hit.extracts
        ],
        resource_type=hit.resource_type,
        resource_metadata={k: v for k, v in hit.resource_metadata.items() if k.casefold() not in hidden} or None,
        sensitivity_label=label_of(hit.sensitivity_label),
        thumbnails=[
            Thumbnail(page_number=each.page_number, media_type=each.media_type, content=each.content)
            for each in hit.thumbnails
        ]
        or None,
        outside_filter=outside or None,
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
    if result.filter_honoured:
        scope += f", filter honoured: {result.filter_honoured}"
    used = f"{result.requests_used} request{'' if result.requests_used == 1 else 's'} used"
    blocks = [f"{count} in {result.data_source}{scope}; {used}."]
    blocks += [_hit_text(number, hit) for number, hit in enumerate(result.hits, 1)]
    if result.notes:
        blocks.append("\n".join(f"- Note: {note}" for note in result.notes))
    return "\n\n".join(blocks)


def _hit_text(number: int, hit: Hit) -> str:
    facts = ["OUTSIDE THE FILTER"] if hit.outside_filter else []
    facts.append(f"id {hit.id}")
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
