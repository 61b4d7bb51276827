"""The yardstick: the SDK's server with three tools that do nothing, over stdio."""

from mcp.server import MCPServer

server = MCPServer("bare", version="0")


@server.tool()
def first(text: str) -> str:
    """Does nothing."""
    return text


@server.tool()
def second(text: str) -> str:
    """Does nothing."""
    return text


@server.tool()
def third(text: str) -> str:
    """Does nothing."""
    return text


server.run()
