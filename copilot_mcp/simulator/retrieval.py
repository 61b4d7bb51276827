"""The Retrieval API: extracts from one data source, within a filter, as far as the person may read."""

import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from copilot_mcp.simulator.faults import Faults
from copilot_mcp.simulator.fields import bad_request, flag, known_members, member, objects, text, texts
from copilot_mcp.simulator.filters import Scoping, scope_to_filter
from copilot_mcp.simulator.metadata import requested_metadata
from copilot_mcp.simulator.replies import Reply
from copilot_mcp.simulator.search import Extract, Hit, Index, shuffled
from copilot_mcp.simulator.tenant import Label, Tenant, User

__all__ = ["RETRIEVAL_SCOPES", "Retrieval", "data_source_of"]

MAX_QUERY_CHARACTERS: Final = 1_500
MAX_RESULTS: Final = 25
PASSAGES_PER_PAGE: Final = 4
RETRIEVAL_SCOPES: Final[Mapping[str, tuple[str, ...]]] = {
    "sharePoint": ("Files.Read.All", "Sites.Read.All"),
    "oneDriveBusiness": ("Files.Read.All", "Sites.Read.All"),
    "externalItem": ("ExternalItem.Read.All",),
    "sharePointEmbedded": ("FileStorageContainer.Selected",),
}
_MEMBERS = (
    "queryString",
    "dataSource",
    "dataSourceConfiguration",
    "filterExpression",
    "resourceMetadata",
    "maximumNumberOfResults",
    "includeThumbnails",
)
_PAGED = frozenset({"docx", "pptx", "pdf"})


def data_source_of(body: Mapping[str, Any]) -> str:
    """The data source, which also says which scopes are needed. Spelling is exact."""
    source = text(body, "dataSource", required=True)
    if source not in RETRIEVAL_SCOPES:
        raise bad_request("'dataSource' is not one of sharePoint, oneDriveBusiness, externalItem.")
    return source


@dataclass(frozen=True, slots=True)
class _Request:
    query: str
    source: str
    connections: frozenset[str]
    filter: str | None
    metadata: tuple[str, ...]
    limit: int
    thumbnails: bool


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The retrieval side of Graph."""

    tenant: Tenant
    index: Callable[[], Index]
    faults: Faults
    clock: Callable[[], float]

    def retrieve(self, user: User, version: str, body: Mapping[str, Any]) -> Reply:
        """POST copilot/retrieval. The trace alone learns whether the filter was ignored."""
        request = self._read(version, body)
        candidates = frozenset(
            number
            for number in self.tenant.readable_by(user)
            if self.tenant.documents[number].source == request.source
            and self.tenant.documents[number].connection in request.connections | {""}
        )
        scoping = Scoping(candidates)
        if request.filter is not None:
            scoping = self._scoped(request, scoping, user)
        hits = self.index().search(request.query, scoping.numbers, limit=request.limit)
        found = [_hit_body(hit, request) for hit in shuffled(hits, request.query)]
        return Reply(200, {"retrievalHits": found}, notes=_notes(request, scoping, len(found)))

    def _scoped(self, request: _Request, scoping: Scoping, user: User) -> Scoping:
        if self.faults.take("retrieval", "filter", user.key):
            return Scoping(scoping.numbers, ignored=True, codes=("DROPPED_BY_FAULT",))
        schema = [entry for each in sorted(request.connections) for entry in self._schema(each)]
        return scope_to_filter(
            request.filter or "", request.source, schema, self.tenant.documents, scoping.numbers, self.clock()
        )

    def _schema(self, connection_id: str) -> tuple[Mapping[str, Any], ...]:
        connection = self.tenant.connection(connection_id)
        return connection.schema if connection else ()

    def _read(self, version: str, body: Mapping[str, Any]) -> _Request:
        known_members(body, _MEMBERS, "the retrieval request")
        source = data_source_of(body)
        query = text(body, "queryString", required=True)
        if len(query) > MAX_QUERY_CHARACTERS:
            raise bad_request("'queryString' is longer than 1,500 characters.")
        thumbnails = flag(body, "includeThumbnails", default=False)
        if version == "v1.0" and "includeThumbnails" in body:
            raise bad_request("The property 'includeThumbnails' does not exist on the retrieval request.")
        filter_text = text(body, "filterExpression") if body.get("filterExpression") is not None else None
        connections = self._connections(source, body)
        return _Request(
            query, source, connections, filter_text, texts(body, "resourceMetadata"), _limit(body), thumbnails
        )

    def _connections(self, source: str, body: Mapping[str, Any]) -> frozenset[str]:
        """The connections to search: those named, else all of them."""
        configuration = member(body, "dataSourceConfiguration")
        known_members(configuration, ("externalItem", "sharePointEmbedded"), "dataSourceConfiguration")
        expected = {"externalItem": "externalItem", "sharePointEmbedded": "sharePointEmbedded"}.get(source)
        if any(name != expected for name in configuration if not name.startswith("@odata.")):
            raise bad_request("'dataSourceConfiguration' does not fit 'dataSource'.")
        if source == "sharePointEmbedded":
            text(member(configuration, "sharePointEmbedded"), "containerTypeId", required=True)
            return frozenset()
        if source != "externalItem" or "externalItem" not in configuration:
            return frozenset(each.id for each in self.tenant.connections)
        named = objects(member(configuration, "externalItem"), "connections")
        if not named:
            raise bad_request("'connections' must name at least one connection.")
        ids = frozenset(text(each, "connectionId", required=True) for each in named)
        if any(self.tenant.connection(each) is None for each in ids):
            raise bad_request("A 'connectionId' does not exist in this tenant.")
        return ids


def _limit(body: Mapping[str, Any]) -> int:
    """1 to 25. Digits as text are taken, as Microsoft's samples send them."""
    value = body.get("maximumNumberOfResults")
    if value is None:
        return MAX_RESULTS
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_RESULTS:
        raise bad_request("'maximumNumberOfResults' must be between 1 and 25.")
    return value


def _notes(request: _Request, scoping: Scoping, hits: int) -> dict[str, Any]:
    notes: dict[str, Any] = {"dataSource": request.source, "hits": hits}
    if request.filter is not None:
        notes |= {"filter": request.filter, "filterIgnored": scoping.ignored, "filterCodes": list(scoping.codes)}
    return notes


def _hit_body(hit: Hit, request: _Request) -> dict[str, Any]:
    document = hit.document
    paged = request.thumbnails and document.extension in _PAGED
    body: dict[str, Any] = {
        "webUrl": document.url,
        "extracts": [_extract_body(each, scored=not document.connection, paged=paged) for each in hit.extracts],
        "resourceType": "externalItem" if document.connection else "listItem",
        "resourceMetadata": requested_metadata(document, request.metadata),
    }
    if document.label:
        body["sensitivityLabel"] = _label_body(document.label)
    if paged:
        pages = sorted({_page(each) for each in hit.extracts})
        body["thumbnails"] = [{"pageNumber": p, "content": _picture(p), "mediaType": "image/png"} for p in pages]
    return body


def _extract_body(extract: Extract, *, scored: bool, paged: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"text": extract.passage.text}
    if scored:
        body["relevanceScore"] = extract.relevance
    if paged:
        body["pageNumbers"] = [_page(extract)]
    return body


def _page(extract: Extract) -> int:
    return 1 + extract.passage.ordinal // PASSAGES_PER_PAGE


def _label_body(label: Label) -> dict[str, Any]:
    """Retrieval's samples spell `toolTip`, the Chat API's `tooltip`."""
    return {
        "sensitivityLabelId": label.id,
        "displayName": label.name,
        "toolTip": label.tooltip,
        "priority": label.priority,
        "color": label.color,
    }


def _picture(page: int) -> str:
    """A one-pixel PNG in base64, its grey telling the page: this tenant has no rendered pages."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixel = chunk(b"IDAT", zlib.compress(bytes((0, page % 256))))
    return b64encode(b"\x89PNG\r\n\x1a\n" + header + pixel + chunk(b"IEND", b"")).decode()
