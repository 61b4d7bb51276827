"""Typed conditions to a filter: no string is ever pasted into another.

Whatever was repaired on the way is reported. The text is read again and must give the tree that was built.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from . import _words as words
from ._conditions import BadConditionError, Converter
from .diagnostics import CODES, Diagnostic
from .names import Names
from .parser import parse
from .printer import to_kql
from .properties import Properties, Property
from .tree import Node, Not, conjunction, disjunction

__all__ = ["Built", "Condition", "ConditionOperator", "Group", "build"]

ConditionOperator: TypeAlias = Literal[
    "contains",
    "equals",
    "notEquals",
    "startsWith",
    "lessThan",
    "atMost",
    "greaterThan",
    "atLeast",
    "between",
    "hasValue",
]
OPERATORS: tuple[str, ...] = get_args(ConditionOperator)


@dataclass(frozen=True, slots=True)
class Condition:
    """One property and its values. Several values mean any of them, with notEquals none of them.

    `operator` is one of the words of `ConditionOperator`; any other is reported by `build`. A date may be relative:
    `today-30d`, `today-2w`, `today-6m`, `now-7d`.
    """

    property: str
    operator: str
    values: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions and groups that must `all` hold, of which `any` must hold, and of which `none` may hold."""

    all: Sequence["Condition | Group"] = ()
    any: Sequence["Condition | Group"] = ()
    none: Sequence["Condition | Group"] = ()


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a group.

    Attributes:
        tree: None when a condition is wrong or there is none.
        text: the canonical text of the tree.
        repairs: one sentence for each value that was changed.
        diagnostics: errors name the condition and have no place in a text; warnings point into `text`.
    """

    tree: Node | None
    text: str | None
    repairs: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


_NO_NAMES = Names()
_SHOWN = 80  # characters of the built text in a message


def build(group: Group, properties: Properties, *, now: datetime, names: Names = _NO_NAMES) -> Built:
    """The filter that `group` describes. Never raises: what is wrong with a condition becomes a diagnostic.

    A value that is one of `names` is replaced by what it stands for, and the replacement reported as a repair.
    """
    builder = _Builder(properties, names, now)
    tree = builder.group(group, "", 0)
    if tree is None and not builder.errors:
        builder.error("EMPTY_FILTER", "There is no condition; leave the filter out.")
    if tree is None or builder.errors:
        return Built(None, None, tuple(builder.repairs), tuple(builder.errors))
    text = to_kql(tree)
    parsed = parse(text, properties, now=now)
    if parsed.tree != tree:
        found = tuple(_placeless(one, text) for one in parsed.diagnostics if one.severity == "error")
        return Built(None, None, tuple(builder.repairs), found or (_unreadable(),))
    shown = tuple(one for one in parsed.diagnostics if one.severity == "warning")
    return Built(tree, text, tuple(builder.repairs), shown)


def _placeless(found: Diagnostic, text: str) -> Diagnostic:
    """An error of the text that was built, which nobody gets to see: it names what it is about."""
    about = text[found.start : found.end]
    about = about if len(about) <= _SHOWN else f"{about[:_SHOWN]}…"
    return replace(found, message=f"{about}: {found.message}" if about else found.message, start=0, end=0)


def _unreadable() -> Diagnostic:
    message = "The filter reads differently from what was asked for; write the value in another way."
    return Diagnostic("UNREPRESENTABLE_VALUE", "error", message)


class _Builder:
    def __init__(self, properties: Properties, names: Names, now: datetime) -> None:
        self._properties = properties
        self._names = names
        self._now = now
        self.repairs: list[str] = []
        self.errors: list[Diagnostic] = []

    def error(self, code: str, message: str) -> None:
        self.errors.append(Diagnostic(code, CODES[code], message))

    def group(self, group: Group, place: str, depth: int) -> Node | None:
        """The tree of a group; None when nothing is in it or it is nested too deep."""
        if depth > words.MAX_DEPTH // 3:  # a group may add three levels to the tree
            self.error("NESTING_TOO_DEEP", f"{place}: groups are nested more than {words.MAX_DEPTH // 3} levels deep.")
            return None
        parts = self._items(group.all, f"{place}all", depth)
        any_of = self._items(group.any, f"{place}any", depth)
        none_of = self._items(group.none, f"{place}none", depth)
        if any_of:
            parts.append(disjunction(any_of))
        parts.extend(Not(node) for node in none_of)
        return conjunction(parts) if parts else None

    def _items(self, items: Sequence[Condition | Group], place: str, depth: int) -> list[Node]:
        nodes = []
        for index, item in enumerate(items):
            here = f"{place}[{index}]"
            if isinstance(item, Group):
                node = self.group(item, f"{here}.", depth + 1)
            else:
                node = self._condition(item, f"{here} ({item.property} {item.operator})")
            if node is not None:
                nodes.append(node)
        return nodes

    def _condition(self, condition: Condition, place: str) -> Node | None:
        known = self._properties.find(condition.property)
        if known is None or known.status == "not queryable":
            self._refuse_name(condition, place, known)
            return None
        converter = Converter(known, self._properties, self._names, self._now, self._reporter(known.name))
        try:
            return converter.node(condition.operator, tuple(condition.values))
        except BadConditionError as problem:
            self.error(problem.code, f"{place}: {problem.message}.")
            return None

    def _reporter(self, name: str) -> Callable[[str], None]:
        return lambda repair: self.repairs.append(f"{name}: {repair}")

    def _refuse_name(self, condition: Condition, place: str, known: Property | None) -> None:
        name = condition.property
        if known is not None:
            self.error("NOT_QUERYABLE", f"{place}: {known.refusal}")
        elif self._properties.names_connection(name):
            meant = [found for value in condition.values if (found := self._names.connection(value))]
            advice = f"; set there connectionId {', '.join(meant)}" if meant else ""
            self.error("CONNECTION_IN_FILTER", f"{place}: connections are chosen in dataSourceConfiguration{advice}.")
        else:
            nearest = self._properties.nearest(name)
            advice = f"; meant may be {nearest}" if nearest else ""
            message = f"{place}: no such property of {self._properties.data_source}{advice}."
            self.error("UNKNOWN_PROPERTY", message)
