"""What the host sees: three tools as data and plain functions. No HTTP, no MCP."""

from copilot_mcp.tools._tool import SIMULATED, Tool, ToolContext, ToolResult, unheard
from copilot_mcp.tools.chat import TOOL as CHAT
from copilot_mcp.tools.filter import TOOL as FILTER
from copilot_mcp.tools.names import KnownNames
from copilot_mcp.tools.received import inert_text
from copilot_mcp.tools.retrieve import TOOL as RETRIEVE
from copilot_mcp.tools.turns import OpenTurns

__all__ = [
    "SIMULATED",
    "TOOLS",
    "KnownNames",
    "OpenTurns",
    "Tool",
    "ToolContext",
    "ToolResult",
    "inert_text",
    "unheard",
]

TOOLS = (CHAT, RETRIEVE, FILTER)
"""Every tool; the order is the order in tools/list."""
