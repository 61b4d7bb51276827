"""What a missing permission closes, tool by tool and part by part."""

import pytest

from copilot_mcp.tools import TOOLS
from copilot_mcp.tools.consent import USES, closed_uses, tools_closed_without

FILES = ("Files.Read.All", "Sites.Read.All")
CHAT, IN_FILES, IN_CONNECTORS = USES


def test_the_uses_cover_what_the_tools_ask_for() -> None:
    asked = {tool.name: set(tool.scopes) for tool in TOOLS if tool.scopes}
    assert {name: {scope for use in USES if use.tool == name for scope in use.scopes} for name in asked} == asked
    assert list(dict.fromkeys(use.tool for use in USES)) == list(asked)


def test_a_use_is_named_by_its_tool_and_its_part() -> None:
    assert [str(use) for use in USES] == [
        "copilot_chat",
        "copilot_retrieve, SharePoint and OneDrive",
        "copilot_retrieve, connectors",
    ]


@pytest.mark.parametrize(
    ("missing", "uses", "tools"),
    [
        ((), {}, ()),
        (("User.Read",), {}, ()),
        (("Mail.Read",), {CHAT: ("Mail.Read",)}, ("copilot_chat",)),
        (("Files.Read.All",), {IN_FILES: ("Files.Read.All",)}, ()),
        (
            ("ExternalItem.Read.All",),
            {CHAT: ("ExternalItem.Read.All",), IN_CONNECTORS: ("ExternalItem.Read.All",)},
            ("copilot_chat",),
        ),
        (
            (*FILES, "ExternalItem.Read.All"),
            {
                CHAT: ("ExternalItem.Read.All", "Sites.Read.All"),
                IN_FILES: FILES,
                IN_CONNECTORS: ("ExternalItem.Read.All",),
            },
            ("copilot_chat", "copilot_retrieve"),
        ),
    ],
)
def test_a_tool_is_closed_only_where_every_part_of_it_is(missing: tuple[str, ...], uses: object, tools: object) -> None:
    assert (closed_uses(missing), tools_closed_without(missing)) == (uses, tools)
