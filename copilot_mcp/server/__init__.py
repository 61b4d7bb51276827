"""MCP: our tools as a server, over stdio and HTTP. With `demo` the only importer of the SDK."""

from copilot_mcp.server.build import Services, build_server

__all__ = ["Services", "build_server"]
