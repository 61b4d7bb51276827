"""One leaf block of Markdown, or a line, with nothing in it that acts: the part of `_inert` that knows no blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from copilot_mcp.quoting._addresses import host_of, is_deceptive, leads_astray, with_plain_hosts
from copilot_mcp.quoting._invisible import ENTITY, stands_for_invisible

__all__ = ["BARE_TAGS", "Counts", "inert_line", "inert_prose", "stays_as_it_is", "without_comments"]

_FORMATTING = (
    "b br code del em hr i ins kbd li mark ol p q s samp small strong sub sup table tbody td th thead tr u ul var"
)
BARE_TAGS = frozenset(_FORMATTING.split())
"""HTML that only formats. Without attributes it does nothing else."""

_DESCRIBED = (
    r"!\[(?P<alt>[^\[\]`<>\n\\]*)\]\((?P<source><[^<>\n`]*>|[^\s()`<>]*)"
    r"(?:[ \t]+(?:\"[^\"\n`]*\"|'[^'\n`]*'))?[ \t]*\)"
)
_IMAGE = re.compile(_DESCRIBED)
_TOKEN = re.compile(
    r"(?P<escape>\\[!-/:-@\[-`{-~])"
    r"|(?P<ticks>`+)"
    r"|(?P<comment><!--)"
    r"|<(?P<auto>(?:https?://|mailto:)[^\s<>`]*|[A-Za-z0-9.+_-]+@[A-Za-z0-9.-]+)>"
    r"|(?P<tag></?(?P<name>[A-Za-z][A-Za-z0-9]*)[ ]?/?>)"
    r"|(?P<html><(?=[A-Za-z/!?|]))"
    rf"|{_DESCRIBED}"
    r"|(?P<image>!\[)"
    r"|(?P<open>\[)"
    r"|(?P<close>\])"
    rf"|(?P<entity>{ENTITY.pattern})"
)
_TARGET = re.compile(r"\(\s*(?P<target><(?:\\.|[^<>\n\\])*>|(?:\\.|[^\s()\\]|\((?:\\.|[^\s()\\]|\([^\s()]*\))*\))*)")

_BEFORE_TARGET = re.compile(r"\](?=[(:\[])(?=[(:][ \t]*(?P<target><[^<>\n]{0,2048}>|[^\s()<>]{0,2048}))?")


@dataclass(slots=True)
class Counts:
    """What was taken out or made inert. `links` mislead; `unchecked` ones may be honest: their text was not parsed."""

    invisible: int = 0
    comments: int = 0
    images: int = 0
    tags: int = 0
    links: int = 0
    unchecked: int = 0

    def add(self, other: "Counts") -> None:
        """Count what another text had."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def without_comments(text: str, counts: Counts) -> str:
    """The text without its HTML comments."""
    last = text.rfind("-->")
    kept: list[str] = []
    position = 0
    while (start := text.find("<!--", position)) >= 0 and (end := _end_of_comment(text, start, last)):
        kept.append(text[position:start])
        counts.comments += 1
        position = end
    return "".join([*kept, text[position:]])


def _end_of_comment(text: str, start: int, last: int) -> int:
    """Where the comment ends that begins at `start`; 0 where nothing ends it. `last`: where the last `-->` stands."""
    for short in ("<!-->", "<!--->"):
        if text.startswith(short, start):
            return start + len(short)
    return text.find("-->", start + 4) + 3 if last >= start + 4 else 0


def inert_prose(text: str, counts: Counts, *, apart: bool = False, code: bool = True) -> str:
    """One leaf block: code spans verbatim, everything else inert.

    `apart` takes every link apart. Without `code` no code span is believed.
    """
    return _Prose(text, counts, apart=apart, code=code).made()


def stays_as_it_is(text: str, *, code: bool) -> bool:
    """Whether `inert_prose` changes nothing. Stops reading at the first change."""
    return _Prose(text, Counts(), code=code).unchanged()


class _Prose:
    """One pass over a leaf block, from left to right."""

    def __init__(self, text: str, counts: Counts, *, apart: bool = False, code: bool = True) -> None:
        self._text = text
        self._last = text.rfind("-->")
        self._counts = counts
        self._apart = apart
        self._trusts_code = code
        self._pieces: list[str] = []
        self._open: list[int] = []
        self._runs: dict[int, list[int]] = {}
        for run in reversed(list(re.finditer("`+", text))):
            self._runs.setdefault(len(run[0]), []).append(run.start())

    def made(self) -> str:
        for _ in self._steps():
            pass
        return "".join(self._pieces)

    def unchanged(self) -> bool:
        """Whether `made` would be the text itself."""
        written = 0
        for start, end in self._steps():
            if "".join(self._pieces[written:]) != self._text[start:end]:
                return False
            written = len(self._pieces)
        return True

    def _steps(self) -> Iterator[tuple[int, int]]:
        """Write the text piece by piece; each time, which part of it that was."""
        position = 0
        while found := _TOKEN.search(self._text, position):
            self._plain(self._text[position : found.start()])
            start, position = position, self._one(found)
            yield start, position
        self._plain(self._text[position:])
        yield position, len(self._text)

    def _plain(self, text: str) -> None:
        shown, changed = with_plain_hosts(text)
        self._counts.links += changed
        self._pieces.append(shown)

    def _one(self, found: re.Match[str]) -> int:
        """Write one construct; the position after it."""
        kind = found.lastgroup
        counts = self._counts
        if kind == "ticks":
            return self._code(found)
        if found["comment"] and (end := _end_of_comment(self._text, found.start(), self._last)):
            counts.comments += 1
            return end
        elif found["alt"] is not None:
            counts.images += 1
            self._pieces.append(_image(inert_prose(found["alt"], counts), found["source"]))
        elif found["image"]:
            counts.images += 1
            self._open.append(len(self._pieces) + 1)
            self._pieces.append("!\\[")
        elif found["open"]:
            self._open.append(len(self._pieces) + 1)
            self._pieces.append("[")
        elif found["close"]:
            return self._close(found)
        elif found["entity"]:
            self._pieces.append(_entity(found[0], counts))
        elif found["auto"] or found["tag"] or found["html"] or found["comment"]:
            return self._angle(found)
        else:
            self._pieces.append(found[0])
        return found.end()

    def _code(self, found: re.Match[str]) -> int:
        """A code span up to the next run of as many backticks; without one, backticks are plain."""
        later = self._runs.get(len(found[0]), []) if self._trusts_code else []
        while later and later[-1] < found.end():
            later.pop()
        end = later[-1] + len(found[0]) if later else found.end()
        self._pieces.append(self._text[found.start() : end])
        return end

    def _angle(self, found: re.Match[str]) -> int:
        if found["auto"] and not leads_astray(found["auto"] if ":" in found["auto"] else f"mailto:{found['auto']}"):
            self._pieces.append(with_plain_hosts(found[0])[0])
            return found.end()
        if found["tag"] and self._formats(found):
            self._pieces.append(found[0])
            return found.end()
        if found["auto"]:
            self._counts.links += 1
        else:
            self._counts.tags += 1
        self._pieces.append("&lt;")
        return found.start() + 1

    def _formats(self, found: re.Match[str]) -> bool:
        """Whether a bare tag is harmless here: known, and behind a word, so that no block of HTML begins with it."""
        line = self._text[self._text.rfind("\n", 0, found.start()) + 1 : found.start()]
        return found["name"].casefold() in BARE_TAGS and re.search(r"[^\W\d_]", line) is not None

    def _close(self, found: re.Match[str]) -> int:
        label = "".join(self._pieces[self._open.pop() :]) if self._open else ""
        target = _TARGET.match(self._text, found.end())
        bad = target is not None and (
            self._apart
            or leads_astray(target["target"].strip("<>"))
            or is_deceptive(label, target["target"].strip("<>"))
        )
        self._counts.links += bad
        self._pieces.append("]\\" if bad else "]")
        return found.end()


def _image(alt: str, source: str) -> str:
    """An image in words. Curly brackets mean nothing to Markdown."""
    words = alt.strip()
    told = "; ".join(each for each in (words, host_of(source.strip("<>"))) if each)
    return f"{{image: {told}}}" if told else "{image}"


def inert_line(text: str, counts: Counts) -> str:
    """The same for text whose surroundings or structure are not to be trusted: no code, no link, no tag is left.

    Whatever could begin one is escaped, so that nothing acts wherever the text is put, between texts of the same kind
    too: a backtick in a title must not turn the code of the next value into prose.
    """
    text = without_comments(text, counts)
    text, described = _IMAGE.subn(lambda found: _image(found["alt"], found["source"]), text)
    text, tags = re.subn(r"<(?=[A-Za-z/!?|])", "&lt;", text)
    text, images = re.subn(r"!\[", r"!\[", text)
    text = _BEFORE_TARGET.sub(lambda found: _parted(found, counts), text)
    text = ENTITY.sub(lambda found: _entity(found[0], counts), text)
    counts.tags += tags
    counts.images += images + described
    return with_plain_hosts(text)[0]


def _entity(written: str, counts: Counts) -> str:
    """An entity; one that stands for an invisible character is shown instead. Removal could join what it parted."""
    if written == "&lt;" or not stands_for_invisible(written):  # we write that one ourselves, often
        return written
    counts.invisible += 1
    return f"&amp;{written[1:]}"


def _parted(found: re.Match[str], counts: Counts) -> str:
    """The end of a link's words, so that no link comes of it."""
    if found["target"] and leads_astray(found["target"].strip("<>")):
        counts.links += 1
    else:
        counts.unchecked += 1
    return "]\\"
