"""The demo as an MCP host: our own server as a child process, spoken to over stdio by the SDK's client."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO

from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import TextContent

from copilot_mcp.errors import CopilotMcpError

__all__ = ["Host", "launched"]

_ANSWER_S = 60


class Host:
    """One connected MCP client. A refused call is an ordinary answer here; `expect` says which was wanted."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def server_title(self) -> str:
        """What the server calls itself."""
        info = self._client.server_info
        return (info.title or info.name) if info else ""

    async def tools(self) -> dict[str, str]:
        """The title of every tool, by its name."""
        return {each.name: each.title or "" for each in (await self._client.list_tools()).tools}

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        *,
        refused: bool = False,
        on_text: Callable[[str], None] | None = None,
    ) -> tuple[str, dict[str, Any]]:
        """Call a tool; its text and its structured content. `on_text` gets each progress message.

        Raises:
            CopilotMcpError: The tool refused, or did not although `refused` says that it should, or never answered.
        """

        async def report(progress: float, total: float | None, message: str | None) -> None:
            if on_text and message:
                on_text(message)

        try:
            result = await self._client.call_tool(name, arguments, progress_callback=report)
        except MCPError as error:
            raise CopilotMcpError(f"{name} did not answer: {error}.") from error
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        if bool(result.is_error) != refused:
            raise CopilotMcpError(f"{name} was {'refused' if result.is_error else 'not refused'}: {text}")
        return text, dict(result.structured_content or {})


@asynccontextmanager
async def launched(tenant_url: str, user: str) -> AsyncIterator[Host]:
    """`copilot-mcp serve` as a child process, joined to the tenant at `tenant_url`, signed in as `user`.

    The address may hold the tenant's key, so it travels in the environment, which other users cannot see.

    Raises:
        CopilotMcpError: It does not start.
    """
    parameters = StdioServerParameters(  # -P: a folder of the same name here must not stand in for us
        command=sys.executable,
        args=["-P", "-m", "copilot_mcp", "serve", "--as", user],
        env={name: value for name, value in os.environ.items() if not name.startswith("COPILOT_MCP_")}
        | {"COPILOT_MCP_SIMULATE_URL": tenant_url},
    )
    with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "stderr", "w+", encoding="utf-8") as log:
        try:
            transport = stdio_client(parameters, errlog=log)
            async with Client(transport, read_timeout_seconds=_ANSWER_S) as client:
                yield Host(client)
        except (MCPError, ExceptionGroup) as error:  # a group where the server ends before the client has begun
            fault = _lost_connection(error)
            if fault is None:
                raise
            raise CopilotMcpError(f"The server did not answer ({fault}). It said: {_last_words(log)}") from None


def _lost_connection(error: Exception) -> MCPError | None:
    if isinstance(error, ExceptionGroup):
        return next((found for each in error.exceptions if (found := _lost_connection(each))), None)
    return error if isinstance(error, MCPError) else None


def _last_words(log: TextIO) -> str:
    log.seek(0)
    lines = [line.strip() for line in log if line.strip()]
    return " / ".join(lines[-3:]) or "nothing"
