"""Nicknames of a running server: those of the settings, and sensitivity labels by the names that hits bore."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the language is imported by the first call that needs it
    from copilot_mcp.kql.names import Names

__all__ = ["KnownNames"]

MAX_LABELS = 200
"""A tenant has some dozens of labels; past this many, new ones are not remembered."""


class KnownNames:
    """What nicknames stand for. One object for all calls of a server; remembers labels as long as it lives."""

    def __init__(self, configured: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._configured = configured or {}
        self._lock = threading.Lock()
        self._labels: dict[str, tuple[str, str | None]] = {}

    def learn_label(self, name: str, label_id: str) -> None:
        """Remember the id of a label by its name, in whatever case; one that two ids bear stands for neither."""
        name = " ".join(name.split())
        if not name or not label_id:
            return
        with self._lock:
            key = name.casefold()
            if key in self._labels:
                first, known = self._labels[key]
                same = known is not None and known.casefold() == label_id.casefold()
                self._labels[key] = (first, known if same else None)
            elif len(self._labels) < MAX_LABELS:
                self._labels[key] = (name, label_id)

    def current(self) -> "Names":
        """All of them now; what the settings say comes before what was seen."""
        from copilot_mcp.kql.names import NAME_KINDS, Names

        kinds = {kind: dict(self._configured.get(kind, {})) for kind in NAME_KINDS}
        configured = {" ".join(name.split()).casefold() for name in kinds["labels"]}
        with self._lock:
            seen = [row for key, row in self._labels.items() if key not in configured]
        labels = {name: label_id for name, label_id in seen if label_id is not None}
        return Names(**{**kinds, "labels": labels | kinds["labels"]})
