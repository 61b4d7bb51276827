"""The hits of several requests as one list: each document once, each passage once, the best first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from copilot_mcp.tools.hits import Extract, Hit, Thumbnail
from copilot_mcp.tools.labels import Label, by_key, strictness, told_apart
from copilot_mcp.tools.ordering import by_score_and_rank
from copilot_mcp.tools.short_ids import short_ids

if TYPE_CHECKING:
    from copilot_mcp.graph import RetrievalExtract, RetrievalThumbnail
    from copilot_mcp.tools.found import FoundHit

__all__ = ["Merged", "address_key", "merged"]


def address_key(url: str) -> str:
    """What two forms of one address share: case of the host, escapes and a closing slash make no difference.

    All that stands behind the path does: whatever it is, two documents must never pass for one.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return url
    path = unquote(parts.path).rstrip("/")
    # Hits come unescaped, so what follows a `#` may be the rest of a name, or the page of a connector.
    behind = f"?{parts.query}#{parts.fragment}" if parts.fragment else f"?{parts.query}"
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{path}{behind}"


@dataclass(frozen=True, slots=True)
class Merged:
    """All hits of a call, and the label of each that has one by the id of the hit."""

    hits: list[Hit]
    labels: dict[str, Label]


def merged(found: "Mapping[int, Sequence[FoundHit]]", *, several: bool) -> Merged:
    """The hits that each request (by its number) found, in the order they came, as one list with short ids.

    With `several` requests each hit says which of them found it.
    """
    places: dict[str, list[tuple[int, int, FoundHit]]] = {}
    for number, hits in sorted(found.items()):
        for rank, each in enumerate(hits):
            url, extracts = each.hit.web_url, each.hit.extracts
            # Without an address a document is known by its title and its passages alone.
            key = address_key(url) if url else "\n".join([each.title, *(_text_key(one.text) for one in extracts)])
            places.setdefault(key, []).append((number, rank, each))
    documents = [_Document(key, same, _passages([each for _, _, each in same])) for key, same in places.items()]
    best = by_score_and_rank((_score(each.passages), min(rank for _, rank, _ in each.same), each) for each in documents)
    ids = short_ids([*places, *(each.passage_key(passage) for each in best for passage, _ in each.passages)])
    known = told_apart(by_key(each.label for hits in found.values() for each in hits if each.label))
    labels = {ids[each.key]: label for each in best if (label := _strictest(each.same, known))}
    return Merged([_published(each, ids, labels, several) for each in best], labels)


@dataclass(frozen=True, slots=True)
class _Document:
    """One document.

    Attributes:
        key: what tells it from others.
        same: the number of the request, the rank and the hit, wherever it was found.
        passages: each once, by its own key, the best first.
    """

    key: str
    same: "Sequence[tuple[int, int, FoundHit]]"
    passages: "Sequence[tuple[str, RetrievalExtract]]"

    def passage_key(self, passage: str) -> str:
        """A passage's key among those of all documents."""
        return f"{self.key}\n{passage}"


def _published(document: _Document, ids: "Mapping[str, str]", labels: "Mapping[str, Label]", several: bool) -> Hit:
    """One hit out of all that are the same document."""
    hits = [each for _, _, each in document.same]
    metadata: dict[str, tuple[str, str]] = {}
    for each in hits:
        for name, value in each.metadata.items():
            metadata.setdefault(name.casefold(), (name, value))
    pictures: dict[int | str, RetrievalThumbnail] = {}
    for picture in (picture for each in hits for picture in each.pictures):
        pictures.setdefault(picture.content if picture.page_number is None else picture.page_number, picture)
    title = next((each.title for each in hits if each.titled), hits[0].title)
    own = ids[document.key]
    return Hit(
        id=own,
        web_url=hits[0].hit.web_url,
        title=title,
        extracts=[
            Extract(
                id=ids[document.passage_key(key)],
                text=extract.text,
                relevance_score=extract.relevance_score,
                page_numbers=extract.page_numbers or None,
            )
            for key, extract in document.passages
        ],
        resource_type=hits[0].hit.resource_type or None,
        resource_metadata=_without_title(metadata, title) or None,
        label=labels[own].display_name if own in labels else None,
        thumbnails=[
            Thumbnail(page_number=each.page_number, media_type=each.media_type, content=each.content)
            for each in pictures.values()
        ]
        or None,
        outside_filter=all(each.outside for each in hits) or None,
        requests=sorted({number for number, _, _ in document.same}) if several else None,
    )


def _passages(hits: "Sequence[FoundHit]") -> "list[tuple[str, RetrievalExtract]]":
    """Each passage once, with its key and its best score, the best first."""
    passages: dict[str, tuple[int, RetrievalExtract]] = {}
    for each in hits:
        for rank, extract in enumerate(each.hit.extracts):
            key = _text_key(extract.text)
            before = passages.get(key)
            if before is None:
                passages[key] = (rank, extract)
                continue
            scores = [one.relevance_score for one in (before[1], extract) if one.relevance_score is not None]
            pages = sorted({*before[1].page_numbers, *extract.page_numbers})
            update = {"relevance_score": max(scores, default=None), "page_numbers": pages}
            passages[key] = (min(before[0], rank), before[1].model_copy(update=update))
    return by_score_and_rank(
        (extract.relevance_score, rank, (key, extract)) for key, (rank, extract) in passages.items()
    )


def _without_title(metadata: "Mapping[str, tuple[str, str]]", title: str) -> dict[str, str]:
    """Names and values as they are shown: a title that stands above is not said again."""
    return {name: value for key, (name, value) in metadata.items() if key != "title" or value != title}


def _strictest(same: "Sequence[tuple[int, int, FoundHit]]", known: "Mapping[str, Label]") -> Label | None:
    labels = [known[each.label.key] for _, _, each in same if each.label]
    return min(labels, key=strictness) if labels else None


def _score(passages: "Sequence[tuple[str, RetrievalExtract]]") -> float | None:
    scores = (extract.relevance_score for _, extract in passages)
    return max((score for score in scores if score is not None), default=None)


def _text_key(text: str) -> str:
    return " ".join(text.split())
