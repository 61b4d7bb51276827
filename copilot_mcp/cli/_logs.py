"""Logging of the process: standard error only, configured before anybody else can."""

import logging
import sys

from copilot_mcp.auth import HidingFormatter, quiet_libraries

__all__ = ["start_logging"]


def start_logging(level: str) -> None:
    """Send every record of `level` and above to standard error, libraries kept quiet.

    Called before the MCP server object is made, whose constructor configures the root logger where nobody has.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(HidingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    quiet_libraries()
    # The SDK writes whole messages at DEBUG, and peer-supplied names at INFO.
    logging.getLogger("mcp").setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))
