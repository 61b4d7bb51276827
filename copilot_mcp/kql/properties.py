"""Which property takes which operator and value, per data source or connector schema."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from . import _catalogue as catalogue
from ._words import NAME

__all__ = ["DATA_SOURCES", "Properties", "Property", "SchemaProperty", "properties_for"]

DATA_SOURCES = ("sharePoint", "oneDriveBusiness", "externalItem", "sharePointEmbedded")

Kind: TypeAlias = Literal["text", "date", "integer", "number", "yesno", "open"]
Match: TypeAlias = Literal["words", "filename", "extension", "guid", "exact", "path", "date", "number", "yesno", "open"]
Status: TypeAlias = Literal["supported", "undocumented", "unverified", "not queryable"]

_SCHEMA_KINDS: dict[str, Kind] = {
    "string": "text",
    "int64": "integer",
    "double": "number",
    "datetime": "date",
    "boolean": "yesno",
    "principal": "text",
}
_MATCH_OF_KIND: dict[Kind, Match] = {
    "text": "words",
    "date": "date",
    "integer": "number",
    "number": "number",
    "yesno": "yesno",
    "open": "open",
}
_OPERATORS: dict[Kind, tuple[str, ...]] = {
    "text": (":", "=", "<>"),
    "date": (":", "=", "<>", "<", "<=", ">", ">=", ".."),
    "integer": (":", "=", "<>", "<", "<=", ">", ">=", ".."),
    "number": (":", "=", "<>", "<", "<=", ">", ">=", ".."),
    "yesno": (":", "=", "<>"),
    "open": (":", "=", "<>", "<", "<=", ">", ">=", ".."),
}
_EXAMPLES: dict[Kind, str] = {
    "text": ':"words"',
    "date": ">=2025-01-01",
    "integer": ">=1",
    "number": ">=1.5",
    "yesno": ":true",
    "open": ':"words"',
}


@dataclass(frozen=True, slots=True)
class SchemaProperty:
    """One property of a connection's schema, in Graph's own terms."""

    name: str
    type: str = "string"
    is_queryable: bool = True
    is_searchable: bool = False
    is_exact_match_required: bool = False
    aliases: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "SchemaProperty":
        """From Graph's JSON: `name`, `type`, `isQueryable`, `isSearchable`, `isExactMatchRequired`, `aliases`.

        Null is as if a member were left out.

        Raises:
            ValueError: There is no name, or a member has another type than Graph gives it.
        """
        name, kind, aliases = data.get("name"), data.get("type"), data.get("aliases")
        if not isinstance(name, str) or not name:
            raise ValueError("A schema property has a name.")
        if not isinstance(kind, str | None):
            raise ValueError(f"The schema property {name}: `type` is a text.")
        if not isinstance(aliases, list | tuple | None) or not all(isinstance(one, str) for one in aliases or ()):
            raise ValueError(f"The schema property {name}: `aliases` is a list of texts.")
        flags = [data.get(member) for member in ("isQueryable", "isSearchable", "isExactMatchRequired")]
        if not all(isinstance(flag, bool | None) for flag in flags):
            raise ValueError(f"The schema property {name}: each member that begins with `is` is true or false.")
        queryable, searchable, exact = map(bool, flags)
        return cls(name, kind or "string", queryable, searchable, exact, tuple(aliases or ()))


@dataclass(frozen=True, slots=True)
class Property:
    """What is known of one property. `kind` "open" means that the type follows the literal."""

    name: str
    kind: Kind
    match: Match
    status: Status = "supported"
    example: str = ""

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators it takes; `..` stands for a range as the value of `:` or `=`."""
        return _OPERATORS[self.kind]

    @property
    def refusal(self) -> str:
        """Why no filter may use it, where its status is "not queryable"."""
        if NAME.fullmatch(self.name):
            return f"The schema does not let {self.name} be queried."
        rule = "a name is a letter or _, then letters, digits, _ . and -"
        return f"A filter cannot spell the schema's property {self.name[:64]!r}: {rule}."

    def as_dict(self) -> dict[str, Any]:
        """Name, type, operators and an example, for a catalogue."""
        return {
            "name": self.name,
            "type": self.kind,
            "operators": list(self.operators),
            "example": self.example or f"{self.name}{_EXAMPLES[self.kind]}",
        }


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of one data source; made by `properties_for`."""

    data_source: str
    listed: tuple[Property, ...]
    has_schema: bool = False
    _by_name: Mapping[str, Property] = field(default_factory=dict, repr=False, compare=False)

    @property
    def external(self) -> bool:
        """Whether this is a Copilot connector's content."""
        return self.data_source == "externalItem"

    def catalogue(self) -> list[dict[str, Any]]:
        """The properties a filter may use, as plain data: name, type, operators, example."""
        return [row.as_dict() for row in self.listed if row.status == "supported"]

    def find(self, name: str) -> Property | None:
        """The property that goes by `name` or alias, in any case; None when it is not known."""
        known = self._by_name.get(name.casefold())
        if known or (self.external and self.has_schema):
            return known
        if not NAME.fullmatch(name):
            return None
        if self.external:
            return Property(name, "open", "open", "unverified") if self._may_exist(name) else None
        return self._elsewhere(name)

    def names_connection(self, name: str) -> bool:
        """Whether `name` tries to choose a connection, which is done outside the filter."""
        return name.casefold() in catalogue.CONNECTION_NAMES and name.casefold() not in self._by_name

    def _may_exist(self, name: str) -> bool:
        return len(name) <= catalogue.CONNECTOR_NAME_LIMIT and not self.names_connection(name)

    def _elsewhere(self, name: str) -> Property | None:
        folded = name.casefold()
        if folded in catalogue.KNOWN_ELSEWHERE:
            spelt, kind = catalogue.KNOWN_ELSEWHERE[folded]
            match: Match = "exact" if spelt in catalogue.WHOLE_VALUE else _MATCH_OF_KIND[_kind(kind)]
            return Property(spelt, _kind(kind), match, "undocumented")
        for pattern, prefix, kind in catalogue.REFINABLE:
            found = pattern.fullmatch(folded)
            if found:
                return Property(prefix + found[1], _kind(kind), _MATCH_OF_KIND[_kind(kind)], "undocumented")
        if catalogue.COLUMN.fullmatch(name):
            status: Status = "supported" if self.data_source == "sharePointEmbedded" else "undocumented"
            return Property(name, "text", "words", status)
        return None

    def nearest(self, name: str) -> str | None:
        """The supported property that was probably meant, or None."""
        folded = name.casefold()
        names = {row.name.casefold(): row.name for row in self.listed if row.status == "supported"}
        instead = catalogue.INSTEAD.get(folded.replace("_", ""), "").casefold()
        if instead in names:
            return names[instead]
        close = [(edit_distance(folded, known), spelt) for known, spelt in names.items()]
        near = [pair for pair in close if pair[0] <= 2 and pair[0] < len(folded)]
        return min(near)[1] if near else None


def properties_for(
    data_source: str, schema: Sequence[SchemaProperty] | None = None, *, allow: Collection[str] = ()
) -> Properties:
    """The properties of `data_source`, one of `DATA_SOURCES`.

    Args:
        data_source: Graph's own name of the source.
        schema: the connection's schema; only for `externalItem`. None means that names cannot be checked.
        allow: names that Microsoft added since; let through, their types not checked.

    Raises:
        ValueError: The data source is not one of `DATA_SOURCES`, or a name of `allow` is none that a filter can spell.
    """
    if data_source not in DATA_SOURCES:
        raise ValueError(f"The data source is one of {', '.join(DATA_SOURCES)}.")
    if data_source != "externalItem":
        listed = [Property(name, _kind(kind), _match(match), "supported", ex) for name, kind, match, ex in _SUPPORTED]
        schema = None
    else:
        listed = [_of_schema(row) for row in schema or ()]
    by_name = {row.name.casefold(): row for row in listed}
    for extra in allow:
        if not NAME.fullmatch(extra):
            raise ValueError(f"{extra!r} is no property name: a letter or _, then letters, digits, _ . and -.")
        by_name.setdefault(extra.casefold(), Property(extra, "open", "open", "unverified"))
    for row, entry in zip(schema or (), listed, strict=False):
        for alias in row.aliases:
            by_name.setdefault(alias.casefold(), entry)
    return Properties(data_source, tuple(listed), schema is not None, by_name)


_SUPPORTED = catalogue.SUPPORTED


def _of_schema(row: SchemaProperty) -> Property:
    folded = row.type.casefold().removesuffix("collection")
    kind = _SCHEMA_KINDS.get(folded, "open")
    match: Match = "exact" if kind == "text" and row.is_exact_match_required else _MATCH_OF_KIND[kind]
    usable = row.is_queryable and NAME.fullmatch(row.name)  # Graph lets a name begin with a digit
    return Property(row.name, kind, match, "supported" if usable else "not queryable")


def _kind(name: str) -> Kind:
    kinds: dict[str, Kind] = {
        "text": "text",
        "date": "date",
        "integer": "integer",
        "number": "number",
        "yesno": "yesno",
    }
    return kinds[name]


def _match(name: str) -> Match:
    matches: dict[str, Match] = {
        "words": "words",
        "filename": "filename",
        "extension": "extension",
        "guid": "guid",
        "date": "date",
        "path": "path",
    }
    return matches[name]


def edit_distance(left: str, right: str) -> int:
    """Insertions, deletions and exchanges between two short names; at least 3 when the lengths differ by more."""
    if abs(len(left) - len(right)) > 2:
        return 3
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]
