"""Canonical text: one spelling for one tree, with every mix of AND and OR in parentheses.

Precedence between AND and OR is undocumented, so a printed filter never depends on it.
"""

from ._words import WORD_ONLY
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
    Or,
    RangeValue,
    Restriction,
    Term,
    TextValue,
    Value,
    conjunction,
    disjunction,
)

__all__ = ["normalise", "to_kql"]


def to_kql(node: Node) -> str:
    """The canonical text. Reading it again gives an equal tree."""
    if isinstance(node, (And, Or)):
        word = " AND " if isinstance(node, And) else " OR "
        return word.join(f"({to_kql(item)})" if isinstance(item, (And, Or)) else to_kql(item) for item in node.items)
    if isinstance(node, Not):
        inner = to_kql(node.item)
        return f"NOT {inner}" if isinstance(node.item, (Restriction, Term)) else f"NOT ({inner})"
    if isinstance(node, Term):
        text = node.text + "*" * node.prefix
        return f'"{text}"' if node.phrase else text
    return f"{node.property}{node.op}{value_to_kql(node.value)}"


def value_to_kql(value: Value) -> str:
    """A value as it stands in canonical text."""
    match value:
        case TextValue(text, prefix):
            bare = prefix and WORD_ONLY.fullmatch(text)
            return f"{text}*" if bare else f'"{text}{"*" * prefix}"'
        case AnyValue():
            return "*"
        case DateValue(text) | NumberValue(text):
            return text
        case IntervalValue(name):
            return f'"{name}"' if " " in name else name
        case IntValue(number):
            return str(number)
        case BoolValue(truth):
            return "true" if truth else "false"
        case RangeValue(start, end):
            return f"{value_to_kql(start)}..{value_to_kql(end)}"


def normalise(node: Node) -> Node:
    """The tree without double negations and without repeated siblings, compared without regard to case.

    A separate step: `parse` never does this by itself.
    """
    if isinstance(node, (And, Or)):
        join = conjunction if isinstance(node, And) else disjunction
        kept: dict[str, Node] = {}
        for item in _parts(node):
            kept.setdefault(to_kql(item).casefold(), item)
        return join(kept.values(), node.span)
    if isinstance(node, Not):
        inner = normalise(node.item)
        return inner.item if isinstance(inner, Not) else Not(inner, node.span)
    return node


def _parts(node: And | Or) -> list[Node]:
    """The normalised items, flattened: dropping a double negation may bring up a nested list of the same kind."""
    parts: list[Node] = []
    for item in node.items:
        inner = normalise(item)
        parts.extend(inner.items if isinstance(inner, type(node)) else [inner])
    return parts
