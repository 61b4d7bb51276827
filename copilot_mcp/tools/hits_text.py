"""The text half of a retrieval: the same facts as its data, as Markdown that costs a model little."""

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from copilot_mcp.tools.findings import AskedRequest, RetrieveResult
    from copilot_mcp.tools.hits import Extract, Hit
    from copilot_mcp.tools.labels import Label

__all__ = ["render"]


def render(result: "RetrieveResult") -> str:
    """Each document with its facts in one line and its passages as quotations; what all share is said once."""
    usual_type = Counter(hit.resource_type for hit in result.hits).most_common(1)[0][0] if result.hits else None
    blocks = [_heading(result, usual_type)]
    blocks += [_request_text(each) for each in result.requests or ()]
    if result.sensitivity_labels:
        blocks.append(f"Labels, strictest first: {'; '.join(map(_label_text, result.sensitivity_labels))}")
    blocks = ["\n".join(blocks)]
    blocks += [_hit_text(number, hit, usual_type) for number, hit in enumerate(result.hits, 1)]
    if result.notes:
        blocks.append("\n".join(f"- Note: {note}" for note in result.notes))
    return "\n\n".join(blocks)


def _heading(result: "RetrieveResult", usual_type: str | None) -> str:
    found = _count(len(result.hits), "hit") + (f" ({usual_type})" if usual_type else "")
    used = f"{_count(result.requests_used, 'request')} used"
    if result.requests:
        return f"{found} of {len(result.requests)} requests; {used}."
    scope = _scope(result.filter_expression, result.filter_honoured)
    return f"{found} in {result.data_source}{scope}; {used}."


def _scope(expression: str | None, honoured: str | None) -> str:
    filtered = f", filter `{expression}`" if expression else ", no filter"
    return f"{filtered}, filter honoured: {honoured}" if honoured else filtered


def _request_text(request: "AskedRequest") -> str:
    where = f"Request {request.number}, {request.data_source}"
    if request.hits is None:
        return f"{where}: not answered. {request.error}"
    return f"{where}{_scope(request.filter_expression, request.filter_honoured)}: {_count(request.hits, 'hit')}"


def _label_text(label: "Label") -> str:
    return f"{label.display_name} ({label.tooltip})" if label.tooltip else label.display_name


def _hit_text(number: int, hit: "Hit", usual_type: str | None) -> str:
    facts = ["OUTSIDE THE FILTER"] if hit.outside_filter else []
    facts.append(hit.id)
    if hit.requests:
        facts.append(f"request{'' if len(hit.requests) == 1 else 's'} {', '.join(map(str, hit.requests))}")
    if hit.resource_type and hit.resource_type != usual_type:
        facts.append(hit.resource_type)
    if hit.label:
        facts.append(f"label {hit.label}")
    facts += [f"{name}: {value}" for name, value in (hit.resource_metadata or {}).items()]
    facts += [f"thumbnail of page {each.page_number}, {each.media_type}" for each in hit.thumbnails or ()]
    if hit.extracts_left_out:
        facts.append(f"{_count(hit.extracts_left_out, 'extract')} left out")
    lines = [f"{number}. {hit.title} <{hit.web_url}> ({'; '.join(facts)})"]
    return "\n".join([*lines, *map(_extract_text, hit.extracts)])


def _extract_text(extract: "Extract") -> str:
    facts = [extract.id]
    if extract.relevance_score is not None:
        facts.append(f"{extract.relevance_score:.2f}")
    if extract.page_numbers:
        facts.append(f"p. {', '.join(map(str, extract.page_numbers))}")
    quoted = extract.text.strip().replace("\n", "\n> ")
    return f"> [{' '.join(facts)}] {quoted}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
