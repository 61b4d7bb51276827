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

The blocks of a text are found in linear time, however long it is; what stands inside a block may take quadratic time.
Most blocks need no such reading: they do nothing even if no code in them is code. Of the others, those that are too
deep or too long are taken for prose, each by itself: all that could begin something is escaped, honest links too, which
are counted apart, because nobody knows whether they mislead.
"""

import html
import re

from copilot_mcp.quoting._addresses import leads_astray
from copilot_mcp.quoting._blocks import Page, cells_of, parsed_and_rest, spans_of
from copilot_mcp.quoting._prose import Counts, inert_line, inert_prose, stays_as_it_is, without_comments
from copilot_mcp.quoting._quotation import quoted

__all__ = ["inert"]

_DEEP, _DEEPEST = 20, 80
_EFFORT = 100_000
"""Characters whose inline Markdown is parsed in one text; brackets in one another count more (`_Effort`)."""

_SUSPECT = re.compile(r"<[A-Za-z/!?|]|!\[|\]\(|\]\[|\]:|&[#A-Za-z]|://[^\s/?#]*[^\x00-\x7f]")
_DEFINITION = re.compile(
    r"^(?P<lead>[ >\t]*)\[(?P<label>(?:\\.|[^\[\]\\])+)\]:[ \t]*(?P<target><[^<>\n]*>|\S*)(?P<title>.*)$"
)
_COMMENT_TARGETS = frozenset({"#", "<>", "<#>"})
_ESCAPE_OR_BRACKET = re.compile(r"\\[!-/:-@\[-`{-~]|\[")


def inert(text: str, counts: Counts) -> str:
    """The text with nothing in it that acts. `text` has no invisible characters any more."""
    if not _SUSPECT.search(text):
        return text
    if not re.search(r"\][\[:]", text) and _is_plain(text, defines=False):
        return text
    parsed, rest = parsed_and_rest(text)
    page = Page(parsed)
    tried = Counts()
    blocks = _Blocks(page, tried)
    made = blocks.made()
    if _acts(made, blocks.plain):
        return _unread(text, counts, defines=False)
    counts.add(tried)
    return made + _unread(rest, counts, defines=page.defines) if rest else made


def _depth(text: str) -> int:
    """How deep square brackets stand in one another, unclosed ones counted."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]]", text):
        depth = max(0, depth + (1 if bracket == "[" else -1))
        deepest = max(deepest, depth)
    return deepest


def _is_plain(text: str, *, defines: bool) -> bool:
    """Whether nothing acts in a text, whatever in it is code; `defines`: whether links by reference lead somewhere."""
    if defines and "[" in text:
        return False
    if not _SUSPECT.search(text):
        return True
    return (
        _depth(text) <= _DEEP
        and stays_as_it_is(text, code=False)
        and (not _has_brackets_in_code(text) or stays_as_it_is(text, code=True))
    )


def _has_brackets_in_code(text: str) -> bool:
    """Whether code may hide where the words of a link begin and end."""
    return "`" in text and any(is_code and re.search(r"[\[\]]", piece) for piece, is_code in spans_of(text))


def _unread(text: str, counts: Counts, *, defines: bool) -> str:
    """A text that is not parsed: all of it counts as prose, and no link is left, also none by reference."""
    shown = inert_line(text, counts)
    if not defines:
        return shown
    return _ESCAPE_OR_BRACKET.sub(lambda found: found[0] if found[0] != "[" else "\\[", shown)


class _Effort:
    """How much of a text may still be parsed inside its blocks."""

    def __init__(self, characters: int) -> None:
        self._left = characters

    def allows(self, text: str) -> bool:
        """Whether to parse this; if so, it is spent."""
        cost = _cost(text)
        if cost > self._left:
            return False
        self._left -= cost
        return True


def _cost(text: str) -> int:
    depth = _depth(text)
    return len(text) * (4 + depth) // 4 if depth <= _DEEPEST else 2 * _EFFORT + 1


class _Blocks:
    """The blocks of a page, made inert one after the other."""

    def __init__(self, page: Page, counts: Counts) -> None:
        self._page = page
        self._counts = counts
        self._effort = _Effort(_EFFORT)
        self._bad: frozenset[str] = frozenset()
        self._unread: set[int] = set()
        self.plain: set[str] = set()  # what needs no second look where no link is defined
        reading = _Effort(_EFFORT)
        for content, line in page.contents if page.defines else ():
            if "[" not in content:
                continue
            if reading.allows(content):
                self._bad |= page.deceptive(content)
            else:
                self._unread.add(line)

    def made(self) -> str:
        """The blocks joined."""
        made: list[str] = []
        for block in self._page.blocks():
            if block.kind == "code" and "\t" not in re.split(r"\S", block.text, maxsplit=1)[0]:
                made.append(block.text)
            elif block.kind == "table":
                made.append("".join(self._leaf(cell, block.line) for cell in cells_of(block.text)))
            elif block.kind == "html":
                made.append(self._leaf(without_comments(block.text, self._counts), block.line))
            elif block.kind == "other" and (definition := _DEFINITION.match(block.text)):
                shown = _definition(definition, self._bad, self._counts)
                made += [] if shown is None else [shown]
            else:
                made.append(self._leaf(block.text, block.line))
        return "\n".join(made)

    def _leaf(self, text: str, line: int) -> str:
        if line not in self._unread and (_depth(text) <= _DEEP or _cost(text) <= _EFFORT):
            tried = Counts()
            made = inert_prose(text, tried)
            plain = _is_plain(made, defines=self._page.defines)
            if plain:
                self.plain.add(made.strip())
            if plain or self._effort.allows(made):
                self._counts.add(tried)
                return made
        unread = _unread(text, self._counts, defines=self._page.defines)
        self.plain.add(unread.strip())
        return unread


def _acts(made: str, plain: set[str]) -> bool:
    """Whether anything is left that acts, alone or in a quotation; a text too laborious to read must be escaped.

    `plain`: leaves known to do nothing, if no link is defined.
    """
    effort = _Effort(2 * _EFFORT)
    seen: set[tuple[str, bool]] = set()
    for whole in (made, quoted(made)):
        page = Page(whole)
        if page.has_html:
            return True
        for content, _ in page.contents:
            known = (content, page.defines)
            if known in seen or (content in plain and not page.defines):
                continue
            seen.add(known)
            if _is_plain(content, defines=page.defines):
                continue
            if effort.allows(content):
                if page.acts(content):
                    return True
            elif _unread(content, Counts(), defines=page.defines) != content:
                return True
    return False


def _definition(found: re.Match[str], bad: frozenset[str], counts: Counts) -> str | None:
    """A link definition as it may stay; None for one that is a comment in disguise."""
    target = found["target"].strip("<>")
    if found["target"] in _COMMENT_TARGETS and found["title"].strip():
        counts.comments += 1
        return None
    if not target or leads_astray(target) or target in bad or html.unescape(target) in bad:
        counts.links += 1
        return f"{found['lead']}\\{inert_prose(found[0][len(found['lead']) :], Counts(), apart=True)}"
    return found[0]
