"""The table of codes as help: for each an input that raises it, what it means, and what to do.

Severities come from `diagnostics.CODES`, so the two cannot disagree. The rows are imported when they are asked for:
reading a filter does not need them.
"""

from dataclasses import dataclass

from .diagnostics import CODES, RANK, Severity

__all__ = ["CodeEntry", "code_table", "codes_page"]

_SHOWN = 90  # characters of an example on the page


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """One code.

    Attributes:
        example: a text that raises it; for the codes of typed conditions, the condition as JSON.
        data_source: where the example is read. Only NOT_QUERYABLE needs a schema, in which `Draft` is not queryable.
        meaning: what is wrong, and what the service would do with it.
        fix: what to do, in words.
        corrected: the first filter that is offered instead of the example, None where nobody can tell. Where that
            depends on the clock it is the offer of 18 June 2025.
    """

    code: str
    example: str
    meaning: str
    fix: str
    corrected: str | None = None
    data_source: str = "sharePoint"

    @property
    def severity(self) -> Severity:
        """As in `CODES`; FREE_TEXT is a warning where free text is allowed."""
        return CODES[self.code]


def code_table() -> tuple[CodeEntry, ...]:
    """Every code once: errors first, then in the order of `CODES`."""
    from ._code_rows_properties import PROPERTIES_ROWS
    from ._code_rows_structure import STRUCTURE_ROWS
    from ._code_rows_text import TEXT_ROWS
    from ._code_rows_values import VALUES_ROWS

    order = {code: place for place, code in enumerate(CODES)}
    rows = (*TEXT_ROWS, *STRUCTURE_ROWS, *PROPERTIES_ROWS, *VALUES_ROWS)
    return tuple(sorted(rows, key=lambda row: (RANK[row.severity], order[row.code])))


_INTRODUCTIONS: dict[Severity, str] = {
    "error": "An expression with an error must not be sent: the service would search without the filter, "
    "or with another one.",
    "warning": "An expression with warnings is valid, but send the canonical text that the check returns, "
    "not the text as typed.",
    "information": "Hints. Nothing needs to be done.",
}


def codes_page(code: str | None = None) -> str:
    """The table as a page of Markdown: a section for each severity, a heading for each code.

    With `code`, the section of that one alone.

    Raises:
        KeyError: There is no such code.
    """
    if code is not None:
        rows = {row.code: row for row in code_table()}
        return "\n".join([*_section(rows[code]), f"- Severity: {rows[code].severity}", ""])
    lines = ["# What can be wrong with a filter expression", ""]
    lines += ["Each finding of the check bears one of these codes. A code never changes its meaning."]
    lines += ["Where a correction depends on the day, it is the one of 18 June 2025.", ""]
    table = code_table()
    for severity, introduction in _INTRODUCTIONS.items():
        lines += [f"## {severity.capitalize()}", "", introduction, ""]
        for row in table:
            if row.severity == severity:
                lines += [*_section(row), ""]
    return "\n".join(lines)


def _section(row: CodeEntry) -> list[str]:
    where = "" if row.data_source == "sharePoint" else f" (with `{row.data_source}`)"
    lines = [
        f"### {row.code}",
        "",
        row.meaning,
        "",
        f"- Example{where}: {_code_span(row.example)}",
        f"- Fix: {row.fix}",
    ]
    return lines if row.corrected is None else [*lines, f"- Corrected: {_code_span(row.corrected)}"]


def _code_span(text: str) -> str:
    """The text in a fence longer than any back-tick run in it, shortened, with what cannot be seen written out."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    visible = "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in shown)
    if "`" in visible:
        return f"`` {visible} ``"
    return f"`{visible}`" if visible.strip() else "*(nothing)*"
