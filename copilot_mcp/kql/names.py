"""Nicknames: words that a person or an operator set for sites, folders, labels and connections.

They stand for values in typed conditions only. A filter as text is never changed by one: what a nickname means is
decided on this machine, and a text that reads the same everywhere must mean the same everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from . import _words as words
from .properties import Property
from .tree import is_guid

__all__ = ["NAME_KINDS", "Names"]

NAME_KINDS: Final = ("sites", "folders", "labels", "connections")
"""What can have a nickname; also the sections of a settings file."""

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Names:
    """Nicknames by kind, each with what it stands for. Looked up without regard to case; one that stands for two
    things then stands for neither.

    Attributes:
        sites: address of the site, for `Path`, or its site collection id, for `SiteID`.
        folders: address, for `Path`.
        labels: id of the sensitivity label, for `InformationProtectionLabelId`.
        connections: connection id, which is chosen outside the filter.
    """

    sites: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    connections: Mapping[str, str] = field(default_factory=dict)

    def value(self, known: Property, nickname: str) -> str | None:
        """What `nickname` stands for as a value of the property; None where it stands for nothing there."""
        return _found(self._for(known), nickname)

    def connection(self, nickname: str) -> str | None:
        """The connection id that goes by this nickname, or None."""
        return _found(self.connections, nickname)

    def advice(self, known: Property) -> str:
        """The nicknames that the property takes, as the end of a sentence; empty where there are none."""
        usable = list(self._for(known))
        more = f" and {len(usable) - _SHOWN} more" if len(usable) > _SHOWN else ""
        return f"; names known here: {', '.join(usable[:_SHOWN])}{more}" if usable else ""

    def as_dict(self) -> dict[str, Any]:
        """By kind, kinds without a nickname left out."""
        kinds = {kind: dict(getattr(self, kind)) for kind in NAME_KINDS}
        return {kind: names for kind, names in kinds.items() if names}

    def _for(self, known: Property) -> dict[str, str]:
        if known.match == "path":
            folders = _addresses(self.folders)
            taken = {_key(name) for name in folders}
            return {name: value for name, value in _addresses(self.sites).items() if _key(name) not in taken} | folders
        if known.name == "SiteID":
            return {name: value for name, value in self.sites.items() if is_guid(value)}
        return dict(self.labels) if known.name == "InformationProtectionLabelId" else {}


def _addresses(names: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in names.items() if words.URL.match(value)}


def _found(names: Mapping[str, str], nickname: str) -> str | None:
    wanted = _key(nickname)
    found = [value for name, value in names.items() if _key(name) == wanted]
    return found[0] if len({value.casefold() for value in found}) == 1 else None


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()
