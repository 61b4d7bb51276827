"""What a filter may use, as plain data for hosts that read resources: properties, nicknames, completions of both."""

from typing import Any

from copilot_mcp.graph import DATA_SOURCES
from copilot_mcp.settings import Settings
from copilot_mcp.tools.names import KnownNames

__all__ = ["Catalogue"]

_OWN_PROPERTIES = {
    "externalItem": "The queryable properties of the connection's schema; give it to build_filter as connectorSchema.",
    "sharePointEmbedded": "Custom columns by their automatic property, as ClientMatterCodeOWSTEXT; test them with =.",
}


class Catalogue:
    """The filter language of this server: what Microsoft documents, and what its settings and hits added."""

    def __init__(self, settings: Settings, names: KnownNames) -> None:
        self._settings = settings
        self._names = names

    def properties(self, data_source: str) -> dict[str, Any]:
        """The properties of a data source with type, operators and example, and the nicknames that work in values.

        Raises:
            KeyError: There is no such data source.
        """
        rows = self._rows(data_source)
        about = _OWN_PROPERTIES.get(data_source)
        data: dict[str, Any] = {"dataSource": data_source, "properties": rows}
        if about is not None:
            data["about"] = about
        if self._settings.allow_property:
            data["allowedProperties"] = list(self._settings.allow_property)
        names = self._names.current().as_dict()
        return {**data, "names": names} if names else data

    def property(self, data_source: str, name: str) -> dict[str, Any]:
        """One property, by its name in any case.

        Raises:
            KeyError: There is no such data source or property.
        """
        wanted = name.casefold()
        return next(
            ({"dataSource": data_source, **row} for row in self._rows(data_source) if row["name"].casefold() == wanted),
            None,
        ) or _missing(name)

    def name(self, nickname: str) -> dict[str, Any]:
        """What a nickname stands for, by kind.

        Raises:
            KeyError: Nobody set it, and no label seen so far bears it.
        """
        wanted = " ".join(nickname.split()).casefold()
        found = {
            kind: value
            for kind, names in self._names.current().as_dict().items()
            for name, value in names.items()
            if name.casefold() == wanted
        }
        return {"name": nickname, "standsFor": found} if found else _missing(nickname)

    def completions(self, argument: str, typed: str, data_source: str | None) -> list[str]:
        """What `typed` may become: names of data sources, properties or nicknames, those that begin so first."""
        if argument == "dataSource":
            known = list(DATA_SOURCES)
        elif argument == "property":
            sources = [data_source] if data_source in DATA_SOURCES else DATA_SOURCES[:1]
            known = [row["name"] for row in self._rows(sources[0])] + list(self._settings.allow_property)
        elif argument == "name":
            known = [name for names in self._names.current().as_dict().values() for name in names]
        else:
            return []
        wanted = typed.casefold()
        found = [value for value in dict.fromkeys(known) if wanted in value.casefold()]
        return sorted(found, key=lambda value: not value.casefold().startswith(wanted))

    def _rows(self, data_source: str) -> list[dict[str, Any]]:
        if data_source not in DATA_SOURCES:
            _missing(data_source)
        from copilot_mcp.kql import properties_for

        if data_source == "sharePointEmbedded":  # Microsoft documents none of the ten names for it
            return []
        return properties_for(data_source).catalogue()


def _missing(name: str) -> Any:
    raise KeyError(name)
