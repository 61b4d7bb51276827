"""What build_filter is asked: typed conditions, or one expression to check."""

import math
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from copilot_mcp.graph import SourceName

__all__ = ["BuildFilterRequest", "ConnectorProperty", "FilterCondition"]

Operator = Literal[
    "contains",
    "equals",
    "notEquals",
    "startsWith",
    "lessThan",
    "atMost",
    "greaterThan",
    "atLeast",
    "between",
    "hasValue",
]


def _as_written(value: Any) -> Any:
    """A number or a truth value as the text that KQL has for it; anything else as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) and math.isfinite(value):
        whole = Decimal(str(value))
        return f"{whole.to_integral_value() if whole == whole.to_integral_value() else whole:f}"
    return value


Value = Annotated[str, BeforeValidator(_as_written)]
"""A value in words; models also write 2 for "2", and true."""


class _Arguments(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, defer_build=True
    )


class FilterCondition(_Arguments):
    """One typed condition; several values mean any of them (`notEquals`: none of them)."""

    property: str = Field(min_length=1)
    operator: Operator
    values: list[Value] = Field(default_factory=list)


class ConnectorProperty(_Arguments):
    """One property of a connection's schema, in Graph's own form; what filters have no use for is read and dropped."""

    name: str = Field(min_length=1)
    type: str | None = None
    is_queryable: bool | None = None
    is_searchable: bool | None = None
    is_exact_match_required: bool | None = None
    aliases: list[str] | None = None
    is_retrievable: bool | None = Field(None, exclude=True)
    is_refinable: bool | None = Field(None, exclude=True)
    labels: list[str] | None = Field(None, exclude=True)


class BuildFilterRequest(_Arguments):
    """Typed conditions, or one raw expression to check."""

    data_source: SourceName = Field(description="Where the filter will be used.")
    all: list[FilterCondition] | None = Field(
        None,
        description="Conditions that must all hold. sharePoint, oneDriveBusiness: Author, FileExtension, Filename, "
        "FileType, InformationProtectionLabelId (id or known name), LastModifiedTime, ModifiedBy, Path (folder URL or "
        "known name), SiteID, Title; "
        "externalItem: properties of the connection. Dates YYYY-MM-DD or today-30d; between takes two values.",
    )
    any: list[FilterCondition] | None = Field(None, description="Conditions of which at least one must hold.")
    none: list[FilterCondition] | None = Field(None, description="Conditions of which none may hold.")
    expression: str | None = Field(None, description="Instead of conditions: a KQL filter to check and explain.")
    connector_schema: list[ConnectorProperty] | None = Field(
        None, description="externalItem: the connection's schema properties, to check names and types."
    )
