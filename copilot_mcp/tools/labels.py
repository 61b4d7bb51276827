"""Sensitivity labels as the tools publish them: one form for chat and retrieval."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from copilot_mcp.quoting import fact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from copilot_mcp.graph import SearchSensitivityLabelInfo

__all__ = ["Label", "by_key", "label_of", "label_text", "strictness"]


class Label(BaseModel):
    """A sensitivity label; a higher priority is stricter."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, defer_build=True)

    display_name: str
    sensitivity_label_id: str | None = None
    priority: int | None = None
    tooltip: str | None = None

    @property
    def key(self) -> str:
        """What tells it from others, some of which may bear its name: its id, without one its name."""
        return self.sensitivity_label_id or self.display_name


def label_of(info: "SearchSensitivityLabelInfo | None") -> Label | None:
    """The label, or None where the service sent none or one without any value."""
    if info is None or not (info.display_name or info.sensitivity_label_id):
        return None
    return Label(
        display_name=info.display_name or info.sensitivity_label_id or "",
        sensitivity_label_id=info.sensitivity_label_id,
        priority=info.priority,
        tooltip=info.tooltip,
    )


def by_key(labels: "Iterable[Label]") -> dict[str, Label]:
    """Each label once; where several share a key, the strictest."""
    return {label.key: label for label in sorted(labels, key=strictness, reverse=True)}


def label_text(label: Label) -> str:
    """A label among our own words: its name, and what it asks of whoever reads the document."""
    name = fact(label.display_name)
    return f"{name} ({fact(label.tooltip)})" if label.tooltip else name


def strictness(label: Label) -> tuple[int, str]:
    """What sorts labels strictest first; one without a priority comes last."""
    return (1 if label.priority is None else -label.priority, label.display_name)
