"""A filter in plain words: fixed templates, joined from the inside out."""

from datetime import datetime

from ._dates import keyword_days, utc
from .parser import parse
from .printer import to_kql
from .properties import Properties
from .tree import (
    And,
    AnyValue,
    BoolValue,
    DateValue,
    IntervalValue,
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
    walk,
)

__all__ = ["explain"]

_DATE_WORDS: dict[Operator, str] = {
    ":": "is on",
    "=": "is on",
    "<>": "is not on",
    "<": "is before",
    "<=": "is on or before",
    ">": "is after",
    ">=": "is on or after",
}
_INSTANT_WORDS: dict[Operator, str] = {**_DATE_WORDS, ":": "is at", "=": "is at", "<>": "is not at"} | {
    "<=": "is at or before",
    ">=": "is at or after",
}
_PERIOD_WORDS: dict[Operator, str] = {**_DATE_WORDS, ":": "is within", "=": "is within", "<>": "is not within"} | {
    "<": "is before the start of",
    "<=": "is not after the end of",
    ">": "is after the end of",
    ">=": "is not before the start of",
}
_NUMBER_WORDS: dict[Operator, str] = {
    ":": "is",
    "=": "is",
    "<>": "is not",
    "<": "is less than",
    "<=": "is at most",
    ">": "is greater than",
    ">=": "is at least",
}


def explain(node: Node, properties: Properties, *, now: datetime) -> str:
    """The filter in plain words: what it selects, where, and the warnings it raises.

    `now` resolves the date keywords. Whenever a date is involved the text says what day today is, in UTC.
    """
    sentences = [f"Items where {_words(node, properties, now)}."]
    if _has_date(node):
        sentences.append(f"Today is {utc(now):%A} {utc(now).date().isoformat()} (UTC).")
    sentences.append(f"Data source: {properties.data_source}.")
    found = parse(to_kql(node), properties, allow_free_text=True).diagnostics
    warnings = {one.code: one.message for one in found if one.severity == "warning"}
    sentences.extend(f"Warning {code}: {message}" for code, message in warnings.items())
    return " ".join(sentences)


def _has_date(node: Node) -> bool:
    values = [part.value for part in walk(node) if isinstance(part, Restriction)]
    points = [value.start if isinstance(value, RangeValue) else value for value in values]
    return any(isinstance(point, DateValue | IntervalValue) for point in points)


def _words(node: Node, properties: Properties, now: datetime) -> str:
    if isinstance(node, And | Or):
        quantity = "all" if isinstance(node, And) else "any"
        parts = "; ".join(_words(item, properties, now) for item in node.items)
        return f"{quantity} of ({parts})"
    if isinstance(node, Not):
        return f"not ({_words(node.item, properties, now)})"
    if isinstance(node, Term):
        return f"the text contains {_quoted(node.text, node.prefix)}"
    return f"{node.property} {_predicate(node, properties, now)}"


def _predicate(node: Restriction, properties: Properties, now: datetime) -> str:
    value = node.value
    if isinstance(value, TextValue):
        known = properties.find(node.property)
        return _text(known.match if known else "words", node.op, value)
    if isinstance(value, AnyValue):
        return "has a value"
    if isinstance(value, BoolValue):
        return f"is {'not ' if node.op == '<>' else ''}{'true' if value.value else 'false'}"
    if isinstance(value, RangeValue):
        zone = " (UTC)" if isinstance(value.start, DateValue | IntervalValue) else ""
        return f"is from {_point(value.start, now)} to {_point(value.end, now)} inclusive{zone}"
    if isinstance(value, DateValue):
        phrases = _INSTANT_WORDS if "T" in value.text else _DATE_WORDS
        return f"{phrases[node.op]} {value.text} (UTC)"
    if isinstance(value, IntervalValue):
        phrases = _DATE_WORDS if value.name in ("today", "yesterday") else _PERIOD_WORDS
        return f"{phrases[node.op]} {_point(value, now)} (UTC)"
    return f"{_NUMBER_WORDS[node.op]} {_point(value, now)}"


def _point(point: Point, now: datetime) -> str:
    if isinstance(point, IntervalValue):
        first, last = keyword_days(point.name, utc(now).date())
        days = first.isoformat() if first == last else f"{first.isoformat()} to {last.isoformat()}"
        return f"{point.name} [{days}]"
    return point.text if isinstance(point, DateValue | NumberValue) else str(point.value)


def _text(match: str, op: Operator, value: TextValue) -> str:
    negation = "not " if op == "<>" else ""
    text = value.text
    if match == "path" and op == ":":
        if text.endswith("/"):
            return f"is at or under {text}"
        return f"starts with {text}, including siblings that share the prefix"
    if match in ("extension", "guid", "exact", "path"):
        if value.prefix:
            return f'{"does not begin" if negation else "begins"} with "{text}"'
        return f'is {negation}"{text}"'
    if op == ":":
        return f"contains {_quoted(text, value.prefix)}"
    exactly = "is not" if negation else "is exactly"
    return f'{exactly} "{text}"{", the last word as a prefix" if value.prefix else ""}'


def _quoted(text: str, prefix: bool) -> str:
    kind = "phrase" if len(text.split()) > 1 else "word"
    return f'the {kind} "{text}"{", the last word as a prefix" if prefix else ""}'
