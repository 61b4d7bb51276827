"""Text that others wrote, fit to be quoted: passages, answers, titles, property values, labels, addresses.

Everything that comes from the tenant is data. It may hold instructions for a model, pictures that report who read
them, links under false names, text that only a machine sees. One `Quoter` a result takes all of it; its note says how
much was changed. `_invisible`, `_inert` and `_addresses` say what exactly is changed and what is kept; ordinary text in
any language, with its Markdown and its code, passes byte for byte.

Where a text stands is the other half: `quoted` marks every line of a passage, `fact` puts quotation marks around
a value that would otherwise read like our own words.
"""

import re
from collections.abc import Sequence

from copilot_mcp.quoting._addresses import leads_astray, neutral_address
from copilot_mcp.quoting._blocks import prose_and_code
from copilot_mcp.quoting._inert import inert
from copilot_mcp.quoting._invisible import visible
from copilot_mcp.quoting._prose import Counts, inert_line
from copilot_mcp.quoting._quotation import code_fence, code_span, quoted

__all__ = ["Quoter", "bracketed", "code_fence", "code_span", "fact", "leads_astray", "prose_and_code", "quoted"]

_WEB = re.compile(r"https?://", re.IGNORECASE)
_BREAK = re.compile(r"\s*[\n\r\t]\s*")
_SEEN = r"!-%'-;=-Z\\^_a-~"  # visible ASCII without < & [ ] and the backtick: most names have no other
_TRIMMED = f"(?:[{_SEEN}]+(?: +[{_SEEN}]+)*)?"
_PLAIN = re.compile(f"[ {_SEEN}]*")
_PLAIN_LINES = re.compile(f"{_TRIMMED}(?:\n{_TRIMMED})*")
_LOOKS_LIKE_OURS = re.compile(r"[;()\[\]\"]|^\s*$")


class Quoter:
    """Takes the texts of one result and counts what it changes."""

    def __init__(self) -> None:
        self.counts = Counts()

    def passage(self, text: str) -> str:
        """A text of several lines: an extract, an answer, text so far."""
        text, removed = visible(text)
        self.counts.invisible += removed
        return inert(text, self.counts)

    def line(self, text: str) -> str:
        """A text that stands in a line of ours: a title, a name, a value, a tooltip. No Markdown acts in it."""
        if _PLAIN.fullmatch(text):
            return text.strip()
        text, removed = visible(text)
        self.counts.invisible += removed
        return inert_line(_BREAK.sub(" ", text), self.counts).strip()  # what is removed may have stood at an end

    def keeps(self, lines: Sequence[str]) -> bool:
        """Whether `line` surely leaves each of these as it is; to ask for many is quicker than to make them."""
        joined = "\n".join(lines)
        return joined.count("\n") == len(lines) - 1 and bool(_PLAIN_LINES.fullmatch(joined))

    def address(self, url: str) -> str:
        """An address, as `_addresses` says; it stays usable unless it could only deceive."""
        shown, changed = neutral_address(url)
        self.counts.links += changed
        return shown

    def notes(self) -> list[str]:
        """What was changed, in one sentence; empty when nothing was."""
        counts = self.counts
        removed = _listed((counts.invisible, "invisible character"), (counts.comments, "hidden comment"))
        links = ((counts.links, "misleading link"), (counts.unchecked, "unchecked link"))
        shown = _listed((counts.images, "image"), (counts.tags, "HTML tag"), *links)
        said = [
            *([f"{removed} removed"] if removed else []),
            *([f"{shown} shown as plain text"] if shown else []),
        ]
        return [f"In the quoted text: {'; '.join(said)}."] if said else []


def fact(value: str) -> str:
    """A value to stand among our own words: in quotation marks where it could pass for some of them."""
    if not _LOOKS_LIKE_OURS.search(value):
        return value
    return '"' + value.replace('"', "'") + '"'


def bracketed(url: str) -> str:
    """A neutral address in angle brackets, as Markdown marks addresses; as any `fact` where they would make HTML."""
    return f"<{url}>" if _WEB.match(url) else fact(url)


def _listed(*counted: tuple[int, str]) -> str:
    parts = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in counted if count]
    return " and ".join(", ".join(parts).rsplit(", ", 1))
