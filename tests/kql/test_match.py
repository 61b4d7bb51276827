"""Matching beyond the shared evaluation cases: unreadable values, judging, and edges."""

from datetime import datetime

import pytest

from copilot_mcp.kql import Item, Properties, matches, parse, properties_for
from copilot_mcp.kql.match import judge

ITEM = Item(
    {
        "title": ("Travel Policy 2025", "Other"),
        "FileType": ("docx",),
        "Size": ("5",),
        "RefinableDouble00": ("n/a",),
        "IsDocument": ("True",),
        "LastModifiedTime": ("2025-06-18T01:00:00.123456789+02:00",),
        "Created": ("18 June",),
        "Path": ("https://contoso.sharepoint.com/sites/HR",),
        "Author": ("", " "),
    },
    "the quarterly budget",
)

MATCHES = {
    "Title:policy": True,
    'Title:"2025 other"': False,
    'Title="travel policy*"': True,
    'Title="travel policy 2025 and more"': False,
    'Title:"---"': False,
    "Title<>other": False,
    "FileType:doc*": True,
    "Size>=5 AND Size<6 AND Size:1..5 AND Size>4 AND Size<=5": True,
    "Size<>5": False,
    "RefinableDouble00>1": False,
    "RefinableDouble00<>1": True,
    "IsDocument:true": True,
    "IsDocument<>true": False,
    "LastModifiedTime:2025-06-17": True,
    "LastModifiedTime:yesterday..today": True,
    "LastModifiedTime>2025-06-17T22:59:59Z": True,
    "LastModifiedTime<today": True,
    "Created>=2020-01-01": False,
    "Author:*": False,
    "Author<>Megan": True,
    "NOT ModifiedBy:*": True,
    'Path:"https://contoso.sharepoint.com/sites/HR/"': True,
    'Path="https://contoso.sharepoint.com/sites/H*"': True,
    'SPSiteURL:"x"': False,
    "budget": True,
    '"travel pol*"': True,
    "bud*": True,
    "missing OR FileType:docx": True,
}


@pytest.mark.parametrize(("text", "expected"), MATCHES.items())
def test_item_matches(text: str, expected: bool, site: Properties, now: datetime) -> None:
    tree = parse(text, site, allow_free_text=True).tree
    assert tree is not None
    assert matches(tree, ITEM, site, now=now) is expected


JUDGED = {
    "FileType:docx": True,
    "FileType:pdf": False,
    "NOT FileType:pdf": True,
    "ModifiedBy:Megan": None,
    "ModifiedBy<>Megan": None,
    "ModifiedBy:*": None,
    "NOT ModifiedBy:Megan": None,
    "Created>=2020-01-01": None,
    "RefinableDouble00<>1": None,
    "FileType:docx AND ModifiedBy:Megan": None,
    "FileType:pdf AND ModifiedBy:Megan": False,
    "FileType:docx OR ModifiedBy:Megan": True,
    "FileType:pdf OR ModifiedBy:Megan": None,
    "FileType:pdf OR FileType:txt": False,
    "FileType:docx AND Title:policy": True,
    "budget": True,
    "missing": None,
}


@pytest.mark.parametrize(("text", "expected"), JUDGED.items())
def test_missing_values_prove_nothing(text: str, expected: bool | None, site: Properties, now: datetime) -> None:
    tree = parse(text, site, allow_free_text=True).tree
    assert tree is not None
    assert judge(tree, ITEM, site, now=now) is expected


def test_number_that_is_none_proves_nothing(now: datetime) -> None:
    properties = properties_for("externalItem")
    tree, flag = parse("rank>1", properties).tree, parse("flag:true", properties).tree
    assert tree is not None
    assert flag is not None
    for value in ("NaN", "many", "Infinity", "x" * 100):
        item = Item({"rank": (value,), "flag": (value,)})
        assert (judge(tree, item, properties, now=now), judge(flag, item, properties, now=now)) == (None, None)


def test_date_that_is_too_long_is_no_date(site: Properties, now: datetime) -> None:
    tree = parse("LastModifiedTime>=2020-01-01", site).tree
    assert tree is not None
    assert judge(tree, Item({"LastModifiedTime": ("2025-01-01T00:00:00" + "0" * 100,)}), site, now=now) is None


KEYWORDS = {
    "today": "2025-06-18T00:00:00Z",
    "yesterday": "2025-06-17T23:59:59.9999999Z",
    '"this week"': "2025-06-16T00:00:00Z",
    '"this month"': "2025-06-30T23:59:59Z",
    '"last month"': "2025-05-01T00:00:00Z",
    '"this year"': "2025-12-31T23:59:59Z",
    '"last year"': "2024-12-31T23:59:59Z",
}


@pytest.mark.parametrize(("keyword", "moment"), KEYWORDS.items())
def test_keyword_means_its_period_in_utc(keyword: str, moment: str, site: Properties, now: datetime) -> None:
    tree = parse(f"LastModifiedTime:{keyword}", site).tree
    assert tree is not None
    assert matches(tree, Item({"LastModifiedTime": (moment,)}), site, now=now)
    assert not matches(tree, Item({"LastModifiedTime": ("2023-01-01T00:00:00Z",)}), site, now=now)
