"""Microsoft 365 Copilot as tools for any MCP host."""

from importlib import metadata

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    if name == "__version__":  # read only when asked for: metadata costs start-up time
        return metadata.version("copilot-mcp")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
