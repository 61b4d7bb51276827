"""The SDK's server, with an answer where it has none or a poor one."""

import logging
import re
from difflib import get_close_matches
from typing import Any

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool as SdkTool
from mcp.server.stdio import stdio_server
from mcp.types import INVALID_PARAMS, CallToolResult, GetPromptResult, InputRequiredResult

from copilot_mcp.errors import ArgumentError
from copilot_mcp.server.bind import refusal_result
from copilot_mcp.server.lines import AnsweredLines

__all__ = ["Server"]

logger = logging.getLogger(__name__)

_SHOWN = re.compile(r"[\w.\-]{1,64}", re.ASCII)


class Server(MCPServer[Any]):
    """The SDK's server, which would answer the call of an unknown tool with two words: no kind, remedy or mark."""

    def __init__(self, *, tools: list[SdkTool], simulated: bool, **options: Any) -> None:
        super().__init__(tools=tools, **options)
        self._names = [tool.name for tool in tools]
        self._simulated = simulated

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; one that is not there is an error result with the nearest name and the list."""
        if name in self._names:
            return await super().call_tool(name, arguments, context)
        logger.info("a tool that does not exist was called")
        error = _unknown(name, self._names)
        return refusal_result(str(error), error.details(), simulated=self._simulated)

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Refuse, as there are none; the SDK would call it an internal error, and log where."""
        tools = ", ".join(self._names)
        raise MCPError(INVALID_PARAMS, f"There is no prompt of that name: this server has none. Its tools are {tools}.")

    async def run_stdio_async(self) -> None:
        """Serve on standard input and output, as the SDK does; no line is passed over in silence."""
        async with stdio_server() as (lines, answers):
            options = self._lowlevel_server.create_initialization_options()
            await self._lowlevel_server.run(AnsweredLines(lines, answers), answers, options)


def _unknown(name: str, names: list[str]) -> ArgumentError:
    lowered = name.casefold()
    near = [known for known in names if known in lowered or (len(lowered) >= 3 and lowered in known)]
    near = near or get_close_matches(lowered, names, n=1, cutoff=0.5)
    called = f" {name}" if _SHOWN.fullmatch(name) else " of that name"
    meant = f"Did you mean {near[0]}? " if near else ""
    return ArgumentError(
        f"There is no tool{called}. Nothing was sent.", f"{meant}The tools are {', '.join(names)}.", kind="unknown_tool"
    )
