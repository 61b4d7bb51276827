"""What the host sees: three tools as data and plain functions. No HTTP, no MCP."""

from copilot_mcp.tools._tool import SIMULATED, Tool, ToolContext, ToolResult
from copilot_mcp.tools.chat import TOOL as CHAT
from copilot_mcp.tools.filter import TOOL as FILTER
from copilot_mcp.tools.names import KnownNames
from copilot_mcp.tools.retrieve import TOOL as RETRIEVE

__all__ = ["SIMULATED", "TOOLS", "KnownNames", "Tool", "ToolContext", "ToolResult"]

TOOLS = (CHAT, RETRIEVE, FILTER)
"""Every tool; the order is the order in tools/list."""
