"""What was probably meant: habits of SQL, OData, Lucene, Kusto and JavaScript turned into restrictions.

Everything here feeds suggestions only. A caller reads the suggestion again before offering it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from . import _words as words
from ._date_repair import meant_dates
from ._shapes import SHAPES, split_list, strip_quotes, words_shape
from ._values import number_literal
from .properties import Properties, Property
from .tree import (
    AnyValue,
    BoolValue,
    IntValue,
    Node,
    NumberValue,
    Operator,
    RangeValue,
    Restriction,
    Span,
    TextValue,
    conjunction,
    disjunction,
    is_guid,
)

_OPERATORS: dict[str, Operator] = {
    ":": ":",
    "=": "=",
    "<": "<",
    ">": ">",
    "<=": "<=",
    ">=": ">=",
    "<>": "<>",
    "==": "=",
    "===": "=",
    "!=": "<>",
    "!==": "<>",
    "=!": "<>",
    "!:": "<>",
    "><": "<>",
    "=>": ">=",
    "=<": "<=",
    "::": ":",
    ":=": ":",
    "~": ":",
    "=~": ":",
    "~=": ":",
    ":~": ":",
    ":>": ">",
    ":<": "<",
    ":>=": ">=",
    ":<=": "<=",
    "ne": "<>",
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
}
_CONTAINING = {"eq", "equals", "is", "like", "ilike", "contains", "has", "match", "matches", "includes", "startswith"}
_SIZE = re.compile(r"([0-9]{1,9})\s*([kmg])i?b?", re.IGNORECASE)
_AND_OR_NOT = re.compile(r"(?<!\S)(?:AND|OR|NOT|or)(?!\S)")
_QUOTED_ITEMS = re.compile(r'"[^"]*"(?:\s{0,8}[,;]?\s{0,8}"[^"]*")+')


@dataclass(frozen=True, slots=True)
class Guess:
    """What a repair may use. Without `now` nothing relative can be turned into a date."""

    properties: Properties
    now: datetime | None = None


def meant_operator(known: Property, typed: str) -> Operator | None:
    """The operator that `typed`, a symbol or a word, stands for."""
    folded = typed.casefold()
    if folded in _CONTAINING:
        return "=" if known.kind in ("date", "integer", "number") else ":"
    return _OPERATORS.get(folded)


def meant(known: Property, typed: str, text: str, guess: Guess, span: Span | None = None) -> Node | None:
    """The restriction that was probably meant, or None."""
    op, bare = meant_operator(known, typed), strip_quotes(text)
    if typed.casefold() == "endswith":
        return _ending(known, ":", bare, guess, span)
    if op is None or not bare or _is_negated(known, op, text):
        return None
    if typed.casefold() == "startswith" and not bare.endswith("*"):
        bare += "*"
    if bare == "*":
        return _exists(known, span)
    if known.kind == "text" and text[0] in "([" and _AND_OR_NOT.search(text):
        items = split_list(text)
        return None if _AND_OR_NOT.search(" ".join(items)) else meant_list(known, op, items, guess, span)
    try:
        return _READERS[known.kind](known, op, bare, guess, span)
    except ValueError:
        return None


def _is_negated(known: Property, op: Operator, text: str) -> bool:
    """Whether `text` begins with a NOT or a minus: it leaves out what follows, and is no part of the value."""
    if text.startswith("-"):
        worded = known.kind == "text" or (known.kind == "open" and op not in words.ORDERING)
        return worded and number_literal(text) is None
    first = text.partition(" ")[0]
    phrase = known.match in ("words", "filename") and op != "<>" and first != text  # Title:Not for release
    return first == "NOT" or (first.casefold() == "not" and not phrase)


def meant_list(known: Property, op: Operator, items: list[str], guess: Guess, span: Span | None = None) -> Node | None:
    """`name IN (a, b)`: any of the values; for <> none of them."""
    nodes = [meant(known, "ne" if op == "<>" else "eq", item, guess, span) for item in items]
    found = [node for node in nodes if node is not None]
    return joined_values(op, found, span) if found and len(found) == len(nodes) else None


def joined_values(op: Operator, nodes: list[Node], span: Span | None = None) -> Node:
    """Several values of one property: OR, but who leaves out one value or another means both."""
    return conjunction(nodes, span) if op == "<>" else disjunction(nodes, span)


def _exists(known: Property, span: Span | None) -> Node | None:
    if known.kind == "date":
        return meant(known, ">=", "1900-01-01", Guess(Properties("sharePoint", ())), span)
    return Restriction(known.name, ":", AnyValue(), span) if known.kind in ("text", "open") else None


def _ending(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    """Suffixes exist for file names only, as their extension."""
    ending = text.lstrip("*%")
    if known.match not in ("filename", "path") or not re.fullmatch(r"\.[A-Za-z0-9]+", ending):
        return None
    extension = guess.properties.find("FileExtension")
    if extension is None:
        return None
    return Restriction(extension.name, "<>" if op == "<>" else ":", TextValue(ending[1:]), span)


def _text(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    if op in words.ORDERING:
        return None
    if text.startswith("{") and known.match != "guid":
        return None
    if known.match == "filename" and text.startswith("*."):
        return _ending(known, op, text, guess, span)
    change = SHAPES.get(known.match, words_shape)
    several = _several(known, text)
    if len(several) > 1:
        return meant_list(known, op, several, guess, span)
    shaped = change(text.strip().rstrip(",;"))
    if shaped is None:
        return None
    body, prefix = (shaped[:-1], True) if shaped.endswith("*") else (shaped, False)
    return Restriction(known.name, op, TextValue(body, prefix), span)


def _several(known: Property, text: str) -> list[str]:
    """The values of a list: quoted ones of any property, plain ones where no value holds a comma or a blank."""
    if _QUOTED_ITEMS.fullmatch(text):
        return split_list(text)
    if known.match not in ("extension", "guid"):
        return []
    found = [part for part in split_list(text.replace(" ", ",")) if part.casefold() not in ("and", "or")]
    return found if known.match == "extension" or all(map(is_guid, found)) else []


def _date(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    return meant_dates(known.name, op, text, guess.now, span)


def _number(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    left, dots, right = text.partition("..")
    if dots:
        return _number_range(known, left, right, span)
    sized = _SIZE.fullmatch(text)
    if sized and known.name == "Size":
        factor = {"k": 1024, "m": 1024**2, "g": 1024**3}[sized[2].casefold()]
        return Restriction(known.name, op, IntValue(int(sized[1]) * factor), span)
    grouped = re.fullmatch(r"[0-9]{1,3}(?:[,_][0-9]{3}){1,6}", text)
    value = _number_value(known, re.sub("[,_]", "", text) if grouped else text)
    return None if value is None else Restriction(known.name, op, value, span)


def _number_value(known: Property, text: str) -> IntValue | NumberValue | None:
    value = number_literal(text.strip())
    if known.kind == "number" and value is not None:
        return NumberValue(text.strip().removeprefix("+"))
    if known.kind == "open":
        return value
    return value if isinstance(value, IntValue) else None


def _number_range(known: Property, left: str, right: str, span: Span | None) -> Node | None:
    start, end = _number_value(known, left), _number_value(known, right)
    if start is not None and end is not None:
        low, high = sorted(
            (start, end), key=lambda value: float(str(getattr(value, "value", getattr(value, "text", ""))))
        )
        return Restriction(known.name, ":", RangeValue(low, high), span)
    if start is not None and not right:
        return Restriction(known.name, ">=", start, span)
    return Restriction(known.name, "<=", end, span) if end is not None and not left else None


def _boolean(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    folded = text.casefold()
    if op in words.ORDERING or folded not in {"true", "false", "yes", "no", "1", "0", "y", "n", "t", "f"}:
        return None
    return Restriction(known.name, op, BoolValue(folded in {"true", "yes", "1", "y", "t"}), span)


def _open(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    dated = meant_dates(known.name, op, text, guess.now, span)
    if dated is not None and (op in words.ORDERING or re.match(r"[0-9]{4}-", text)):
        return dated
    if number_literal(text) is not None or (".." in text and number_literal(text.partition("..")[0]) is not None):
        return _number(known, op, text, guess, span)
    return _text(known, op, text, guess, span)


_Reader = Callable[[Property, Operator, str, Guess, Span | None], Node | None]
_READERS: dict[str, _Reader] = {
    "text": _text,
    "date": _date,
    "integer": _number,
    "number": _number,
    "yesno": _boolean,
    "open": _open,
}
