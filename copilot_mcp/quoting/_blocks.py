"""A Markdown text parted into its leaf blocks, by the reading of a CommonMark parser, and what in it would act."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from copilot_mcp.quoting._addresses import is_deceptive, leads_astray

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = [
    "BARE_TAGS",
    "Block",
    "blocks_of",
    "cells_of",
    "deceptive_references",
    "is_active",
    "prose_and_code",
    "spans_of",
]

_FORMATTING = (
    "b br code del em hr i ins kbd li mark ol p q s samp small strong sub sup table tbody td th thead tr u ul var"
)
BARE_TAGS = frozenset(_FORMATTING.split())
"""HTML that only formats. Without attributes it does nothing else."""

BlockKind = Literal["prose", "code", "table", "html", "other"]
_KINDS: dict[str, BlockKind] = {"inline": "prose", "html_block": "html", "fence": "code", "code_block": "code"}
_NESTING = 100
_TICKS = re.compile("`+")
_ESCAPE_OR_TICKS = re.compile(r"\\[!-/:-@\[-`{-~]|`+")


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of the text. `other` is what no leaf block claims: blank lines, rules, link definitions."""

    text: str
    kind: BlockKind


@cache
def _parser() -> "MarkdownIt":
    return _new_parser()


@cache
def _block_parser() -> "MarkdownIt":
    """The blocks alone: what stands inside them costs quadratic time where it is meant to."""
    parser = _new_parser()
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def _new_parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": _NESTING}).enable("table")
    # We judge addresses; the parser's own refusal would only hide from us what other renderers let pass.
    parser.validateLink = _any_link  # type: ignore[method-assign]  # how the library is told
    return parser


def _any_link(url: str) -> bool:
    return True


def blocks_of(text: str) -> list[Block]:
    """The text cut at line ends. The blocks joined are the text."""
    lines = text.split("\n")
    kinds: list[tuple[int, int, BlockKind]] = []
    for token in _block_parser().parse(text):
        if token.map is None:
            continue
        if token.type == "table_open":
            kinds += [(line, line + 1, "table") for line in range(*token.map)]
        elif token.type in _KINDS:
            kinds.append((token.map[0], token.map[1], _KINDS[token.type]))
    blocks: list[Block] = []
    at = 0
    for start, end, kind in sorted(kinds, key=lambda found: found[0]):
        if start < at:  # the cells of a table row
            continue
        blocks += [Block(line, "other") for line in lines[at:start]]
        blocks.append(Block("\n".join(lines[start:end]), kind))
        at = end
    return blocks + [Block(line, "other") for line in lines[at:]]


def prose_and_code(text: str) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is code: a block or a span. The pieces joined are the text."""
    pieces: list[tuple[str, bool]] = []
    for block in blocks_of(text):
        if block.kind == "code":
            pieces.append((block.text, True))
        else:  # a code span does not leave its cell
            cells = cells_of(block.text) if block.kind == "table" else [block.text]
            pieces += [piece for cell in cells for piece in spans_of(cell)]
        pieces.append(("\n", False))
    return [piece for piece in pieces[:-1] if piece[0]]


def cells_of(row: str) -> list[str]:
    """A row of a table, cut before and behind each bar. The parts joined are the row."""
    return re.split(r"((?<!\\)\|)", row)


def spans_of(text: str) -> list[tuple[str, bool]]:
    """One leaf block cut at its code spans: a run of backticks ends at the next run of the same length."""
    runs: dict[int, list[int]] = {}
    for run in reversed(list(_TICKS.finditer(text))):
        runs.setdefault(len(run[0]), []).append(run.start())
    pieces: list[tuple[str, bool]] = []
    start = position = 0
    while found := _ESCAPE_OR_TICKS.search(text, position):
        position = found.end()
        later = runs.get(len(found[0]), []) if found[0].startswith("`") else []
        while later and later[-1] < position:
            later.pop()
        if later:
            position = later[-1] + len(found[0])
            pieces += [(text[start : found.start()], False), (text[found.start() : position], True)]
            start = position
    return [*pieces, (text[start:], False)]


def is_active(text: str) -> bool:
    """Whether a renderer would load something, obey HTML, or offer a link that leads elsewhere than it says."""
    tokens = _parser().parse(text)
    return any(_acts(token) for token in _flat(tokens)) or any(is_deceptive(*link) for link in _links(tokens))


def deceptive_references(text: str) -> frozenset[str]:
    """The addresses of links whose words name another host, as the parser writes them."""
    return frozenset(target for label, target in _links(_parser().parse(text)) if is_deceptive(label, target))


def _links(tokens: "list[Token]") -> Iterator[tuple[str, str]]:
    """Words and address of every link."""
    for token in tokens:
        words: list[str] = []
        target = ""
        for child in token.children or ():
            if child.type == "link_open":
                words, target = [], str(child.attrs.get("href", ""))
            elif child.type == "link_close":
                yield "".join(words), target
            else:
                words.append(child.content)


def _flat(tokens: "list[Token]") -> Iterator["Token"]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _acts(token: "Token") -> bool:
    if token.type == "html_inline":
        return token.content.strip("</> ").casefold() not in BARE_TAGS
    if token.type == "link_open":
        return leads_astray(str(token.attrs.get("href", "")))
    return token.type in ("image", "html_block")
