"""One typed condition to restrictions: values converted by the property's type, every repair told."""

import re
from collections.abc import Callable
from datetime import datetime

from . import _words as words
from ._date_repair import meant_time
from ._dates import KEYWORDS, canonical_date, is_lasting, is_relative, keyword, relative_period
from ._text_values import check_text
from ._values import RawValue, is_braced_guid, is_reversed, read_value
from .diagnostics import Finding, Notes
from .links import AddressError, is_link, lacks_slash, linked_path, unescaped
from .names import Names
from .properties import Properties, Property
from .tree import (
    AnyValue,
    BoolValue,
    DateValue,
    IntervalValue,
    Node,
    Operator,
    RangeValue,
    Restriction,
    TextValue,
    Value,
    conjunction,
    disjunction,
    text_problem,
)

SYMBOLS: dict[str, Operator] = {
    "contains": ":",
    "equals": "=",
    "notEquals": "<>",
    "startsWith": ":",
    "lessThan": "<",
    "atMost": "<=",
    "greaterThan": ">",
    "atLeast": ">=",
}
_NOWHERE = (0, 0)
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:_[0-9]{3})+(?:\.[0-9]+)?")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class BadConditionError(Exception):
    """A condition that cannot be written; carries code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class Converter:
    """Turns the values of one condition into nodes."""

    def __init__(
        self, known: Property, properties: Properties, names: Names, now: datetime, repaired: Callable[[str], None]
    ) -> None:
        self._known = known
        self._properties = properties
        self._names = names
        self._now = now
        self._repaired = repaired

    def node(self, operator: str, values: tuple[str, ...]) -> Node:
        """The restriction, or several joined: OR, for notEquals AND.

        Raises:
            BadConditionError: The condition cannot be written.
        """
        if operator == "hasValue":
            return self._has_value(values)
        if operator == "between":
            return self._between(values)
        if operator not in SYMBOLS:
            known = ", ".join([*SYMBOLS, "between", "hasValue"])
            raise BadConditionError("BAD_CONDITION", f"the operator is one of {known}")
        if not values:
            raise BadConditionError("EMPTY_VALUE", "it has no value")
        if len(values) > 1 and SYMBOLS[operator] in words.ORDERING:
            raise BadConditionError("BAD_CONDITION", f"{operator} takes one value")
        nodes = [self._one(operator, value) for value in values]
        return conjunction(nodes) if operator == "notEquals" else disjunction(nodes)

    def _has_value(self, values: tuple[str, ...]) -> Node:
        if any(value.strip() for value in values):
            raise BadConditionError("BAD_CONDITION", "hasValue takes no value")
        if self._known.kind not in ("text", "open"):
            raise BadConditionError("EXISTS_NOT_TEXT", "hasValue works for Text properties only; give a bound")
        return Restriction(self._known.name, ":", AnyValue())

    def _between(self, values: tuple[str, ...]) -> Node:
        if len(values) != 2 or not any(value.strip() for value in values):
            raise BadConditionError("BAD_CONDITION", "between takes two values, of which one may be empty")
        if self._known.kind not in ("date", "integer", "number", "open"):
            raise BadConditionError("OPERATOR_TYPE_MISMATCH", f"{self._known.name} has no order")
        low, high = (value.strip() for value in values)
        if not low or not high:
            self._repaired(f"between with one end became {'<=' if not low else '>='}")
            return self._one("atMost", high) if not low else self._one("atLeast", low)
        start, end = self._value(">=", low), self._value("<=", high)
        if isinstance(start, TextValue | BoolValue | AnyValue | RangeValue) or isinstance(
            end, TextValue | BoolValue | AnyValue | RangeValue
        ):
            raise BadConditionError("OPERATOR_TYPE_MISMATCH", "between takes dates or numbers")
        try:
            value = RangeValue(start, end)
        except ValueError as problem:
            raise BadConditionError("OPERATOR_TYPE_MISMATCH", str(problem).rstrip(".")) from problem
        if is_reversed(start, end):
            raise BadConditionError("RANGE_REVERSED", "the range ends before it begins; swap the two values")
        return Restriction(self._known.name, ":", value)

    def _one(self, operator: str, value: str) -> Node:
        op = SYMBOLS[operator]
        prefix = operator == "startsWith"
        if prefix and self._known.kind not in ("text", "open"):
            raise BadConditionError("OPERATOR_TYPE_MISMATCH", f"{self._known.name} is no text, so nothing starts it")
        if op in words.ORDERING and self._known.kind in ("text", "yesno"):
            taken = " ".join(self._known.operators)
            raise BadConditionError("OPERATOR_TYPE_MISMATCH", f"{self._known.name} has no order: it takes {taken}")
        # On a path `:` already means "starts with", and its final slash is what ends the name of a folder.
        return Restriction(self._known.name, op, self._value(op, value, prefix and self._known.match != "path"))

    def _value(self, op: Operator, value: str, prefix: bool = False) -> Value:
        if not value.strip():
            raise BadConditionError("EMPTY_VALUE", "a value is empty")
        if self._known.kind == "date" or (self._known.kind == "open" and op in words.ORDERING and _is_dated(value)):
            return self._date(op, value.strip())
        if self._known.kind == "yesno":
            return self._boolean(value.strip())
        if self._known.kind in ("integer", "number") or (self._known.kind == "open" and op in words.ORDERING):
            return self._number(op, value.strip())
        return self._text(op, value, prefix)

    def _number(self, op: Operator, typed: str) -> Value:
        """Read as the parser would; its first error is the condition's. Underlines may group the digits."""
        value = typed.replace("_", "") if _GROUPED.fullmatch(typed) else typed
        if value != typed:
            self._repaired(f"{typed} became {value}")
        notes = Notes()
        found = read_value(self._known, op, RawValue(value, False, _NOWHERE), self._properties, notes)
        if found is None:
            raise _as_error(notes.findings)
        return found

    def _date(self, op: Operator, value: str) -> Value:
        name = keyword(value)
        if name is not None and op in (":", "="):
            return IntervalValue(name)
        literal = canonical_date(value)
        if literal is not None:
            return DateValue(literal)
        literal = meant_time(value) or self._relative(op, value)
        if literal is None:
            code = "RELATIVE_DATE_UNSUPPORTED" if is_relative(value) else "BAD_DATE"
            forms = f"YYYY-MM-DD, YYYY-MM-DDThh:mm:ssZ, like today-30d, or one of {', '.join(KEYWORDS)}"
            raise BadConditionError(code, f"a date is {forms}")
        self._repaired(f"{value} became {literal}")
        return DateValue(literal)

    def _relative(self, op: Operator, value: str) -> str | None:
        """The literal a relative wording means as a bound: the end of a period for > and <=, else its start.

        `last 30 days` has no end but now, so its start is its bound.
        """
        period = relative_period(value, self._now)
        if period is None:
            return None
        first, last = period
        if op not in words.ORDERING:
            return first[:10] if first == last else None
        return last if op in (">", "<=") and not is_lasting(value) else first

    def _boolean(self, value: str) -> Value:
        truth = _BOOLEANS.get(value.casefold())
        if truth is None:
            raise BadConditionError("BAD_BOOLEAN", f"{self._known.name} takes true or false")
        if value.casefold() not in ("true", "false"):
            self._repaired(f"{value} became {'true' if truth else 'false'}")
        return BoolValue(truth)

    def _text(self, op: Operator, value: str, prefix: bool) -> Value:
        text = self._shaped(op, self._named(value.strip()), prefix)
        problem = text_problem(text, prefix)
        if problem:
            raise BadConditionError("UNREPRESENTABLE_VALUE", f"the value {problem}{self._offer(text)}")
        notes = Notes()
        found = check_text(self._known, op, text + "*" * prefix, True, _NOWHERE, self._properties, notes)
        if found is None:
            raise _as_error(notes.findings, self._names.advice(self._known))
        return found

    def _named(self, text: str) -> str:
        """What a nickname stands for; any other text as it is."""
        value = self._names.value(self._known, text)
        if value is None or value == text:
            return text
        self._repaired(f"the name {text} stands for {value}")
        return value

    def _offer(self, text: str) -> str:
        if '"' in text and self._known.match in ("words", "filename", "open"):
            return f"; the same items match without the quotes: {' '.join(text.replace(chr(34), ' ').split())}"
        return "; ask for a prefix with startsWith" if "*" in text else ""

    def _shaped(self, op: Operator, text: str, prefix: bool) -> str:
        """The repairs that cannot change what is meant."""
        shaped = text
        if self._known.match == "extension":
            shaped = text.removeprefix(".").lower()
        elif self._known.match == "guid" and is_braced_guid(text):
            shaped = text[1:-1]
        elif self._known.match == "path" and is_link(text):
            shaped = _resolved(text)
        elif self._known.match == "path" and words.URL.match(text):
            shaped = unescaped(text)
            shaped = f"{shaped}/" if op == ":" and lacks_slash(shaped) else shaped
        if shaped != text:
            self._repaired(f"{text} became {shaped}")
        return shaped


def _resolved(link: str) -> str:
    try:
        return linked_path(link)
    except AddressError as problem:
        raise BadConditionError("PATH_SHARING_LINK", f"the value {str(problem).rstrip('.')}") from problem


def _is_dated(value: str) -> bool:
    text = value.strip()
    return canonical_date(text) is not None or meant_time(text) is not None or is_relative(text)


def _as_error(findings: list[Finding], advice: str = "") -> BadConditionError:
    first = next(finding for finding in findings if finding.severity == "error")
    return BadConditionError(first.code, first.message.rstrip(".") + advice)
