"""Values by type: what a property takes, and the code for each thing it does not."""

import re
from typing import NamedTuple

from . import _words as words
from ._dates import canonical_date, is_relative, keyword, literal_period, looks_like_date
from ._text_values import check_text
from .diagnostics import Notes
from .properties import Properties, Property
from .tree import (
    INT64,
    AnyValue,
    BoolValue,
    DateValue,
    IntervalValue,
    IntValue,
    NumberValue,
    Operator,
    Point,
    RangeValue,
    Span,
    TextValue,
    Value,
)

_VARIABLE = re.compile(r"\{[^\W\d][^{}]*\}")


class RawValue(NamedTuple):
    """A value as typed; `span` covers the whole restriction. `grouped` stands for a value inside `name:(…)`."""

    text: str
    quoted: bool
    span: Span
    grouped: bool = False


def read_value(known: Property, op: Operator, raw: RawValue, properties: Properties, notes: Notes) -> Value | None:
    """The typed value, or None after at least one error was noted."""
    if not check_form(known.match, raw, notes):
        return None
    if raw.text == "*" and not raw.quoted:
        return _lone_star(known, op, raw, notes)
    if known.kind in ("text", "yesno") and op in words.ORDERING:
        taken = " ".join(known.operators)
        notes.add("OPERATOR_TYPE_MISMATCH", raw.span, f"{known.name} has no order: it takes {taken}, not {op}.")
        return None
    if known.kind == "open" and not raw.grouped:
        return _open(known, op, raw, properties, notes)
    if known.kind in ("date", "integer", "number") and not raw.quoted and ".." in raw.text:
        return _range(known, op, raw, notes)
    if known.kind == "date":
        return _date(known, op, raw, notes)
    if known.kind in ("integer", "number"):
        return _number(known, raw, notes)
    if known.kind == "yesno":
        return _boolean(known, raw, notes)
    return _text(known, op, raw, properties, notes)


def is_braced_guid(text: str) -> bool:
    """Whether the text is a GUID in braces."""
    return text.startswith("{") and text.endswith("}") and words.GUID.fullmatch(text[1:-1]) is not None


def is_variable(text: str) -> bool:
    """Whether the text is a query variable of classic SharePoint pages, such as `{User.Name}`."""
    return _VARIABLE.fullmatch(text) is not None and not is_braced_guid(text)


def check_form(match: str, raw: RawValue, notes: Notes) -> bool:
    """Whether the value has none of the forms that no type takes."""
    text = raw.text
    if not text.strip():
        notes.add("EMPTY_VALUE", raw.span, 'The property has no value; give one, or write name:* for "has a value".')
    elif is_variable(text):
        notes.add(
            "QUERY_VARIABLE", raw.span, "Query variables in braces are not expanded here; write the value itself."
        )
    elif words.ENCODED_QUOTES.search(text):
        notes.add("ENCODED_QUOTES", raw.span, 'The quotes are HTML or URL encoded; write ".')
    elif raw.quoted:
        return True
    elif text[0] in words.SINGLE_QUOTES:
        notes.add("SINGLE_QUOTES", raw.span, 'Single quotes do not quote; use ".')
    elif text[0] in "[{" or text.rstrip("0123456789.")[-1:] in ("^", "~"):
        notes.add(
            "LUCENE_SYNTAX", raw.span, "Brackets, ^ and ~ belong to another language; write A..B or a plain word."
        )
        if match == "guid" and is_braced_guid(text):
            notes.add("BAD_GUID", raw.span, "A GUID stands without braces.")
    elif "," in text or ";" in text:
        notes.add("COMMA_LIST", raw.span, "There are no comma lists; join restrictions with OR, or quote the value.")
    elif text.endswith("\\"):
        notes.add("TRAILING_BACKSLASH", raw.span, "A value cannot end in a backslash; drop it.")
    else:
        return True
    return False


def _lone_star(known: Property, op: Operator, raw: RawValue, notes: Notes) -> Value | None:
    if op != ":" or raw.grouped:
        notes.add("LEADING_WILDCARD", raw.span, 'A lone star stands only in name:*, "has a value".')
    elif known.kind not in ("text", "open"):
        notes.add("EXISTS_NOT_TEXT", raw.span, f"{known.name}:* works for Text properties only; write a bound.")
    else:
        return AnyValue()
    return None


def _open(known: Property, op: Operator, raw: RawValue, properties: Properties, notes: Notes) -> Value | None:
    """The type follows the literal, because nobody knows the property's."""
    if op in words.ORDERING:
        if not raw.quoted and ".." in raw.text:
            return _range(known, op, raw, notes)
        value = _date_literal(raw.text) or number_literal(raw.text)
        if value is None:
            notes.add("OPERATOR_TYPE_MISMATCH", raw.span, f"{op} takes a date, a number or a date keyword.")
        return _noted_interval(value, op, raw, notes)
    if not raw.quoted:
        if raw.text.casefold() in ("true", "false"):
            return BoolValue(raw.text.casefold() == "true")
        plain = _plain_point(raw.text)
        if plain is not None:
            return plain
        left, dots, right = raw.text.partition("..")
        start, end = _plain_point(left), _plain_point(right)
        if dots and start and end and isinstance(start, DateValue) is isinstance(end, DateValue):
            return _range(known, op, raw, notes)
    return _text(known, op, raw, properties, notes)


def _plain_point(text: str) -> Point | None:
    date = canonical_date(text)
    return DateValue(date) if date else number_literal(text)


def _date_literal(text: str) -> DateValue | IntervalValue | None:
    date, name = canonical_date(text.strip()), keyword(text)
    return DateValue(date) if date else IntervalValue(name) if name else None


def number_literal(text: str) -> IntValue | NumberValue | None:
    """A whole number within 64 bits as such, any other number as decimal text, else None."""
    if not words.NUMBER.fullmatch(text):
        return None
    if words.INTEGER.fullmatch(text) and len(text) < 25 and int(text) in INT64:
        return IntValue(int(text))
    return NumberValue(text.removeprefix("+"))


def _noted_interval(value: Point | None, op: Operator, raw: RawValue, notes: Notes) -> Point | None:
    if isinstance(value, IntervalValue) and op not in (":", "="):
        notes.add("INTERVAL_COMPARISON", raw.span, f"Date keywords are documented with : and =, not with {op}.")
    return value


def _date(known: Property, op: Operator, raw: RawValue, notes: Notes) -> Value | None:
    value = _date_literal(raw.text)
    if value is None:
        _bad_date(known, raw.text, raw, notes)
    return _noted_interval(value, op, raw, notes)


def _bad_date(known: Property, text: str, raw: RawValue, notes: Notes) -> None:
    if is_relative(text):
        notes.add(
            "RELATIVE_DATE_UNSUPPORTED",
            raw.span,
            f"{known.name} takes today, yesterday, this week, this month, last month, this year, last year, "
            "or a date such as 2025-01-31; no other relative wording.",
        )
    elif looks_like_date(text):
        notes.add("BAD_DATE", raw.span, "There is no such day or time in the calendar.")
    else:
        notes.add("BAD_DATE", raw.span, "A date is YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ, in UTC.")


def _number(known: Property, raw: RawValue, notes: Notes) -> IntValue | NumberValue | None:
    value = number_literal(raw.text.strip())
    if known.kind == "number" and value is not None:
        return NumberValue(raw.text.strip().removeprefix("+"))
    if known.kind == "integer" and isinstance(value, IntValue):
        return value
    wanted = "a whole number" if known.kind == "integer" else "a number"
    notes.add("BAD_NUMBER", raw.span, f"{known.name} takes {wanted}.")
    return None


def _boolean(known: Property, raw: RawValue, notes: Notes) -> BoolValue | None:
    folded = raw.text.strip().casefold()
    if folded in ("true", "false"):
        return BoolValue(folded == "true")
    notes.add("BAD_BOOLEAN", raw.span, f"{known.name} takes true or false.")
    return None


def _range(known: Property, op: Operator, raw: RawValue, notes: Notes) -> Value | None:
    left, _, right = raw.text.partition("..")
    if op not in (":", "="):
        notes.add("RANGE_OPERATOR", raw.span, "A range A..B takes : or =.")
        return None
    if not left or not right:
        notes.add("RANGE_INCOMPLETE", raw.span, "A range needs both ends; with one, write >= or <=.")
        return None
    start, end = _range_point(known, left, raw, notes), _range_point(known, right, raw, notes)
    if start is None or end is None:
        return None
    if any(isinstance(point, IntervalValue) for point in (start, end)):
        notes.add("INTERVAL_COMPARISON", raw.span, "Date keywords are documented alone, not as the end of a range.")
    if is_reversed(start, end):
        notes.add("RANGE_REVERSED", raw.span, "The range ends before it begins, so nothing is in it; swap the ends.")
        return None
    return RangeValue(start, end)


def _range_point(known: Property, text: str, raw: RawValue, notes: Notes) -> Point | None:
    if known.kind == "open":
        return _plain_point(text)
    if known.kind != "date":
        return _number(known, RawValue(text, False, raw.span), notes)
    value = _date_literal(text)
    if value is None or (isinstance(value, IntervalValue) and " " in value.name):
        _bad_date(known, text, raw, notes)
        return None
    return value


def is_reversed(start: Point, end: Point) -> bool:
    """Whether `start` lies after the end of `end`; date keywords are not compared."""
    first, last = bounds(start), bounds(end)
    return first is not None and last is not None and first[0] > last[1]


def bounds(point: Point) -> tuple[float, float] | None:
    """First and last tick of a date, a number twice, None for a keyword."""
    if isinstance(point, DateValue):
        return literal_period(point.text)
    if isinstance(point, IntValue):
        return point.value, point.value
    return (float(point.text),) * 2 if isinstance(point, NumberValue) else None


def _text(known: Property, op: Operator, raw: RawValue, properties: Properties, notes: Notes) -> TextValue | None:
    left, dots, right = raw.text.partition("..")
    if dots and not raw.quoted and known.kind == "text" and _date_or_number(left) and _date_or_number(right):
        notes.add("OPERATOR_TYPE_MISMATCH", raw.span, f"{known.name} is Text and takes no range.")
        return None
    return check_text(known, op, raw.text, raw.quoted, raw.span, properties, notes)


def _date_or_number(text: str) -> bool:
    return looks_like_date(text) or words.NUMBER.fullmatch(text) is not None
