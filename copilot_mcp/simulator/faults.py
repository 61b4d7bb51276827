"""The named faults that a test or a person asks for: what goes wrong, in which operation, how often.

    simulator.faults.add("throttled", operation="retrieval", times=2, retry_after="1")

A fault is used up by the requests it spoils. Those of stage `answer` stand in for the real answer and come before
sign-in is checked; the other stages spoil an otherwise real one.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

__all__ = ["FAULTS", "Fault", "FaultKind", "Faults"]

Stage = Literal["wait", "answer", "body", "turn", "stream", "filter"]

_ENTRA: Final = frozenset({"discovery", "keys", "devicecode", "token"})
_TURNS: Final = frozenset({"chat", "chatOverStream"})
_GRAPH: Final = _TURNS | {"conversations", "retrieval", "batch"}
_GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "*": _GRAPH | _ENTRA,
    "graph": _GRAPH,
    "entra": _ENTRA,
    "turns": _TURNS,
}


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that can be asked for. `operation` is where it strikes when nothing else is said."""

    stage: Stage
    operation: str
    about: str


FAULTS: Final[Mapping[str, FaultKind]] = {
    "slow": FaultKind("wait", "*", "waits `seconds` before answering"),
    "unauthorized": FaultKind("answer", "graph", "401, as for a token that Graph no longer takes"),
    "forbidden": FaultKind("answer", "graph", "403 without any reason"),
    "refusal": FaultKind("answer", "turns", "403 whose body is a conversation that explains itself"),
    "no_licence": FaultKind("answer", "graph", "403 with the code NoLicense"),
    "not_found": FaultKind("answer", "graph", "404"),
    "throttled": FaultKind("answer", "graph", "429 with Retry-After"),
    "throttled_silent": FaultKind("answer", "graph", "429 without Retry-After and with an unrecognisable body"),
    "server_error": FaultKind("answer", "graph", "500"),
    "wrapped_refusal": FaultKind("answer", "turns", "500 that wraps the 403 of a back end"),
    "unavailable": FaultKind("answer", "graph", "503"),
    "gateway_timeout": FaultKind("answer", "graph", "504"),
    "html": FaultKind("answer", "graph", "an HTML page with `status`, 200 when not said"),
    "entra_down": FaultKind("answer", "entra", "503 with an HTML page from the sign-in service"),
    "conversation_gone": FaultKind("answer", "turns", "404, the conversation is forgotten"),
    "cut_body": FaultKind("body", "graph", "the body ends in the middle"),
    "drop_connection": FaultKind("body", "graph", "the request is carried out, then the connection is dropped"),
    "disengaged": FaultKind("turn", "turns", "the turn ends the conversation: disengagedForRai"),
    "empty_answer": FaultKind("turn", "turns", "an answer without text"),
    "cut_stream": FaultKind("stream", "chatOverStream", "ends before the final event"),
    "stream_error": FaultKind("stream", "chatOverStream", "an error object in the middle"),
    "deltas": FaultKind("stream", "chatOverStream", "growing events carry only what is new"),
    "rewrites": FaultKind("stream", "chatOverStream", "one event takes back words already sent"),
    "crlf": FaultKind("stream", "chatOverStream", "CRLF line ends and comment lines"),
    "line_breaks": FaultKind("stream", "chatOverStream", "real line breaks inside the final event"),
    "drop_filters": FaultKind("filter", "retrieval", "the filter is ignored although it is well formed"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault asked for. `times` is how many requests it still spoils, None until it is cleared."""

    name: str
    operation: str
    times: int | None = 1
    retry_after: str | None = None
    seconds: float = 0.0
    status: int | None = None

    @property
    def kind(self) -> FaultKind:
        """What it does."""
        return FAULTS[self.name]

    def strikes(self, operation: str) -> bool:
        """Whether it concerns this operation."""
        return operation in _GROUPS.get(self.operation, frozenset({self.operation}))


class Faults:
    """The faults that are waiting; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, name: str, *, operation: str | None = None, times: int | None = 1, **options: Any) -> Fault:
        """Ask for a fault in the next `times` requests of an operation, or of a group: graph, entra, turns, *.

        Options: `retry_after` (text, for 429 and 503), `seconds` (for slow), `status` (for html).

        Raises:
            ValueError: no such fault or operation.
        """
        if name not in FAULTS:
            raise ValueError(f"no such fault: {name}; there are {', '.join(FAULTS)}")
        where = operation or FAULTS[name].operation
        if where not in _GROUPS and where not in _GROUPS["*"]:
            raise ValueError(f"no such operation: {where}")
        fault = Fault(name, where, times, **options)
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._waiting.clear()

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """What is still to come, oldest first."""
        with self._lock:
            return tuple(self._waiting)

    def take(self, operation: str, stage: Stage) -> tuple[Fault, ...]:
        """Use up one round of the faults that strike now: one of stage `answer`, of other stages all."""
        taken: list[Fault] = []
        with self._lock:
            for fault in list(self._waiting):
                if fault.kind.stage != stage or not fault.strikes(operation):
                    continue
                if stage == "answer" and taken:
                    break
                taken.append(fault)
                self._use_up(fault)
        return tuple(taken)

    def _use_up(self, fault: Fault) -> None:
        place = self._waiting.index(fault)
        if fault.times is None:
            return
        if fault.times > 1:
            self._waiting[place] = replace(fault, times=fault.times - 1)
        else:
            del self._waiting[place]
