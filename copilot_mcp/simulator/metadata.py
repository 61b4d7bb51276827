"""The property values of a document: what `resourceMetadata` returns and what a filter looks at.

Names are compared without regard to case. Values are always text; several of one name are a tuple here and are
joined with `;` on the wire.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from copilot_mcp.simulator.tenant import Document

__all__ = ["requested_metadata", "values_of"]


def values_of(document: Document) -> dict[str, tuple[str, ...]]:
    """Every property with a value, names in lower case. The item's own values win over front matter."""
    own: dict[str, tuple[str, ...]] = {
        "title": (document.title,),
        "author": document.author,
        "modifiedby": (document.modified_by,),
        "lastmodifiedtime": (_instant(document.modified),),
        "path": (document.url,),
        "url": (document.url,),
    }
    if not document.connection:
        own |= {
            "filename": (document.filename,),
            "fileextension": (document.extension,),
            "filetype": (document.extension,),
            "siteid": (document.site_id,),
            "sitename": (document.site,),
            "informationprotectionlabelid": (document.label.id if document.label else "",),
        }
    front = {name.casefold(): values for name, values in document.properties.items()}
    return {name: kept for name, values in (front | own).items() if (kept := tuple(v for v in values if v))}


def requested_metadata(document: Document, names: Iterable[str]) -> Mapping[str, str]:
    """The values of the asked-for names, under the names as asked; those without a value are left out."""
    values = values_of(document)
    return {name: ";".join(values[name.casefold()]) for name in names if name.casefold() in values}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
