"""The text half of a retrieval: the same facts as its data, as Markdown that costs a model little."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from copilot_mcp.quoting import bracketed, code_span, fact, quoted
from copilot_mcp.tools.labels import label_text

if TYPE_CHECKING:
    from copilot_mcp.tools.findings import AskedRequest, RetrieveResult
    from copilot_mcp.tools.hits import Extract, Hit, Thumbnail

__all__ = ["render"]


def render(result: "RetrieveResult") -> str:
    """Each document with its facts in one line and its passages as quotations; what all share is said once."""
    shared = _Shared.by(result.hits)
    lines = [_heading(result, shared), *map(_request_text, result.requests or ())]
    if result.sensitivity_labels:
        whose = "Label of every hit" if shared.label else "Labels, strictest first"
        lines.append(f"{whose}: {'; '.join(map(label_text, result.sensitivity_labels))}")
    blocks = ["\n".join(lines)]
    blocks += [_hit_text(hit, shared) for hit in result.hits]
    if result.notes:
        blocks.append("\n".join(f"- Note: {note}" for note in result.notes))
    return "\n\n".join(blocks)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What every hit has in common and need not say itself."""

    resource_type: str | None
    label: str | None

    @classmethod
    def by(cls, hits: "Sequence[Hit]") -> "_Shared":
        types, labels = {hit.resource_type for hit in hits}, {hit.label for hit in hits}
        return cls(types.pop() if len(types) == 1 else None, labels.pop() if len(labels) == 1 else None)


def _heading(result: "RetrieveResult", shared: _Shared) -> str:
    found = _count(len(result.hits), "hit") + (f" ({fact(shared.resource_type)})" if shared.resource_type else "")
    used = f"{_count(result.requests_used, 'request')} used"
    form = " Below: [id] document, [id score or -] passage." if result.hits else ""
    if result.requests:
        return f"{found} of {len(result.requests)} requests; {used}.{form}"
    scope = _scope(result.filter_expression, result.filter_honoured)
    return f"{found} in {result.data_source}{scope}; {used}.{form}"


def _scope(expression: str | None, honoured: str | None) -> str:
    filtered = f", filter {code_span(expression)}" if expression else ", no filter"
    return f"{filtered}, filter honoured: {honoured}" if honoured else filtered


def _request_text(request: "AskedRequest") -> str:
    where = f"Request {request.number}, {request.data_source}"
    if request.hits is None:
        return f"{where}: not answered. {request.error}"
    return f"{where}{_scope(request.filter_expression, request.filter_honoured)}: {_count(request.hits, 'hit')}"


def _hit_text(hit: "Hit", shared: _Shared) -> str:
    facts = ["OUTSIDE THE FILTER"] if hit.outside_filter else []
    if hit.requests:
        facts.append(f"request{'' if len(hit.requests) == 1 else 's'} {', '.join(map(str, hit.requests))}")
    if hit.resource_type and hit.resource_type != shared.resource_type:
        facts.append(fact(hit.resource_type))
    if hit.label and hit.label != shared.label:
        facts.append(f"label {fact(hit.label)}")
    facts += [f"{fact(name)}: {fact(value)}" for name, value in (hit.resource_metadata or {}).items()]
    facts += map(_picture_text, hit.thumbnails or ())
    if hit.extracts_left_out:
        facts.append(f"{_count(hit.extracts_left_out, 'extract')} left out")
    said = f" ({'; '.join(facts)})" if facts else ""
    # A blank line between two passages: without it the second one's heading would go on the first one's paragraph, and
    # what opens in the one could close in the other.
    passages = "\n\n".join(map(_extract_text, hit.extracts))
    return f"[{hit.id}] {fact(hit.title)} {bracketed(hit.web_url)}{said}\n{passages}".rstrip("\n")


def _picture_text(picture: "Thumbnail") -> str:
    page = f" of page {picture.page_number}" if picture.page_number is not None else ""
    return f"thumbnail{page}" + (f", {fact(picture.media_type)}" if picture.media_type else "")


def _extract_text(extract: "Extract") -> str:
    """The passage alone stands in the quotation; what we know of it stands before."""
    score = extract.relevance_score
    facts = [extract.id, "-" if score is None else f"{score:.2f}".removeprefix("0")]
    if extract.page_numbers:
        facts.append(f"p. {', '.join(map(str, extract.page_numbers))}")
    return f"[{' '.join(facts)}]\n{quoted(extract.text)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
