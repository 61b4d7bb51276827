"""The marks that Copilot leaves in an answer: entity tags, citation markers, `[^external^]`. Pure, in linear time."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

from copilot_mcp.graph.markdown import link_labels, readable_name

_KIND = "[A-Z][A-Za-z]{0,39}"
_TOKEN = re.compile(rf"\[\^(?P<number>\d{{1,4}})\^\]|(?P<external>\[\^external\^\])|<(?P<close>/?)(?P<kind>{_KIND})>")
_TAG = re.compile(f"</?{_KIND}>")


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark, and where it stands in the text that was read.

    Attributes:
        written: as it stands there.
        number: of a citation marker.
        kind: of an entity.
        in_label: whether it is among the words of a link that the text itself holds.
        label: what a link in its place says: the number, or the entity's name on one line; empty for `[^external^]`.
    """

    start: int
    end: int
    written: str
    in_label: bool = False
    number: int | None = None
    kind: str = ""
    label: str = ""

    @property
    def external(self) -> bool:
        """Whether it names no source but the request's own context."""
        return self.number is None and not self.kind

    @property
    def key(self) -> str:
        """What makes two marks the same: the number, or kind and name of the entity."""
        return f"^{self.number}" if self.number is not None else f"{self.kind}\n{self.label}"


def marks_of(parts: list[tuple[str, bool]]) -> list[list[Mark]]:
    """The marks of each piece of a text, in order. `parts`: the pieces, and whether each is code, which has none."""
    found = [[] if is_code else list(_marks(part)) for part, is_code in parts]
    # Brackets in code and in names are none.
    pieces = zip(parts, found, strict=True)
    plain = ("`" * len(part) if is_code else _without(part, marks) for (part, is_code), marks in pieces)
    labels = link_labels("".join(plain))
    ends = [end for _, end in labels]
    offset = 0
    for (part, _), marks in zip(parts, found, strict=True):
        for place, mark in enumerate(marks):
            nearest = bisect_left(ends, offset + mark.end)
            if nearest < len(ends) and labels[nearest][0] <= offset + mark.start:
                marks[place] = replace(mark, in_label=True)
        offset += len(part)
    return found


def _without(text: str, marks: list[Mark]) -> str:
    """The text with something that means nothing in place of its marks, as long as they are."""
    pieces: list[str] = []
    position = 0
    for mark in marks:
        pieces += (text[position : mark.start], "`" * len(mark.written))
        position = mark.end
    return "".join([*pieces, text[position:]])


def _marks(text: str) -> Iterator[Mark]:
    """The marks of a piece of prose. A name ends at the first closing tag of its kind, however far."""
    closing: dict[str, list[int]] = {}
    for tag in _TOKEN.finditer(text):
        if tag["close"]:
            closing.setdefault(tag["kind"], []).append(tag.start())
    position = 0
    while found := _TOKEN.search(text, position):
        start, position = found.span()
        if found["number"]:
            number = int(found["number"])
            yield Mark(start, position, found[0], number=number, label=str(number))
        elif found["external"]:
            yield Mark(start, position, found[0])
        elif not found["close"]:
            ends = closing.get(found["kind"], [])
            nearest = bisect_left(ends, position)
            if nearest < len(ends):
                name = readable_name(_TAG.sub("", text[position : ends[nearest]]))
                position = ends[nearest] + len(found["kind"]) + 3
                yield Mark(start, position, text[start:position], kind=found["kind"], label=name)


def number_of(key: str) -> int | None:
    """The number in the `key` of a marker, None for an entity's."""
    return int(key[1:]) if key.startswith("^") else None
