"""Parts a document into the passages that are searched and returned as extracts.

A passage is 400 to 900 characters where the text allows it. It never begins inside a table row or a short code
block. A section shorter than 200 characters goes on with the next one, whose heading then stands in the text.
"""

import re
from dataclasses import dataclass

__all__ = ["Passage", "split_passages"]

TARGET_CHARACTERS = 400
MAX_CHARACTERS = 900
MIN_CHARACTERS = 200
MAX_PASSAGES = 2_000

_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of text. `heading` is the path of headings above it, `ordinal` its place in the document."""

    ordinal: int
    heading: str
    text: str


@dataclass(slots=True)
class _Block:
    """Lines that belong together. `splits` says where it may be cut when it is too long."""

    text: str
    heading: str
    splits: str


def split_passages(body: str) -> list[Passage]:
    """Cut a Markdown body into passages, in reading order; at most 2,000 of them."""
    passages: list[Passage] = []
    text, heading, current = "", "", ""
    for block in _blocks(body):
        for piece in _pieces(block):
            turns = block.heading != current
            current = block.heading
            full = len(text) + len(piece) + 2 > MAX_CHARACTERS or len(text) >= TARGET_CHARACTERS
            if text and (full or (turns and len(text) >= MIN_CHARACTERS)):
                passages.append(Passage(len(passages), heading, text))
                text = ""
            if not text:
                heading = current
            elif turns:
                piece = f"{current.rsplit(' > ', 1)[-1]}\n\n{piece}"
            text = f"{text}\n\n{piece}" if text else piece
            if len(passages) >= MAX_PASSAGES:
                return passages
    if text:
        passages.append(Passage(len(passages), heading, text))
    return passages


def _blocks(body: str) -> list[_Block]:
    """Paragraphs, lists, tables and code blocks, each under the path of its headings."""
    blocks: list[_Block] = []
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fence = ""

    def close() -> None:
        text = "\n".join(lines).strip("\n")
        lines.clear()
        if text.strip():
            blocks.append(_Block(text, " > ".join(name for _, name in path), _kind(text)))

    for line in body.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            lines.append(line)
            if mark and mark[1] == fence:
                fence = ""
                close()
        elif mark:
            close()
            fence = mark[1]
            lines.append(line)
        elif found := _HEADING.match(line):
            close()
            level = len(line) - len(line.lstrip("#"))
            path = [each for each in path if each[0] < level]
            path.append((level, found[1]))
        elif line.strip():
            lines.append(line.rstrip())
        else:
            close()
    close()
    return blocks


def _kind(text: str) -> str:
    if _FENCE.match(text) or text.lstrip().startswith(("|", "-", "*", "1.", ">")):
        return "lines"
    return "sentences"


def _pieces(block: _Block) -> list[str]:
    """The block, cut at line ends or sentence ends when it is longer than a passage may be."""
    if len(block.text) <= MAX_CHARACTERS:
        return [block.text]
    if block.splits == "lines":
        return _joined([part for line in block.text.split("\n") for part in _hard_cut(line)], "\n")
    units = [part for sentence in _SENTENCE_END.split(block.text) for part in _hard_cut(sentence)]
    return _joined(units, " ")


def _hard_cut(unit: str) -> list[str]:
    """A table row stays whole up to twice the limit; anything longer is cut wherever it must be."""
    limit = 2 * MAX_CHARACTERS
    return [unit[start : start + limit] for start in range(0, len(unit), limit)] or [""]


def _joined(units: list[str], glue: str) -> list[str]:
    pieces: list[str] = []
    text = ""
    for unit in units:
        if text and len(text) + len(glue) + len(unit) > MAX_CHARACTERS:
            pieces.append(text)
            text = ""
        text = f"{text}{glue}{unit}" if text else unit
    return [*pieces, text] if text.strip() else pieces
