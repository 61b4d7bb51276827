"""Reading: limits, places, recovery, and what is told of many mistakes at once."""

import pytest

from copilot_mcp.kql import Properties, parse, properties_for
from copilot_mcp.kql.tree import Restriction, walk


def test_valid_text_gives_tree_and_canonical_text(site: Properties) -> None:
    parsed = parse('author:"Megan Bowen" filetype:docx', site)
    assert parsed.valid
    assert parsed.canonical == 'Author:"Megan Bowen" AND FileType:"docx"'
    assert [one.code for one in parsed.diagnostics if one.severity == "warning"] == ["IMPLICIT_AND"]
    assert parsed.omitted == 0


def test_invalid_text_gives_no_tree(site: Properties) -> None:
    parsed = parse("Author:Megan Bowen", site)
    assert (parsed.tree, parsed.canonical, parsed.valid) == (None, None, False)
    assert [(one.code, one.start, one.end) for one in parsed.diagnostics] == [("UNQUOTED_MULTIWORD", 0, 18)]


def test_nodes_know_their_place_in_the_source(site: Properties) -> None:
    text = 'FileType:pdf AND NOT Author:"Megan Bowen"'
    tree = parse(text, site).tree
    assert tree is not None
    spans = [node.span for node in walk(tree) if isinstance(node, Restriction)]
    assert [text[start:end] for start, end in filter(None, spans)] == ["FileType:pdf", 'Author:"Megan Bowen"']


def test_several_mistakes_are_told_at_once(site: Properties) -> None:
    parsed = parse("Author == 'Megan' && FileType:.pdf AND", site)
    codes = {one.code for one in parsed.diagnostics}
    assert codes == {"BAD_OPERATOR", "SINGLE_QUOTES", "C_STYLE_OPERATOR", "LEADING_DOT", "DANGLING_OPERATOR"}


def test_only_the_first_structural_error_is_told(site: Properties) -> None:
    parsed = parse("AND FileType:pdf OR AND Title:a", site)
    assert [(one.code, one.start) for one in parsed.diagnostics] == [("DANGLING_OPERATOR", 0)]


def test_character_errors_end_the_reading(site: Properties) -> None:
    parsed = parse("Auther:\u201cMegan\u201d", site)
    assert {one.code for one in parsed.diagnostics} == {"SMART_QUOTES"}


def test_fifty_diagnostics_are_listed_and_the_rest_counted(site: Properties) -> None:
    parsed = parse(" AND ".join(f"Author:'{i}'" for i in range(70)) + " AND", site)
    assert (len(parsed.diagnostics), parsed.omitted) == (50, 21)
    assert "DANGLING_OPERATOR" in {one.code for one in parsed.diagnostics}
    assert sum(one.suggestion is not None for one in parsed.diagnostics) == 10


def test_more_findings_than_are_kept_are_still_counted(site: Properties) -> None:
    parsed = parse("Author:' " * 3000, site)
    assert len(parsed.diagnostics) + parsed.omitted >= 3000


def test_past_64_kib_only_length_and_first_error_are_told(site: Properties) -> None:
    parsed = parse("Author:'x' AND " * 5000, site)
    assert [(one.code, one.suggestion) for one in parsed.diagnostics] == [
        ("SINGLE_QUOTES", None),
        ("FILTER_TOO_LONG", None),
    ]
    assert parsed.omitted == 5000


@pytest.mark.parametrize("levels", [90, 99, 100, 101, 5000])
def test_nesting_is_bounded_by_a_hundred_levels(levels: int, site: Properties) -> None:
    for text in (f"{'(' * levels}FileType:pdf{')' * levels}", f"{'NOT ' * levels}FileType:pdf"):
        assert parse(text, site).valid is (levels <= 100)


def test_length_warning_begins_past_4096_characters(site: Properties) -> None:
    text = 'Title:"a"'
    assert parse(text.ljust(4096), site).canonical == text
    assert [one.code for one in parse(text.ljust(4097), site).diagnostics] == ["FILTER_TOO_LONG"]


def test_restriction_error_begins_past_2048_characters(site: Properties) -> None:
    assert parse(f'Title:"{"x" * 2040}"', site).valid
    assert not parse(f'Title:"{"x" * 2041}"', site).valid


READINGS = {
    "FileType:pdf OR FileType:docx AND Title:a": 'FileType:"pdf" OR (FileType:"docx" AND Title:"a")',
    'Author: "AND"': None,
    "NOT(FileType:pdf)AND(Title:a)": 'NOT FileType:"pdf" AND Title:"a"',
    "Title:(-draft final)": 'NOT Title:"draft" AND Title:"final"',
    "Title:(a (b OR c))": 'Title:"a" AND (Title:"b" OR Title:"c")',
    "Path:(https://contoso.sharepoint.com/sites/HR/)": 'Path:"https://contoso.sharepoint.com/sites/HR/"',
    '+FileType:pdf -Author:"A"': 'FileType:"pdf" AND NOT Author:"A"',
    "Size:007": "Size:7",
    'Size:"5"': "Size:5",
    "RefinableDouble00:+2.50": "RefinableDouble00:2.50",
    "LastModifiedTime:today..2024-01-01": "LastModifiedTime:today..2024-01-01",
    "refinablestringWbOffFirst01:x": 'RefinableStringWbOffFirst01:"x"',
    "owstaxIdTopic:x": 'owstaxIdTopic:"x"',
    "Size:99999999999999999999": None,
    "Title:a..b": 'Title:"a..b"',
    "Title:AND*": "Title:AND*",
    "Title:(FileType : pdf)": None,
    "Blue:(sky AND sea)": None,
    "Title:({User.Name})": None,
    "Author:Megan {User.Name}": None,
}


@pytest.mark.parametrize(("text", "canonical"), READINGS.items())
def test_text_reads_as(text: str, canonical: str | None, site: Properties) -> None:
    assert parse(text, site).canonical == canonical


OPEN_READINGS = {
    "Color:today": 'Color:"today"',
    "Color>=today": "Color>=today",
    'Color>="2024-01-01"': "Color>=2024-01-01",
    "Color:TRUE": "Color:true",
    "Color:1..2": "Color:1..2",
    "Color:1..2.5": "Color:1..2.5",
    "Color:-0.5..99999999999999999999": "Color:-0.5..99999999999999999999",
    "Color:2.5..1": None,
    'Color:"1..2"': 'Color:"1..2"',
    "Color:1..2024-01-01": 'Color:"1..2024-01-01"',
    "Color:2.50": "Color:2.50",
    "Color:99999999999999999999": "Color:99999999999999999999",
    "Color:2024-13-40": 'Color:"2024-13-40"',
    "Color:(1 2)": 'Color:"1" AND Color:"2"',
    "Color:*": "Color:*",
}


@pytest.mark.parametrize(("text", "canonical"), OPEN_READINGS.items())
def test_without_a_schema_the_type_follows_the_literal(text: str, canonical: str) -> None:
    assert parse(text, properties_for("externalItem")).canonical == canonical


FREE_READINGS = {
    "budget 2024": "budget AND 2024",
    '"AND" OR C#': '"AND" OR C#',
    '"Note: read this"': '"Note: read this"',
    "x^2 a,b": "x^2 AND a,b",
    "te*t": None,
    '"https://contoso.sharepoint.com/"': None,
    "what is VPN": None,
    '""': None,
    "NEAR": None,
    "LastModifiedTime>=last week": None,
}


@pytest.mark.parametrize(("text", "canonical"), FREE_READINGS.items())
def test_free_text_reads_as(text: str, canonical: str | None, site: Properties) -> None:
    assert parse(text, site, allow_free_text=True).canonical == canonical


def test_allowed_name_passes_with_a_warning() -> None:
    parsed = parse("NewOne>=2024-01-01", properties_for("sharePoint", allow=["NewOne"]))
    assert [(one.code, one.severity) for one in parsed.diagnostics] == [("PROPERTY_UNVERIFIED", "warning")]
