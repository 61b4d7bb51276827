"""Nicknames of a running server: from the settings, and labels remembered from hits."""

from collections.abc import Callable
from typing import Any

import pytest

from copilot_mcp.simulator import Simulator
from copilot_mcp.tools.names import MAX_LABELS, KnownNames

pytestmark = pytest.mark.anyio

ID = "f0ddcc93-d3c0-4993-b5cc-76b0a283e252"
OTHER = "e2cf7e40-d689-41de-99ee-a423811a253c"


def test_labels_are_remembered_by_name_and_settings_come_first() -> None:
    names = KnownNames({"labels": {"Secret": OTHER}})
    names.learn_label("Confidential ", ID)
    names.learn_label("Confidential", ID)
    names.learn_label("Secret", ID)
    names.learn_label("", ID)
    names.learn_label("Nameless", "")
    assert dict(names.current().labels) == {"Confidential": ID, "Secret": OTHER}


def test_a_name_that_two_labels_bear_stands_for_neither() -> None:
    names = KnownNames()
    for label_id in (ID, OTHER, ID):
        names.learn_label("Confidential", label_id)
    assert dict(names.current().labels) == {}


def test_case_does_not_tell_two_labels_apart() -> None:
    names = KnownNames({"labels": {"confidential": OTHER}})
    for name, label_id in (("Confidential", ID), ("Secret", ID), ("SECRET", ID.upper()), ("Public", ID)):
        names.learn_label(name, label_id)
    assert dict(names.current().labels) == {"confidential": OTHER, "Secret": ID, "Public": ID}
    names.learn_label("PUBLIC", OTHER)
    names.learn_label("Public", ID)
    assert dict(names.current().labels) == {"confidential": OTHER, "Secret": ID}


def test_only_so_many_labels_are_remembered() -> None:
    names = KnownNames()
    for number in range(MAX_LABELS + 5):
        names.learn_label(f"Label {number}", ID)
    assert len(names.current().labels) == MAX_LABELS


async def call(client: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return dict(result.structured_content)


async def test_a_label_seen_in_a_hit_can_be_named_in_a_condition(client: Any) -> None:
    found = await call(
        client, "copilot_retrieve", queryString="Who may read the settlement papers?", dataSource="sharePoint"
    )
    label = found["sensitivityLabels"][0]
    condition = {
        "property": "InformationProtectionLabelId",
        "operator": "equals",
        "values": [label["displayName"].upper()],
    }
    built = await call(client, "build_filter", dataSource="sharePoint", all=[condition])
    assert built["filterExpression"] == f'InformationProtectionLabelId="{label["sensitivityLabelId"]}"'
    assert len(built["repairs"]) == 1


async def test_a_connection_goes_by_its_nickname(connect: Callable[..., Any], simulator: Simulator) -> None:
    client = await connect(names={"connections": {"tickets": "ContosoIT"}})
    found = await call(
        client,
        "copilot_retrieve",
        queryString="The VPN drops",
        dataSource="externalItem",
        dataSourceConfiguration={"externalItem": {"connections": [{"connectionId": "Tickets"}]}},
    )
    assert found["hits"]
    assert "The connection Tickets is ContosoIT." in found["notes"]
    sent = simulator.exchanges[-1]["request"]["dataSourceConfiguration"]
    assert sent == {"externalItem": {"connections": [{"connectionId": "ContosoIT"}]}}
