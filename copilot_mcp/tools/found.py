"""What one search found: each hit as it came, with what the search has to say about it. Published by `merging`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from copilot_mcp.quoting import Quoter, fact
from copilot_mcp.tools.labels import Label, label_of

if TYPE_CHECKING:
    from copilot_mcp.graph import RetrievalHit, RetrievalResponse, RetrievalThumbnail
    from copilot_mcp.kql.evidence import Verdict
    from copilot_mcp.tools.searches import Search

__all__ = ["Found", "FoundHit", "found_by", "judged"]


@dataclass(frozen=True, slots=True)
class FoundHit:
    """A hit that is to be shown.

    Attributes:
        hit: as it came, with nothing in it that acts.
        title: metadata, else the last part of the address.
        titled: whether it is metadata.
        metadata: by the names that were asked for.
        pictures: those to show.
        outside: proven to lie outside the filter.
    """

    hit: "RetrievalHit"
    title: str
    titled: bool
    metadata: dict[str, str]
    label: Label | None
    pictures: "Sequence[RetrievalThumbnail]" = ()
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What one search found.

    Attributes:
        hits: those to show, in the order they came.
        verdicts: on each hit that came.
        notes: what is worth saying about it.
    """

    hits: list[FoundHit]
    verdicts: "list[Verdict]"
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
    shown = _Shown.by(search)
    hits = [
        shown.of(hit, outside=verdict == "outside")
        for hit, verdict in zip(response.retrieval_hits, verdicts, strict=True)
        if verdict != "outside" or mark_outside
    ]
    notes = [*_outside_notes(verdicts, mark_outside), *_missing_notes(search, response)]
    return Found(hits, list(verdicts), notes)


def _outside_notes(verdicts: "Sequence[Verdict]", marked: bool) -> list[str]:
    outside = verdicts.count("outside")
    if not outside:
        return []
    count = f"{outside} hit{'' if outside == 1 else 's'}"
    if marked:
        return [f"{count} outside the filter marked as such: the service seems to have ignored it."]
    return [
        f"{count} outside the filter {'was' if outside == 1 else 'were'} withheld: the service seems to have "
        "ignored it. Ask again, or with another filter; --outside mark shows such hits."
    ]


def _missing_notes(search: "Search", response: "RetrievalResponse") -> list[str]:
    """The properties that no hit bore, since the service leaves out without a word what it does not know.

    What the caller asked for is named, and so is what only the filter tests in a connector, whose names nobody else
    checks. A connector's property may come back under its semantic label, so that no more is said than what is seen.
    """
    hits = response.retrieval_hits
    borne = {name.casefold() for hit in hits for name in hit.resource_metadata}
    missing = [name for name in search.asked_metadata if name.casefold().removeprefix("label_") not in borne]
    notes = [f"No hit bore the requested {_named(missing)}: without a value, or not its name."] if missing else []
    known = {name.casefold() for name in search.asked_metadata}
    tested = [name for name in search.body.resource_metadata or () if name.casefold() not in known | borne]
    if tested and search.body.data_source == "externalItem":
        notes.append(f"No hit bore the {_named(tested)} that the filter tests: it may not exist in this connection.")
    return notes if hits else []


def _named(names: Sequence[str]) -> str:
    return f"propert{'y' if len(names) == 1 else 'ies'} {', '.join(map(fact, names))}"


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

    def of(self, hit: "RetrievalHit", *, outside: bool) -> FoundHit:
        """What of this hit is shown."""
        title = hit.metadata("title")
        return FoundHit(
            hit,
            title or Quoter().line(_last_part(hit.web_url)),
            bool(title),
            {
                self.names.get(key, name): value
                for name, value in hit.resource_metadata.items()
                if (key := name.casefold()) not in self.hidden
            },
            label_of(hit.sensitivity_label),
            [each for each in hit.thumbnails if each.content] if self.pictures else (),
            outside,
        )


def _last_part(url: str) -> str:
    """The file's name, its escapes resolved; where the path says nothing, the whole address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    name = unquote(parts.path.rstrip("/").rpartition("/")[2])
    behind = "".join(f"{mark}{text}" for mark, text in (("?", parts.query), ("#", parts.fragment)) if text)
    return f"{name}{behind}" if name else url
