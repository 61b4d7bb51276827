"""Explanations, word for word."""

from datetime import datetime

import pytest

from copilot_mcp.kql import Properties, explain, parse, properties_for

TODAY = " Today is Wednesday 2025-06-18 (UTC)."
WORDS = {
    'Title:"travel policy"': 'Title contains the phrase "travel policy".',
    "Title:VPN": 'Title contains the word "VPN".',
    'Title:"travel pol*"': 'Title contains the phrase "travel pol", the last word as a prefix.',
    'Title="a b"': 'Title is exactly "a b".',
    'Title<>"a b"': 'Title is not "a b".',
    "Title:*": "Title has a value.",
    "FileType:pdf": 'FileType is "pdf".',
    "FileType<>pdf": 'FileType is not "pdf".',
    "FileType:doc*": 'FileType begins with "doc".',
    "FileType<>doc*": 'FileType does not begin with "doc".',
    'Path:"https://contoso.sharepoint.com/sites/HR/"': "Path is at or under https://contoso.sharepoint.com/sites/HR/.",
    'Path="https://contoso.sharepoint.com/sites/HR"': 'Path is "https://contoso.sharepoint.com/sites/HR".',
    "NOT (FileType:pdf AND Title:a)": 'not (all of (FileType is "pdf"; Title contains the word "a")).',
    "FileType:pdf OR Title:a": 'any of (FileType is "pdf"; Title contains the word "a").',
    "budget": 'the text contains the word "budget".',
    "LastModifiedTime:2025-01-01": "LastModifiedTime is on 2025-01-01 (UTC)." + TODAY,
    "LastModifiedTime<2025-01-01": "LastModifiedTime is before 2025-01-01 (UTC)." + TODAY,
    "LastModifiedTime<=2025-01-01": "LastModifiedTime is on or before 2025-01-01 (UTC)." + TODAY,
    "LastModifiedTime>2025-01-01": "LastModifiedTime is after 2025-01-01 (UTC)." + TODAY,
    "LastModifiedTime>=2025-01-01": "LastModifiedTime is on or after 2025-01-01 (UTC)." + TODAY,
    "LastModifiedTime>=2025-01-01T08:00:00Z": "LastModifiedTime is at or after 2025-01-01T08:00:00Z (UTC)." + TODAY,
    "LastModifiedTime:2025-01-01..2025-02-01": (
        "LastModifiedTime is from 2025-01-01 to 2025-02-01 inclusive (UTC)." + TODAY
    ),
    "LastModifiedTime:yesterday": "LastModifiedTime is on yesterday [2025-06-17] (UTC)." + TODAY,
    'LastModifiedTime="last month"': (
        "LastModifiedTime is within last month [2025-05-01 to 2025-05-31] (UTC)." + TODAY
    ),
}


@pytest.mark.parametrize(("text", "words"), WORDS.items())
def test_filter_is_explained(text: str, words: str, site: Properties, now: datetime) -> None:
    tree = parse(text, site, allow_free_text=True).tree
    assert tree is not None
    plain = explain(tree, site, now=now).partition(" Warning ")[0]
    assert plain == f"Items where {words} Data source: sharePoint."


def test_explanation_ends_with_the_warnings(site: Properties, now: datetime) -> None:
    tree = parse("Size>=5 AND IsDocument<>true AND RefinableDouble00:1..2.5", site).tree
    assert tree is not None
    words, _, warnings = explain(tree, site, now=now).partition(" Warning ")
    assert words == (
        "Items where all of (Size is at least 5; IsDocument is not true; "
        "RefinableDouble00 is from 1 to 2.5 inclusive). Data source: sharePoint."
    )
    assert warnings.startswith("UNDOCUMENTED_PROPERTY: ")


def test_path_without_slash_tells_of_siblings(site: Properties, now: datetime) -> None:
    tree = parse('Path:"https://contoso.sharepoint.com/sites/HR"', site).tree
    assert tree is not None
    assert "starts with https://contoso.sharepoint.com/sites/HR, including siblings" in explain(tree, site, now=now)


def test_unknown_property_is_explained_as_words(now: datetime) -> None:
    tree = parse("Color:red", properties_for("externalItem")).tree
    assert tree is not None
    assert explain(tree, properties_for("sharePoint"), now=now).startswith('Items where Color contains the word "red".')
