"""Documents and passages as copilot_retrieve publishes them, and how they come out of one answer of the service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from copilot_mcp.quoting import Quoter
from copilot_mcp.tools.labels import Label, by_key, label_of

if TYPE_CHECKING:
    from copilot_mcp.graph import RetrievalHit, RetrievalResponse
    from copilot_mcp.kql.evidence import Verdict
    from copilot_mcp.tools.searches import Search

__all__ = ["Extract", "Found", "Hit", "Part", "Thumbnail", "found_by", "judged"]


class Part(BaseModel):
    """A part of a result: frozen, camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, defer_build=True)


class Extract(Part):
    """One passage, verbatim. `id` comes from its document's address and its text."""

    id: str
    text: str
    relevance_score: float | None = Field(None, description="0 to 1.")
    page_numbers: list[int] | None = None


class Thumbnail(Part):
    """A picture of one page."""

    page_number: int | None = None
    media_type: str | None = None
    content: str = Field(description="Base64.")


class Hit(Part):
    """One document. `id` comes from its address and is the same whenever the same document comes back.

    `label` is a name out of the result's `sensitivity_labels`, `requests` the numbers of those that found it, where
    there were several.
    """

    id: str
    web_url: str
    title: str
    extracts: list[Extract]
    extracts_left_out: int | None = None
    resource_type: str | None = None
    resource_metadata: dict[str, str] | None = Field(None, description="Several values are joined by `;`.")
    label: str | None = None
    thumbnails: list[Thumbnail] | None = None
    outside_filter: bool | None = Field(None, description="True: proven outside.")
    requests: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What one search found.

    Attributes:
        hits: those to show, in the order they came.
        verdicts: on each hit that came.
        labels: the sensitivity labels of the hits by key, which a hit bears in place of the name until it is published.
        notes: what is worth saying about it.
    """

    hits: list[Hit]
    verdicts: "list[Verdict]"
    labels: dict[str, Label]
    notes: list[str]


def judged(search: "Search", response: "RetrievalResponse") -> "list[Verdict]":
    """Where each hit lies, held against the filter of `search` as the service wrote it: a hit made fit to be shown
    has other words than the filter found."""
    scope = search.scope
    return [scope.judge(hit) if scope else "inside" for hit in response.retrieval_hits]


def found_by(
    search: "Search", response: "RetrievalResponse", verdicts: "Sequence[Verdict]", *, mark_outside: bool
) -> Found:
    """The hits of an answer to `search` with the verdict on each, as `judged` gave them.

    Those proven to lie outside are left out and counted, or with `mark_outside` shown and marked. Metadata that was
    asked for only to judge by is not shown, and pictures only where they were asked for.
    """
    labels = [label_of(hit.sensitivity_label) for hit in response.retrieval_hits]
    shown_as = _Shown.by(search)
    hits = [
        _hit(hit, label, shown_as, outside=verdict == "outside")
        for hit, label, verdict in zip(response.retrieval_hits, labels, verdicts, strict=True)
        if verdict != "outside" or mark_outside
    ]
    return Found(hits, list(verdicts), by_key(filter(None, labels)), _outside_notes(verdicts, mark_outside))


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


@dataclass(frozen=True, slots=True)
class _Shown:
    """What of a hit is shown.

    Attributes:
        names: the properties that were asked for, by their names in small letters: the service changes case at times.
        hidden: those asked for only to judge by, in small letters.
        pictures: whether pictures are.
    """

    names: dict[str, str]
    hidden: frozenset[str]
    pictures: bool

    @classmethod
    def by(cls, search: "Search") -> "_Shown":
        names = {name.casefold(): name for name in search.asked_metadata}
        sent = {name.casefold() for name in search.body.resource_metadata or ()}
        return cls(names, frozenset(sent - names.keys()), bool(search.body.include_thumbnails))

    def metadata(self, hit: "RetrievalHit") -> dict[str, str]:
        return {
            self.names.get(key, name): value
            for name, value in hit.resource_metadata.items()
            if (key := name.casefold()) not in self.hidden
        }


def _hit(hit: "RetrievalHit", label: Label | None, shown: _Shown, *, outside: bool) -> Hit:
    pictures = hit.thumbnails if shown.pictures else []
    return Hit(
        id="",  # given when all hits are known
        web_url=hit.web_url,
        title=hit.metadata("title") or Quoter().line(_last_part(hit.web_url)),
        extracts=[
            Extract(id="", text=each.text, relevance_score=each.relevance_score, page_numbers=each.page_numbers or None)
            for each in hit.extracts
        ],
        resource_type=hit.resource_type or None,
        resource_metadata=shown.metadata(hit) or None,
        label=label.key if label else None,
        thumbnails=[
            Thumbnail(page_number=each.page_number, media_type=each.media_type, content=each.content)
            for each in pictures
            if each.content
        ]
        or None,
        outside_filter=outside or None,
    )


def _last_part(url: str) -> str:
    """The file's name, its escapes resolved; where the path says nothing, the whole address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    name = unquote(parts.path.rstrip("/").rpartition("/")[2])
    return f"{name}?{parts.query}" if name and parts.query else name or url
