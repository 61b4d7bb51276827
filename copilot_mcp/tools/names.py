"""Nicknames of a running server: those of the settings, and sensitivity labels by the names that hits bore."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the language is imported by the first call that needs it
    from copilot_mcp.kql import Names

__all__ = ["KnownNames"]

MAX_LABELS = 200
"""A tenant has some dozens of labels; past this many, new ones are not remembered."""


class KnownNames:
    """What nicknames stand for. One object for all calls of a server; remembers labels as long as it lives."""

    def __init__(self, configured: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._configured = configured or {}
        self._lock = threading.Lock()
        self._labels: dict[str, str | None] = {}

    def learn_label(self, name: str, label_id: str) -> None:
        """Remember the id of a label by its name; a name that two ids bear stands for neither."""
        name = " ".join(name.split())
        if not name or not label_id:
            return
        with self._lock:
            if name in self._labels:
                known = self._labels[name]
                self._labels[name] = known if known == label_id else None
            elif len(self._labels) < MAX_LABELS:
                self._labels[name] = label_id

    def current(self) -> "Names":
        """All of them now; what the settings say comes before what was seen."""
        from copilot_mcp.kql import NAME_KINDS, Names

        kinds = {kind: dict(self._configured.get(kind, {})) for kind in NAME_KINDS}
        with self._lock:
            seen = {name: label_id for name, label_id in self._labels.items() if label_id is not None}
        return Names(**{**kinds, "labels": {**seen, **kinds["labels"]}})
