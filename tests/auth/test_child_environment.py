"""What a program that we start gets to know."""

import pytest

from copilot_mcp.auth import without_our_secrets


@pytest.mark.parametrize("change", [str, str.lower, str.title])
def test_program_we_start_gets_no_secret_of_ours_whatever_the_case_of_its_name(change: type[str]) -> None:
    ours = ("COPILOT_MCP_TOKEN", "COPILOT_MCP_SECRET", "COPILOT_MCP_SIMULATE_URL")
    kept = {"PATH": "/bin", "COPILOT_MCP_PROFILE": "work"}
    assert without_our_secrets(kept | {change(name): "http://127.0.0.1:1#key" for name in ours}) == kept
