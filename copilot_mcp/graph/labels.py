"""Sensitivity labels, one model for chat and retrieval."""

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from copilot_mcp.graph._base import GraphResource


class SearchSensitivityLabelInfo(GraphResource):
    """A Microsoft Purview label. `priority`: higher is stricter. `display_name` may hold `Parent\\Child`.

    The samples spell `tooltip` in two ways and hold an id that is no GUID, so nothing is checked.
    """

    sensitivity_label_id: str | None = None
    display_name: str | None = None
    tooltip: str | None = Field(None, validation_alias=AliasChoices("tooltip", "toolTip"))
    priority: int | None = None
    color: str | None = None
    is_encrypted: bool | None = None


def _none_if_unlabelled(value: Any) -> Any:
    """Chat writes an unlabelled answer as an object of nulls, connectors leave the member out: both mean no label.

    A bare text is taken for its name: a label that is there must not go unseen.
    """
    if isinstance(value, str) and value.strip():
        return {"displayName": value}
    if isinstance(value, dict) and all(member is None for member in value.values()):
        return None
    return value


OptionalLabel = Annotated[SearchSensitivityLabelInfo | None, BeforeValidator(_none_if_unlabelled)]
"""A label, or None where the item has none."""
