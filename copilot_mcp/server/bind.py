"""Our `Tool` as a tool of the MCP SDK: the one place where results and errors become MCP content.

A subclass of the SDK's tool and not its decorator: from a plain signature the SDK drops unknown arguments in
silence, and it parses text that looks like JSON before anybody sees it (both tried with mcp 2.3.0).
"""

import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool as SdkTool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.server.arguments import read_arguments
from copilot_mcp.server.schema import plain_schema
from copilot_mcp.tools import SIMULATED, Tool, ToolContext, ToolResult

__all__ = ["BoundTool", "ContextFactory", "bind"]

logger = logging.getLogger(__name__)

ERROR_META = "copilot-mcp/error"
"""Where the machine-readable facts of an error stand; error results carry no structured content."""

ContextFactory = Callable[[Callable[[str], Any]], ToolContext]
"""Makes the context of one call around its progress function."""


class BoundTool(SdkTool):
    """The SDK's tool object around one of ours."""

    tool: Any = Field(exclude=True)
    make_context: Any = Field(exclude=True)
    simulated: bool = False

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult:
        """Call the tool. Never raises: whatever goes wrong becomes an error result that a model can act on."""
        started = time.perf_counter()
        outcome = "ok"
        try:
            request = read_arguments(self.tool.request, arguments)
            result = await self.tool.handle(request, self.make_context(_progress(context)))
            return self._answer(result)
        except CopilotMcpError as error:
            outcome = error.kind
            return self._refusal(str(error), error.details(), said=getattr(error, "partial_text", ""))
        except Exception as error:
            outcome = "internal"
            _log_crash(self.name, error)
            return self._refusal(
                f"copilot-mcp failed inside {self.name} ({type(error).__name__}). This is a defect of copilot-mcp; "
                "its log says where. Other calls are not affected.",
                {"kind": "internal"},
            )
        finally:
            logger.info("%s: %s in %.0f ms", self.name, outcome, (time.perf_counter() - started) * 1000)

    def _answer(self, result: ToolResult) -> CallToolResult:
        text = self.tool.render(result)
        if self.simulated:
            result = result.model_copy(update={"tenant": SIMULATED})
            text = f"{text}\n\n({SIMULATED}: not Microsoft 365)"
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=result.structured())

    def _refusal(self, text: str, facts: dict[str, Any], *, said: str = "") -> CallToolResult:
        """`said` is what the service wrote before or instead of answering: quoted, so that nothing is lost."""
        text = f"{text} [{facts['kind']}]"
        if self.simulated:
            text = f"{text} ({SIMULATED}: not Microsoft 365)"
        if said.strip():
            quoted = said.strip().replace("\n", "\n> ")
            text = f"{text}\n\nThe service had written:\n> {quoted}"
        return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True, _meta={ERROR_META: facts})


def bind(tool: Tool[Any, Any], make_context: ContextFactory, *, simulated: bool) -> BoundTool:
    """Make `tool` callable by MCP clients."""
    return BoundTool(
        fn=tool.handle,
        name=tool.name,
        title=tool.title,
        description=tool.description,
        parameters=plain_schema(tool.request),
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=plain_schema(tool.result)),
        is_async=True,
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=False,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
        tool=tool,
        make_context=make_context,
        simulated=simulated,
    )


def _progress(context: Context[Any, Any]) -> Callable[[str], Any]:
    """Progress as MCP wants it: a number that rises with every message. Nothing happens where it was not asked for."""
    count = 0

    async def report(message: str) -> None:
        nonlocal count
        count += 1
        await context.report_progress(count, message=message)

    return report


def _log_crash(name: str, error: Exception) -> None:
    """Where it failed, without the exception's own text, which may quote a prompt, an answer or a token."""
    places = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s crashed with %s\n%s", name, type(error).__name__, places)
