"""The hits of several requests as one list: each document once, each passage once, the best first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
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
    places: dict[str, list[tuple[int, int, Hit]]] = {}
    for number, hits in sorted(found.items()):
        for rank, hit in enumerate(hits):
            # Without an address a document is known by its passages alone.
            key = address_key(hit.web_url) if hit.web_url else "\n".join(_text_key(each.text) for each in hit.extracts)
            places.setdefault(key, []).append((number, rank, hit))
    documents = [_Document(key, same, _passages([hit for _, _, hit in same])) for key, same in places.items()]
    best = by_score_and_rank((_score(each.passages), min(rank for _, rank, _ in each.same), each) for each in documents)
    ids = short_ids([*places, *(each.passage_key(passage) for each in best for passage, _ in each.passages)])
    return [_folded(each, ids, labels, several) for each in best]


@dataclass(frozen=True, slots=True)
class _Document:
    """One document.

    Attributes:
        key: what tells it from others.
        same: the number of the request, the rank and the hit, wherever it was found.
        passages: each once, by its own key, the best first.
    """

    key: str
    same: "Sequence[tuple[int, int, Hit]]"
    passages: "Sequence[tuple[str, Extract]]"

    def passage_key(self, passage: str) -> str:
        """A passage's key among those of all documents."""
        return f"{self.key}\n{passage}"


def _folded(document: _Document, ids: "Mapping[str, str]", labels: "Mapping[str, Label]", several: bool) -> "Hit":
    """One hit out of all that are the same document. Made anew: that takes a third of the time of a changed copy."""
    hits = [hit for _, _, hit in document.same]
    first = hits[0]
    metadata: dict[str, tuple[str, str]] = {}
    for hit in hits:
        for name, value in (hit.resource_metadata or {}).items():
            metadata.setdefault(name.casefold(), (name, value))
    pictures: dict[int | str, Thumbnail] = {}
    for picture in (picture for hit in hits for picture in hit.thumbnails or ()):
        pictures.setdefault(picture.content if picture.page_number is None else picture.page_number, picture)
    title = next((hit.title for hit in hits if _is_titled(hit)), first.title)
    return type(first)(
        id=ids[document.key],
        web_url=first.web_url,
        title=title,
        extracts=[
            type(extract)(
                id=ids[document.passage_key(key)],
                text=extract.text,
                relevance_score=extract.relevance_score,
                page_numbers=extract.page_numbers,
            )
            for key, extract in document.passages
        ],
        resource_type=first.resource_type,
        resource_metadata=_without_title(metadata, title) or None,
        label=_strictest(hits, labels),
        thumbnails=list(pictures.values()) or None,
        outside_filter=all(hit.outside_filter for hit in hits) or None,
        requests=sorted({number for number, _, _ in document.same}) if several else None,
    )


def _passages(hits: "Sequence[Hit]") -> "list[tuple[str, Extract]]":
    """Each passage once, with its key and its best score, the best first."""
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
    return by_score_and_rank(
        (extract.relevance_score, rank, (key, extract)) for key, (rank, extract) in passages.items()
    )


def _without_title(metadata: "Mapping[str, tuple[str, str]]", title: str) -> dict[str, str]:
    """Names and values as they are shown: a title that stands above is not said again."""
    return {name: value for key, (name, value) in metadata.items() if key != "title" or value != title}


def _is_titled(hit: "Hit") -> bool:
    return any(name.casefold() == "title" for name in hit.resource_metadata or ())


def _strictest(hits: "Sequence[Hit]", labels: "Mapping[str, Label]") -> str | None:
    found = [hit.label for hit in hits if hit.label]
    return min(found, key=lambda key: strictness(labels[key])) if found else None


def _score(passages: "Sequence[tuple[str, Extract]]") -> float | None:
    scores = (extract.relevance_score for _, extract in passages)
    return max((score for score in scores if score is not None), default=None)


def _text_key(text: str) -> str:
    return " ".join(text.split())
