"""What a cloud does not offer is refused before anything is sent; what it may not offer is named when it fails."""

from typing import Any

import pytest

from copilot_mcp.errors import PermissionDeniedError, SettingsError
from copilot_mcp.settings import Settings
from copilot_mcp.tools import TOOLS, ToolContext
from copilot_mcp.tools.clouds import where_offered

pytestmark = pytest.mark.anyio

REQUESTS = {
    "copilot_chat": {"message": {"text": "Hello"}},
    "copilot_retrieve": {"queryString": "leave", "dataSource": "sharePoint"},
}


def context(cloud: str, opened: list[str]) -> ToolContext:
    async def open_graph() -> Any:
        opened.append(cloud)
        raise PermissionDeniedError("No.", "Ask.", kind="not_enabled")

    fields: dict[str, Any] = dict.fromkeys(ToolContext.__dataclass_fields__)
    return ToolContext(**fields | {"open_graph": open_graph, "settings": Settings(cloud=cloud)})


@pytest.mark.parametrize(
    ("cloud", "closed", "doubtful"),
    [
        ("global", [], []),
        ("usgov-l4", ["copilot_retrieve"], ["copilot_chat"]),
        ("usgov-l5", ["copilot_retrieve"], ["copilot_chat"]),
        ("china", ["copilot_chat", "copilot_retrieve"], []),
    ],
)
async def test_tools_of_a_cloud_are_closed_doubtful_or_open(cloud: str, closed: list[str], doubtful: list[str]) -> None:
    seen: dict[str, list[str]] = {"closed": [], "doubtful": []}
    opened: list[str] = []
    for tool in TOOLS:
        if tool.name not in REQUESTS:
            continue
        request = tool.request.model_validate(REQUESTS[tool.name])
        try:
            await tool.handle(request, context(cloud, opened))
        except SettingsError as error:
            assert error.kind == "not_in_cloud"
            assert f"in the cloud {cloud}; nothing was sent." in error.message
            seen["closed"].append(tool.name)
        except PermissionDeniedError as error:
            if f"exists in the cloud {cloud}, which may be the reason." in error.hint:
                seen["doubtful"].append(tool.name)
    assert seen == {"closed": closed, "doubtful": doubtful}
    assert len(opened) == 2 - len(closed)


async def test_tool_that_is_offered_gives_its_own_result() -> None:
    async def handle(request: int, context: ToolContext) -> int:
        return request + 1

    assert await where_offered("retrieval", handle)(1, context("global", [])) == 2
