"""A Markdown text parted into its leaf blocks, by the reading of a CommonMark parser, and what in it would act."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from copilot_mcp.quoting._addresses import is_deceptive, leads_astray
from copilot_mcp.quoting._prose import BARE_TAGS

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = [
    "Block",
    "Page",
    "blocks_of",
    "cells_of",
    "parsed_and_rest",
    "prose_and_code",
    "spans_of",
]

BlockKind = Literal["prose", "code", "table", "html", "other"]
_KINDS: dict[str, BlockKind] = {"inline": "prose", "html_block": "html", "fence": "code", "code_block": "code"}
_NESTING = 100
_CELLS, _COLUMNS = 100_000, 10
"""A text with more cells, had every line as many as its widest and at least so many, is not parsed to its end."""
_TICKS = re.compile("`+")
_ESCAPE_OR_TICKS = re.compile(r"\\[!-/:-@\[-`{-~]|`+")


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of the text. `other` is what no leaf block claims: blank lines, rules, link definitions."""

    text: str
    kind: BlockKind
    line: int


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


class Page:
    """A text parsed into its blocks, which takes linear time. What stands inside them is read when asked for.

    Attributes:
        contents: the text of each leaf with inline Markdown, without the marks of its containers, and its first line.
        defines: whether links by reference lead somewhere.
        has_html: whether there is a block of HTML.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._env: dict[str, Any] = {}
        self._tokens = _block_parser().parse(text, self._env)
        self.contents = [(each.content, each.map[0]) for each in self._tokens if each.type == "inline" and each.map]
        self.defines = bool(self._env.get("references"))
        self.has_html = any(each.type == "html_block" for each in self._tokens)

    def blocks(self) -> "list[Block]":
        """The text cut at line ends. The blocks joined are the text."""
        lines = self._text.split("\n")
        kinds: list[tuple[int, int, BlockKind]] = []
        for token in self._tokens:
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
            blocks += [Block(lines[line], "other", line) for line in range(at, start)]
            blocks.append(Block("\n".join(lines[start:end]), kind, start))
            at = end
        return blocks + [Block(lines[line], "other", line) for line in range(at, len(lines))]

    def acts(self, content: str) -> bool:
        """Whether a renderer would load something here, obey HTML, or offer a link that misleads."""
        tokens = self._inline(content)
        return any(_acts(token) for token in tokens) or any(is_deceptive(*link) for link in _links(tokens))

    def deceptive(self, content: str) -> frozenset[str]:
        """The addresses of links whose words name another host, as the parser writes them."""
        return frozenset(target for label, target in _links(self._inline(content)) if is_deceptive(label, target))

    def _inline(self, content: str) -> "list[Token]":
        tokens: list[Token] = []
        parser = _parser()
        parser.inline.parse(content, parser, self._env, tokens)
        return tokens


def blocks_of(text: str) -> list[Block]:
    """The text cut at line ends. The blocks joined are the text."""
    return Page(text).blocks()


def parsed_and_rest(text: str) -> tuple[str, str]:
    """The text cut in two at a blank line: what can be parsed in bounded time, mostly all of it, and the rest.

    Nothing of the second part changes what the first is: no leaf block but code goes on behind a blank line.
    """
    end = position = 0
    widest = _COLUMNS
    for number, line in enumerate(text.split("\n"), 1):
        widest = max(widest, line.count("|"))
        if number * widest > _CELLS:
            return text[:end], text[end:]
        position += len(line) + 1
        if not line.strip():
            end = position
    return text, ""


def prose_and_code(text: str) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is code: a block or a span. The pieces joined are the text."""
    parsed, rest = parsed_and_rest(text)
    pieces: list[tuple[str, bool]] = []
    for block in blocks_of(parsed):
        if block.kind == "code":
            pieces.append((block.text, True))
        else:  # a code span does not leave its cell
            cells = cells_of(block.text) if block.kind == "table" else [block.text]
            pieces += [piece for cell in cells for piece in spans_of(cell)]
        pieces.append(("\n", False))
    return [piece for piece in (*pieces[:-1], *spans_of(rest)) if piece[0]]


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


def _links(tokens: "list[Token]") -> Iterator[tuple[str, str]]:
    """Words and address of every link."""
    words: list[str] = []
    target = ""
    for token in tokens:
        if token.type == "link_open":
            words, target = [], str(token.attrs.get("href", ""))
        elif token.type == "link_close":
            yield "".join(words), target
        else:
            words.append(token.content)


def _acts(token: "Token") -> bool:
    if token.type == "html_inline":
        return token.content.strip("</> ").casefold() not in BARE_TAGS
    if token.type == "link_open":
        return leads_astray(str(token.attrs.get("href", "")))
    return token.type == "image"
