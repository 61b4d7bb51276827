"""The filter language as MCP resources, for hosts that read them, with completions where the protocol has them."""

import json
from collections.abc import Callable
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from copilot_mcp.graph import DATA_SOURCES
from copilot_mcp.tools.catalogue import Catalogue

__all__ = ["add_resources"]

ROOT = "copilot://filter"
PROPERTIES = f"{ROOT}/properties"
MAX_COMPLETIONS = 100
_JSON = "application/json"


def add_resources(server: MCPServer[Any], catalogue: Catalogue) -> None:
    """Offer the catalogue of each data source, single properties and nicknames, and the page of all codes."""

    @server.resource(
        f"{PROPERTIES}/{{dataSource}}",
        name="filter-properties",
        title="Filter properties",
        description="Properties that a filterExpression may use with a data source, with operators and examples.",
        mime_type=_JSON,
    )
    def properties(dataSource: str) -> str:  # noqa: N803  # the template's variable, in Graph's spelling
        return _found(f"{PROPERTIES}/{dataSource}", lambda: catalogue.properties(dataSource))

    @server.resource(
        f"{PROPERTIES}/{{dataSource}}/{{property}}",
        name="filter-property",
        title="One filter property",
        description="Type, operators and an example of one property.",
        mime_type=_JSON,
    )
    def one_property(dataSource: str, property: str) -> str:  # noqa: N803  # as above
        return _found(f"{PROPERTIES}/{dataSource}/{property}", lambda: catalogue.property(dataSource, property))

    @server.resource(
        f"{ROOT}/names/{{name}}",
        name="filter-name",
        title="A name for a value",
        description="What a name stands for that was set for a site, folder, label or connection.",
        mime_type=_JSON,
    )
    def one_name(name: str) -> str:
        return _found(f"{ROOT}/names/{name}", lambda: catalogue.name(name))

    for source in DATA_SOURCES:
        _add_static(server, catalogue, source)
    _add_codes(server)
    _add_completions(server, catalogue)


def _add_static(server: MCPServer[Any], catalogue: Catalogue, source: str) -> None:
    """The catalogue of one source as a resource of its own: many hosts list resources and no templates."""

    @server.resource(
        f"{PROPERTIES}/{source}",
        name=f"filter-properties-{source}",
        title=f"Filter properties of {source}",
        description=f"Properties that a filterExpression may use with dataSource {source}.",
        mime_type=_JSON,
    )
    def properties() -> str:
        return _found(f"{PROPERTIES}/{source}", lambda: catalogue.properties(source))


def _add_codes(server: MCPServer[Any]) -> None:
    @server.resource(
        f"{ROOT}/codes",
        name="filter-codes",
        title="What can be wrong with a filter",
        description="Every code that build_filter may report: an example, what it means, what to write instead.",
        mime_type="text/markdown",
    )
    def codes() -> str:
        from copilot_mcp.kql.codes import codes_page

        return codes_page()


def _add_completions(server: MCPServer[Any], catalogue: Catalogue) -> None:
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        if not isinstance(ref, ResourceTemplateReference) or not ref.uri.startswith(f"{ROOT}/"):
            return None
        given = (context.arguments if context else None) or {}
        found = catalogue.completions(argument.name, argument.value, given.get("dataSource"))
        return Completion(values=found[:MAX_COMPLETIONS], total=len(found), has_more=len(found) > MAX_COMPLETIONS)

    register: Any = server.completion  # the SDK leaves this one decorator without types
    register()(complete)


def _found(uri: str, read: Callable[[], dict[str, Any]]) -> str:
    try:
        return json.dumps(read(), ensure_ascii=False, indent=2)
    except KeyError:
        raise ResourceNotFoundError(f"There is no resource {uri}.") from None
