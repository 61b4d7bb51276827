"""Does an item satisfy a filter: the one evaluator, for simulated search and for holding hits against a filter.

Simplified on purpose: no stemming, no synonyms, no stop words, East Asian text is not segmented, and whether a tenant
compares whole values of a property is not known.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from ._dates import instant_ticks, keyword_period, literal_period, utc
from .properties import Match, Properties
from .tree import (
    And,
    AnyValue,
    BoolValue,
    DateValue,
    IntervalValue,
    IntValue,
    Node,
    Not,
    NumberValue,
    Operator,
    Or,
    Point,
    RangeValue,
    Restriction,
    Term,
    TextValue,
)

__all__ = ["Item", "judge", "matches"]

Judgement: TypeAlias = bool | None
_Limits: TypeAlias = tuple[Decimal, Decimal] | tuple[int, int]

_FREE_TEXT_PROPERTIES = ("Title", "Filename", "Author")


@dataclass(frozen=True, slots=True)
class Item:
    """What a filter is held against: property values by name in any case, and the body `text` for search words."""

    properties: Mapping[str, tuple[str, ...]]
    text: str = ""
    _folded: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        folded = {name.casefold(): tuple(values) for name, values in self.properties.items()}
        object.__setattr__(self, "_folded", folded)

    def values(self, name: str) -> tuple[str, ...]:
        """The values that are not blank."""
        return tuple(value for value in self._folded.get(name.casefold(), ()) if value.strip())


def matches(node: Node, item: Item, properties: Properties, *, now: datetime) -> bool:
    """Whether the item satisfies the filter; `now` is what the date keywords are relative to (UTC).

    A property without a value satisfies nothing but `<>`.
    """
    if isinstance(node, And):
        return all(matches(part, item, properties, now=now) for part in node.items)
    if isinstance(node, Or):
        return any(matches(part, item, properties, now=now) for part in node.items)
    if isinstance(node, Not):
        return not matches(node.item, item, properties, now=now)
    if isinstance(node, Term):
        return _term(node, item)
    found = _holds(node, item.values(node.property), properties, now)
    return node.op == "<>" if found is None else found


def judge(node: Node, item: Item, properties: Properties, *, now: datetime) -> Judgement:
    """As `matches`, but None where the item does not tell: a value that is missing or unreadable proves nothing.

    Meant for search hits, which bear only some of their properties and only some of their text.
    """

    def told(leaf: Restriction | Term) -> Judgement:
        if isinstance(leaf, Term):
            return _term(leaf, item) or None
        values = item.values(leaf.property)
        return _holds(leaf, values, properties, now) if values else None

    return decide(node, told)


def decide(node: Node, told: Callable[[Restriction | Term], Judgement]) -> Judgement:
    """What the leaves that are told, and those that are not (None), make of the whole."""
    if isinstance(node, And | Or):
        decisive = isinstance(node, Or)
        found = [decide(part, told) for part in node.items]
        if decisive in found:
            return decisive
        return None if None in found else not decisive
    if isinstance(node, Not):
        inner = decide(node.item, told)
        return None if inner is None else not inner
    return told(node)


def _term(node: Term, item: Item) -> bool:
    wanted = break_words(node.text)
    texts = [value for name in _FREE_TEXT_PROPERTIES for value in item.values(name)]
    return any(phrase_in(break_words(text), wanted, node.prefix) for text in [*texts, item.text])


def _holds(node: Restriction, values: tuple[str, ...], properties: Properties, now: datetime) -> Judgement:
    """Whether any value satisfies the restriction; None when none of them could be read."""
    value = node.value
    if isinstance(value, AnyValue):
        return bool(values)
    op: Operator = "=" if node.op == "<>" else node.op
    test = _test(node.property, op, value, properties, now)
    found = [test(value) for value in values]
    if values and all(one is None for one in found):
        return None
    any_equal = any(found)
    return not any_equal if node.op == "<>" else any_equal


_Test: TypeAlias = Callable[[str], Judgement]


def _test(
    name: str, op: Operator, value: TextValue | BoolValue | RangeValue | Point, properties: Properties, now: datetime
) -> _Test:
    if isinstance(value, TextValue):
        known = properties.find(name)
        match: Match = known.match if known is not None else "words"
        return _text_test(match, op, value)
    if isinstance(value, BoolValue):
        return lambda text: truth(text) is value.value if truth(text) is not None else None
    if isinstance(value, RangeValue):
        if isinstance(value.start, DateValue | IntervalValue):
            first, last = period_of(value.start, now)[0], period_of(value.end, now)[1]
            return lambda text: compare(instant_ticks(text), (first, last), ":")
        low, high = number_of(value.start), number_of(value.end)
        return lambda text: compare(decimal_of(text), (low, high), ":")
    if isinstance(value, DateValue | IntervalValue):
        period = period_of(value, now)
        return lambda text: compare(instant_ticks(text), period, op)
    number = number_of(value)
    return lambda text: compare(decimal_of(text), (number, number), op)


def compare(value: Decimal | int | None, limits: _Limits, op: Operator) -> Judgement:
    """Whether a tick or number stands to the limits as `op` says; None where there is none."""
    if value is None:
        return None
    start, end = limits
    if op == "<":
        return value < start
    if op == "<=":
        return value <= end
    if op == ">":
        return value > end
    return value >= start if op == ">=" else start <= value <= end


def period_of(point: Point, now: datetime) -> tuple[int, int]:
    """First and last tick of a date, or of a keyword as `now` has it."""
    if isinstance(point, IntervalValue):
        return keyword_period(point.name, utc(now))
    return literal_period(point.text) if isinstance(point, DateValue) else (0, 0)


def number_of(point: Point) -> Decimal:
    """The number of a literal."""
    if isinstance(point, IntValue):
        return Decimal(point.value)
    return Decimal(point.text) if isinstance(point, NumberValue) else Decimal(0)


def decimal_of(text: str) -> Decimal | None:
    """The number a text holds, or None."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def truth(text: str) -> bool | None:
    """What a text says as a YesNo value, or None."""
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().casefold())


def _text_test(match: Match, op: Operator, value: TextValue) -> _Test:
    if match == "path":
        return lambda text: _path(fold(text), fold(value.text), op, value.prefix)
    if match in ("extension", "guid", "exact"):
        whole = fold(value.text)
        return lambda text: fold(text).startswith(whole) if value.prefix else fold(text) == whole
    wanted = break_words(value.text)
    if op == "=":
        return lambda text: _equals(break_words(text), wanted, value.prefix)
    return lambda text: phrase_in(break_words(text), wanted, value.prefix)


def _path(url: str, wanted: str, op: Operator, prefix: bool) -> bool:
    if op == "=" and not prefix:
        return url.rstrip("/") == wanted.rstrip("/")
    if wanted.endswith("/") and url == wanted.rstrip("/"):
        return True
    return url.startswith(wanted)


def fold(text: str) -> str:
    """Compatibility form, without case, without white space around it: how whole values are compared."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def break_words(text: str) -> list[str]:
    """The words of a text, without case and diacritics; everything but letters and digits separates."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return re.findall(r"[^\W_]+", plain.casefold())


def phrase_in(found: list[str], wanted: list[str], prefix: bool = False) -> bool:
    """Whether `wanted` occurs as a phrase."""
    if not wanted:
        return False
    return any(_at(found, index, wanted, prefix) for index in _starts(found, wanted, prefix))


def _starts(found: list[str], wanted: list[str], prefix: bool) -> Iterable[int]:
    first, lone = wanted[0], prefix and len(wanted) == 1
    for index in range(len(found) - len(wanted) + 1):
        if found[index] == first or (lone and found[index].startswith(first)):
            yield index


def _at(found: list[str], index: int, wanted: list[str], prefix: bool) -> bool:
    part = found[index : index + len(wanted)]
    if not prefix:
        return part == wanted
    return part[:-1] == wanted[:-1] and part[-1].startswith(wanted[-1])


def _equals(found: list[str], wanted: list[str], prefix: bool) -> bool:
    if not wanted or len(found) < len(wanted):
        return False
    return _at(found, 0, wanted, True) if prefix else found == wanted
