"""Laws of trees and of valid filters, held against generated ones.

An ordinary run tries few examples, always the same; `pytest tests/kql --hypothesis-profile=long` tries 20,000 a law.
"""

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from copilot_mcp.kql import Item, Node, Properties, SchemaProperty, matches, normalise, parse, properties_for
from copilot_mcp.kql.match import number_of
from copilot_mcp.kql.printer import to_kql
from copilot_mcp.kql.tree import (
    AnyValue,
    BoolValue,
    DateValue,
    IntervalValue,
    IntValue,
    Not,
    NumberValue,
    Operator,
    RangeValue,
    Restriction,
    Term,
    TextValue,
    conjunction,
    disjunction,
)
from copilot_mcp.kql.tree_json import from_json, to_json

NOW = datetime(2025, 6, 18, 12, tzinfo=UTC)
EQUALITY: tuple[Operator, ...] = (":", "=", "<>")
EVERY: tuple[Operator, ...] = get_args(Operator)
NOT_CANONICAL = {"IMPLICIT_OR", "IMPLICIT_AND", "MIXED_AND_OR", "SIGN_OPERATOR", "VALUE_GROUP", "UNUSUAL_WHITESPACE"}
NOT_CANONICAL |= {"SPACE_BEFORE_COMPARISON", "SPACE_AFTER_COMPARISON"}
MARKS = "'`()<>=:!~+-&|,;\\[]{}^ .%?/#@$\t\n\r\u201c\u2019\u2013\uff1a\u2265\u00a0\u200b\u0301\u00df"
WORDS = ["Megan", "AND", "or", "NOT", "budget", "2024-01-01", "today", "5", "true", "..", "in", "advan", "C"]


@dataclass(frozen=True)
class Names:
    """The names of one data source by what they hold."""

    properties: Properties
    texts: tuple[str, ...]
    dates: tuple[str, ...]
    integers: tuple[str, ...]
    numbers: tuple[str, ...]
    truths: tuple[str, ...]
    typed: bool = True


SCHEMA = Names(
    properties_for(
        "externalItem",
        [
            *(SchemaProperty(name) for name in ("Title", "AND", "eq", "\u00fcber_1", "a.b-c.", "http", "NEAR")),
            *(SchemaProperty("When", "dateTime"), SchemaProperty("in", "dateTimeCollection")),
            *(SchemaProperty("Size", "int64"), SchemaProperty("n-", "int64")),
            *(SchemaProperty("Rate", "double"), SchemaProperty("Done", "boolean")),
        ],
    ),
    ("Title", "AND", "eq", "\u00fcber_1", "a.b-c.", "http", "NEAR"),
    ("When", "in"),
    ("Size", "n-"),
    ("Rate",),
    ("Done",),
)
NO_SCHEMA = Names(properties_for("externalItem"), *[("Color", "Level", "Opened")] * 5, typed=False)
SHAREPOINT = Names(
    properties_for("sharePoint"),
    ("Title", "Author", "ModifiedBy", "Filename"),
    ("LastModifiedTime", "RefinableDate07"),
    ("Size", "RefinableInt01"),
    ("RefinableDouble00", "RefinableDecimal09"),
    ("IsDocument",),
)

# What a value may not be although it can be written: variables and encoded quotes are mistakes wherever they stand.
MISTAKES = re.compile(r"\{[^\W\d][^{}]*\}|.*(?:&quot;|%22).*", re.IGNORECASE | re.DOTALL)
RESTRICTION_OR_URL = re.compile(r"https?://|\s*(?:NOT\s+)?[(\-]?[^\W\d][\w.\-]*\s?[:=<>]", re.IGNORECASE)

characters = st.characters(exclude_categories=["Cs"], exclude_characters='"*')
texts = (
    st.lists(st.sampled_from([*WORDS, *MARKS]) | st.text(characters, min_size=1, max_size=2), min_size=1, max_size=4)
    .map("".join)
    .filter(lambda text: not MISTAKES.fullmatch(text))
)
days = st.dates().map(lambda day: DateValue(day.isoformat()))
times = st.datetimes().map(lambda when: DateValue(f"{when.isoformat(timespec='seconds')}Z"))
fractions = st.tuples(st.datetimes(), st.from_regex(r"[0-9]{1,7}", fullmatch=True, alphabet=string.digits)).map(
    lambda pair: DateValue(f"{pair[0].isoformat(timespec='seconds')}.{pair[1]}Z")
)
dates = days | times | fractions
keywords = st.sampled_from(["today", "yesterday", "this week", "this month", "last month", "this year", "last year"])
integers = st.integers(-(2**63), 2**63 - 1)
decimals = st.from_regex(r"-?[0-9]{1,30}\.[0-9]{1,9}", fullmatch=True, alphabet=string.digits + ".-")


def writable(kind: Callable[..., Node | TextValue], *parts: object) -> bool:
    try:
        kind(*parts)
    except ValueError:
        return False
    return True


text_values = (
    st.tuples(texts, st.booleans())
    .filter(lambda parts: writable(TextValue, *parts))
    .map(lambda parts: TextValue(*parts))
)
# A phrase that reads like a restriction or an address is a mistake.
terms = (
    st.tuples(texts, st.booleans(), st.booleans())
    .filter(lambda parts: writable(Term, *parts) and not (parts[2] and RESTRICTION_OR_URL.match(parts[0])))
    .map(lambda parts: Term(*parts))
)


def numeric_range(pair: tuple[int, int]) -> RangeValue:
    return RangeValue(IntValue(min(pair)), IntValue(max(pair)))


def mixed_range(pair: tuple[IntValue | NumberValue, IntValue | NumberValue]) -> RangeValue:
    return RangeValue(*sorted(pair, key=number_of))


def day_range(pair: tuple[DateValue, DateValue]) -> RangeValue:
    return RangeValue(*sorted(pair, key=lambda day: day.text))


def restrictions(names: Names) -> st.SearchStrategy[Restriction]:
    """Every pair of type, operator and value that the constructors and the property's type allow."""
    equal, every = st.sampled_from(EQUALITY), st.sampled_from(EVERY)
    text, when, whole = (st.sampled_from(group) for group in (names.texts, names.dates, names.integers))
    number, truth = st.sampled_from(names.numbers), st.sampled_from(names.truths)
    ranged = st.sampled_from(EQUALITY[:2])
    numbers = decimals | integers.map(str) if names.typed else decimals
    kinds = [
        st.builds(Restriction, text, equal, text_values),
        st.builds(Restriction, text, st.just(":"), st.just(AnyValue())),
        st.builds(Restriction, when, every, dates),
        st.builds(
            Restriction, when, every if names.typed else st.sampled_from(EVERY[2:6]), keywords.map(IntervalValue)
        ),
        st.builds(Restriction, when, ranged, st.tuples(days, days).map(day_range)),
        st.builds(Restriction, whole, every, integers.map(IntValue)),
        st.builds(Restriction, whole, ranged, st.tuples(integers, integers).map(numeric_range)),
        st.builds(Restriction, number, every, numbers.map(NumberValue)),
        st.builds(Restriction, truth, equal, st.booleans().map(BoolValue)),
    ]
    if names.typed:
        ends = st.sampled_from(["today", "yesterday"]).map(IntervalValue)
        kinds.append(st.builds(Restriction, when, ranged, st.builds(RangeValue, ends, dates)))
    else:
        points: st.SearchStrategy[IntValue | NumberValue] = decimals.map(NumberValue) | integers.map(IntValue)
        kinds.append(st.builds(Restriction, number, ranged, st.tuples(points, points).map(mixed_range)))
    if names is SHAREPOINT:
        kinds.extend(_shaped())
    return st.one_of(kinds)


def _shaped() -> list[st.SearchStrategy[Restriction]]:
    """Values whose properties take a shape: extensions, GUIDs and addresses."""
    extensions = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True).map(TextValue)
    guids = st.uuids().map(lambda guid: TextValue(str(guid)))
    folders = texts.map(lambda text: re.sub(r"[?\\\\]", "", text)).map(lambda text: f"https://contoso.test/x{text}/")
    paths = folders.filter(lambda url: not re.search(r"/:[a-z]:/|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", url, re.I))
    equal = st.sampled_from(EQUALITY)
    return [
        st.builds(Restriction, st.sampled_from(["FileType", "FileExtension"]), equal, extensions),
        st.builds(Restriction, st.sampled_from(["SiteID", "InformationProtectionLabelId"]), equal, guids),
        st.builds(Restriction, st.just("Path"), equal, paths.map(TextValue)),
    ]


def trees(names: Names) -> st.SearchStrategy[Node]:
    """Trees of all shapes over those restrictions and free text."""
    return st.recursive(
        restrictions(names) | terms,
        lambda inner: (
            inner.map(Not)
            | st.lists(inner, min_size=1, max_size=3).map(conjunction)
            | st.lists(inner, min_size=1, max_size=3).map(disjunction)
        ),
        max_leaves=8,
    )


ITEMS = [
    Item({"Title": ("Megan budget",), "FileType": ("pdf",), "Size": ("5",), "AND": ("5",), "Done": ("1",)}, "budget"),
    Item({"title": ("advan", "C#"), "LastModifiedTime": ("2024-07-22T08:00:00Z",), "IsDocument": ("true",)}),
    Item({"Author": ("Megan",), "When": ("2025-06-18T01:00:00Z",), "Rate": ("1.5",), "Color": ("today",)}, "or not"),
    Item({}),
]


def selected(tree: Node, properties: Properties) -> list[bool]:
    return [matches(tree, item, properties, now=NOW) for item in ITEMS]


@given(st.one_of(st.tuples(st.just(names), trees(names)) for names in (SCHEMA, NO_SCHEMA, SHAREPOINT)))
def test_a_tree_is_read_back_from_its_text(case: tuple[Names, Node]) -> None:
    names, tree = case
    text = to_kql(tree)
    parsed = parse(text, names.properties, allow_free_text=True)
    codes = {one.code for one in parsed.diagnostics}
    assert from_json(to_json(tree)) == tree
    if "RANGE_REVERSED" in codes:  # bounds that leave nothing between them can be written, but are a mistake
        assert {one.code for one in parsed.diagnostics if one.severity == "error"} == {"RANGE_REVERSED"}
        return
    assert (parsed.tree, parsed.canonical) == (tree, text)
    assert not codes & NOT_CANONICAL
    assert selected(normalise(tree), names.properties) == selected(tree, names.properties)


spaces = st.sampled_from([" ", "  ", "\t", "\n", "\u00a0", " \ufeff"])
loose_values = st.sampled_from(["pdf", '"pdf"', "docx", '"a b"', "advan*", '"two wor*"', "O'Brien", "C#", "a..b"])
loose_restrictions = st.one_of(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["Title", "title", "AUTHOR", "ModifiedBy", "FileName"]),
        st.sampled_from(EQUALITY),
        loose_values,
    ),
    st.builds(
        "{}{}{}{}{}".format,
        st.sampled_from(["LastModifiedTime", "lastmodifiedtime"]),
        st.sampled_from(["", " "]),
        st.sampled_from(EVERY[3:]),
        st.sampled_from(["", " "]),
        st.sampled_from(["2024-07-22", '"2024-07-22T08:00:00"', "today", '"this week"']),
    ),
    st.sampled_from(["Size:+5", "size:1..9", 'LastModifiedTime:"This  Week"', "IsDocument:TRUE", "Title:*", "budget"]),
    st.builds(
        "Title:({}{}{})".format, loose_values, st.sampled_from([" ", " OR ", " AND ", " -", " NOT "]), loose_values
    ),
)


@st.composite
def loose_filters(draw: st.DrawFn, depth: int = 2) -> str:
    """Filters as people type them: signs, juxtaposition, value groups, unneeded parentheses, odd spaces."""
    parts = []
    for index in range(draw(st.integers(1, 3))):
        inner = draw(loose_filters(depth - 1)) if depth and draw(st.booleans()) else None
        part = draw(loose_restrictions) if inner is None else f"({inner})"
        operator = draw(st.sampled_from(["AND", "OR", "NOT", ""])) if index else ""
        prefix = draw(st.sampled_from(["", "", "NOT ", "-", "+"]))
        parts.append(f"{draw(spaces)}{operator}{draw(spaces)}{prefix}{part}")
    return "".join(parts).strip(" ")


@given(loose_filters())
def test_source_and_canonical_text_say_the_same(source: str) -> None:
    properties = SHAREPOINT.properties
    parsed = parse(source, properties, allow_free_text=True)
    if parsed.tree is None:
        known = {"IMPLICIT_OR_RANGE", "AMBIGUOUS_IMPLICIT", "RANGE_REVERSED", "UNQUOTED_MULTIWORD"}
        assert {one.code for one in parsed.diagnostics if one.severity == "error"} <= known
        return
    again = parse(str(parsed.canonical), properties, allow_free_text=True)
    assert (again.tree, again.canonical) == (parsed.tree, parsed.canonical)
    assert not {one.code for one in again.diagnostics} & NOT_CANONICAL
    assert selected(again.tree or parsed.tree, properties) == selected(parsed.tree, properties)
