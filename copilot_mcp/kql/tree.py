"""The syntax tree: frozen nodes that cannot hold what the language cannot say.

Spans are code point offsets into the text a node was read from, None for nodes that were built. They take no part
in equality, so a tree that was built equals the tree read from its own text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ._dates import KEYWORDS, canonical_date
from ._words import GUID, NAME, NUMBER, OPERATORS, ORDERING, holds_control, reads_as_word

__all__ = [
    "And",
    "AnyValue",
    "BoolValue",
    "DateValue",
    "IntValue",
    "IntervalValue",
    "Node",
    "Not",
    "NumberValue",
    "Operator",
    "Or",
    "Point",
    "RangeValue",
    "Restriction",
    "Span",
    "Term",
    "TextValue",
    "Value",
    "conjunction",
    "disjunction",
    "replace",
    "walk",
]

Operator: TypeAlias = Literal[":", "=", "<", ">", "<=", ">=", "<>"]
Span: TypeAlias = tuple[int, int]

INT64 = range(-(2**63), 2**63)


def text_problem(text: str, prefix: bool) -> str | None:
    """Why `text` cannot stand between double quotes, or None when it can."""
    if not text.strip():
        return "is empty"
    if '"' in text:
        return "holds a double quote, which cannot be escaped"
    if "*" in text:
        return "holds a star, which is the prefix operator"
    if holds_control(text):
        return "holds a control character or half of a character"
    if text.endswith("\\") and not prefix:
        return "ends in a backslash"
    if prefix and text[-1].isspace():
        return "ends in white space before the prefix star"
    return None


@dataclass(frozen=True, slots=True)
class TextValue:
    """Words without quotes; `prefix` stands for a final star, which `text` does not hold."""

    text: str
    prefix: bool = False

    def __post_init__(self) -> None:
        problem = text_problem(self.text, self.prefix)
        if problem:
            raise ValueError(f"The text {problem}.")


@dataclass(frozen=True, slots=True)
class AnyValue:
    """`name:*`, the property has a value."""


@dataclass(frozen=True, slots=True)
class DateValue:
    """`YYYY-MM-DD`, or `YYYY-MM-DDThh:mm:ss[.f]Z` with one to seven digits of fraction; always UTC."""

    text: str

    def __post_init__(self) -> None:
        if canonical_date(self.text) != self.text:
            raise ValueError("A date is a real YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ.")


@dataclass(frozen=True, slots=True)
class IntervalValue:
    """One of the seven date keywords, lower case."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in KEYWORDS:
            raise ValueError(f"A date keyword is one of {', '.join(KEYWORDS)}.")


@dataclass(frozen=True, slots=True)
class IntValue:
    """A whole number within 64 bits."""

    value: int

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or self.value not in INT64:
            raise ValueError("A whole number must fit 64 bits.")


@dataclass(frozen=True, slots=True)
class NumberValue:
    """A decimal number as written, without a plus sign: `1.50` stays `1.50`."""

    text: str

    def __post_init__(self) -> None:
        if not NUMBER.fullmatch(self.text) or self.text.startswith("+"):
            raise ValueError("A number is digits with at most one decimal point.")


@dataclass(frozen=True, slots=True)
class BoolValue:
    """`true` or `false`."""

    value: bool


Point: TypeAlias = DateValue | IntervalValue | IntValue | NumberValue


@dataclass(frozen=True, slots=True)
class RangeValue:
    """`A..B`, both ends included."""

    start: Point
    end: Point

    def __post_init__(self) -> None:
        dates = [isinstance(point, (DateValue, IntervalValue)) for point in (self.start, self.end)]
        if dates[0] != dates[1]:
            raise ValueError("Both ends of a range must be dates, or both numbers.")
        for point in (self.start, self.end):
            if isinstance(point, IntervalValue) and " " in point.name:
                raise ValueError("A range ends in today, yesterday, a date or a number.")


Value: TypeAlias = TextValue | AnyValue | BoolValue | RangeValue | Point


@dataclass(frozen=True, slots=True)
class Restriction:
    """`property op value`."""

    property: str
    op: Operator
    value: Value
    span: Span | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.property):
            raise ValueError("A property name is a letter or _, then letters, digits, _ . and -.")
        if self.op not in OPERATORS:
            raise ValueError("The operator is none of : = < > <= >= <>.")
        if isinstance(self.value, AnyValue) and self.op != ":":
            raise ValueError("Only : asks whether a property has a value.")
        if isinstance(self.value, RangeValue) and self.op not in (":", "="):
            raise ValueError("A range takes : or =.")
        if isinstance(self.value, (TextValue, BoolValue)) and self.op in ORDERING:
            raise ValueError("Text and true/false have no order.")


@dataclass(frozen=True, slots=True)
class Term:
    """A search word, or a quoted `phrase`, that belongs to no property."""

    text: str
    prefix: bool = False
    phrase: bool = False
    span: Span | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        problem = text_problem(self.text, self.prefix)
        if problem:
            raise ValueError(f"The text {problem}.")
        if not self.phrase and not reads_as_word(self.text):
            raise ValueError("The text does not read as one word; make it a phrase.")


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT item`."""

    item: "Node"
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """Two or more items, none itself an `And`; `conjunction()` flattens."""

    items: tuple["Node", ...]
    span: Span | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.items) < 2 or any(isinstance(item, And) for item in self.items):
            raise ValueError("An `and` has two or more items, none itself an `and`.")


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more items, none itself an `Or`; `disjunction()` flattens."""

    items: tuple["Node", ...]
    span: Span | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.items) < 2 or any(isinstance(item, Or) for item in self.items):
            raise ValueError("An `or` has two or more items, none itself an `or`.")


Node: TypeAlias = And | Or | Not | Restriction | Term


def conjunction(items: Iterable[Node], span: Span | None = None) -> Node:
    """AND of one or more items, flattened; one item is returned as it is."""
    flat = [part for item in items for part in (item.items if isinstance(item, And) else (item,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat), span)


def disjunction(items: Iterable[Node], span: Span | None = None) -> Node:
    """OR of one or more items, flattened; one item is returned as it is."""
    flat = [part for item in items for part in (item.items if isinstance(item, Or) else (item,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat), span)


def children(node: Node) -> Sequence[Node]:
    """The direct children, in source order."""
    if isinstance(node, (And, Or)):
        return node.items
    return (node.item,) if isinstance(node, Not) else ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first, in source order."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def replace(node: Node, old: Node, new: Node) -> Node:
    """The tree with `old`, found by identity, exchanged for `new`; flattened where that is needed."""
    if node is old:
        return new
    if isinstance(node, And):
        return conjunction([replace(item, old, new) for item in node.items], node.span)
    if isinstance(node, Or):
        return disjunction([replace(item, old, new) for item in node.items], node.span)
    return Not(replace(node.item, old, new), node.span) if isinstance(node, Not) else node


def is_guid(text: str) -> bool:
    """Whether the text has the shape 8-4-4-4-12 of letters and digits."""
    return GUID.fullmatch(text) is not None
