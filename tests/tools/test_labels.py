"""Labels come in one form, and no label is no label, however the service writes it."""

from typing import Any

import pytest

from copilot_mcp.graph import CopilotConversationResponseMessage, RetrievalHit
from copilot_mcp.tools.labels import Label, label_of, label_text

FULL = {"sensitivityLabelId": "no-guid", "displayName": "Secret\\HR", "priority": 4, "color": "#FF0000"}
NOTHING: list[dict[str, Any]] = [
    {},
    {"sensitivityLabel": None},
    {"sensitivityLabel": {}},
    {"sensitivityLabel": dict.fromkeys((*FULL, "tooltip", "toolTip", "isEncrypted"))},
    {"sensitivityLabel": {"displayName": "", "sensitivityLabelId": "", "isEncrypted": False}},
    {"sensitivityLabel": {"@odata.type": "#microsoft.graph.searchSensitivityLabelInfo", "displayName": None}},
    {"sensitivityLabel": ""},
    {"sensitivityLabel": 5},
]


@pytest.mark.parametrize("model", [RetrievalHit, CopilotConversationResponseMessage])
@pytest.mark.parametrize("body", NOTHING, ids=repr)
def test_no_label_is_none(model: type[RetrievalHit], body: dict[str, Any]) -> None:
    assert label_of(model.model_validate(body).sensitivity_label) is None


@pytest.mark.parametrize("model", [RetrievalHit, CopilotConversationResponseMessage])
@pytest.mark.parametrize("spelling", ["tooltip", "toolTip"])
def test_both_spellings_of_the_tooltip_are_read_and_one_is_written(model: type[RetrievalHit], spelling: str) -> None:
    other = "toolTip" if spelling == "tooltip" else "tooltip"
    body = {"sensitivityLabel": {**FULL, spelling: "For HR only", other: None, "new": 1}}
    label = label_of(model.model_validate(body).sensitivity_label)
    assert label == Label(display_name="Secret\\HR", sensitivity_label_id="no-guid", priority=4, tooltip="For HR only")


def test_a_label_without_a_name_is_called_by_its_id() -> None:
    label = label_of(RetrievalHit.model_validate({"sensitivityLabel": {"sensitivityLabelId": "7"}}).sensitivity_label)
    assert label == Label(display_name="7", sensitivity_label_id="7")


def test_a_label_in_full_tells_its_rank_and_its_id() -> None:
    label = Label(display_name="Secret", sensitivity_label_id="g-1", priority=9, tooltip="Keep inside.")
    assert label_text(label) == "Secret (Keep inside.)"
    assert label_text(label, full=True) == "Secret (Keep inside.; priority 9; id g-1)"
