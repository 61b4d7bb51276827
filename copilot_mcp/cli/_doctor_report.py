"""What `doctor` found, for a person and for a program."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from copilot_mcp import __version__
from copilot_mcp.cli._terminal import is_terminal

if TYPE_CHECKING:
    from copilot_mcp.doctor import Finding

__all__ = ["lines", "report", "report_width"]

_COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "red"}
_HEADINGS = {
    "machine": "This machine",
    "configuration": "Configuration",
    "network": "Network",
    "sign-in": "Sign-in",
}
_MARGIN = 11
_WIDEST = 110


def report(findings: "Sequence[Finding]", *, simulated: bool, now: datetime) -> dict[str, Any]:
    """What a program may rely on: topics, verdicts and facts are stable, sentences are not."""
    from copilot_mcp.doctor import worst

    return {
        "version": __version__,
        "time": now.isoformat(timespec="seconds"),
        "simulated": simulated,
        "verdict": worst(findings),
        "findings": [
            {
                "section": each.section,
                "topic": each.topic,
                "verdict": each.verdict,
                "what": each.what,
                "remedy": each.remedy or None,
                "facts": dict(each.facts),
            }
            for each in findings
        ],
    }


def lines(findings: "Sequence[Finding]", *, simulated: bool, width: int) -> Iterator[str]:
    """The report for a person; `width` columns, 0 for lines of any length."""
    if simulated:
        yield "simulated tenant: not Microsoft 365."
    section = None
    for each in findings:
        if each.section is not section:
            section = each.section
            yield ("" if each is findings[0] and not simulated else "\n") + click.style(_HEADINGS[section], bold=True)
        verdict = click.style(f"{each.verdict:<{_MARGIN - 3}}", fg=_COLOURS[each.verdict])
        first, *rest = _wrapped(each.what, width)
        yield f"  {verdict} {first}"
        yield from (" " * _MARGIN + line for line in rest)
        marked = [f"{'> ' if not place else '  '}{line}" for place, line in enumerate(_wrapped(each.remedy, width))]
        yield from (" " * _MARGIN + line for line in marked if each.remedy)
    yield "\n" + _summary(findings)


def _summary(findings: "Sequence[Finding]") -> str:
    problems, warnings = (sum(each.verdict == verdict for each in findings) for verdict in ("problem", "warning"))
    counted = f"{warnings} warning{'s' * (warnings != 1)}"
    if problems:
        shown = f"{problems} problem{'s' * (problems != 1)}, {counted}: the tools cannot work until that is put right."
        return click.style(shown, fg="red", bold=True)
    if warnings:
        return click.style(
            f"No problem, {counted}: nothing was found that prevents the tools from working.", fg="yellow", bold=True
        )
    return click.style("Nothing was found that prevents the tools from working.", fg="green", bold=True)


def _wrapped(text: str, width: int) -> list[str]:
    room = max(20, width - _MARGIN - 2)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) if width else [text]


def report_width() -> int:
    """Of the terminal; a pipe or a file gets each finding on one line."""
    return min(shutil.get_terminal_size().columns, _WIDEST) if is_terminal(sys.stdout) else 0
