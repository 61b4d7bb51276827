"""An answer as segments, rendered in the two forms Copilot uses: inline marks, and an adaptive card with links.

Both forms and the attributions come from the same segments, so they always agree.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import NAMESPACE_URL, uuid5

from copilot_mcp.simulator.tenant import Label

__all__ = [
    "Answer",
    "Cite",
    "External",
    "Segment",
    "Source",
    "Tag",
    "card_of",
    "file_tag",
    "label_body",
    "person_tag",
    "source_of",
    "strictest",
]

_WORDS = re.compile(r"\S+\s*|\s+")
_SAFE = ":/?&=#%@,;+!$'()~*"


@dataclass(frozen=True, slots=True)
class Tag:
    """A Microsoft 365 object named in the text."""

    kind: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement came from."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Cite:
    """A citation marker. Numbers start at 1 in each answer."""

    number: int


@dataclass(frozen=True, slots=True)
class External:
    """The marker of a statement that came from `additionalContext`."""


Segment = str | Tag | Cite | External


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `sources[n - 1]` is what marker n points at."""

    segments: tuple[Segment, ...]
    sources: tuple[Source, ...] = ()
    label: Label | None = None

    @property
    def text(self) -> str:
        """With Copilot's inline marks."""
        return "".join(_marked(each) for each in self.segments)

    def atoms(self) -> list[Segment]:
        """The segments with text cut into words: where a stream may stop between two events."""
        atoms: list[Segment] = []
        for each in self.segments:
            atoms.extend(_WORDS.findall(each) if isinstance(each, str) else [each])
        return atoms

    def part(self, atoms: Sequence[Segment]) -> "Answer":
        """The answer as far as these atoms go."""
        return Answer(tuple(atoms), self.sources, self.label)

    def attributions(self) -> list[dict[str, Any]]:
        """Annotations in the order of the tags, then citations in the order of the markers."""
        tags: dict[tuple[str, str], Tag] = {}
        for each in self.segments:
            if isinstance(each, Tag):
                tags.setdefault((each.kind, each.name), each)
        numbers = sorted({each.number for each in self.segments if isinstance(each, Cite)})
        cited = (self.sources[number - 1] for number in numbers)
        return [_attribution("annotation", "model", "", tag.url) for tag in tags.values()] + [
            _attribution("citation", "grounding", source.title, source.url) for source in cited
        ]

    def card(self) -> dict[str, Any]:
        """The same text as an adaptive card, marks replaced by Markdown links."""
        return card_of("".join(self._linked(each) for each in self.segments))

    def _linked(self, segment: Segment) -> str:
        match segment:
            case Tag():
                return f"[{segment.name}]({segment.url})"
            case Cite():
                return f" [{segment.number}]({self.sources[segment.number - 1].url})"
            case External():
                return ""
            case _:
                return segment


def card_of(text: str) -> dict[str, Any]:
    """An adaptive card with one block of text."""
    block = {"type": "TextBlock", "text": text, "wrap": True}
    return {"type": "AdaptiveCard", "version": "1.0", "body": [block]}


def _marked(segment: Segment) -> str:
    match segment:
        case Tag():
            return f"<{segment.kind}>{segment.name}</{segment.kind}>"
        case Cite():
            return f"[^{segment.number}^]"
        case External():
            return "[^external^]"
        case _:
            return segment


def _attribution(kind: str, source: str, title: str, url: str) -> dict[str, Any]:
    return {
        "attributionType": kind,
        "providerDisplayName": title,
        "attributionSource": source,
        "seeMoreWebUrl": url,
        "imageWebUrl": "",
        "imageFavIcon": "",
        "imageWidth": 0,
        "imageHeight": 0,
    }


def file_tag(name: str, url: str) -> Tag:
    """A file, linked to its address."""
    return Tag("File", name, _represented(quote(url, safe=_SAFE), "?"))


def person_tag(name: str) -> Tag:
    """A person, linked to a search for the name."""
    return Tag("Person", name, _represented(f"https://www.office.com/search?q={quote_plus(name)}", "&"))


def _represented(url: str, joint: str) -> str:
    return f"{url}{joint}EntityRepresentationId={uuid5(NAMESPACE_URL, url)}"


def source_of(title: str, url: str) -> Source:
    """A source whose address is encoded as the Chat API gives it."""
    return Source(title, quote(url, safe=_SAFE))


def label_body(label: Label | None) -> dict[str, Any]:
    """The Chat API's label object; every member null when there is none."""
    return {
        "sensitivityLabelId": label.id if label else None,
        "displayName": label.name if label else None,
        "tooltip": label.tooltip if label else None,
        "priority": label.priority if label else None,
        "color": label.color if label else None,
        "isEncrypted": False if label else None,
    }


def strictest(labels: Iterable[Label | None]) -> Label | None:
    """The label with the highest priority."""
    known = [label for label in labels if label is not None]
    return max(known, key=lambda label: label.priority, default=None)
