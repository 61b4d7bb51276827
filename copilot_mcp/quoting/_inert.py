"""Markdown that others wrote, made inert: it reads the same, and nothing in it acts. Pure.

A renderer of the host must neither load nor run anything because a passage says so, and no link may lead elsewhere
than its words say (the class of CVE-2025-32711). In prose, not in code:

* images become their description and the host they would be loaded from: `{image: plan; files.example}`;
* HTML is shown instead of obeyed: `&lt;script>`. Bare formatting tags (`<br>`, `<sub>`) stay where they are harmless.
  Chat markers such as `<|system|>` are shown the same way;
* HTML comments, and link definitions that are used as comments, are removed;
* links stay, unless they lead astray (another scheme than http, https and mailto, a user name before the host, a host
  of look-alike letters) or their words name another host. Those are taken apart: `[words]\\(address)`;
* entities that stand for an invisible character are shown: `&amp;#8238;`.

Fenced code and code spans stay byte for byte: the rules of CommonMark say where they are. Indented code counts as code
unless tabs make its place doubtful. What comes out is parsed again, alone and as the quotation it will stand in. Should
anything be left that acts, the whole text is taken for prose, code included: a false fence gains nothing.
"""

import html
import re
from dataclasses import dataclass

from copilot_mcp.quoting._addresses import host_of, is_deceptive, leads_astray, with_plain_hosts
from copilot_mcp.quoting._invisible import ENTITY, stands_for_invisible
from copilot_mcp.quoting._quotation import quoted

__all__ = ["Counts", "inert", "inert_line"]

PARSED_CHARACTERS = 30_000
BRACKETS_DEEP = 20
"""A text beyond these is not parsed: all of it counts as prose. Parsers of Markdown take quadratic time on such."""

_SUSPECT = re.compile(r"<[A-Za-z/!?|]|!\[|\]\(|\]\[|\]:|&[#A-Za-z]|://[^\s/?#]*[^\x00-\x7f]")
_DEFINITION = re.compile(
    r"^(?P<lead>[ >\t]*)\[(?P<label>(?:\\.|[^\[\]\\])+)\]:[ \t]*(?P<target><[^<>\n]*>|\S*)(?P<title>.*)$"
)
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
_COMMENT_TARGETS = frozenset({"#", "<>", "<#>"})


@dataclass(slots=True)
class Counts:
    """What was taken out or made inert."""

    invisible: int = 0
    comments: int = 0
    images: int = 0
    tags: int = 0
    links: int = 0

    def add(self, other: "Counts") -> None:
        """Count what another text had."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def inert(text: str, counts: Counts) -> str:
    """The text with nothing in it that acts. `text` has no invisible characters any more."""
    if not _SUSPECT.search(text):
        return text
    if _depth(text) > BRACKETS_DEEP:
        return inert_line(text, counts)
    if _Prose(text, Counts(), code=False).made() == text and not re.search(r"\][\[:]", text):
        return text  # nothing acts even if no code is code
    if len(text) > PARSED_CHARACTERS:
        return inert_line(text, counts)
    from copilot_mcp.quoting._blocks import is_active

    tried = Counts()
    made = _by_blocks(text, tried)
    if is_active(made) or is_active(quoted(made)):
        return inert_line(text, counts)
    counts.add(tried)
    return made


def _depth(text: str) -> int:
    """How deep square brackets stand in one another, unclosed ones counted."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]]", text):
        depth = max(0, depth + (1 if bracket == "[" else -1))
        deepest = max(deepest, depth)
    return deepest


def _by_blocks(text: str, counts: Counts) -> str:
    from copilot_mcp.quoting._blocks import blocks_of, cells_of, deceptive_references

    bad = deceptive_references(text)
    made: list[str] = []
    for block in blocks_of(text):
        if block.kind == "code" and "\t" not in re.split(r"\S", block.text, maxsplit=1)[0]:
            made.append(block.text)
        elif block.kind == "table":
            made.append("".join(_prose(cell, counts) for cell in cells_of(block.text)))
        elif block.kind == "html":
            made.append(_prose(_without_comments(block.text, counts), counts))
        elif block.kind == "other" and (definition := _DEFINITION.match(block.text)):
            shown = _definition(definition, bad, counts)
            made += [] if shown is None else [shown]
        else:
            made.append(_prose(block.text, counts))
    return "\n".join(made)


def _definition(found: re.Match[str], bad: frozenset[str], counts: Counts) -> str | None:
    """A link definition as it may stay; None for one that is a comment in disguise."""
    target = found["target"].strip("<>")
    if found["target"] in _COMMENT_TARGETS and found["title"].strip():
        counts.comments += 1
        return None
    if not target or leads_astray(target) or target in bad or html.unescape(target) in bad:
        counts.links += 1
        return f"{found['lead']}\\{_prose(found[0][len(found['lead']) :], Counts(), apart=True)}"
    return found[0]


def _without_comments(text: str, counts: Counts) -> str:
    kept: list[str] = []
    position = 0
    while (start := text.find("<!--", position)) >= 0 and (end := _end_of_comment(text, start)):
        kept.append(text[position:start])
        counts.comments += 1
        position = end
    return "".join([*kept, text[position:]])


def _end_of_comment(text: str, start: int) -> int:
    """Where the comment ends that begins at `start`; 0 where nothing ends it."""
    for short in ("<!-->", "<!--->"):
        if text.startswith(short, start):
            return start + len(short)
    return text.find("-->", start + 4) + 3 if text.rfind("-->") >= start + 4 else 0


def _prose(text: str, counts: Counts, *, apart: bool = False) -> str:
    """One leaf block: code spans verbatim, everything else inert. `apart` takes every link apart."""
    return _Prose(text, counts, apart=apart).made()


class _Prose:
    """One pass over a leaf block, from left to right."""

    def __init__(self, text: str, counts: Counts, *, apart: bool = False, code: bool = True) -> None:
        self._text = text
        self._counts = counts
        self._apart = apart
        self._trusts_code = code
        self._pieces: list[str] = []
        self._open: list[int] = []
        self._runs: dict[int, list[int]] = {}
        for run in reversed(list(re.finditer("`+", text))):
            self._runs.setdefault(len(run[0]), []).append(run.start())

    def made(self) -> str:
        position = 0
        while found := _TOKEN.search(self._text, position):
            self._plain(self._text[position : found.start()])
            position = self._one(found)
        self._plain(self._text[position:])
        return "".join(self._pieces)

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
        if found["comment"] and (end := _end_of_comment(self._text, found.start())):
            counts.comments += 1
            return end
        elif found["alt"] is not None:
            counts.images += 1
            self._pieces.append(_image(_prose(found["alt"], counts), found["source"]))
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
        from copilot_mcp.quoting._blocks import BARE_TAGS

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
    text = _without_comments(text, counts)
    text, described = _IMAGE.subn(lambda found: _image(found["alt"], found["source"]), text)
    text, tags = re.subn(r"<(?=[A-Za-z/!?|])", "&lt;", text)
    text, images = re.subn(r"!\[", r"!\[", text)
    text, links = re.subn(r"\](?=[(:\[])", r"]\\", text)
    text = ENTITY.sub(lambda found: _entity(found[0], counts), text)
    counts.tags += tags
    counts.images += images + described
    counts.links += links
    return with_plain_hosts(text)[0]


def _entity(written: str, counts: Counts) -> str:
    """An entity; one that stands for an invisible character is shown instead. Removal could join what it parted."""
    if not stands_for_invisible(written):
        return written
    counts.invisible += 1
    return f"&amp;{written[1:]}"
