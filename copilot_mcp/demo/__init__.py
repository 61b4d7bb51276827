"""The main job shown: an MCP client of our own server, on a simulated tenant, over real documents."""

from copilot_mcp.demo.run import run_demo
from copilot_mcp.demo.screen import Screen
from copilot_mcp.demo.steps import NoAnswerError

__all__ = ["NoAnswerError", "Screen", "run_demo"]
