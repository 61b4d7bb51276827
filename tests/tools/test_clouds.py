"""What a cloud does not offer is refused before anything is sent; what it may not offer is named when it fails."""

from typing import Any, Literal

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


def context(cloud: str) -> ToolContext:
    """One in which nothing but the settings may be touched."""
    fields: dict[str, Any] = dict.fromkeys(ToolContext.__dataclass_fields__)
    return ToolContext(**fields | {"settings": Settings(cloud=cloud)})


async def refused(request: None, context: ToolContext) -> None:
    raise PermissionDeniedError("No.", "Ask.", kind="not_enabled")


@pytest.mark.parametrize(
    ("cloud", "tools"),
    [
        ("usgov-l4", ["copilot_retrieve"]),
        ("usgov-l5", ["copilot_retrieve"]),
        ("china", ["copilot_chat", "copilot_retrieve"]),
    ],
)
async def test_tools_that_a_cloud_lacks_are_refused_before_anything_is_touched(cloud: str, tools: list[str]) -> None:
    for tool in TOOLS:
        if tool.name in tools:
            request = tool.request.model_validate(REQUESTS[tool.name])
            with pytest.raises(SettingsError) as caught:
                await tool.handle(request, context(cloud))
            assert caught.value.kind == "not_in_cloud"
            assert f"in the cloud {cloud}; nothing was sent." in caught.value.message


@pytest.mark.parametrize(
    ("api", "cloud", "named"),
    [("chat", "usgov-l4", True), ("chat", "usgov-l5", True), ("chat", "global", False), ("retrieval", "global", False)],
)
async def test_doubtful_cloud_is_named_in_a_refusal(api: Literal["chat", "retrieval"], cloud: str, named: bool) -> None:
    with pytest.raises(PermissionDeniedError) as caught:
        await where_offered(api, refused)(None, context(cloud))
    assert (f"exists in the cloud {cloud}, which may be the reason." in caught.value.hint) is named


async def test_error_that_is_raised_again_names_the_cloud_once() -> None:
    kept = PermissionDeniedError("No.", "Ask.")

    async def handle(request: None, context: ToolContext) -> None:
        raise kept

    for _ in range(3):
        with pytest.raises(PermissionDeniedError):
            await where_offered("chat", handle)(None, context("usgov-l4"))
    assert kept.hint == (
        "Ask. Microsoft's pages disagree on whether this API exists in the cloud usgov-l4, which may be the reason."
    )


async def test_tool_that_is_offered_gives_its_own_result() -> None:
    async def handle(request: int, context: ToolContext) -> int:
        return request + 1

    assert await where_offered("retrieval", handle)(1, context("global")) == 2
