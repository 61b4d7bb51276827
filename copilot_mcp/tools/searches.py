"""One search of a retrieval: a request made ready to be sent, checked by itself, nothing of it taken from another."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from copilot_mcp.errors import ArgumentError, CopilotMcpError
from copilot_mcp.graph import DataSourceConfiguration, RetrievalBody
from copilot_mcp.tools.advice import keyword_hint
from copilot_mcp.tools.scope import Scope, checked_scope

if TYPE_CHECKING:
    from copilot_mcp.tools._tool import ToolContext
    from copilot_mcp.tools.names import KnownNames

__all__ = ["Search", "prepared"]


@dataclass(frozen=True, slots=True)
class Search:
    """What is sent as one request.

    Attributes:
        body: as Graph gets it: the filter in canonical form, connections by id, metadata that hits are judged by.
        scope: what its filter means; None without one.
        asked_metadata: the properties that the caller wants to see.
        notes: what is worth saying about it.
        refusal: why it is not sent.
    """

    body: RetrievalBody
    scope: Scope | None = None
    asked_metadata: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refusal: CopilotMcpError | None = None


def prepared(body: RetrievalBody, context: "ToolContext") -> Search:
    """`body` ready to be sent, or with its refusal: a wrong filter in one request costs no other its answer."""
    try:
        _check_configuration(body)
        scope = checked_scope(body.filter_expression, body.data_source, context)
    except CopilotMcpError as error:
        return Search(body, refusal=error)
    configuration, notes = _named_connections(body.data_source_configuration, context.names)
    metadata = scope.metadata(body.resource_metadata) if scope else body.resource_metadata
    hint = keyword_hint(body.query_string)
    update = {
        "data_source_configuration": configuration,
        "filter_expression": scope.text if scope else None,
        "resource_metadata": metadata,
    }
    return Search(
        body.model_copy(update=update),
        scope,
        tuple(body.resource_metadata or ()),
        (*notes, *(scope.notes if scope else ()), *([hint] if hint else ())),
    )


def _named_connections(
    configuration: DataSourceConfiguration | None, names: "KnownNames"
) -> tuple[DataSourceConfiguration | None, list[str]]:
    """The configuration with each connection's nickname replaced by its id, and a note for each of these."""
    if configuration is None or configuration.external_item is None:
        return configuration, []
    notes, connections, known = [], [], names.current()
    for each in configuration.external_item.connections:
        connection_id = known.connection(each.connection_id) or each.connection_id
        if connection_id != each.connection_id:
            notes.append(f"The connection {each.connection_id} is {connection_id}.")
        connections.append(each.model_copy(update={"connection_id": connection_id}))
    external = configuration.external_item.model_copy(update={"connections": connections})
    return configuration.model_copy(update={"external_item": external}), notes


def _check_configuration(body: RetrievalBody) -> None:
    configuration = body.data_source_configuration
    given = {
        "externalItem": configuration is not None and configuration.external_item is not None,
        "sharePointEmbedded": configuration is not None and configuration.share_point_embedded is not None,
    }
    for source, present in given.items():
        if present and source != body.data_source:
            raise ArgumentError(
                f"`dataSourceConfiguration.{source}` does not go with `dataSource` {body.data_source}.",
                f"Leave it out, or set `dataSource` to {source}. Nothing was sent.",
            )
    if body.data_source == "sharePointEmbedded" and not given["sharePointEmbedded"]:
        raise ArgumentError(
            "`dataSource` sharePointEmbedded needs `dataSourceConfiguration.sharePointEmbedded.containerTypeId`.",
            "Add the id of the container type. Nothing was sent.",
        )
