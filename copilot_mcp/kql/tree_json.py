"""The JSON form of a tree: what tools hand out, and read back, as plain data."""

from collections.abc import Mapping
from typing import Any, cast

from ._words import MAX_DEPTH
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
    Value,
)

__all__ = ["from_json", "to_json"]


def to_json(node: Node) -> dict[str, Any]:
    """The tree as plain dictionaries and lists; spans are left out."""
    if isinstance(node, And | Or):
        kind = "and" if isinstance(node, And) else "or"
        return {"type": kind, "items": [to_json(item) for item in node.items]}
    if isinstance(node, Not):
        return {"type": "not", "item": to_json(node.item)}
    if isinstance(node, Term):
        return {"type": "term", "text": node.text, "prefix": node.prefix, "phrase": node.phrase}
    return {"type": "restriction", "property": node.property, "op": node.op, "value": _value_to_json(node.value)}


def _value_to_json(value: Value) -> dict[str, Any]:
    match value:
        case TextValue(text, prefix):
            return {"kind": "text", "text": text, "prefix": prefix}
        case AnyValue():
            return {"kind": "any"}
        case DateValue(text):
            return {"kind": "date", "text": text}
        case IntervalValue(name):
            return {"kind": "interval", "name": name}
        case IntValue(number):
            return {"kind": "int", "value": number}
        case NumberValue(text):
            return {"kind": "number", "text": text}
        case BoolValue(truth):
            return {"kind": "bool", "value": truth}
        case RangeValue(start, end):
            return {"kind": "range", "from": _value_to_json(start), "to": _value_to_json(end)}


def from_json(data: Mapping[str, Any]) -> Node:
    """The tree that `data` describes.

    Raises:
        ValueError: `data` is not the JSON form of a tree, or nested more than 100 levels deep.
    """
    return _node(data, 0)


def _node(data: object, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ValueError(f"The tree is nested more than {MAX_DEPTH} levels deep.")
    fields = _mapping(data)
    match fields.get("type"):
        case "and":
            return And(_items(fields, depth))
        case "or":
            return Or(_items(fields, depth))
        case "not":
            return Not(_node(fields.get("item"), depth + 1))
        case "restriction":
            operator = cast(Operator, _text(fields, "op"))  # the constructor refuses anything else
            return Restriction(_text(fields, "property"), operator, _value(fields.get("value")))
        case "term":
            return Term(_text(fields, "text"), _flag(fields, "prefix"), _flag(fields, "phrase"))
    raise ValueError("A node's type is one of and, or, not, restriction, term.")


def _value(data: object) -> Value:
    fields = _mapping(data)
    match fields.get("kind"):
        case "text":
            return TextValue(_text(fields, "text"), _flag(fields, "prefix"))
        case "any":
            return AnyValue()
        case "bool":
            return BoolValue(_flag(fields, "value"))
        case "range":
            return RangeValue(_point(fields.get("from")), _point(fields.get("to")))
    return _point(fields)


def _point(data: object) -> Point:
    fields = _mapping(data)
    match fields.get("kind"):
        case "date":
            return DateValue(_text(fields, "text"))
        case "interval":
            return IntervalValue(_text(fields, "name"))
        case "int":
            number = fields.get("value")
            if not isinstance(number, int):
                raise ValueError("An int's value is a whole number.")
            return IntValue(number)
        case "number":
            return NumberValue(_text(fields, "text"))
    raise ValueError("A value's kind is one of text, any, date, interval, int, number, bool, range.")


def _items(fields: Mapping[str, Any], depth: int) -> tuple[Node, ...]:
    items = fields.get("items")
    if not isinstance(items, list | tuple):
        raise ValueError("The items of and/or are a list.")
    return tuple(_node(item, depth + 1) for item in items)


def _mapping(data: object) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise ValueError("A node or value is an object.")
    return data


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str):
        raise ValueError(f"`{name}` is a string.")
    return text


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    flag = fields.get(name, False)
    if not isinstance(flag, bool):
        raise ValueError(f"`{name}` is true or false.")
    return flag
