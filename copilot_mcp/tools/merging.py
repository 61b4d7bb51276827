"""The hits of several requests as one list: each document once, each passage once, the best first."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from copilot_mcp.tools.labels import strictness
from copilot_mcp.tools.ordering import by_score_and_rank
from copilot_mcp.tools.short_ids import short_ids

if TYPE_CHECKING:
    from copilot_mcp.tools.hits import Extract, Hit, Thumbnail
    from copilot_mcp.tools.labels import Label

__all__ = ["address_key", "merged"]


def address_key(url: str) -> str:
    """What two forms of one address share: case of the host, escapes and a closing slash make no difference."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return url
    path = unquote(parts.path).rstrip("/")
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{path}?{parts.query}"


def merged(found: "Mapping[int, Sequence[Hit]]", labels: "Mapping[str, Label]", *, several: bool) -> "list[Hit]":
    """The hits that each request (by its number) found, in the order they came, as one list with short ids.

    `labels` has every label of the hits by the key they bear.

    With `several` requests each hit says which of them found it.
    """
    documents: dict[str, list[tuple[int, int, Hit]]] = {}
    for number, hits in sorted(found.items()):
        for rank, hit in enumerate(hits):
            # Without an address a document is known by its passages alone.
            key = address_key(hit.web_url) if hit.web_url else "\n".join(_text_key(each.text) for each in hit.extracts)
            documents.setdefault(key, []).append((number, rank, hit))
    folded = [
        (key, min(rank for _, rank, _ in same), _folded(same, labels, several)) for key, same in documents.items()
    ]
    best = by_score_and_rank((_score(hit), rank, (key, hit)) for key, rank, hit in folded)
    return _with_ids(best)


def _folded(same: "Sequence[tuple[int, int, Hit]]", labels: "Mapping[str, Label]", several: bool) -> "Hit":
    """One hit out of all that are the same document."""
    hits = [hit for _, _, hit in same]
    metadata: dict[str, tuple[str, str]] = {}
    for hit in hits:
        for name, value in (hit.resource_metadata or {}).items():
            metadata.setdefault(name.casefold(), (name, value))
    pictures: dict[int | str, Thumbnail] = {}
    for picture in (picture for hit in hits for picture in hit.thumbnails or ()):
        pictures.setdefault(picture.content if picture.page_number is None else picture.page_number, picture)
    label, title = _strictest(hits, labels), next((hit.title for hit in hits if _is_titled(hit)), hits[0].title)
    update: dict[str, Any] = {
        "title": title,
        "extracts": _folded_extracts(hits),
        "resource_metadata": _without_title(metadata, title) or None,
        "label": label,
        "outside_filter": all(hit.outside_filter for hit in hits) or None,
        "thumbnails": list(pictures.values()) or None,
        "requests": sorted({number for number, _, _ in same}) if several else None,
    }
    return hits[0].model_copy(update=update)


def _folded_extracts(hits: "Sequence[Hit]") -> "list[Extract]":
    """Each passage once with its best score, the best first."""
    passages: dict[str, tuple[int, Extract]] = {}
    for hit in hits:
        for rank, extract in enumerate(hit.extracts):
            key = _text_key(extract.text)
            before = passages.get(key)
            if before is None:
                passages[key] = (rank, extract)
                continue
            scores = [each.relevance_score for each in (before[1], extract) if each.relevance_score is not None]
            pages = sorted({*(before[1].page_numbers or ()), *(extract.page_numbers or ())})
            update = {"relevance_score": max(scores, default=None), "page_numbers": pages or None}
            passages[key] = (min(before[0], rank), before[1].model_copy(update=update))
    return by_score_and_rank((extract.relevance_score, rank, extract) for rank, extract in passages.values())


def _without_title(metadata: "Mapping[str, tuple[str, str]]", title: str) -> dict[str, str]:
    """Names and values as they are shown: a title that stands above is not said again."""
    return {name: value for key, (name, value) in metadata.items() if key != "title" or value != title}


def _is_titled(hit: "Hit") -> bool:
    return any(name.casefold() == "title" for name in hit.resource_metadata or ())


def _strictest(hits: "Sequence[Hit]", labels: "Mapping[str, Label]") -> str | None:
    found = [hit.label for hit in hits if hit.label]
    return min(found, key=lambda key: strictness(labels[key])) if found else None


def _score(hit: "Hit") -> float | None:
    return max((each.relevance_score for each in hit.extracts if each.relevance_score is not None), default=None)


def _text_key(text: str) -> str:
    return " ".join(text.split())


def _with_ids(hits: "Sequence[tuple[str, Hit]]") -> "list[Hit]":
    keys = {key: [f"{key}\n{_text_key(extract.text)}" for extract in hit.extracts] for key, hit in hits}
    ids = short_ids([*keys, *(each for passages in keys.values() for each in passages)])
    return [
        hit.model_copy(
            update={
                "id": ids[key],
                "extracts": [
                    extract.model_copy(update={"id": ids[passage]})
                    for extract, passage in zip(hit.extracts, keys[key], strict=True)
                ],
            }
        )
        for key, hit in hits
    ]
