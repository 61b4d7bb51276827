"""Laws of the canonical text, held against random trees and damaged filters from fixed seeds."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any, get_args

import pytest

from copilot_mcp.kql import Item, Node, Properties, explain, matches, normalise, parse, properties_for
from copilot_mcp.kql.match import judge
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

NEVER_IN_CANONICAL = {"IMPLICIT_OR", "IMPLICIT_AND", "IMPLICIT_OR_RANGE", "MIXED_AND_OR", "SIGN_OPERATOR"} | {
    "VALUE_GROUP",
    "SPACE_BEFORE_COMPARISON",
    "SPACE_AFTER_COMPARISON",
    "SPACE_IN_RESTRICTION",
    "UNUSUAL_WHITESPACE",
}
TEXTS = [
    "Megan Bowen",
    "R AND D (not really)",
    "50%",
    "O'Brien",
    "\u00fcber \u201cx\u201d",
    "a\u00a0b",
    "-x",
    "1..3",
    "C#",
]
EQUALITY: list[Operator] = [":", "=", "<>"]
ITEMS = [
    Item({"Title": ("Megan Bowen",), "FileType": ("pdf",), "Size": ("5",)}, "budget report"),
    Item({"title": ("advan", "C#"), "LastModifiedTime": ("2024-07-22T08:00:00Z",), "IsDocument": ("true",)}),
    Item({}),
]


def _restriction(random_: random.Random) -> Node:
    op: Operator = random_.choice(EQUALITY)
    order: Operator = random_.choice(get_args(Operator))
    date = DateValue(random_.choice(["2024-07-22", "2024-02-29T08:30:00Z", "2012-09-27T11:57:34.1234567Z"]))
    makers: list[Callable[[], Node]] = [
        lambda: Restriction("Title", op, TextValue(random_.choice(TEXTS))),
        lambda: Restriction("Author", ":", TextValue(random_.choice(["Advan", "two wor", "CONTOSO\\"]), True)),
        lambda: Restriction("FileType", op, TextValue(random_.choice(["pdf", "docx"]))),
        lambda: Restriction("Title", ":", AnyValue()),
        lambda: Restriction("LastModifiedTime", order, date),
        lambda: Restriction("LastModifiedTime", op, IntervalValue(random_.choice(["today", "last month"]))),
        lambda: Restriction("LastModifiedTime", ":", RangeValue(IntervalValue("yesterday"), IntervalValue("today"))),
        lambda: Restriction("Size", order, IntValue(random_.choice([5, 0, -(2**63)]))),
        lambda: Restriction("Size", "=", RangeValue(IntValue(1), IntValue(3))),
        lambda: Restriction("RefinableDouble00", order, NumberValue(random_.choice(["2.50", "-1"]))),
        lambda: Restriction("IsDocument", op, BoolValue(random_.random() < 0.5)),
        lambda: Term(random_.choice(["budget", "R&D"]), random_.random() < 0.5),
        lambda: Term(random_.choice(["two words", "AND"]), random_.random() < 0.5, True),
    ]
    return random_.choice(makers)()


def _tree(random_: random.Random, depth: int) -> Node:
    kind = random_.random()
    if depth == 0 or kind < 0.3:
        return _restriction(random_)
    if kind < 0.45:
        return Not(_tree(random_, depth - 1))
    parts = [_tree(random_, depth - 1) for _ in range(random_.randint(1, 3))]
    return conjunction(parts) if kind < 0.75 else disjunction(parts)


@pytest.mark.parametrize("seed", range(8))
def test_random_trees_obey_the_laws(seed: int, site: Properties, now: datetime) -> None:
    random_ = random.Random(seed)
    for _ in range(60):
        tree = _tree(random_, 4)
        text = to_kql(tree)
        parsed = parse(text, site, allow_free_text=True)
        codes = {one.code for one in parsed.diagnostics}
        assert from_json(to_json(tree)) == tree
        if codes & {"RANGE_REVERSED"}:
            continue
        assert parsed.tree == tree, text
        assert parsed.canonical == text
        assert not codes & NEVER_IN_CANONICAL, text
        plain = normalise(tree)
        for item in ITEMS:
            assert matches(plain, item, site, now=now) is matches(tree, item, site, now=now)
            told = judge(tree, item, site, now=now)
            assert told is None or told is matches(tree, item, site, now=now)
        assert normalise(plain) == plain


PIECES = [
    *"\"()*:=<>!~+-&|,;\\'`[]{}^ .%?\u201c\uff1a\u00a0\u200b\x00\n\ud800",
    *("AND", "OR", "NOT", "and ", "NEAR", "..", '"" ', '\\"', "in (", "eq ", "2024-01-01", '*"', "Author:", "Size>"),
    *("name:(", "not ", "is ", "contains(", "&quot;", "between "),
]


def _damaged(text: str, random_: random.Random) -> str:
    for _ in range(random_.randint(1, 5)):
        place, kind = random_.randint(0, len(text)), random_.random()
        if kind < 0.5:
            text = text[:place] + random_.choice(PIECES) + text[place:]
        elif kind < 0.8:
            text = text[:place] + text[place + random_.randint(1, 5) :]
        else:
            text = text[:place] + text[place : place + 10][::-1] + text[place:]
    return text


@pytest.mark.parametrize("seed", range(4))
def test_damaged_filters_never_raise(seed: int, vectors: dict[str, Any], now: datetime) -> None:
    random_ = random.Random(seed)
    inputs = [vector["input"] for vector in vectors["vectors"] if len(vector["input"]) < 300]
    sources = [properties_for(name) for name in ("sharePoint", "externalItem", "sharePointEmbedded")]
    for _ in range(150):
        text, properties = _damaged(random_.choice(inputs), random_), random_.choice(sources)
        free = random_.random() < 0.3
        parsed = parse(text, properties, allow_free_text=free, now=now)
        assert parsed.valid is not any(one.severity == "error" for one in parsed.diagnostics)
        assert all(0 <= one.start <= one.end <= len(text) for one in parsed.diagnostics)
        offered = {one.suggestion for one in parsed.diagnostics} - {None}
        assert all(parse(str(one), properties, allow_free_text=free).valid for one in offered)
        if parsed.tree is None:
            continue
        again = parse(str(parsed.canonical), properties, allow_free_text=free)
        assert (again.tree, again.canonical) == (parsed.tree, parsed.canonical)
        assert explain(parsed.tree, properties, now=now)
        assert all(
            matches(parsed.tree, item, properties, now=now)
            is matches(again.tree or parsed.tree, item, properties, now=now)
            for item in ITEMS
        )


@pytest.mark.parametrize(
    "text", ["a", " ", '"', "(", "a:b ", "NOT ", "Author:'a ", 'x:"" ', "1..", "FileType:a,", "[", "eq "]
)
def test_long_monotonous_input_is_read(text: str, site: Properties) -> None:
    parsed = parse(text * (70_000 // len(text)), site)
    assert len(parsed.diagnostics) == 2
