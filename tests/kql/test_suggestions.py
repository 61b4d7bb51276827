"""Habits of other languages, and the filter that is offered instead."""

from datetime import datetime

import pytest

from copilot_mcp.kql import Condition, Group, Properties, build, parse, properties_for

SITE = "https://contoso.sharepoint.com/sites"
GUIDS = ("e2cf7e40-d689-41de-99ee-a423811a253c", "f0ddcc93-d3c0-4993-b5cc-76b0a283e252")
HABITS: dict[str, str | None] = {
    # OData
    "Author eq 'Megan Bowen'": 'Author:"Megan Bowen"',
    "$filter=FileType eq 'pdf'": 'FileType:"pdf"',
    "LastModifiedTime gt datetime'2024-01-01T00:00:00'": "LastModifiedTime>2024-01-01T00:00:00Z",
    "contains(Title,'VPN') and FileType eq 'pdf'": 'Title:"VPN" AND FileType:"pdf"',
    "substringof('VPN',Title)": 'Title:"VPN"',
    "startswith(Title,'VPN')": "Title:VPN*",
    "endswith(Filename,'.docx')": 'FileExtension:"docx"',
    "not(FileType eq 'pdf')": 'NOT FileType:"pdf"',
    # SQL
    "LastModifiedTime > '2024-01-01' and FileType = 'pdf'": 'LastModifiedTime>2024-01-01 AND FileType="pdf"',
    "FileType IN ('pdf','docx')": 'FileType:"pdf" OR FileType:"docx"',
    'FileType IN ("pdf","docx")': 'FileType:"pdf" OR FileType:"docx"',
    'FileType NOT IN ("pdf")': 'NOT FileType:"pdf"',
    'Title LIKE "%VPN%"': 'Title:"VPN"',
    "Title LIKE 'VPN%'": "Title:VPN*",
    "LastModifiedTime BETWEEN 2024-01-01 AND 2024-12-31": "LastModifiedTime:2024-01-01..2024-12-31",
    "Author is not null": "Author:*",
    "Author is null": "NOT Author:*",
    "Author ne null": "Author:*",
    "SELECT * FROM docs WHERE FileType = 'pdf'": 'FileType="pdf"',
    "LastModifiedTime>=2024-01-01 AND <=2024-12-31": "LastModifiedTime>=2024-01-01 AND LastModifiedTime<=2024-12-31",
    "LastModifiedTime>=2024-01-01 AND < '2024-12-31'": "LastModifiedTime>=2024-01-01 AND LastModifiedTime<2024-12-31",
    # JavaScript
    'FileType:pdf && !Author:"M B"': 'FileType:"pdf" AND NOT Author:"M B"',
    'Title.includes("VPN") || Filename.endsWith(".docx")': 'Title:"VPN" OR FileExtension:"docx"',
    '{"FileType":"pdf"}': 'FileType:"pdf"',
    '{"FileType":["pdf"]}': 'FileType:"pdf"',
    'FileType:["pdf","docx"]': 'FileType:"pdf" OR FileType:"docx"',
    'Author != "Megan"': 'Author<>"Megan"',
    # Kusto, Kibana, Lucene
    '| where FileType == "pdf"': 'FileType="pdf"',
    "LastModifiedTime > ago(7d)": "LastModifiedTime>2025-06-11",
    "LastModifiedTime between (2024-01-01 .. 2024-02-01)": "LastModifiedTime:2024-01-01..2024-02-01",
    'Author : "Megan Bowen" and FileType : pdf': 'Author:"Megan Bowen" AND FileType:"pdf"',
    "LastModifiedTime:[2024-01-01 TO 2024-02-01]": "LastModifiedTime:2024-01-01..2024-02-01",
    "LastModifiedTime:[2024-01-01 TO *]": "LastModifiedTime>=2024-01-01",
    "Title:vpn~2": 'Title:"vpn"',
    "Filename:*.docx": 'FileExtension:"docx"',
    # dates
    "LastModifiedTime>=07/22/2024": "LastModifiedTime>=2024-07-22",
    "LastModifiedTime>=22.7.2024": "LastModifiedTime>=2024-07-22",
    "LastModifiedTime>=22/7/2024": "LastModifiedTime>=2024-07-22",
    "LastModifiedTime>=20240722": "LastModifiedTime>=2024-07-22",
    "LastModifiedTime>=2024": "LastModifiedTime>=2024-01-01",
    "LastModifiedTime:2024-02": "LastModifiedTime:2024-02-01..2024-02-29",
    'LastModifiedTime>="2024-01-01T00:00:00+02:00"': "LastModifiedTime>=2023-12-31T22:00:00Z",
    'LastModifiedTime>="2024-07-22 10:00"': "LastModifiedTime>=2024-07-22T10:00:00Z",
    "LastModifiedTime:this week": 'LastModifiedTime:"this week"',
    'LastModifiedTime:"last 7 days"': "LastModifiedTime>=2025-06-11",
    'LastModifiedTime:"last week"': "LastModifiedTime:2025-06-09..2025-06-15",
    "LastModifiedTime>=now()-30d": "LastModifiedTime>=2025-05-19",
    "LastModifiedTime>={Today-7}": "LastModifiedTime>=2025-06-11",
    "LastModifiedTime>=-7d": "LastModifiedTime>=2025-06-11",
    "LastModifiedTime>=P1Y": "LastModifiedTime>=2024-06-18",
    'LastModifiedTime<"3 months ago"': "LastModifiedTime<2025-03-18",
    'LastModifiedTime>"last 30 days"': "LastModifiedTime>2025-05-19",
    'LastModifiedTime<="last 30 days"': "LastModifiedTime<=2025-05-19",
    'LastModifiedTime<"last 30 days"': "LastModifiedTime<2025-05-19",
    'LastModifiedTime>"last week"': "LastModifiedTime>2025-06-15",
    "LastModifiedTime<now-36h": "LastModifiedTime<2025-06-17T00:00:00Z",
    "LastModifiedTime>now-36h": "LastModifiedTime>2025-06-17T00:00:00Z",
    "LastModifiedTime<=now-1h": "LastModifiedTime<=2025-06-18T11:00:00Z",
    "LastModifiedTime>=today-12h": "LastModifiedTime>=2025-06-17T12:00:00Z",
    "LastModifiedTime>=-3h": "LastModifiedTime>=2025-06-18T09:00:00Z",
    "LastModifiedTime:now-1h": "LastModifiedTime:2025-06-18",
    "LastModifiedTime<now()": "LastModifiedTime<2025-06-18T12:00:00Z",
    'LastModifiedTime:"last 24 hours"': "LastModifiedTime>=2025-06-17T12:00:00Z",
    'LastModifiedTime>"5 hours ago"': "LastModifiedTime>2025-06-18T07:00:00Z",
    "LastModifiedTime>=(Get-Date).AddHours(-2)": "LastModifiedTime>=2025-06-18T10:00:00Z",
    "LastModifiedTime>=yesterday": "LastModifiedTime>=2025-06-17",
    "LastModifiedTime:yesterday..today": "LastModifiedTime:2025-06-17..2025-06-18",
    "LastModifiedTime:*": "LastModifiedTime>=1900-01-01",
    "LastModifiedTime:..2024-01-01": "LastModifiedTime<=2024-01-01",
    "LastModifiedTime:2025-01-08..2024-07-22": "LastModifiedTime:2024-07-22..2025-01-08",
    "LastModifiedTime>=31/12/24": "LastModifiedTime>=2024-12-31",
    "LastModifiedTime:May 2025": "LastModifiedTime:2025-05-01..2025-05-31",
    "LastModifiedTime>=(Get-Date).AddMonths(-1)": "LastModifiedTime>=2025-05-18",
    "LastModifiedTime -ge [datetime]'2025-05-01'": "LastModifiedTime>=2025-05-01",
    "LastModifiedTime:13/1/2025..2/2/2025": "LastModifiedTime:2025-01-13..2025-02-02",
    # PowerShell
    'Author -notin ("a","b")': 'NOT (Author:"a" OR Author:"b")',
    "FileType -in @('pdf','docx')": 'FileType:"pdf" OR FileType:"docx"',
    "-AND FileType:pdf": 'FileType:"pdf"',
    # quotes
    'Author: "Megan"': 'Author:"Megan"',
    "Author:\u201cMegan Bowen\u201d": 'Author:"Megan Bowen"',
    "Author:&quot;Megan Bowen&quot;": 'Author:"Megan Bowen"',
    'path:\\"https://contoso.sharepoint.com/sites/HR1/\\"': f'Path:"{SITE}/HR1/"',
    'Title:"say \\"hi\\" now"': 'Title:"say hi now"',
    'Title:"say ""hi"" now"': 'Title:"say hi now"',
    'FileType:"pdf""docx"': 'FileType:"pdf" OR FileType:"docx"',
    'Title:"Advanced Sear"*': 'Title:"Advanced Sear*"',
    'Author:"Megan AND FileType:pdf': 'Author:"Megan" AND FileType:"pdf"',
    'Author:Meg"an Bowen"': 'Author:"Megan Bowen"',
    "```kql\nFileType:pdf\n```": 'FileType:"pdf"',
    "FileType\uff1apdf": 'FileType:"pdf"',
    "\u2013FileType:pdf": 'NOT FileType:"pdf"',
    '"Author:Megan Bowen"': 'Author:"Megan Bowen"',
    # values without their property
    "FileType:pdf OR docx": 'FileType:"pdf" OR FileType:"docx"',
    "Author:Megan Bowen OR Adele Vance": 'Author:"Megan Bowen" OR Author:"Adele Vance"',
    'Author:"A" "B"': 'Author:"A" OR Author:"B"',
    "Author:Nia and/or Per": 'Author:"Nia" OR Author:"Per"',
    'created_by:"Nia Cole"': 'Author:"Nia Cole"',
    "FileType:pdf,docx": 'FileType:"pdf" OR FileType:"docx"',
    "FileType:pdf docx": 'FileType:"pdf" OR FileType:"docx"',
    "FileType:(pdf, docx)": 'FileType:"pdf" OR FileType:"docx"',
    "FileType:('pdf', 'docx')": 'FileType:"pdf" OR FileType:"docx"',
    'FileType:("pdf", "docx")': 'FileType:"pdf" OR FileType:"docx"',
    'Author:("Megan", Adele)': 'Author:"Megan" OR Author:"Adele"',
    'FileType:("pdf" , docx)': 'FileType:"pdf" OR FileType:"docx"',
    'FileType:"pdf", docx': 'FileType:"pdf" OR FileType:"docx"',
    'FileType<>"pdf", docx': 'FileType<>"pdf" AND FileType<>"docx"',
    'Title:"lease", FileType:pdf': 'Title:"lease" AND FileType:"pdf"',
    'Author:("Megan"; "Adele") AND Title:x': '(Author:"Megan" OR Author:"Adele") AND Title:"x"',
    'Author eq ("Megan", "Adele")': 'Author:"Megan" OR Author:"Adele"',
    "Author in (Megan OR Adele)": 'Author:"Megan" OR Author:"Adele"',
    "FileType eq pdf, docx": 'FileType:"pdf" OR FileType:"docx"',
    "FileType:'pdf' OR 'docx'": 'FileType:"pdf" OR FileType:"docx"',
    "FileType:'pdf' 'docx'": 'FileType:"pdf" OR FileType:"docx"',
    f"SiteID:{GUIDS[0]},{GUIDS[1]}": f'SiteID:"{GUIDS[0]}" OR SiteID:"{GUIDS[1]}"',
    f"SiteID<>{GUIDS[0]}, {GUIDS[1]}": f'SiteID<>"{GUIDS[0]}" AND SiteID<>"{GUIDS[1]}"',
    f"SiteID:contoso.sharepoint.com,{GUIDS[0]},{GUIDS[1]}": f'SiteID:"{GUIDS[0]}"',
    f"SiteID:HR,{GUIDS[0]}": None,
    "FileType=(pdf OR docx)": 'FileType="pdf" OR FileType="docx"',
    # values to leave out
    "FileType<>pdf,docx": 'FileType<>"pdf" AND FileType<>"docx"',
    "FileType!=.pdf,.docx": 'FileType<>"pdf" AND FileType<>"docx"',
    "FileType<>(pdf,docx)": 'FileType<>"pdf" AND FileType<>"docx"',
    "FileType ne (pdf, docx)": 'FileType<>"pdf" AND FileType<>"docx"',
    'Author ne ("Megan", "Adele")': 'Author<>"Megan" AND Author<>"Adele"',
    "Size<>1 OR 2": "Size<>1 AND Size<>2",
    "Size:1 OR 2": "Size:1 OR Size:2",
    "Size>1 OR budget": "Size>1",
    "LastModifiedTime<>today OR yesterday": "LastModifiedTime<>today AND LastModifiedTime<>2025-06-17",
    "FileType<>pdf AND docx": 'FileType<>"pdf" AND FileType<>"docx"',
    "NOT FileType:pdf AND docx": 'NOT FileType:"pdf" AND NOT FileType:"docx"',
    "FileType:pdf AND docx": 'FileType:"pdf"',
    "Title<>draft AND budget": 'Title<>"draft"',
    "FileType<>pdf and docx": 'FileType<>"pdf" AND FileType<>"docx"',
    "FileType<>pdf OR docx OR txt": 'FileType<>"pdf" AND FileType<>"docx" AND FileType<>"txt"',
    "FileType ne pdf or docx": 'FileType<>"pdf" AND FileType<>"docx"',
    'FileType<>"pdf","docx","txt"': 'FileType<>"pdf" AND FileType<>"docx" AND FileType<>"txt"',
    'FileType<>"pdf" "docx"': 'FileType<>"pdf" AND FileType<>"docx"',
    "FileType<>(pdf OR docx)": 'FileType<>"pdf" AND FileType<>"docx"',
    "FileType!=(pdf OR docx)": 'FileType<>"pdf" AND FileType<>"docx"',
    'FileType -notin "pdf","docx","txt"': 'NOT (FileType:"pdf" OR FileType:"docx" OR FileType:"txt")',
    "NOT FileType:pdf OR docx": 'NOT FileType:"pdf" AND NOT FileType:"docx"',
    "-FileType:pdf OR docx": 'NOT FileType:"pdf" AND NOT FileType:"docx"',
    "Filename<>*.pdf": 'FileExtension<>"pdf"',
    'Filename ne "*.pdf"': 'FileExtension<>"pdf"',
    "LastModifiedTime:(today OR yesterday)": "LastModifiedTime:today OR LastModifiedTime:yesterday",
    "Title:Not for release": 'Title:"Not for release"',
    "Title:Research and Development": 'Title:"Research and Development"',
    "Title:Report - 2024": 'Title:"Report - 2024"',
    f"{SITE}/HR/": f'Path:"{SITE}/HR/"',
    "Path:contoso.sharepoint.com/sites/HR/": f'Path:"{SITE}/HR/"',
    f'Path:"{SITE}/HR/Docs/Forms/AllItems.aspx?id=1"': f'Path:"{SITE}/HR/Docs/"',
    f'Path:"{SITE}/HR/Docs/Forms/AllItems.aspx?viewid=1&id=%2Fsites%2FHR%2FDocs%2FTravel%20rules&p=true"': (
        f'Path:"{SITE}/HR/Docs/Travel rules/"'
    ),
    f'Path:"{SITE}/HR/_layouts/15/onedrive.aspx?id=/sites/HR/Docs/Plan.docx"': f'Path:"{SITE}/HR/Docs/Plan.docx"',
    'Path:"https://contoso.sharepoint.com/:f:/r/sites/HR/Docs?csf=1"': f'Path:"{SITE}/HR/Docs/"',
    'Path:"https://contoso.sharepoint.com/:f:/r/sites/HR/Docs"': f'Path:"{SITE}/HR/Docs/"',
    f'Path:"{SITE}/HR/Docs/Forms/Custom.aspx"': f'Path:"{SITE}/HR/Docs/"',
    f'Path:"{SITE}/HR/Docs/Forms/Custom.aspx?id=%2Fsites%2FHR%2FDocs%2FPlans"': f'Path:"{SITE}/HR/Docs/Plans/"',
    'Path:"https://contoso-my.sharepoint.com/my?id=%2Fpersonal%2Fadele%2FDocuments%2FPlan.docx"': (
        'Path:"https://contoso-my.sharepoint.com/personal/adele/Documents/Plan.docx"'
    ),
    f'Path:"https://nam02.safelinks.protection.outlook.com/?url={SITE.replace(":", "%3A")}%2FHR%2F&data=1"': (
        f'Path:"{SITE}/HR/"'
    ),
    f'Path:"https://teams.microsoft.com/l/file/x?objectUrl={SITE.replace(":", "%3A")}%2FHR%2Fa.docx"': (
        f'Path:"{SITE}/HR/a.docx"'
    ),
    f'Path:"ms-word:ofe|u|{SITE}/HR/a.docx"': f'Path:"{SITE}/HR/a.docx"',
    'Path:"http://contoso.sharepoint.com/:w:/r/sites/HR/a.docx?web=1"': f'Path:"{SITE}/HR/a.docx"',
    'FileType:"application/pdf"': 'FileType:"pdf"',
    "FileType:.docx": 'FileType:"docx"',
    "SiteID:{e2cf7e40-d689-41de-99ee-a423811a253c}": 'SiteID:"e2cf7e40-d689-41de-99ee-a423811a253c"',
    "IsDocument:yes": "IsDocument:true",
    "Size>10MB": "Size>10485760",
    "Size>1,000": "Size>1000",
    "Size:10..5": "Size:5..10",
    "Author:Megan\\ Bowen": 'Author:"Megan Bowen"',
    "Size in (1, 2)": "Size=1 OR Size=2",
    "LastModifiedTime>=2024-13": None,
    "Title:''": None,
    "Author:\u2018Megan Bowen\u2019": 'Author:"Megan Bowen"',
    '"https://contoso.sharepoint.com/sites/HR/"': f'Path:"{SITE}/HR/"',
    "NOT (FileType:pdf": 'NOT FileType:"pdf"',
    "FileType eq 'pdf' or FileType eq 'docx'": 'FileType:"pdf" OR FileType:"docx"',
    "Author == 'Megan' && FileType in ['pdf']": 'Author="Megan" AND FileType:"pdf"',
    "LastModifiedTime>=9999-12-31T23:59:59-02:00": None,
    "Size:5..": "Size>=5",
    "Size:..5": "Size<=5",
    "Modified>=2024-01-01": "LastModifiedTime>=2024-01-01",
    "resourceType=externalItem AND Title:VPN": 'Title:"VPN"',
    # structure
    "(FileType:pdf": 'FileType:"pdf"',
    "FileType:pdf)": 'FileType:"pdf"',
    "FileType:pdf AND": 'FileType:"pdf"',
    "budget AND FileType:xlsx": 'FileType:"xlsx"',
    "Author:": "Author:*",
    "FileType<>pdf FileType<>docx": 'FileType<>"pdf" AND FileType<>"docx"',
    'Author:"A" Author:"B" AND FileType:pdf': '(Author:"A" OR Author:"B") AND FileType:"pdf"',
    "Size>=5 AND Size<=3": "Size<=5 AND Size>=3",
    # warnings
    "Size>=3 OR Size<=5": "Size>=3 AND Size<=5",
    "FileType<>pdf OR FileType<>docx": 'FileType<>"pdf" AND FileType<>"docx"',
    "FileType:pdf AND FileType:docx AND Title:a": '(FileType:"pdf" OR FileType:"docx") AND Title:"a"',
    "NOT NOT FileType:pdf": 'FileType:"pdf"',
    "FileType<>word": 'NOT (FileType:"docx" OR FileType:"doc")',
    "Title:te?t": "Title:te*",
    'Title:"%VPN%"': 'Title:"VPN"',
    f'Path<>"{SITE}/HR"': f'NOT Path:"{SITE}/HR/"',
    f'Path:"{SITE}/HR*"': f'Path:"{SITE}/HR"',
    f'Path:"{SITE}/a%20b/"': f'Path:"{SITE}/a b/"',
    f'Path:"{SITE}/caf%E9/"': None,
    f'Path:"{SITE}/HR"': f'Path:"{SITE}/HR/"',
    'Filename:"HR/a.docx"': 'Filename:"a.docx"',
    "CreatedBy:Megan": 'Author:"Megan"',
}


@pytest.mark.parametrize(("typed", "offered"), HABITS.items())
def test_habit_is_offered_its_filter(typed: str, offered: str | None, site: Properties, now: datetime) -> None:
    parsed = parse(typed, site, now=now)
    suggestions = [one.suggestion for one in parsed.diagnostics if one.severity != "information"]
    assert offered in suggestions
    assert offered is None or parse(offered, site).canonical == offered


GUESSLESS = [
    "LastModifiedTime:5/1/2025..6/1/2025",
    'LastModifiedTime:"5 blah 2025"',
    'LastModifiedTime:"31 June 2025"',
    "FileType -eq",
    "Title -xyz foo",
    "Size<(5 and 6)",
    "Level in [low (or) high]",
    "LastModifiedTime>=01/02/2024",
    "SiteID:HR",
    "InformationProtectionLabelId:Confidential",
    'Path:"/sites/HR/"',
    'Path:"https://contoso.sharepoint.com/:w:/s/HR/EabcdEFG?e=4x"',
    "Author:{User.Name}",
    "Title>5",
    "Title:VPN XRANK(cb=1) Author:Megan",
    "budget",
    "what is VPN",
    "tolower(Title)",
    "endswith(Title,'x')",
    "Title eq",
    "Size>big",
    "IsDocument:maybe",
    "(((",
    "FileType:NOT pdf",
    "FileType:not pdf",
    "FileType eq not pdf",
    "FileType=NOT pdf",
    "FileType<>NOT pdf",
    "Author<>not Megan",
    'Author:NOT "Megan Bowen"',
    'Author:NOT"Megan"',
    'Author:-"Megan"',
    "Author:- Megan",
    "Author: NOT Megan",
    'FileType:("pdf" "docx"',
    'FileType:pdf AND FileType:docx AND Author: "Megan"',
    "(Size>=3 OR Size<=5) AND Author: Megan",
]


@pytest.mark.parametrize("typed", GUESSLESS)
def test_nothing_is_offered_where_nobody_can_tell(typed: str, site: Properties, now: datetime) -> None:
    parsed = parse(typed, site, now=now)
    assert not parsed.valid
    assert {one.suggestion for one in parsed.diagnostics} == {None}


CONNECTOR_HABITS = {
    "Level eq 5": "Level:5",
    "Level between 1 and 3": "Level:1..3",
    "Opened ge 2024-01-01": "Opened>=2024-01-01",
    'State == "open"': 'State="open"',
    "Level:5..1": "Level:1..5",
    "ConnectionId:x AND State:open": 'State:"open"',
}


@pytest.mark.parametrize(("typed", "offered"), CONNECTOR_HABITS.items())
def test_connector_habit_is_offered_its_filter(typed: str, offered: str) -> None:
    parsed = parse(typed, properties_for("externalItem"))
    assert parsed.diagnostics[0].suggestion == offered


def test_relative_dates_need_the_clock(site: Properties) -> None:
    assert parse("LastModifiedTime>=today-7", site).diagnostics[0].suggestion is None


def test_search_words_keep_their_place_where_they_are_allowed(site: Properties) -> None:
    parsed = parse("'two words' FileType:pdf", site, allow_free_text=True)
    assert parsed.diagnostics[0].suggestion == '"two words" AND FileType:"pdf"'
    warned = parse("NOT (budget OR FileType:pdf) AND NOT draft", site, allow_free_text=True)
    assert warned.diagnostics[0].suggestion == 'NOT FileType:"pdf"'
    assert parse("budget", site, allow_free_text=True).diagnostics[0].suggestion is None


@pytest.mark.parametrize(
    "link",
    [
        f"{SITE}/HR/_layouts/15/Doc.aspx?sourcedoc=%7Bf0ddcc93-d3c0-4993-b5cc-76b0a283e252%7D&file=Plan.docx",
        "https://contoso.sharepoint.com/:w:/r/sites/HR/_layouts/15/Doc.aspx?sourcedoc=%7Bf0ddcc93%7D&file=Plan.docx",
        "https://contoso.sharepoint.com/_layouts/15/Doc.aspx?sourcedoc=x",
        "https://contoso.sharepoint.com/:f:/s/HR/EabcDEF?e=1",
        "https://contoso-my.sharepoint.com/my",
    ],
)
def test_a_link_that_hides_its_item_is_offered_no_wider_filter(link: str, site: Properties, now: datetime) -> None:
    (found,) = parse(f'Path:"{link}"', site, now=now).diagnostics
    assert (found.code, found.suggestion) == ("PATH_SHARING_LINK", None)
    assert "open the Details of the file or folder and copy its path there" in found.message
    built = build(Group(all=[Condition("Path", "startsWith", [link])]), site, now=now)
    (refused,) = built.diagnostics
    assert (built.tree, refused.code) == (None, "PATH_SHARING_LINK")
    assert "open the Details of the file or folder and copy its path there" in refused.message


@pytest.mark.parametrize(
    ("operator", "link", "text"),
    [
        ("startsWith", "https://contoso.sharepoint.com/:f:/r/sites/HR/My%20docs?csf=1", f'Path:"{SITE}/HR/My docs/"'),
        (
            "contains",
            f"{SITE}/HR/Docs/Forms/Custom.aspx?id=%2Fsites%2FHR%2FDocs%2FPlans",
            f'Path:"{SITE}/HR/Docs/Plans/"',
        ),
        ("equals", f"{SITE}/HR/Docs/a.docx?web=1", f'Path="{SITE}/HR/Docs/a.docx"'),
        ("notEquals", f"ms-word:ofe|u|{SITE}/HR/Docs/a.docx", f'Path<>"{SITE}/HR/Docs/a.docx"'),
    ],
)
def test_a_typed_link_becomes_the_path_it_stands_for_and_that_is_told(
    operator: str, link: str, text: str, site: Properties, now: datetime
) -> None:
    built = build(Group(all=[Condition("Path", operator, [link])]), site, now=now)
    path = text.split('"')[1]
    assert (built.text, built.repairs) == (text, (f"Path: {link} became {path}",))
