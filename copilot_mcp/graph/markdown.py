"""Reading and writing Markdown as far as answers need it: links and labels."""

import re
from collections import Counter
from urllib.parse import unquote_plus

from copilot_mcp.quoting import leads_astray

# What would end a link or a table cell, or hide where it leads.
_UNSAFE_IN_URL = re.compile(r"[\s()<>\[\]|\\\x00-\x1f\x7f\"`]")
# An escape, kept as it is; a bracket or a backslash at the end, which get one.
_BRACKET = re.compile(r"\\([!-/:-@\[-`{-~])|[\[\]]|\\$")
_WORD = re.compile(r"[^\W_]+(?:[.'-][^\W_]+)*")


def link(label: str, url: str) -> str:
    """A Markdown link that leads nowhere else than to this address."""
    safe = _UNSAFE_IN_URL.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), url)
    escaped = _BRACKET.sub(lambda found: found[0] if found[0].startswith("\\") and found[1] else f"\\{found[0]}", label)
    return f"[{escaped}]({safe})"


class Written:
    """Markdown as it grows, some of it ours. A link of ours behind an exclamation mark must not become an image."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._links: list[int] = []

    def add(self, piece: str, *, ours: bool = False) -> None:
        """One more piece; `ours` where it stands in place of a mark."""
        if ours and piece.startswith("["):
            self._links.append(self._length)
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


def links_labelled(label: str, card: str, text: str) -> list[str]:
    """The addresses of the card's links with this label, in order, without those that the text itself holds."""
    own = Counter(_targets(label, text))
    found = []
    for url in _targets(label, card):
        if own[url]:
            own[url] -= 1
        else:
            found.append(url)
    return found


def _targets(label: str, text: str) -> list[str]:
    opening = f"[{label}]("
    found = []
    position = text.find(opening)
    while position >= 0:
        start = position + len(opening)
        end = _end_of_target(text, start)
        if end > start:
            found.append(text[start:end])
        position = text.find(opening, max(end, start))
    return found


def _end_of_target(text: str, start: int) -> int:
    """Where a link's address ends: at the parenthesis that closes it. Equal to `start` when nothing closes it."""
    depth = 0
    for position in range(start, min(len(text), start + 4096)):
        character = text[position]
        if character == "\n":
            return start
        if character == "(":
            depth += 1
        elif character == ")":
            if depth == 0:
                return position
            depth -= 1
    return start


def readable_name(label: str) -> str:
    """An entity's name on one line."""
    return " ".join(label.split())


def words_in_url(url: str) -> set[str]:
    """The words of an address's path and query, decoded, in small letters."""
    decoded = unquote_plus(url).casefold()
    return set(_WORD.findall(decoded)) | set(re.split(r"[/?&=\s]+", decoded))
