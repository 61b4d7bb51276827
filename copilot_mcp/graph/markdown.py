"""Reading and writing Markdown as far as answers need it: code, links, labels."""

import re
from collections import Counter
from urllib.parse import unquote_plus, urlsplit

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_BACKTICKS = re.compile(r"`+")
# What would end a link or a table cell, or hide where it leads.
_UNSAFE_IN_URL = re.compile(r"[\s()<>|\\\x00-\x1f\x7f\"]")
_WORD = re.compile(r"[^\W_]+(?:[.'-][^\W_]+)*")


def prose_and_code(text: str) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is code. The pieces joined are the text."""
    pieces: list[tuple[str, bool]] = []
    paragraph: list[str] = []
    fenced: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        opening = _FENCE.match(line)
        if fence:
            fenced.append(line)
            if opening and opening[1].startswith(fence) and not line.strip().strip(fence[0]):
                pieces.append(("".join(fenced), True))
                fence, fenced = "", []
        elif opening:
            pieces.extend(_with_code_spans("".join(paragraph)))
            paragraph, fence, fenced = [], opening[1], [line]
        else:
            paragraph.append(line)
            if not line.strip():
                pieces.extend(_with_code_spans("".join(paragraph)))
                paragraph = []
    pieces.extend(_with_code_spans("".join(paragraph)))
    if fenced:
        pieces.append(("".join(fenced), True))
    return pieces


def _with_code_spans(paragraph: str) -> list[tuple[str, bool]]:
    """One paragraph cut at its code spans: a run of backticks ends at the next run of the same length."""
    runs = list(_BACKTICKS.finditer(paragraph))
    later: dict[int, list[int]] = {}
    for index, run in reversed(list(enumerate(runs))):
        later.setdefault(len(run[0]), []).append(index)
    pieces: list[tuple[str, bool]] = []
    position = index = 0
    while index < len(runs):
        same = later[len(runs[index][0])]
        while same and same[-1] <= index:
            same.pop()
        if same:
            start, end = runs[index].start(), runs[same[-1]].end()
            pieces += [(paragraph[position:start], False), (paragraph[start:end], True)]
            position, index = end, same[-1]
        index += 1
    pieces.append((paragraph[position:], False))
    return [piece for piece in pieces if piece[0]]


def link(label: str, url: str) -> str:
    """A Markdown link that leads nowhere else than to this address."""
    safe = _UNSAFE_IN_URL.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), url)
    escaped = re.sub(r"(?<!\\)([\[\]])", r"\\\1", label)
    return f"[{escaped}]({safe})"


def is_web(url: str) -> bool:
    """Whether the address may become a link: answers are untrusted, so only http and https do."""
    try:
        return urlsplit(url).scheme.casefold() in ("http", "https")
    except ValueError:
        return False


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
