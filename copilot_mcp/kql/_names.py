"""Property names: known, unknown, undocumented, or a thing that is chosen outside the filter."""

from . import _catalogue as catalogue
from . import _words as words
from ._lexemes import Cursor
from ._text_values import swap
from ._values import RawValue
from .properties import Property
from .tree import Node, Restriction, Span, is_guid

# Stands for a property whose restriction belongs outside the filter.
LEFT_OUT = Property("outside", "open", "open")


def resolve(cursor: Cursor, name: str, raw: RawValue) -> tuple[Property | None, Property | None]:
    """The property as it is known, and the one that was meant; what is wrong with the name is noted."""
    properties, notes, span = cursor.properties, cursor.notes, (raw.span[0], raw.span[0] + len(name))
    known = properties.find(name)
    if known is None and properties.names_connection(name):
        message = "Connections are chosen in dataSourceConfiguration, not in the filter."
        notes.add("CONNECTION_IN_FILTER", span, message)
        if not properties.external:
            notes.add("UNKNOWN_PROPERTY", span, f"{name[:64]} is no property of {properties.data_source}.")
        return None, LEFT_OUT
    if known is None:
        return None, _unknown(cursor, name, raw, span)
    if known.status == "not queryable":
        notes.add("NOT_QUERYABLE", span, known.refusal)
        return (known if words.NAME.fullmatch(known.name) else None), None
    if known.status == "undocumented":
        _note_undocumented(cursor, known, raw, span)
    if known.status == "unverified":
        notes.add("PROPERTY_UNVERIFIED", span, "Without the connection's schema, names and types are not checked.")
    if name != known.name:
        notes.add("NON_CANONICAL_SPELLING", span, f"The property is spelt {known.name}.")
    return known, known


def _unknown(cursor: Cursor, name: str, raw: RawValue, span: Span) -> Property | None:
    properties = cursor.properties
    if name.casefold() == "resourcetype":
        message = "The kind of content is chosen by dataSource, not in the filter."
        cursor.notes.add("UNKNOWN_PROPERTY", span, message)
        return LEFT_OUT
    nearest = properties.nearest(name)
    advice = f"; meant may be {nearest}" if nearest else ""
    if len(name) > catalogue.CONNECTOR_NAME_LIMIT and properties.external:
        advice = f": names have at most {catalogue.CONNECTOR_NAME_LIMIT} characters"
    cursor.notes.add("UNKNOWN_PROPERTY", span, f"{name[:64]} is no property of {properties.data_source}{advice}.")
    return properties.find(nearest) if nearest else None


def _note_undocumented(cursor: Cursor, known: Property, raw: RawValue, span: Span) -> None:
    nearest = catalogue.SUPPORTED_INSTEAD.get(known.name)
    if known.name == "Site" and is_guid(raw.text):
        nearest = "SiteID"
    elif known.name == "Site" and words.URL.match(raw.text):
        nearest = "Path"
    removed = ", and no longer is since May 2025" if known.name in ("AssignedTo", "Created", "CreatedBy") else ""
    advice = f" Near in meaning: {nearest}." if nearest else ""

    def renamed(node: Restriction) -> Node | None:
        return Restriction(nearest, node.op, node.value, node.span) if nearest else None

    message = f"{known.name} is not among the supported properties{removed}; it may or may not filter.{advice}"
    cursor.notes.add("UNDOCUMENTED_PROPERTY", span, message, swap(raw.span, renamed) if nearest else None)
