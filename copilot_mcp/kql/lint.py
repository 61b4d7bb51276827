"""Checks on a finished tree: filters that say something else than was meant."""

from collections.abc import Iterable
from itertools import pairwise

from . import _words as words
from ._values import bounds
from .diagnostics import Notes, Rewrite
from .printer import normalise, to_kql, value_to_kql
from .properties import Properties
from .tree import (
    And,
    AnyValue,
    DateValue,
    IntValue,
    Node,
    Not,
    NumberValue,
    Operator,
    Or,
    Restriction,
    Span,
    TextValue,
    conjunction,
    disjunction,
    replace,
    walk,
)

_SINGLE_VALUED = frozenset({"FileType", "FileExtension", "SiteID", "InformationProtectionLabelId"})


def lint(tree: Node, properties: Properties, notes: Notes) -> None:
    """Note contradictions, windows and negations that were probably meant otherwise."""
    for node in walk(tree):
        if isinstance(node, And):
            if not properties.external:
                _contradictions(node, notes)
            _reversed_windows(node, notes)
        elif isinstance(node, Or):
            _negated_alternatives(node, notes)
            _open_windows(node, notes)
        elif isinstance(node, Not) and isinstance(node.item, Not):
            message = "NOT stands twice; leave both out."
            notes.add("DOUBLE_NEGATION", span_of(node), message, _exchange(node, node.item.item))
        _hint(node, notes)
    if all(_is_negative(part) for part in (tree.items if isinstance(tree, (And, Or)) else (tree,))):
        notes.add("PURE_NEGATION", span_of(tree), "The filter only leaves things out.")


def span_of(node: Node) -> Span:
    """The source a node was read from, as far as its restrictions tell."""
    spans = [part.span for part in walk(node) if part.span is not None]
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else (0, 0)


def _exchange(old: Node, new: Node) -> Rewrite:
    return lambda tree: replace(tree, old, new)


def _restrictions(items: Iterable[Node]) -> list[Restriction]:
    return [item for item in items if isinstance(item, Restriction)]


def _contradictions(node: And, notes: Notes) -> None:
    seen: dict[str, dict[str, Restriction]] = {}
    for item in _restrictions(node.items):
        value = item.value
        if item.op not in (":", "=") or not isinstance(value, TextValue):
            continue
        if item.property == "Path" or (item.property in _SINGLE_VALUED and not value.prefix):
            seen.setdefault(item.property, {}).setdefault(value.text.casefold(), item)
    for name, by_value in seen.items():
        clash = len(by_value) > 1 if name != "Path" else _unrelated_paths(by_value)
        if clash:
            clashing = {id(item) for item in by_value.values()}
            same = [item for item in _restrictions(node.items) if id(item) in clashing]
            message = f"No item has two values of {name}; meant may be OR."
            notes.add("CONTRADICTION", span_of(node), message, _exchange(node, _any_of(node, same)))


def _unrelated_paths(by_value: dict[str, Restriction]) -> bool:
    """Whether two of the paths are such that neither begins with the other.

    In sorted order it is enough to look at neighbours: whatever begins with a path comes directly after it.
    """
    paths = sorted({text.rstrip("/") for text in by_value})
    return any(not after.startswith(before) for before, after in pairwise(paths))


def _any_of(node: And, same: list[Restriction]) -> Node:
    """The AND with `same` joined by OR at the place of the first of them."""
    rest: list[Node] = []
    joined = {id(item) for item in same}
    for item in node.items:
        if item is same[0]:
            rest.append(disjunction(same))
        elif id(item) not in joined:
            rest.append(item)
    return conjunction(rest)


def _negated_alternatives(node: Or, notes: Notes) -> None:
    values: dict[str, set[str]] = {}
    for item in node.items:
        inner = item.item if isinstance(item, Not) else item
        if not isinstance(inner, Restriction) or isinstance(inner.value, AnyValue):
            continue
        if inner.op in (":", "=") if isinstance(item, Not) else inner.op == "<>":
            values.setdefault(inner.property, set()).add(value_to_kql(inner.value).casefold())
    for name, different in values.items():
        if len(different) > 1:
            message = f"Leaving out one value of {name} OR another leaves out nothing; meant may be AND."
            notes.add("NEGATED_OR", span_of(node), message, _exchange(node, conjunction(node.items)))


def _windows(items: Iterable[Node]) -> dict[str, tuple[list[float], list[float]]]:
    """For each property the starts of its lower bounds and the ends of its upper bounds; keywords do not count."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for item in _restrictions(items):
        if item.op not in words.ORDERING or not isinstance(item.value, (DateValue, IntValue, NumberValue)):
            continue
        limits = bounds(item.value)
        if limits is None:
            continue
        kind = "date" if isinstance(item.value, DateValue) else "number"
        lower, upper = found.setdefault(f"{item.property} {kind}", ([], []))
        if item.op.startswith(">"):
            lower.append(limits[0])
        else:
            upper.append(limits[1])
    return found


def _open_windows(node: Or, notes: Notes) -> None:
    for key, (lower, upper) in _windows(node.items).items():
        if lower and upper and min(lower) <= max(upper):
            message = f"Every {key.split()[0]} is after the one bound or before the other; meant may be AND."
            notes.add("OR_WINDOW", span_of(node), message, _exchange(node, conjunction(node.items)))


def _reversed_windows(node: And, notes: Notes) -> None:
    for key, (lower, upper) in _windows(node.items).items():
        if lower and upper and max(lower) > min(upper):
            name = key.split()[0]
            message = f"The bounds on {name} leave nothing between them; swap them."
            notes.add("RANGE_REVERSED", span_of(node), message, _exchange(node, _swapped(node, name)))


_OTHER_WAY: dict[str, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _swapped(node: And, name: str) -> Node:
    """The AND with the bounds on `name` turned the other way."""

    def turned(item: Node) -> Node:
        if isinstance(item, Restriction) and item.property == name and item.op in _OTHER_WAY:
            return Restriction(item.property, _OTHER_WAY[item.op], item.value, item.span)
        return item

    return conjunction([turned(item) for item in node.items])


def _hint(node: Node, notes: Notes) -> None:
    if isinstance(node, (And, Or)) and _repeats(node.items):
        notes.add("DUPLICATE_CLAUSE", span_of(node), "The same restriction stands twice.", normalise)
    if isinstance(node, Restriction) and _is_date_only_bound(node):
        message = "A bound without a time is read as the whole day (UTC), which is not documented."
        notes.add("DATE_ONLY_BOUND", span_of(node), message)


def _repeats(items: tuple[Node, ...]) -> bool:
    """Whether two items are printed alike, but for case. Only items that begin alike are printed to find out."""
    heads = {item.property.casefold() if isinstance(item, Restriction) else type(item) for item in items}
    return len(heads) < len(items) and len({to_kql(item).casefold() for item in items}) < len(items)


def _is_negative(node: Node) -> bool:
    return isinstance(node, Not) or (isinstance(node, Restriction) and node.op == "<>")


def _is_date_only_bound(node: Restriction) -> bool:
    return node.op in ("<=", ">") and isinstance(node.value, DateValue) and len(node.value.text) == 10
