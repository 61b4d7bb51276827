"""Microsoft 365 Copilot as tools for any MCP host."""

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib import metadata  # costs 25 ms, before anybody could see to Ctrl-C

        return metadata.version("copilot-mcp")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
