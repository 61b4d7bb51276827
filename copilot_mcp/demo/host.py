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

    async def tools(self) -> list[str]:
        """Every tool as `name: title`."""
        return [f"{each.name}: {each.title}" for each in (await self._client.list_tools()).tools]

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
            CopilotMcpError: The tool refused, or did not although `refused` says that it should.
        """

        async def report(progress: float, total: float | None, message: str | None) -> None:
            if on_text and message:
                on_text(message)

        result = await self._client.call_tool(name, arguments, progress_callback=report)
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        if bool(result.is_error) != refused:
            raise CopilotMcpError(f"{name} was {'refused' if result.is_error else 'not refused'}: {text}")
        return text, dict(result.structured_content or {})


@asynccontextmanager
async def launched(tenant_url: str, user: str) -> AsyncIterator[Host]:
    """`copilot-mcp serve` as a child process, joined to the tenant at `tenant_url`, signed in as `user`.

    The address may hold the tenant's key, so it travels in the environment, which other users cannot see.
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
        except MCPError as error:
            raise CopilotMcpError(f"The server did not answer ({error}). It said: {_last_words(log)}") from None


def _last_words(log: TextIO) -> str:
    log.seek(0)
    lines = log.read().strip().splitlines()
    return " / ".join(lines[-3:]) or "nothing"
