"""How the `filter` commands show a filter: the text, what it finds, and a caret under what is wrong."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import click

from copilot_mcp.kql import Diagnostic

__all__ = ["code_lines", "diagnostic_lines", "picture_lines", "visible"]

_COLOURS = {"error": "red", "warning": "yellow", "information": "cyan"}
WINDOW = 100
"""Columns of an expression that are shown around a finding."""

_LEAD = 20


def visible(text: str) -> str:
    """The text with each character that a terminal would act on replaced by a picture of it, one for one."""
    return "".join(_picture(one) for one in text)


def picture_lines(texts: Iterable[str | None]) -> Iterator[str]:
    """What to say where one of the texts, which a person may copy from the terminal, is not shown as it is."""
    if any(text is not None and visible(text) != text for text in texts):
        yield "  Not to be copied from here: □ and the like stand for characters that cannot be shown. Use --json."


def diagnostic_lines(source: str, found: Sequence[Diagnostic]) -> Iterator[str]:
    """Each finding with its line of the source, a caret under the span, and what to write instead, once."""
    last = [one.suggestion for one in found]
    for place, one in enumerate(found):
        colour = _COLOURS[one.severity]
        named = f"{click.style(one.severity, fg=colour, bold=True)} {click.style(one.code, bold=True)}"
        yield f"  {named}: {visible(one.message)}"
        if one.end > one.start:
            line, caret = _excerpt(source, one.start, one.end)
            yield f"    {line}"
            yield f"    {click.style(caret, fg=colour)}"
        if one.suggestion is not None and one.suggestion not in last[place + 1 :]:
            yield f"    Write: {click.style(visible(one.suggestion), fg='green')}"


def code_lines(text: str) -> Iterator[str]:
    """The lines of a page of Markdown; headings stand out where there is colour."""
    for line in text.splitlines():
        yield click.style(line, bold=True) if line.startswith("#") else line


def _excerpt(source: str, start: int, end: int) -> tuple[str, str]:
    """The part of the source around a span, and a line of carets below it."""
    first = max(0, start - _LEAD) if start > WINDOW - _LEAD else 0
    last = min(len(source), first + WINDOW)
    before, after = "…" if first else "", "…" if last < len(source) else ""
    shown = f"{before}{visible(source[first:last])}{after}"
    indent = _width(f"{before}{visible(source[first:start])}")
    return shown, " " * indent + "^" * max(1, _width(visible(source[start : min(end, last)])))


def _width(text: str) -> int:
    """Columns in a terminal."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def _picture(one: str) -> str:
    if one < " ":
        return chr(0x2400 + ord(one))
    if one == "\x7f":
        return "\u2421"
    # Nothing invisible, nothing that turns the line around: a box stands for it. Spaces of other kinds do no harm, and
    # a text that is copied must keep them.
    return one if one.isprintable() or unicodedata.category(one) == "Zs" else "\u25a1"
