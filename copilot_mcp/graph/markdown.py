"""Reading and writing Markdown as far as answers need it: links and labels."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_plus

from copilot_mcp.quoting import leads_astray

# What would end a link or a table cell, or hide where it leads.
_UNSAFE_IN_URL = re.compile(r"[\s()<>\[\]|\\\x00-\x1f\x7f\"`]")
# An escape, kept as it is; a bracket or a backslash at the end, which get one.
_BRACKET = re.compile(r"\\([!-/:-@\[-`{-~])|[\[\]]|\\$")
_STRUCTURE = re.compile(r"\\[\\\[\]()]|\]\(|[\[\]()]|\n(?:[ \t]*\n)*")  # escapes, to pass them over
_LONGEST_ADDRESS = 4096
_WORD = re.compile(r"[^\W_]+(?:[.'-][^\W_]+)*")


def link(label: str, url: str) -> str:
    """A Markdown link that leads nowhere else than to this address."""
    safe = _UNSAFE_IN_URL.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), url)
    return f"[{within_label(label)}]({safe})"


def within_label(words: str) -> str:
    """Words that end no link around them."""
    return _BRACKET.sub(lambda found: found[0] if found[0].startswith("\\") and found[1] else f"\\{found[0]}", words)


class Written:
    """Markdown as it grows, some of it ours. No link of ours may become an image, and no bracket of ours a link."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._links: list[int] = []
        self._open_end = False  # what comes next would make a link of our brackets

    def add(self, piece: str, *, ours: bool = False) -> None:
        """One more piece; `ours` where it stands in place of a mark."""
        if self._open_end and piece:
            between = {"[": " ", "(": "\\", ":": "\\"}.get(piece[0], "")
            self._pieces.append(between)
            self._length += len(between)
        if ours and piece.startswith("[") and piece.endswith(")"):
            self._links.append(self._length)
        self._open_end = (ours and piece.endswith("]")) if piece else self._open_end
        self._pieces.append(piece)
        self._length += len(piece)

    def text(self) -> str:
        """All of it, with the exclamation marks right before our links escaped, which reads the same."""
        whole = "".join(self._pieces)
        made: list[str] = []
        position = 0
        for start in self._links:
            mark = start - 1
            before = mark
            while before > 0 and whole[before - 1] == "\\":
                before -= 1
            if mark >= 0 and whole[mark] == "!" and (mark - before) % 2 == 0:
                made += (whole[position:mark], "\\")
                position = mark
        return "".join([*made, whole[position:]])


def is_web(url: str) -> bool:
    """Whether the address may become a link: answers are untrusted, so only http and https with an honest host do."""
    return url[:8].casefold().startswith(("http://", "https://")) and not leads_astray(url)


class CardLinks:
    """The links to the web that a card has and the text itself has not. Both are read once, in linear time."""

    def __init__(self, card: str, text: str) -> None:
        self._of_card = _links_by_label(card)
        self._of_text = _links_by_label(text)
        self._asked: dict[str, list[str]] = {}

    def labelled(self, label: str) -> list[str]:
        """The addresses of those with this label, in order; where all are the same, it is told once."""
        if label not in self._asked:
            own = Counter(self._of_text.get(label))
            found = []
            for url in self._of_card.get(label, ()):
                if own[url]:
                    own[url] -= 1
                elif is_web(url):
                    found.append(url)
            self._asked[label] = found if len(set(found)) > 1 else found[:1]
        return self._asked[label]


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """The part of a link that has been read: where its label begins and ends, and where its address begins."""

    label: int
    label_end: int
    address: int


def _links_by_label(text: str) -> dict[str, list[str]]:
    """The addresses of a text's links by their labels, in order."""
    found: dict[str, list[str]] = {}
    for opened, end in _links(text):
        if 0 < end - opened.address < _LONGEST_ADDRESS:
            label = readable_name(text[opened.label : opened.label_end])
            found.setdefault(label, []).append(text[opened.address : end])
    return found


def link_labels(text: str) -> list[tuple[int, int]]:
    """Where the words of a text's links begin and end, in order. Brackets in code count: hand it over without."""
    return [(opened.label, opened.label_end) for opened, _ in _links(text)]


def _links(text: str) -> Iterator[tuple[_Opened, int]]:
    """Links and where their addresses end. None is inside another; no address spans a line end, no words a blank line.

    In linear time: texts and cards are untrusted.
    """
    labels: list[int] = []  # where those begin that are still open
    parentheses: list[_Opened | None] = []  # those still open; None for one that begins no address
    newest: _Opened | None = None
    for mark in _STRUCTURE.finditer(text):
        written = mark[0]
        if written == "[":
            labels.append(mark.end())
        elif written == "]":
            del labels[-1:]
        elif written == "](" and labels:
            newest = _Opened(labels.pop(), mark.start(), mark.end())
            parentheses.append(newest)
        elif written[0] == "\n":
            parentheses.clear()
            if written.count("\n") > 1:
                labels.clear()
        elif written in ("(", "]("):
            parentheses.append(None)
        elif written == ")" and parentheses and (opened := parentheses.pop()) and opened is newest:
            yield opened, mark.start()
            labels.clear()


def readable_name(label: str) -> str:
    """An entity's name on one line."""
    return " ".join(label.split())


def words_in_url(url: str) -> set[str]:
    """The words of an address's path and query, decoded, in small letters."""
    decoded = unquote_plus(url).casefold()
    return set(_WORD.findall(decoded)) | set(re.split(r"[/?&=\s]+", decoded))
