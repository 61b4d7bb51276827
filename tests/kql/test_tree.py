"""The tree: what constructors refuse, the JSON form, walking and replacing."""

from collections.abc import Callable
from typing import Any

import pytest

from copilot_mcp.kql import normalise, parse, properties_for
from copilot_mcp.kql.printer import to_kql
from copilot_mcp.kql.tree import (
    And,
    AnyValue,
    BoolValue,
    DateValue,
    IntervalValue,
    IntValue,
    Node,
    Not,
    NumberValue,
    Or,
    RangeValue,
    Restriction,
    Term,
    TextValue,
    conjunction,
    disjunction,
    replace,
    walk,
)
from copilot_mcp.kql.tree_json import from_json, to_json

A, B, C = (Restriction("Title", ":", TextValue(text)) for text in "abc")

REFUSED: list[Callable[[], object]] = [
    lambda: TextValue(" "),
    lambda: TextValue('say "hi"'),
    lambda: TextValue("a*b"),
    lambda: TextValue("a\x00"),
    lambda: TextValue("a\\"),
    lambda: TextValue("a ", prefix=True),
    lambda: DateValue("2024-02-30"),
    lambda: DateValue("2024-01-01T00:00:00"),
    lambda: DateValue("today"),
    lambda: IntervalValue("last week"),
    lambda: IntValue(2**63),
    lambda: IntValue(True),
    lambda: NumberValue("+1"),
    lambda: NumberValue("1."),
    lambda: RangeValue(IntValue(1), DateValue("2024-01-01")),
    lambda: RangeValue(IntervalValue("this week"), IntervalValue("today")),
    lambda: Restriction("1st", ":", TextValue("a")),
    lambda: Restriction("Title", "=", AnyValue()),
    lambda: Restriction("Size", ">", RangeValue(IntValue(1), IntValue(2))),
    lambda: Restriction("Title", ">", TextValue("a")),
    lambda: Restriction("IsDocument", "<", BoolValue(True)),
    lambda: Term(""),
    lambda: Term("two words"),
    lambda: Term("and"),
    lambda: Term("-x"),
    lambda: Term("a:b"),
    lambda: And((A,)),
    lambda: And((A, And((B, C)))),
    lambda: Or((A,)),
    lambda: Or((A, Or((B, C)))),
]


@pytest.mark.parametrize("make", REFUSED)
def test_constructor_refuses_what_the_language_cannot_say(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        make()


def test_joining_flattens_and_leaves_one_item_alone() -> None:
    assert conjunction([A, And((B, C))]) == And((A, B, C))
    assert disjunction([Or((A, B)), C]) == Or((A, B, C))
    assert conjunction([A]) is A


def test_walk_gives_parents_first_in_source_order() -> None:
    tree = And((A, Not(Or((B, C)))))
    assert list(walk(tree)) == [tree, A, tree.items[1], Or((B, C)), B, C]


def test_replace_goes_by_identity_and_flattens() -> None:
    tree = Not(And((A, Or((B, C)))))
    assert replace(tree, B, Or((A, C))) == Not(And((A, Or((A, C, C)))))
    assert replace(tree, Restriction("Title", ":", TextValue("a")), B) == tree


def test_json_round_trip_of_every_kind() -> None:
    tree: Node = And(
        (
            Or((A, Restriction("Title", ":", AnyValue()))),
            Not(Term("two words", True, True)),
            Restriction("Size", ":", RangeValue(IntValue(1), NumberValue("2.5"))),
            Restriction("LastModifiedTime", ":", RangeValue(IntervalValue("today"), DateValue("2024-01-01"))),
            Restriction("IsDocument", ":", BoolValue(False)),
        )
    )
    assert from_json(to_json(tree)) == tree


def _restriction(value: object) -> dict[str, Any]:
    return {"type": "restriction", "property": "Title", "op": ":", "value": value}


BROKEN_JSON: list[Any] = [
    None,
    {},
    {"type": "xor"},
    {"type": "and", "items": "ab"},
    {"type": "and", "items": []},
    {"type": "not"},
    {"type": "term", "text": 5},
    {"type": "term", "text": "a", "prefix": "yes"},
    {"type": "restriction", "property": "Title", "op": "~", "value": {"kind": "any"}},
    _restriction(None),
    _restriction({"kind": "colour"}),
    _restriction({"kind": "int", "value": "5"}),
    _restriction({"kind": "range", "from": {"kind": "any"}, "to": {"kind": "int", "value": 1}}),
]


@pytest.mark.parametrize("data", BROKEN_JSON)
def test_broken_json_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        from_json(data)


def test_json_nested_too_deep_is_refused() -> None:
    data: dict[str, Any] = to_json(A)
    for _ in range(500):
        data = {"type": "not", "item": data}
    with pytest.raises(ValueError, match="100 levels"):
        from_json(data)


NORMAL_FORMS = {
    "NOT NOT FileType:pdf": 'FileType:"pdf"',
    "NOT NOT NOT FileType:pdf": 'NOT FileType:"pdf"',
    "FileType:pdf AND FileType:PDF": 'FileType:"pdf"',
    "Title:a AND NOT NOT (Title:b AND Title:A)": 'Title:"a" AND Title:"b"',
    "Title:a OR (Title:b AND Title:b)": 'Title:"a" OR Title:"b"',
}


@pytest.mark.parametrize(("text", "normal"), NORMAL_FORMS.items())
def test_normalising_drops_what_says_nothing(text: str, normal: str) -> None:
    tree = parse(text, properties_for("sharePoint")).tree
    assert tree is not None
    assert to_kql(normalise(tree)) == normal
