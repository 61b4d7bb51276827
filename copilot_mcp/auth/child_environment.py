"""The environment of the programs that we start: a browser, or a command that prints a token."""

from collections.abc import Mapping

__all__ = ["without_our_secrets"]

_OUR_SECRETS = ("COPILOT_MCP_SECRET", "COPILOT_MCP_SIMULATE_URL", "COPILOT_MCP_TOKEN")
"""What no other program has to know; the address of a simulated tenant may end in its start-up key."""


def without_our_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without our secrets, in whatever case Windows keeps their names."""
    return {name: value for name, value in environment.items() if name.upper() not in _OUR_SECRETS}
