"""Building: text, repairs, and diagnostics that name the condition."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from copilot_mcp.kql import Condition, Group, Properties, SchemaProperty, build, properties_for

SITE = "https://contoso.sharepoint.com/sites"
GUID = "e2cf7e40-d689-41de-99ee-a423811a253c"


def _one(
    properties: Properties, now: datetime, name: str, operator: str, *values: str
) -> tuple[str | None, tuple[str, ...]]:
    built = build(Group(all=(Condition(name, operator, values),)), properties, now=now)
    return built.text, built.repairs


PLAIN = [
    (("author", "contains", "Megan Bowen"), 'Author:"Megan Bowen"'),
    (("Author", "contains", "A", "B"), 'Author:"A" OR Author:"B"'),
    (("FileType", "notEquals", "pdf", "docx"), 'FileType<>"pdf" AND FileType<>"docx"'),
    (("Title", "equals", "R AND D (not really)"), 'Title="R AND D (not really)"'),
    (("Title", "startsWith", "Q3"), "Title:Q3*"),
    (("LastModifiedTime", "contains", "This  Week"), 'LastModifiedTime:"this week"'),
    (("LastModifiedTime", "equals", "2024-07-22"), "LastModifiedTime=2024-07-22"),
    (("LastModifiedTime", "between", "2024-01-01", "2024-02-01"), "LastModifiedTime:2024-01-01..2024-02-01"),
    (("LastModifiedTime", "lessThan", "2024-07-22T08:00:00Z"), "LastModifiedTime<2024-07-22T08:00:00Z"),
    (("Size", "greaterThan", "1024"), "Size>1024"),
    (("Size", "between", "1", "3"), "Size:1..3"),
    (("RefinableDouble00", "atMost", "2.50"), "RefinableDouble00<=2.50"),
    (("IsDocument", "equals", "true"), "IsDocument=true"),
    (("Title", "hasValue"), "Title:*"),
    (("Path", "contains", f"{SITE}/HR/a.docx"), f'Path:"{SITE}/HR/a.docx"'),
    (("Path", "equals", f"{SITE}/HR"), f'Path="{SITE}/HR"'),
    (("Path", "contains", f"{SITE}/HR/caf%E9/"), f'Path:"{SITE}/HR/caf%E9/"'),
    (("Path", "contains", f"{SITE}/HR/100%.docx"), f'Path:"{SITE}/HR/100%.docx"'),
    (("Path", "startsWith", f"{SITE}/HR/"), f'Path:"{SITE}/HR/"'),
]


@pytest.mark.parametrize(("condition", "text"), PLAIN)
def test_condition_becomes_text(condition: tuple[str, ...], text: str, site: Properties, now: datetime) -> None:
    assert _one(site, now, *condition) == (text, ())


REPAIRED = [
    (("LastModifiedTime", "atLeast", "today-30d"), "LastModifiedTime>=2025-05-19", "today-30d became 2025-05-19"),
    (("LastModifiedTime", "atLeast", "today-2w"), "LastModifiedTime>=2025-06-04", "today-2w became 2025-06-04"),
    (("LastModifiedTime", "atLeast", "now-7d"), "LastModifiedTime>=2025-06-11", "now-7d became 2025-06-11"),
    (("LastModifiedTime", "atLeast", "today-6m"), "LastModifiedTime>=2024-12-18", "today-6m became 2024-12-18"),
    (("LastModifiedTime", "atLeast", "yesterday"), "LastModifiedTime>=2025-06-17", "yesterday became 2025-06-17"),
    (("LastModifiedTime", "atMost", "last month"), "LastModifiedTime<=2025-05-31", "last month became 2025-05-31"),
    (("LastModifiedTime", "lessThan", "this year"), "LastModifiedTime<2025-01-01", "this year became 2025-01-01"),
    (("LastModifiedTime", "atMost", "last 7 days"), "LastModifiedTime<=2025-06-11", "last 7 days became 2025-06-11"),
    (
        ("LastModifiedTime", "greaterThan", "last 30 days"),
        "LastModifiedTime>2025-05-19",
        "last 30 days became 2025-05-19",
    ),
    (
        ("LastModifiedTime", "atMost", "now-1h"),
        "LastModifiedTime<=2025-06-18T11:00:00Z",
        "now-1h became 2025-06-18T11:00:00Z",
    ),
    (("LastModifiedTime", "equals", "now-1h"), "LastModifiedTime=2025-06-18", "now-1h became 2025-06-18"),
    (
        ("LastModifiedTime", "greaterThan", "2024-07-22T10:00:00+02:00"),
        "LastModifiedTime>2024-07-22T08:00:00Z",
        "2024-07-22T10:00:00+02:00 became 2024-07-22T08:00:00Z",
    ),
    (
        ("LastModifiedTime", "between", "2024-01-01", ""),
        "LastModifiedTime>=2024-01-01",
        "between with one end became >=",
    ),
    (("Size", "between", "", "5"), "Size<=5", "between with one end became <="),
    (("FileType", "equals", ".PDF"), 'FileType="pdf"', ".PDF became pdf"),
    (("SiteID", "equals", f"{{{GUID}}}"), f'SiteID="{GUID}"', f"{{{GUID}}} became {GUID}"),
    (("Path", "contains", f"{SITE}/HR"), f'Path:"{SITE}/HR/"', f"{SITE}/HR became {SITE}/HR/"),
    (
        ("Path", "contains", f"{SITE}/HR/v1.2-a"),
        f'Path:"{SITE}/HR/v1.2-a/"',
        f"{SITE}/HR/v1.2-a became {SITE}/HR/v1.2-a/",
    ),
    (
        ("Path", "contains", f"{SITE}/HR/A.B Co"),
        f'Path:"{SITE}/HR/A.B Co/"',
        f"{SITE}/HR/A.B Co became {SITE}/HR/A.B Co/",
    ),
    (("Path", "contains", f"{SITE}/HR/a%20b"), f'Path:"{SITE}/HR/a b/"', f"{SITE}/HR/a%20b became {SITE}/HR/a b/"),
    (
        ("Path", "equals", f"{SITE}/HR/caf%C3%A9.docx"),
        f'Path="{SITE}/HR/caf\u00e9.docx"',
        f"{SITE}/HR/caf%C3%A9.docx became {SITE}/HR/caf\u00e9.docx",
    ),
    (("Path", "startsWith", f"{SITE}/HR"), f'Path:"{SITE}/HR/"', f"{SITE}/HR became {SITE}/HR/"),
    (
        ("Path", "contains", "https://contoso.sharepoint.com"),
        'Path:"https://contoso.sharepoint.com/"',
        "https://contoso.sharepoint.com became https://contoso.sharepoint.com/",
    ),
    (("Size", "equals", "1_000"), "Size=1000", "1_000 became 1000"),
    (("Size", "atLeast", "-12_000_000"), "Size>=-12000000", "-12_000_000 became -12000000"),
    (("RefinableDouble00", "atMost", "1_000.5"), "RefinableDouble00<=1000.5", "1_000.5 became 1000.5"),
    (("IsDocument", "equals", "yes"), "IsDocument=true", "yes became true"),
]


@pytest.mark.parametrize(("condition", "text", "repair"), REPAIRED)
def test_repair_is_reported(
    condition: tuple[str, ...], text: str, repair: str, site: Properties, now: datetime
) -> None:
    assert _one(site, now, *condition) == (text, (f"{condition[0]}: {repair}",))


REFUSED = [
    (("Colour", "equals", "red"), "UNKNOWN_PROPERTY", "no such property"),
    (("Auther", "equals", "Megan"), "UNKNOWN_PROPERTY", "meant may be Author"),
    (("a b", "equals", "x"), "UNKNOWN_PROPERTY", "no such property"),
    (("ConnectionId", "equals", "x"), "CONNECTION_IN_FILTER", "dataSourceConfiguration"),
    (("Title", "like", "x"), "BAD_CONDITION", "startsWith"),
    (("Title", "contains"), "EMPTY_VALUE", "no value"),
    (("Title", "contains", " "), "EMPTY_VALUE", "empty"),
    (("Title", "atLeast", "5"), "OPERATOR_TYPE_MISMATCH", "no order"),
    (("Title", "between", "a", "b"), "OPERATOR_TYPE_MISMATCH", "no order"),
    (("Size", "atLeast", "1", "2"), "BAD_CONDITION", "one value"),
    (("Size", "between", "1"), "BAD_CONDITION", "two values"),
    (("Size", "startsWith", "1"), "OPERATOR_TYPE_MISMATCH", "no text"),
    (("Size", "equals", "big"), "BAD_NUMBER", "whole number"),
    (("Size", "equals", "1__0_"), "BAD_NUMBER", "whole number"),
    (("Size", "between", "1_0", "5"), "BAD_NUMBER", "whole number"),
    (("Size", "hasValue"), "EXISTS_NOT_TEXT", "bound"),
    (("Title", "hasValue", "x"), "BAD_CONDITION", "no value"),
    (("IsDocument", "equals", "maybe"), "BAD_BOOLEAN", "true or false"),
    (("LastModifiedTime", "atLeast", "01/02/2024"), "BAD_DATE", "or one of today, yesterday, this week, "),
    (("LastModifiedTime", "atLeast", "next blue moon"), "RELATIVE_DATE_UNSUPPORTED", "today-30d"),
    (("LastModifiedTime", "equals", "last 7 days"), "RELATIVE_DATE_UNSUPPORTED", "today-30d"),
    (("Title", "contains", 'say "hi" now'), "UNREPRESENTABLE_VALUE", "say hi now"),
    (("Title", "contains", "bud*"), "UNREPRESENTABLE_VALUE", "startsWith"),
    (("Path", "contains", f"{SITE}/a%00b/"), "UNREPRESENTABLE_VALUE", "control character"),
    (("Path", "contains", f"{SITE}/a%22b/"), "UNREPRESENTABLE_VALUE", "double quote"),
    (("Path", "contains", "https://a/\x00"), "UNREPRESENTABLE_VALUE", "control character"),
    (("Title", "contains", "a\ud800"), "UNREPRESENTABLE_VALUE", "half of a character"),
    (("SiteID", "equals", "HR"), "BAD_GUID", "not a name"),
    (("Path", "contains", "/sites/HR"), "PATH_NO_SCHEME", "https://"),
    (("FileType", "equals", "application/pdf"), "BAD_EXTENSION", "bare extension"),
    (("Author", "contains", "{User.Name}"), "QUERY_VARIABLE", "not expanded"),
    (("Size", "between", "5", "1"), "RANGE_REVERSED", "swap"),
]


@pytest.mark.parametrize(("condition", "code", "gist"), REFUSED)
def test_wrong_condition_becomes_a_diagnostic(
    condition: tuple[str, ...], code: str, gist: str, site: Properties, now: datetime
) -> None:
    name, operator, *values = condition
    built = build(Group(all=(Condition(name, operator, tuple(values)),)), site, now=now)
    assert (built.tree, built.text, [one.code for one in built.diagnostics]) == (None, None, [code])
    assert gist in built.diagnostics[0].message


def test_groups_nest(site: Properties, now: datetime) -> None:
    group = Group(
        all=(Condition("FileType", "equals", ("pdf",)), Group(any=(Condition("Title", "contains", ("a", "b")),))),
        any=(Condition("Author", "contains", ("Megan",)), Condition("ModifiedBy", "contains", ("Adele",))),
        none=(Condition("Title", "startsWith", ("draft",)), Group()),
    )
    built = build(group, site, now=now)
    assert built.text == (
        'FileType="pdf" AND (Title:"a" OR Title:"b") AND (Author:"Megan" OR ModifiedBy:"Adele") AND NOT Title:draft*'
    )


PLACELESS = [
    (
        [("Size", "between", "5", "1")],
        "all[0] (Size between): the range ends before it begins; swap the two values.",
    ),
    (
        [("Size", "atLeast", "5"), ("Size", "atMost", "3")],
        "Size>=5 AND Size<=3: The bounds on Size leave nothing between them; swap them.",
    ),
    ([("Title", "contains", "x" * 2050)], f'Title:"{"x" * 73}…: A restriction may have 2,048 characters.'),
]


@pytest.mark.parametrize(("asked", "message"), PLACELESS)
def test_an_error_names_its_condition_and_points_into_no_text(
    asked: list[tuple[str, ...]], message: str, site: Properties, now: datetime
) -> None:
    built = build(Group(all=[Condition(name, op, values) for name, op, *values in asked]), site, now=now)
    assert [(one.message, one.start, one.end) for one in built.diagnostics] == [(message, 0, 0)]


def test_every_wrong_condition_is_named_by_its_place(site: Properties, now: datetime) -> None:
    group = Group(all=(Group(none=(Condition("Blue", "equals", ("x",)),)),), any=(Condition("Size", "equals", ("x",)),))
    messages = [one.message for one in build(group, site, now=now).diagnostics]
    assert [message.split(":")[0] for message in messages] == ["all[0].none[0] (Blue equals)", "any[0] (Size equals)"]


def test_empty_group_is_an_empty_filter(site: Properties, now: datetime) -> None:
    assert [one.code for one in build(Group(), site, now=now).diagnostics] == ["EMPTY_FILTER"]


def test_groups_nested_too_deep_are_refused(site: Properties, now: datetime) -> None:
    group = Group(all=(Condition("Title", "contains", ("a",)),))
    for _ in range(300):
        group = Group(none=(group,))
    assert [one.code for one in build(group, site, now=now).diagnostics] == ["NESTING_TOO_DEEP"]


def test_warnings_point_into_the_text_that_was_built(site: Properties, now: datetime) -> None:
    built = build(Group(all=(Condition("Created", "atLeast", ("2024-01-01",)),)), site, now=now)
    assert [(one.code, one.start, one.end) for one in built.diagnostics] == [("UNDOCUMENTED_PROPERTY", 0, 7)]


def test_clock_in_another_zone_is_read_in_utc(site: Properties) -> None:
    late = datetime(2025, 6, 18, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    assert _one(site, late, "LastModifiedTime", "atLeast", "now-1d")[0] == "LastModifiedTime>=2025-06-18"
    assert _one(site, datetime(2025, 6, 18), "LastModifiedTime", "atLeast", "today+1d")[0] == (
        "LastModifiedTime>=2025-06-19"
    )


def test_connector_conditions_follow_schema_or_literal() -> None:
    now = datetime(2025, 6, 18, tzinfo=UTC)
    schema = [SchemaProperty("state", is_exact_match_required=True), SchemaProperty("hidden", is_queryable=False)]
    strict, loose = properties_for("externalItem", schema), properties_for("externalItem")
    assert _one(strict, now, "STATE", "equals", "Open")[0] == 'state="Open"'
    hidden = build(Group(all=(Condition("hidden", "equals", ("x",)),)), strict, now=now)
    assert [one.code for one in hidden.diagnostics] == ["NOT_QUERYABLE"]
    assert _one(loose, now, "opened", "atLeast", "today-1d")[0] == "opened>=2025-06-17"
    assert _one(loose, now, "rank", "between", "1", "3")[0] == "rank:1..3"
    assert _one(loose, now, "rank", "between", "1", "2.5")[0] == "rank:1..2.5"
    mixed = build(Group(all=(Condition("rank", "between", ("1", "2024-01-01")),)), loose, now=now)
    assert [one.code for one in mixed.diagnostics] == ["OPERATOR_TYPE_MISMATCH"]
