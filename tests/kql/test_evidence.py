"""What a hit's address and properties prove: only what cannot be a matter of spelling puts it outside the filter."""

from datetime import datetime
from typing import Any

import pytest

from copilot_mcp.kql import SchemaProperty, parse, properties_for
from copilot_mcp.kql.evidence import asked_for_proof, verdict

HOST = "https://contoso.sharepoint.com"
HR1 = f"{HOST}/sites/HR1"
DOC = f"{HR1}/Shared Documents/Leave.docx"
GUID = "f0ddcc93-d3c0-4993-b5cc-76b0a283e252"
OTHER = "e2cf7e40-d689-41de-99ee-a423811a253c"


def judged(now: datetime, expression: str, url: str, source: str = "sharePoint", **metadata: str) -> str:
    properties = properties_for(source)
    parsed = parse(expression, properties)
    assert parsed.tree is not None, parsed.diagnostics
    return verdict(parsed.tree, url, metadata, properties, now=now)


ADDRESSES = [
    (f'Path:"{HR1}/"', DOC, "inside"),
    (f'Path:"{HR1}/"', f"{HR1}/Shared%20Documents/Leave.docx", "inside"),
    (f'Path:"{HR1}/"', HR1, "inside"),
    (f'Path:"{HR1}/"', DOC.upper().replace("HTTPS", "https"), "inside"),
    (f'Path:"{HR1}/"', f"{HOST}/sites/HR10/Leave.docx", "outside"),
    (f'Path:"{HR1}/"', f"{HOST}/Shared Documents/Leave.docx", "outside"),
    (f'Path:"{HR1}/"', "https://fabrikam.sharepoint.com/sites/HR1/Leave.docx", "outside"),
    (f'Path:"{HR1}"', f"{HOST}/sites/HR10/Leave.docx", "inside"),
    (f'Path:"{HR1}"', f"{HOST}/sites/Legal/Leave.docx", "outside"),
    (f'Path:"{HR1}/Policies/"', f"{HR1}/Other/Leave.docx", "unclear"),
    (f'Path:"{HR1}/Policies/"', f"{HR1}/Policies/Leave.docx", "inside"),
    (f'Path:"{HR1}/Policies/"', f"{HOST}/sites/HR2/Policies/Leave.docx", "outside"),
    (f'Path:"{HOST}/"', DOC, "inside"),
    (f'Path:"{HOST}"', DOC, "inside"),
    ('Path:"https://contoso.sharepoint"', DOC, "inside"),
    ('Path:"https://contoso.share*"', DOC, "inside"),
    ('Path:"https://fabrikam"', DOC, "outside"),
    (f'Path="{HOST}"', "https://fabrikam.sharepoint.com/", "outside"),
    (f'NOT Path:"{HOST}/sites/HR"', f"{HOST}/sites/HR-archive/a.docx", "unclear"),
    (f'NOT Path:"{HOST}/sites/HR"', f"{HOST}/sites/HR/a.docx", "outside"),
    (f'Path:"{HOST}/sites/"', DOC, "inside"),
    (f'Path:"{HOST}/sites/"', f"{HOST}/teams/HR/Leave.docx", "outside"),
    (f'Path:"{HOST}/Shared Documents/"', f"{HOST}/Other/Leave.docx", "unclear"),
    (f'Path:"{HOST}/Shared Documents/"', DOC, "outside"),
    (f'Path="{HR1}"', f"{HR1}/", "inside"),
    (f'Path="{HR1}"', DOC, "unclear"),
    (f'Path="{HR1}"', f"{HOST}/sites/HR2", "outside"),
    (f'Path<>"{HR1}"', HR1, "outside"),
    (f'Path<>"{HR1}"', f"{HOST}/sites/HR2", "inside"),
    (f'NOT Path:"{HR1}/"', DOC, "outside"),
    (f'NOT Path:"{HR1}/Policies/"', f"{HR1}/Policies/Leave.docx", "unclear"),
    (f'Path:"{HR1}/" OR Path:"{HOST}/sites/HR2/"', f"{HOST}/sites/HR2/a.pdf", "inside"),
    (f'Path:"{HR1}/" OR Path:"{HOST}/sites/HR2/"', f"{HOST}/sites/Legal/a.pdf", "outside"),
    (f'Path:"{HR1}/" AND FileType:"pdf"', DOC, "outside"),
    (f'Path:"{HR1}/" AND Author:"Megan"', DOC, "unclear"),
    # a name may hold # and what looks like an escape
    (f'Path<>"{HR1}/C# basics.docx"', f"{HR1}/C# advanced.docx", "inside"),
    (f'NOT Path:"{HOST}/sites/C# basics/"', f"{HOST}/sites/C# advanced/a.docx", "inside"),
    (f'Path<>"{HR1}/100%.docx"', f"{HR1}/100%25.docx", "unclear"),
    (f'NOT Path:"{HOST}/sites/a%20b/"', f"{HOST}/sites/a b/x.docx", "inside"),
    (f'Path:"{HOST}/sites/a%20b/"', f"{HOST}/sites/a%2520b/x.docx", "inside"),
    (f'Path:"{HOST}/sites/a%20b/"', f"{HOST}/sites/HR2/x.docx", "outside"),
    (f'NOT Path:"{HR1}/"', f"{HR1}/Lists/Tasks/DispForm.aspx?ID=4", "outside"),
    # what only begins like the place of sites
    (f'Path:"{HOST}/teams"', f"{HOST}/TeamsRecordings/a.docx", "inside"),
    (f'Path:"{HOST}/teams/"', f"{HOST}/TeamsRecordings/a.docx", "outside"),
    (f'Path:"{HOST}/teams/"', f"{HOST}/teams", "inside"),
    # another spelling of the place
    ('NOT Path:"http://contoso.sharepoint.com/sites/HR1/"', DOC, "inside"),
    (f'NOT Path:"{HOST}:443/sites/HR1/"', DOC, "inside"),
    (f'Path:"{HR1}/"', "https://megan@fabrikam.sharepoint.com/x.docx", "unclear"),
    ('FileType:"docx"', DOC, "inside"),
    ('FileType:"doc*"', DOC, "inside"),
    ('FileExtension:"docx"', f"{HR1}/Leave.PDF", "outside"),
    ('FileExtension<>"docx"', DOC, "outside"),
    ('FileExtension:"docx"', f"{HR1}/Plan v1.2", "unclear"),
    ('FileExtension:"docx"', f"{HR1}/Plan", "unclear"),
    ('FileExtension:"docx"', f"{HR1}/Lists/Tasks/DispForm.aspx?ID=4", "unclear"),
]


@pytest.mark.parametrize(("expression", "url", "verdict_"), ADDRESSES)
def test_an_address_proves_host_site_and_extension(now: datetime, expression: str, url: str, verdict_: str) -> None:
    assert judged(now, expression, url) == verdict_


@pytest.mark.parametrize(
    "url",
    [
        f"{HOST}/sites/HR2/_layouts/15/Doc.aspx?sourcedoc=%7B1%7D&file=Leave.pdf",
        f"{HOST}/:w:/s/HR2/EaB?e=4x",
        f"{HOST}/sites/HR2/Docs/Forms/AllItems.aspx?id=1",
        f"{HOST}/contentstorage/CSP_1/Leave.pdf",
        "http://[broken/Leave.pdf",
        "urn:item:1",
        "",
    ],
)
def test_an_address_that_does_not_show_the_place_proves_nothing(now: datetime, url: str) -> None:
    assert judged(now, f'Path:"{HR1}/" AND FileType:"docx"', url) == "unclear"


@pytest.mark.parametrize("source", ["externalItem", "sharePointEmbedded"])
def test_addresses_of_connectors_and_embedded_containers_are_never_read(now: datetime, source: str) -> None:
    assert judged(now, f'Path:"{HR1}/"', "https://elsewhere.example/x.pdf", source) == "unclear"


VALUES: list[tuple[str, dict[str, str], str]] = [
    ("LastModifiedTime>=2024-01-02", {"lastmodifiedtime": "2024-01-02T10:00:00Z"}, "inside"),
    ("LastModifiedTime>=2024-01-02", {"LastModifiedTime": "2024-01-01T00:00:00Z"}, "unclear"),
    ("LastModifiedTime>=2024-01-02", {"LastModifiedTime": "2023-12-31T23:59:59Z"}, "outside"),
    ("LastModifiedTime>2024-01-02", {"LastModifiedTime": "2024-01-01T00:00:00Z"}, "outside"),
    ("LastModifiedTime<=2024-01-02", {"LastModifiedTime": "2024-01-03T23:00:00Z"}, "unclear"),
    ("LastModifiedTime<=2024-01-02", {"LastModifiedTime": "2024-01-04T01:00:00Z"}, "outside"),
    ("LastModifiedTime<2024-01-02", {"LastModifiedTime": "2024-01-02T01:00:00Z"}, "unclear"),
    ("LastModifiedTime<2024-01-02", {"LastModifiedTime": "2024-01-03T01:00:00Z"}, "outside"),
    ("LastModifiedTime:2024-01-02", {"LastModifiedTime": "2024-01-03T01:00:00Z"}, "unclear"),
    ("LastModifiedTime:2024-01-02", {"LastModifiedTime": "2024-01-09T01:00:00Z"}, "outside"),
    ("LastModifiedTime:2024-01-01..2024-03-31", {"LastModifiedTime": "2024-02-01T00:00:00Z"}, "inside"),
    ("LastModifiedTime:2024-01-01..2024-03-31", {"LastModifiedTime": "2024-04-02T00:00:00Z"}, "outside"),
    ("NOT LastModifiedTime:2024-01-01..2024-03-31", {"LastModifiedTime": "2024-02-01T00:00:00Z"}, "outside"),
    ("NOT LastModifiedTime:2024-01-01..2024-03-31", {"LastModifiedTime": "2024-01-01T00:00:00Z"}, "unclear"),
    ('LastModifiedTime:"this month"', {"LastModifiedTime": "2025-06-18T00:00:00Z"}, "inside"),
    ('LastModifiedTime:"this month"', {"LastModifiedTime": "2025-04-18T00:00:00Z"}, "outside"),
    ("LastModifiedTime>=2024-01-02", {"LastModifiedTime": "2 January"}, "unclear"),
    ("LastModifiedTime>=2024-01-02", {}, "unclear"),
    ('Author="Megan Bowen"', {"author": "megan  bowen"}, "inside"),
    ('Author="Megan Bowen"', {"author": "Adele Vance;Megan Bowen"}, "inside"),
    ('Author="Megan Bowen"', {"author": "Megan Bowen (Contoso)"}, "unclear"),
    ('Author="Megan Bowen"', {"author": "Megan B…"}, "unclear"),
    ('Author="Megan Bowen"', {"author": "Adele Vance"}, "outside"),
    ('Author="Megan Bowen"', {"author": " "}, "unclear"),
    ('Title="e-mail policy"', {"title": "email policy"}, "unclear"),
    ('Title="会議 資料"', {"title": "会議資料"}, "unclear"),
    ('Author="Megan Bowen"', {"author": "Adele Vance;Lee Gu"}, "outside"),
    ('Author<>"Megan Bowen"', {"author": "Megan Bowen"}, "outside"),
    ('Author<>"Megan Bowen"', {"author": "Adele Vance"}, "inside"),
    ('Author:"Megan Bowen"', {"author": "Adele Vance"}, "unclear"),
    ('Author:"Megan Bowen"', {"author": "Megan Bowen"}, "inside"),
    ('NOT Author:"Megan Bowen"', {"author": "Megan Bowen"}, "unclear"),
    ('Title="Plan & budget"', {"title": "Plan &amp; budget"}, "inside"),
    ('Title="Escape &amp; in XML"', {"title": "Escape &amp; in XML"}, "inside"),
    ('Title<>"Escape & in XML"', {"title": "Escape &amp; in XML"}, "unclear"),
    ('Title<>"budget"', {"title": "Plan;budget"}, "unclear"),
    ('Title="Leave"', {"title": "Plan &amp; budget"}, "outside"),
    ('Title<>"---"', {"title": "---"}, "inside"),
    ('Title="---"', {"title": "---"}, "unclear"),
    ('Title<>"\u1fb3"', {"title": "\u03b1\u03b9"}, "inside"),
    ("NOT Title:*", {"title": "&nbsp;"}, "unclear"),
    ('Title="Travel*"', {"title": "Expenses"}, "unclear"),
    ("Title:*", {"title": "Expenses"}, "inside"),
    ("Title:*", {}, "unclear"),
    ("NOT Title:*", {"title": "Expenses"}, "outside"),
    (f'SiteID="{GUID}"', {"SiteID": GUID.upper()}, "inside"),
    (f'SiteID="{GUID}"', {"SiteID": f"contoso.sharepoint.com,{GUID},{OTHER}"}, "unclear"),
    (f'SiteID="{GUID}"', {"SiteID": OTHER}, "outside"),
    (f'SiteID:"{GUID}"', {"SiteID": OTHER}, "unclear"),
    ("Size=5", {"Size": "5"}, "inside"),
    ("Size=5", {"Size": "6"}, "outside"),
    ("Size>5", {"Size": "4"}, "unclear"),
    ("Size=1..5", {"Size": "9"}, "outside"),
    ("IsDocument=true", {"IsDocument": "False"}, "outside"),
    ("IsDocument=true", {"IsDocument": "perhaps"}, "unclear"),
    ('FileType:"docx"', {"FileType": "pdf"}, "outside"),
    ('FileType:"docx"', {"FileType": "docx"}, "inside"),
    ('FileType:"docx"', {"FileType": ""}, "unclear"),
]


@pytest.mark.parametrize(("expression", "metadata", "verdict_"), VALUES)
def test_a_returned_value_proves_dates_and_equality(
    now: datetime, expression: str, metadata: dict[str, str], verdict_: str
) -> None:
    assert judged(now, expression, f"{HOST}/_layouts/15/Doc.aspx?x=1", **metadata) == verdict_


def test_properties_to_ask_for_are_those_that_the_service_knows() -> None:
    def asked(expression: str, source: str = "sharePoint", schema: Any = None) -> tuple[str, ...]:
        properties = properties_for(source, schema)
        tree = parse(expression, properties).tree
        assert tree is not None
        return asked_for_proof(tree, properties)

    assert asked(f'Path:"{HR1}/" AND (author:A OR title:B) AND NOT Author:"C" AND Created>2024-01-01') == (
        "Author",
        "Title",
    )
    assert asked("state:open AND priority=1", "externalItem") == ("state", "priority")
    assert asked("STATE:open", "externalItem", [SchemaProperty("state")]) == ("state",)


def test_search_words_prove_nothing(now: datetime) -> None:
    properties = properties_for("sharePoint")
    tree = parse("budget AND FileType:docx", properties, allow_free_text=True).tree
    assert tree is not None
    assert verdict(tree, DOC, {}, properties, now=now) == "unclear"
