"""The faults that a test or a person asks for: what goes wrong, in which operation, for whom, how often.

    simulator.faults.add("throttled", operation="retrieval", times=2, retry_after="1")
    simulator.faults.add_spec("throttled@retrieval,times=2,retry_after=1")

A fault is used up by the requests it spoils. What there is stands in `fault_table.py`.
"""

import random
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any, Final

from copilot_mcp.simulator.entra_faults import check_value
from copilot_mcp.simulator.fault_table import FAULTS, GROUPS, FaultKind, Stage
from copilot_mcp.simulator.json_values import read_value, writable

__all__ = ["FAULTS", "Fault", "FaultKind", "Faults"]

FORMS: Final = ("json", "html", "empty")
_WHOLE: Final = ("times", "status", "at", "seed")
_NUMBERS: Final = ("seconds", "probability")
_COMMON: Final = ("operation", "times", "user", "probability", "seed")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault asked for.

    Attributes:
        times: how many requests it still spoils, None until it is cleared.
        at: number of an event of a stream, from 1; negative counts from the end; None is in the middle.
        value: which of its forms, for the faults of sign-in that have several.
        user: key of the person whose requests it spoils, empty for everybody's. Requests to Entra bear nobody's name.
        probability: the chance, 0 to 1, that it spoils a request; `seed` makes the same requests unlucky each time.
    """

    name: str
    operation: str
    times: int | None = 1
    retry_after: str | None = None
    seconds: float = 0.0
    status: int | None = None
    at: int | None = None
    form: str = "json"
    value: Any = None
    user: str = ""
    probability: float = 1.0
    seed: int = 0

    @property
    def kind(self) -> FaultKind:
        """What it does."""
        return FAULTS[self.name]

    def strikes(self, operation: str) -> bool:
        """Whether it concerns this operation."""
        return operation in GROUPS.get(self.operation, frozenset({self.operation}))


@dataclass(slots=True, eq=False)
class _Waiting:
    """A fault with the dice that were made for it. `asked` is the one that `add` handed out, `fault` what is left."""

    asked: Fault
    fault: Fault = field(init=False)
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.fault = self.asked
        self.dice = random.Random(self.fault.seed)


class Faults:
    """The faults that are waiting; may be used from any thread. `people` are the keys a fault may be meant for."""

    def __init__(self, people: Collection[str] = ()) -> None:
        self._people = tuple(people)
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(self, name: str, *, operation: str | None = None, times: int | None = 1, **options: Any) -> Fault:
        """Ask for a fault in the next `times` requests of an operation, or of a group: graph, entra, turns, *.

        Options: `user`, `probability`, `seed` for every fault, and those that `FAULTS` names for this one.

        Raises:
            ValueError: no such fault, operation, person or option, or a value that makes no sense.
        """
        if not isinstance(operation, str | None) or not isinstance(options.get("user", ""), str):
            raise ValueError("operation and user must be text")
        if name not in FAULTS:
            raise ValueError(f"no such fault: {name}; there are {', '.join(FAULTS)}")
        where = operation or FAULTS[name].operation
        if where not in GROUPS and where not in GROUPS["*"]:
            known = ", ".join((*GROUPS, *sorted(GROUPS["*"])))
            raise ValueError(f"no such operation: {where}; there are {known}")
        allowed = (*_COMMON, *FAULTS[name].options)
        for option in options:
            if option not in allowed:
                raise ValueError(f"{option} means nothing for {name}; it takes {', '.join(allowed)}")
        fault = Fault(name, where, times, **options)
        self._check(fault)
        with self._lock:
            self._waiting.append(_Waiting(fault))
        return fault

    def add_spec(self, spec: str) -> Fault:
        """Ask for a fault in one line: `NAME[@OPERATION][,OPTION=VALUE…]`, for instance `unavailable,times=always`.

        Raises:
            ValueError: as `add`, and where the line cannot be read.
        """
        head, *rest = (part.strip() for part in spec.split(","))
        name, _, operation = head.partition("@")
        options: dict[str, Any] = {}
        for part in rest:
            option, equals, value = (each.strip() for each in part.partition("="))
            if not equals or not value:
                raise ValueError(f"{part or 'an empty part'} is no OPTION=VALUE")
            options[option] = _value(option, value)
        if "operation" in options and operation:
            raise ValueError("the operation is named twice")
        operation = options.pop("operation", operation)
        return self.add(name.strip(), operation=operation.strip() or None, **options)

    def _check(self, fault: Fault) -> None:
        """Refuse what makes no sense, whether it came from Python, from JSON or from a line."""
        for name in _WHOLE:
            value = getattr(fault, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
                raise ValueError(f"{name} must be a whole number")
        for name in _NUMBERS:
            value = getattr(fault, name)
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise ValueError(f"{name} must be a number")
        limits = {
            "times": fault.times is None or fault.times >= 1,
            "status": fault.status is None or 200 <= fault.status <= 599,
            "at": fault.at != 0,
            "seconds": 0 <= fault.seconds <= 86_400,
            "probability": 0 <= fault.probability <= 1,
            "form": fault.form in FORMS,
            "retry_after": fault.retry_after is None or (isinstance(fault.retry_after, str) and _plain(fault)),
        }
        if wrong := [name for name, right in limits.items() if not right]:
            raise ValueError(f"{wrong[0]} is out of range: {_RANGES[wrong[0]]}")
        if not writable(fault.value):
            raise ValueError("value must be JSON, nested no deeper than 100 levels")
        check_value(fault.name, fault.value)
        if fault.user and fault.user not in self._people:
            raise ValueError(f"no such user: {fault.user}; there are {', '.join(self._people)}")

    def drop(self, fault: Fault) -> None:
        """Forget one fault as `add` or `waiting` gave it, if any of it still waits."""
        with self._lock:
            self._waiting = [each for each in self._waiting if fault is not each.asked and fault is not each.fault]

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._waiting.clear()

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """What is still to come, oldest first."""
        with self._lock:
            return tuple(each.fault for each in self._waiting)

    def take(self, operation: str, stage: Stage, user: str | Callable[[], str] = "") -> tuple[Fault, ...]:
        """Use up one round of the faults that strike now: one of stage `answer`, of other stages all.

        `user` is the key of the person who asks, or tells it when a fault is meant for one person.
        """
        taken: list[Fault] = []
        with self._lock:
            for each in list(self._waiting):
                fault = each.fault
                if fault.kind.stage != stage or not fault.strikes(operation) or not _concerns(fault, user):
                    continue
                if each.dice.random() >= fault.probability:
                    continue
                taken.append(fault)
                self._use_up(each)
                if stage == "answer":
                    break
        return tuple(taken)

    def _use_up(self, each: _Waiting) -> None:
        times = each.fault.times
        if times is None:
            return
        if times > 1:
            each.fault = replace(each.fault, times=times - 1)
        else:
            self._waiting.remove(each)


_RANGES: Final = {
    "times": "1 or more, or always",
    "status": "200 to 599",
    "at": "1 or more, or negative to count from the end",
    "seconds": "0 to 86400",
    "probability": "0 to 1",
    "form": ", ".join(FORMS),
    "retry_after": "printable text",
}


def _concerns(fault: Fault, user: str | Callable[[], str]) -> bool:
    return not fault.user or fault.user == (user if isinstance(user, str) else user())


def _plain(fault: Fault) -> bool:
    """Whether `retry_after` can stand in a header."""
    text = fault.retry_after or ""
    return text.isascii() and text.isprintable()


def _value(option: str, value: str) -> Any:
    """An option's text as its type."""
    if option == "times" and value == "always":
        return None
    if option == "value":
        return _json_or_text(value)
    try:
        if option in _WHOLE:
            return int(value)
        return float(value) if option in _NUMBERS else value
    except ValueError:
        raise ValueError(f"{option}={value}: a number is needed") from None


def _json_or_text(value: str) -> Any:
    try:
        return read_value(value)
    except ValueError:
        return value
