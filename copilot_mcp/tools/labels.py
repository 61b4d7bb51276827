"""Sensitivity labels as the tools publish them: one form for chat and retrieval."""

from collections import Counter
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from copilot_mcp.quoting import fact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from copilot_mcp.graph import SearchSensitivityLabelInfo

__all__ = ["Label", "by_key", "label_of", "label_text", "strictness", "told_apart"]


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
    """The label, or None where the service sent none or one without any value. One without a name is one as well."""
    if info is None or not any((info.display_name, info.sensitivity_label_id, info.tooltip, info.priority)):
        return None
    return Label(
        display_name=info.display_name or info.sensitivity_label_id or "(unnamed label)",
        sensitivity_label_id=info.sensitivity_label_id,
        priority=info.priority,
        tooltip=info.tooltip,
    )


def by_key(labels: "Iterable[Label]") -> dict[str, Label]:
    """Each label once; where several share a key, the strictest."""
    return {label.key: label for label in sorted(labels, key=strictness, reverse=True)}


def told_apart(labels: "Mapping[str, Label]") -> dict[str, Label]:
    """The same labels by key, with the id behind each name that several bear: a hit shows the name alone."""
    bearers = Counter(label.display_name for label in labels.values())
    return {
        key: label.model_copy(update={"display_name": f"{label.display_name} ({label.sensitivity_label_id})"})
        if bearers[label.display_name] > 1 and label.sensitivity_label_id
        else label
        for key, label in labels.items()
    }


def label_text(label: Label, *, full: bool = False) -> str:
    """A label among our own words: its name, and what it asks of whoever reads the document; `full`, rank and id too.

    Many labels in full would cost a model more than they tell.
    """
    facts = [fact(label.tooltip)] if label.tooltip else []
    if full:
        facts += [f"priority {label.priority}"] if label.priority is not None else []
        facts += [f"id {fact(label.sensitivity_label_id)}"] if label.sensitivity_label_id else []
    name = fact(label.display_name)
    return f"{name} ({'; '.join(facts)})" if facts else name


def strictness(label: Label) -> tuple[int, str]:
    """What sorts labels strictest first; one without a priority comes last."""
    return (1 if label.priority is None else -label.priority, label.display_name)
