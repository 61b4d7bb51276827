"""Every code: an input that raises it, the severity, and the gist of its message."""

import re

import pytest

from copilot_mcp.kql import Diagnostic, Properties, SchemaProperty, parse, properties_for
from copilot_mcp.kql.diagnostics import CODES

GUID = "e2cf7e40-d689-41de-99ee-a423811a253c"
SITE = "https://contoso.sharepoint.com/sites"

CASES = [
    ("EMPTY_FILTER", " ", "leave filterExpression out"),
    ("UNBALANCED_QUOTE", 'Author:"Megan', "never closed"),
    ("UNBALANCED_PAREN", "(FileType:pdf", "never closed"),
    ("UNBALANCED_PAREN", "FileType:pdf)", "never opened"),
    ("EMPTY_GROUP", "FileType:pdf AND ()", "empty"),
    ("EMPTY_VALUE", "Author:", "name:*"),
    ("EMPTY_VALUE", 'FileType:pdf AND ""', "empty"),
    ("EMPTY_VALUE", "Author: FileType:pdf", "no value"),
    ("EMPTY_VALUE", "Author ==", "no value"),
    ("EMPTY_VALUE", "Author :", "no value"),
    ("DANGLING_OPERATOR", "FileType:pdf AND", "after"),
    ("DANGLING_OPERATOR", "OR FileType:pdf", "before"),
    ("DOUBLED_OPERATOR", "FileType:pdf AND OR Title:a", "in a row"),
    ("DANGLING_SIGN", "FileType:pdf - Title:a", "NOT"),
    ("DANGLING_SIGN", "FileType:pdf + Title:a", "AND"),
    ("DANGLING_SIGN", "-NOT FileType:pdf", "NOT"),
    ("FOREIGN_OPERATOR", "-NOT FileType:pdf", "write NOT"),
    ("DANGLING_SIGN", "FileType:pdf -AND Title:a", "AND"),
    ("DANGLING_SIGN", "FileType:pdf +OR Title:a", "AND"),
    ("LOWERCASE_OPERATOR", "FileType:pdf or Title:a", "upper case"),
    ("SPACE_IN_RESTRICTION", 'Author: "Megan"', "Author:value"),
    ("SPACE_BEFORE_COMPARISON", "LastModifiedTime >=2024-07-22", "before >="),
    ("SPACE_AFTER_COMPARISON", "LastModifiedTime>= 2024-07-22", "after >="),
    ("UNQUOTED_MULTIWORD", "Author:Megan Bowen", "quote the whole value"),
    ("FREE_TEXT", "budget AND FileType:xlsx", "queryString"),
    ("FREE_TEXT", "LastModifiedTime>=last week", "Search words"),
    ("QUOTED_FILTER", '"Author:Megan"', "inside quotes"),
    ("SMART_QUOTES", "Author:\u201cMegan\u201d", "Typographic"),
    ("SINGLE_QUOTES", "Author:'Megan Bowen'", "Single quotes"),
    ("SINGLE_QUOTES", "'Megan Bowen'", "Single quotes"),
    ("ESCAPED_QUOTE", 'Title:"say ""hi"""', "drop it"),
    ("ESCAPED_QUOTE", 'Title:"x\\"', "backslash"),
    ("JSON_ESCAPED_QUOTES", 'Author:\\"Megan\\"', "JSON"),
    ("ENCODED_QUOTES", "Author:&quot;Megan&quot;", "encoded"),
    ("ENCODED_QUOTES", "%22Megan%22", "encoded"),
    ("TRAILING_BACKSLASH", "Author:CONTOSO\\", "backslash"),
    ("TRAILING_BACKSLASH", "CONTOSO\\", "backslash"),
    ("JUNK_AFTER_QUOTE", 'Author:"Megan"AND FileType:pdf', "touches"),
    ("STRAY_QUOTE", 'Author:Meg"an"', "inside a word"),
    ("BACKTICK", "`FileType:pdf`", "back-tick"),
    ("UNICODE_LOOKALIKE", "FileType\uff1apdf", "looks like :"),
    ("UNICODE_LOOKALIKE", "\u2013FileType:pdf", "NOT"),
    ("UNUSUAL_WHITESPACE", "FileType:pdf\u00a0AND Title:a", "read as a space"),
    ("CONTROL_CHARACTER", "Title:a\x00b", "control character"),
    ("CONTROL_CHARACTER", 'Title:"a\x00b"', "control character"),
    ("CONTROL_CHARACTER", "Title:a\ud800b", "Half of a character"),
    ("CONTROL_CHARACTER", 'Title:"a\udfffb"', "Half of a character"),
    ("BAD_OPERATOR", 'Author=="Megan"', "write ="),
    ("BAD_OPERATOR", "Author!!x", "no operator"),
    ("MISSING_PROPERTY", ':"Megan"', "property name"),
    ("MISSING_PROPERTY", "!=Megan", "property name"),
    ("C_STYLE_OPERATOR", "FileType:pdf && Title:a", "AND, OR or NOT"),
    ("C_STYLE_OPERATOR", "Title:R & D", "AND"),
    ("FOREIGN_OPERATOR", "Author eq 'Megan'", "another language"),
    ("FUNCTION_CALL", "contains(Title,'x')", "no functions"),
    ("PAREN_IN_VALUE", "Title:foo(bar)", "quote it"),
    ("PAREN_IN_VALUE", "Title:(foo(bar))", "quote it"),
    ("UNSUPPORTED_OPERATOR", "a NEAR(5) b", "AND or OR"),
    ("UNSUPPORTED_OPERATOR", "WORDS(a, b)", "not documented"),
    ("LUCENE_SYNTAX", "Title:vpn~2", "another language"),
    ("LUCENE_SYNTAX", "vpn~2", "another language"),
    ("LUCENE_SYNTAX", "vpn^3", "another language"),
    ("LUCENE_SYNTAX", "[a TO b]", "A..B"),
    ("QUERY_VARIABLE", "Author:{User.Name}", "not expanded"),
    ("QUERY_VARIABLE", "{User.Name}", "not expanded"),
    ("COMMA_LIST", "FileType:pdf,docx", "OR"),
    ("BARE_URL", f"{SITE}/HR/", "Path:"),
    ("BARE_URL", f'"{SITE}/HR/"', "Path:"),
    ("UNKNOWN_PROPERTY", "Modified>=2024-01-01", "LastModifiedTime"),
    ("UNKNOWN_PROPERTY", "resourceType=externalItem", "dataSource"),
    ("UNKNOWN_PROPERTY", "Blue:(sky)", "no property"),
    ("UNDOCUMENTED_PROPERTY", "Created>=2024-01-01", "LastModifiedTime"),
    ("UNDOCUMENTED_PROPERTY", f'Site:"{GUID}"', "SiteID"),
    ("CONNECTION_IN_FILTER", "ContentSource:x", "dataSourceConfiguration"),
    ("OPERATOR_TYPE_MISMATCH", "Title>5", "no order"),
    ("OPERATOR_TYPE_MISMATCH", "Title:1..5", "no range"),
    ("BAD_DATE", "LastModifiedTime>=07/22/2024", "YYYY-MM-DD"),
    ("BAD_DATE", "LastModifiedTime>=2024-02-30", "calendar"),
    ("BAD_DATE", "LastModifiedTime:2024-01-01..soon", "YYYY-MM-DD"),
    ("RELATIVE_DATE_UNSUPPORTED", 'LastModifiedTime:"last 7 days"', "last month"),
    ("INTERVAL_COMPARISON", "LastModifiedTime>=yesterday", "not with >="),
    ("INTERVAL_COMPARISON", "LastModifiedTime:yesterday..today", "end of a range"),
    ("BAD_NUMBER", "Size>big", "whole number"),
    ("BAD_NUMBER", "RefinableDouble00>big", "a number"),
    ("BAD_NUMBER", "Size:1..big", "whole number"),
    ("BAD_BOOLEAN", "IsDocument:yes", "true or false"),
    ("RANGE_INCOMPLETE", "LastModifiedTime:2024-01-01..", "both ends"),
    ("RANGE_OPERATOR", "LastModifiedTime>2024-01-01..2024-02-01", ": or ="),
    ("RANGE_REVERSED", "LastModifiedTime:2025-01-01..2024-01-01", "swap"),
    ("RANGE_REVERSED", "Size>=5 AND Size<=3", "swap"),
    ("OR_WINDOW", "Size>=3 OR Size<=5", "AND"),
    ("IMPLICIT_OR_RANGE", "Size>=3 Size<=5", "write AND"),
    ("IMPLICIT_OR", 'Author:"A" Author:"B"', "joined by OR"),
    ("IMPLICIT_AND", 'Author:"A" FileType:pdf', "joined by AND"),
    ("AMBIGUOUS_IMPLICIT", 'Author:"A" Author:"B" AND FileType:pdf', "every operator"),
    ("MIXED_AND_OR", "Title:a OR Title:b AND FileType:pdf", "parentheses"),
    ("SIGN_OPERATOR", "-FileType:pdf", "NOT"),
    ("DOUBLE_NEGATION", "NOT NOT FileType:pdf", "leave both out"),
    ("NEGATED_OR", "FileType<>pdf OR FileType<>docx", "AND"),
    ("CONTRADICTION", "FileType:pdf AND FileType:docx AND Title:a", "OR"),
    ("VALUE_GROUP", "FileType:(pdf OR docx)", "expands"),
    ("VALUE_GROUP_INVALID", "LastModifiedTime:(today)", "Text property"),
    ("VALUE_GROUP_INVALID", "Title>=(a)", "Text property"),
    ("VALUE_GROUP_INVALID", "Author:(Title:x)", "Only values"),
    ("LEADING_WILDCARD", "Filename:*.docx", "no suffix"),
    ("LEADING_WILDCARD", "Title=*", "lone star"),
    ("LEADING_WILDCARD", "Title:(*)", "lone star"),
    ("LEADING_WILDCARD", "*", "star alone"),
    ("INNER_WILDCARD", "Title:te*t", "at the end"),
    ("EXACT_WITH_WILDCARD", "Title=Advan*", "use :"),
    ("QUESTION_MARK_WILDCARD", "Title:te?t", "no wildcard"),
    ("SQL_WILDCARD", 'Title:"%VPN%"', "no wildcard"),
    ("EXISTS_NOT_TEXT", "LastModifiedTime:*", "bound"),
    ("LEADING_DOT", "FileType:.docx", "without a dot"),
    ("BAD_EXTENSION", 'FileType:"application/pdf"', "bare extension"),
    ("FILETYPE_FRIENDLY_NAME", "FileType:word", "docx"),
    ("BAD_GUID", "SiteID:HR", "not a name; typed conditions also take a known name."),
    ("BAD_GUID", f"SiteID:{{{GUID}}}", "without braces"),
    ("NON_HEX_GUID", "SiteID:f71f1f74-bf1f-4e6b-b266-c777ea76e2s8", "past f"),
    ("PATH_NO_SCHEME", 'Path:"/sites/HR/"', "https://"),
    ("PATH_SHARING_LINK", 'Path:"https://contoso.sharepoint.com/:w:/s/HR/E?e=4x"', "Details"),
    ("PATH_BACKSLASH", 'Path:"\\\\contoso\\share"', "forward slashes"),
    ("PATH_NO_TRAILING_SLASH", f'Path:"{SITE}/HR1"', "siblings"),
    ("PATH_WILDCARD", f'Path:"{SITE}/HR*"', "star"),
    ("PATH_NOT_HTTPS", 'Path:"http://contoso.sharepoint.com/sites/HR/"', "https://"),
    ("PATH_PERCENT_ENCODED", f'Path:"{SITE}/HR/Shared%20Documents/"', "plain spaces"),
    ("PATH_NOT_EQUAL", f'Path<>"{SITE}/HR/"', "NOT Path:"),
    ("DATASOURCE_PATH_MISMATCH", 'Path:"https://contoso-my.sharepoint.com/personal/a/"', "not searched"),
    ("FILENAME_HAS_PATH", 'Filename:"HR/a.docx"', "Path"),
    ("FILTER_TOO_LONG", " OR ".join(f"FileType:a{i}" for i in range(400)), "4,096"),
    ("RESTRICTION_TOO_LONG", f'Title:"{"x" * 2048}"', "2,048"),
    ("NESTING_TOO_DEEP", f"{'(' * 120}FileType:pdf{')' * 120}", "100 levels"),
    ("NESTING_TOO_DEEP", f"{'NOT ' * 120}FileType:pdf", "100 levels"),
    ("PURE_NEGATION", "NOT FileType:pdf", "leaves things out"),
    ("DUPLICATE_CLAUSE", "FileType:pdf AND FileType:PDF", "twice"),
    ("DATE_ONLY_BOUND", "LastModifiedTime<=2025-01-08", "whole day"),
    ("NON_CANONICAL_SPELLING", "path:*", "spelt Path"),
    ("UNQUOTED_TEXT", "FileType:pdf", "double quotes"),
]


@pytest.mark.parametrize(("code", "text", "gist"), CASES)
def test_code_is_raised_with_its_gist(code: str, text: str, gist: str, site: Properties) -> None:
    found = [one for one in parse(text, site).diagnostics if one.code == code]
    assert [one.severity for one in found[:1]] == [CODES[code]]
    assert any(gist in one.message for one in found), [one.message for one in found]
    assert all(0 <= one.start <= one.end <= len(text) for one in found)


CONNECTOR_CASES = [
    ("PROPERTY_UNVERIFIED", "Color:red", False, "not checked"),
    ("OPERATOR_TYPE_MISMATCH", "Color>red", False, "a date, a number"),
    ("RANGE_OPERATOR", "Color>1..2", False, ": or ="),
    ("UNKNOWN_PROPERTY", f"{'a' * 33}:1", False, "at most 32"),
    ("NOT_QUERYABLE", "hidden:1", True, "does not let"),
    ("UNKNOWN_PROPERTY", "Colour:red", True, "no property"),
    ("CONNECTION_IN_FILTER", "ConnectionId:x", True, "dataSourceConfiguration"),
]


@pytest.mark.parametrize(("code", "text", "with_schema", "gist"), CONNECTOR_CASES)
def test_connector_code_is_raised_with_its_gist(code: str, text: str, with_schema: bool, gist: str) -> None:
    schema = [SchemaProperty("state"), SchemaProperty("hidden", is_queryable=False)] if with_schema else None
    found = parse(text, properties_for("externalItem", schema)).diagnostics
    assert [one.code for one in found if gist in one.message] == [code]


def test_embedded_column_wants_the_exact_operator() -> None:
    found = parse('MatterOWSTEXT:"PX-77"', properties_for("sharePointEmbedded"))
    assert [(one.code, one.severity, one.suggestion) for one in found.diagnostics] == [
        ("EXACT_WANTED", "information", 'MatterOWSTEXT="PX-77"')
    ]


def test_every_code_has_a_case() -> None:
    shown = {case[0] for case in CASES} | {case[0] for case in CONNECTOR_CASES}
    elsewhere = {"EXACT_WANTED", "UNREPRESENTABLE_VALUE", "BAD_CONDITION"}
    assert set(CODES) - shown == elsewhere
    assert all(re.fullmatch(r"[A-Z_]+", code) for code in CODES)


def test_as_dict_leaves_out_a_missing_suggestion() -> None:
    bare = Diagnostic("BAD_GUID", "error", "m", 1, 2)
    assert bare.as_dict() == {"code": "BAD_GUID", "severity": "error", "message": "m", "start": 1, "end": 2}
    assert Diagnostic("BAD_GUID", "error", "m", 1, 2, "s").as_dict()["suggestion"] == "s"
