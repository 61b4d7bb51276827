"""The table of codes: complete, true of what the parser does, and fit to print."""

import json
import re
import subprocess
import sys
from datetime import datetime

import pytest

from copilot_mcp.kql import Condition, Diagnostic, Group, Properties, SchemaProperty, build, parse, properties_for
from copilot_mcp.kql.codes import CodeEntry, code_table, codes_page
from copilot_mcp.kql.diagnostics import CODES

TYPED = {"UNREPRESENTABLE_VALUE", "BAD_CONDITION"}


def properties_of(entry: CodeEntry) -> Properties:
    schema = [SchemaProperty("Draft", "boolean", is_queryable=False)] if entry.code == "NOT_QUERYABLE" else None
    return properties_for(entry.data_source, schema)


def found_in(entry: CodeEntry, now: datetime) -> tuple[Diagnostic, ...]:
    if entry.code not in TYPED:
        return parse(entry.example, properties_of(entry), now=now).diagnostics
    group = Group(all=(Condition(**json.loads(entry.example)),))
    return build(group, properties_of(entry), now=now).diagnostics


def test_every_code_has_one_entry() -> None:
    assert sorted(entry.code for entry in code_table()) == sorted(CODES)
    assert [entry.severity for entry in code_table()] == sorted(CODES.values(), key="error warning information".find)


@pytest.mark.parametrize("entry", code_table(), ids=lambda entry: entry.code)
def test_example_raises_its_code_and_is_offered_its_correction(entry: CodeEntry, now: datetime) -> None:
    found = found_in(entry, now)
    assert {one.severity for one in found if one.code == entry.code} == {entry.severity}
    assert next((one.suggestion for one in found if one.suggestion), None) == entry.corrected
    if entry.corrected is not None:
        again = parse(entry.corrected, properties_of(entry), now=now)
        assert (again.valid, again.canonical) == (True, entry.corrected)


def test_entries_are_sentences() -> None:
    for entry in code_table():
        assert re.fullmatch(r"[A-Z`][^\n]*\.", entry.meaning), entry.code
        assert re.fullmatch(r"[A-Za-z`][^\n]*\.", entry.fix), entry.code


def test_page_shows_every_entry_in_visible_characters() -> None:
    page = codes_page()
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == [entry.code for entry in code_table()]
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == ["Error", "Warning", "Information"]
    assert all(line.isprintable() and len(line) < 400 for line in page.splitlines())
    section = page.split("### UNICODE_LOOKALIKE\n")[1].split("\n### ")[0]
    assert section.splitlines()[3:5] == [
        "- Example: `FileType\uff1apdf`",
        "- Fix: Type the ASCII form, and `NOT` for a dash.",
    ]
    assert "- Example: `` `FileType:pdf` ``\n" in page
    assert "- Example: *(nothing)*\n" in page
    assert "- Example: `FileType:pdf\\u00a0AND Title:plan`\n" in page
    assert "- Example (with `externalItem`): `Draft:true`\n" in page


def test_the_rows_are_imported_only_when_asked_for() -> None:
    program = (
        "import sys\n"
        "from copilot_mcp.kql.codes import code_table\n"
        "before = [name for name in sys.modules if '_code_rows' in name]\n"
        "code_table()\n"
        "sys.exit(bool(before) or not any('_code_rows' in name for name in sys.modules))\n"
    )
    assert subprocess.run([sys.executable, "-P", "-c", program], check=False).returncode == 0
