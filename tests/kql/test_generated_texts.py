"""Laws of hostile input, held against generated texts and conditions.

An ordinary run tries few examples, always the same; `pytest tests/kql --hypothesis-profile=long` tries 20,000 a law.
"""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from copilot_mcp.kql import Condition, Group, Node, Properties, SchemaProperty, build, explain, parse, properties_for
from copilot_mcp.kql.tree import (
    AnyValue,
    Not,
    Operator,
    Or,
    Restriction,
    TextValue,
    conjunction,
    disjunction,
    walk,
)

NOW = datetime(2025, 6, 18, 12, tzinfo=UTC)
SITE = properties_for("sharePoint")
SOURCES = [
    SITE,
    properties_for("oneDriveBusiness"),
    properties_for("externalItem"),
    properties_for(
        "externalItem", [SchemaProperty("Title"), SchemaProperty("Size", "int64"), SchemaProperty("a", "x")]
    ),
    properties_for(  # names that no filter can spell
        "externalItem",
        [
            SchemaProperty("2nd", aliases=("Author", "FileType", "Title", "Colour")),
            SchemaProperty("last change", "dateTime", aliases=("LastModifiedTime",)),
        ],
    ),
    properties_for("sharePointEmbedded"),
]
PIECES = [
    *"\"'`()*:=<>!~+-&|,;\\[]{}^ .%?/#@$\t\n\r\x00\x07\x7f\x85",
    *"\u201c\u201d\u2019\u00ab\u2013\u2014\uff1a\uff02\u2265\u2264\u00a0\u200b\u2060\ufeff\u202e\u0301\u00df\u0130\ud800",
    *(" AND ", " OR ", "NOT ", " and ", " or not ", '" OR "', '") OR (', "..", '\\"', '""', "&quot;", "%22", '"*'),
    *("Author:", "Title=", "LastModifiedTime>=", "Size<", "Path:", "SiteID:", "FileType:", "IsDocument:", "Color>"),
    *(
        " in (",
        " eq ",
        " between ",
        " is not null",
        "contains(Title,",
        "NEAR(3) ",
        "{User.Name}",
        "SELECT * ",
        "| where ",
    ),
    *(
        "2024-01-01",
        "today-7",
        "last week",
        "07/22/24",
        "10MB",
        "true",
        "null",
        "https://a/",
        "pdf",
        "Megan",
        "budget ",
    ),
]
hostile = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


@given(text=hostile, properties=st.sampled_from(SOURCES), free=st.booleans(), clock=st.sampled_from([NOW, None]))
def test_any_text_gives_a_tree_or_errors(text: str, properties: Properties, free: bool, clock: datetime | None) -> None:
    parsed = parse(text, properties, allow_free_text=free, now=clock)
    errors = [one for one in parsed.diagnostics if one.severity == "error"]
    assert (parsed.tree is None, parsed.canonical is None, parsed.valid) == (bool(errors), bool(errors), not errors)
    assert all(0 <= one.start <= one.end <= len(text) for one in parsed.diagnostics)
    for offered in {one.suggestion for one in parsed.diagnostics if one.suggestion is not None}:
        again = parse(offered, properties, allow_free_text=free)
        assert (again.valid, again.canonical) == (True, offered)
    if parsed.tree is not None:
        again = parse(str(parsed.canonical), properties, allow_free_text=free)
        assert (again.tree, again.canonical) == (parsed.tree, parsed.canonical)
        assert explain(parsed.tree, properties, now=NOW).isprintable() or not text.isprintable()


SYMBOLS: dict[str, Operator] = {"contains": ":", "equals": "=", "notEquals": "<>", "startsWith": ":"}
FORBIDDEN = re.compile(r'["*\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|&quot;|%22', re.IGNORECASE)
VARIABLE = re.compile(r"\{[^\W\d][^{}]*\}")
values = st.sampled_from(["Megan Bowen", "R AND D", "O'Brien", '" OR Title:"', "x\\", "(a)"]) | hostile


def refused(value: str, prefix: bool) -> bool:
    """Whether the language has no way to write the value."""
    text = value.strip()
    whole = not prefix and (text.endswith("\\") or VARIABLE.fullmatch(text) is not None)  # the star follows a prefix
    return not text or whole or FORBIDDEN.search(text) is not None


def wanted(item: Condition | Group) -> Node | None:
    """What a condition or a group asks for, written down without the builder."""
    if isinstance(item, Condition):
        if item.operator == "hasValue":
            return Restriction(item.property, ":", AnyValue())
        prefix = item.operator == "startsWith"
        found = [
            Restriction(item.property, SYMBOLS[item.operator], TextValue(value.strip(), prefix))
            for value in item.values
        ]
        return conjunction(found) if item.operator == "notEquals" else disjunction(found)
    every = [node for node in map(wanted, item.all) if node is not None]
    some = [node for node in map(wanted, item.any) if node is not None]
    none = [Not(node) for node in map(wanted, item.none) if node is not None]
    parts = [*every, *([disjunction(some)] if some else []), *none]
    return conjunction(parts) if parts else None


def conditions_of(item: Condition | Group) -> list[Condition]:
    if isinstance(item, Condition):
        return [item]
    return [one for part in (*item.all, *item.any, *item.none) for one in conditions_of(part)]


conditions = st.one_of(
    st.builds(
        Condition,
        st.sampled_from(["Title", "Author", "Filename"]),
        st.sampled_from(list(SYMBOLS)),
        st.lists(values, min_size=1, max_size=3),
    ),
    st.builds(Condition, st.just("Title"), st.just("hasValue")),
)
several = st.lists(conditions, max_size=2)
groups = st.recursive(
    st.builds(Group, several, several, several),
    lambda inner: st.builds(Group, *[st.lists(conditions | inner, max_size=2)] * 3),
    max_leaves=4,
)


@given(groups)
def test_built_text_says_what_was_asked_or_nothing_is_built(group: Group) -> None:
    built = build(group, SITE, now=NOW)
    asked = conditions_of(group)
    impossible = any(refused(value, one.operator == "startsWith") for one in asked for value in one.values)
    if impossible or not asked:
        assert (built.tree, built.text) == (None, None)
        assert {one.severity for one in built.diagnostics} == {"error"}
        return
    expected = wanted(group)
    assert (built.tree, built.repairs) == (expected, ())
    assert parse(str(built.text), SITE).tree == expected


NAMES = ["Title", "FileType", "Path", "SiteID", "LastModifiedTime", "Size", "IsDocument", "Colour", "a b"]
OPERATORS = [*SYMBOLS, "lessThan", "atMost", "greaterThan", "atLeast", "between", "hasValue", "like"]
typed = st.sampled_from(
    ["1_000", "1__0_", "2024-01-01", "today-3d", "2024-01-01T08:00", "pdf", "5", "true", "https://a.test/x"]
)
folders = st.sampled_from(["https://a.test/v1.2-a", "https://a.test/A.B Co", "https://a.test/a%20b", "https://a.test"])
mixed = st.builds(
    Condition, st.sampled_from(NAMES), st.sampled_from(OPERATORS), st.lists(values | typed | typed, max_size=3)
)
likely = st.builds(
    Condition, st.sampled_from(NAMES), st.sampled_from(OPERATORS[:8]), st.lists(typed, min_size=1, max_size=1)
) | st.builds(Condition, st.just("Path"), st.sampled_from(["contains", "startsWith"]), st.lists(folders, min_size=1))


numbers = st.builds(
    Condition,
    st.just("Size"),
    st.sampled_from(["equals", "atLeast"]),
    st.sampled_from(["1_000", "1__0_", "5"]).map(lambda one: [one]),
)


@given(st.lists(mixed | likely | numbers, min_size=1, max_size=2), st.sampled_from(SOURCES))
def test_whatever_is_built_is_read_back(asked: list[Condition], properties: Properties) -> None:
    built = build(Group(all=asked), properties, now=NOW)
    if built.tree is None:
        assert built.text is None
        assert {(one.start, one.end) for one in built.diagnostics} == {(0, 0)}
        assert {one.severity for one in built.diagnostics} == {"error"}
        return
    changed = [value for one in asked for value in one.values if value.strip() not in str(built.text)]
    assert built.repairs or not changed  # nothing is changed in silence
    parsed = parse(str(built.text), properties)
    assert (parsed.tree, parsed.canonical) == (built.tree, built.text)
    assert not {one.code for one in built.diagnostics} & {"PATH_NO_TRAILING_SLASH", "PATH_PERCENT_ENCODED"}
    assert {node.property for node in walk(built.tree) if isinstance(node, Restriction)} == {
        one.property for one in asked
    }


def test_ten_thousand_values_become_one_list() -> None:
    names = [f"Person {number} OR (x)" for number in range(10_000)]
    built = build(Group(all=(Condition("Author", "equals", names),)), SITE, now=NOW)
    assert isinstance(built.tree, Or)
    assert built.tree.items == tuple(Restriction("Author", "=", TextValue(name)) for name in names)
    assert [one.code for one in built.diagnostics] == ["FILTER_TOO_LONG"]
    assert parse(str(built.text), SITE).tree == built.tree
