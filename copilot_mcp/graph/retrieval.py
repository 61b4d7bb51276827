"""What the Copilot Retrieval API is sent (v1.0; thumbnails in beta)."""

import json
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from copilot_mcp.graph._base import GraphBody
from copilot_mcp.graph.chat import NonBlank

SourceName = Literal["sharePoint", "oneDriveBusiness", "externalItem", "sharePointEmbedded"]
"""A data source exactly as Graph spells it."""

DATA_SOURCES: tuple[SourceName, ...] = get_args(SourceName)

RETRIEVAL_LIMIT_S = 55.0
"""Seconds for a retrieval, waits and repetitions included: many hosts end a call after 60, and what came later would be
paid for and lost."""

_SEVERAL_NAMES = re.compile(r"[,;]")
_SHOWN_CHARACTERS = 80


def _spelt_as_graph_does(value: Any) -> Any:
    """`SharePoint` is common in samples; Graph documents camelCase."""
    if isinstance(value, str):
        return next((name for name in DATA_SOURCES if name.casefold() == value.casefold()), value)
    return value


DataSource = Annotated[SourceName, BeforeValidator(_spelt_as_graph_does)]
"""Where to look; one source a call. `sharePointEmbedded` is a preview."""


QueryString = Annotated[str, StringConstraints(min_length=1, max_length=1500, pattern=r"\S")]
"""What to find: Graph takes 1,500 characters."""


class ConnectionItem(GraphBody):
    """One Copilot connector."""

    connection_id: NonBlank = Field(description="Connection id.")


class ExternalItemConfiguration(GraphBody):
    """Which connectors to search."""

    connections: list[ConnectionItem] = Field(min_length=1, description="Connectors to search.")


class SharePointEmbeddedConfiguration(GraphBody):
    """Which container type to search."""

    container_type_id: NonBlank = Field(description="Container type id.")


class DataSourceConfiguration(GraphBody):
    """Narrows a data source; use the member that fits `dataSource`."""

    external_item: ExternalItemConfiguration | None = Field(None, description="With externalItem.")
    share_point_embedded: SharePointEmbeddedConfiguration | None = Field(None, description="With sharePointEmbedded.")


class RetrievalBody(GraphBody):
    """One retrieval: one question to one data source."""

    query_string: QueryString = Field(description="One specific sentence.")
    data_source: DataSource = Field(description="Where to look.")
    data_source_configuration: DataSourceConfiguration | None = Field(None, description="Narrows the source.")
    filter_expression: str | None = Field(None, description="KQL filter.")
    resource_metadata: list[NonBlank] | None = Field(None, description="Properties to return with each hit.")
    maximum_number_of_results: int | None = Field(None, ge=1, le=25, description="Documents, not extracts.")
    include_thumbnails: bool | None = Field(None, description="Page images (beta).")

    @field_validator("resource_metadata")
    @classmethod
    def _one_name_an_entry(cls, names: list[str] | None) -> list[str] | None:
        """Graph knows no property `title,author` and would leave it out of every hit in silence."""
        if any(_SEVERAL_NAMES.search(name) for name in names or ()):
            apart = [part.strip() for name in names or () for part in _SEVERAL_NAMES.split(name) if part.strip()]
            meant = json.dumps(apart)
            example = f", for instance {meant}" if len(meant) <= _SHOWN_CHARACTERS and len(apart) > 1 else ""
            raise ValueError(f"has several names in one entry; give each name an entry of its own{example}.")
        return names

    def payload(self) -> dict[str, Any]:
        """As of any body; only the beta version knows the member that asks for pictures, so it goes out only if set."""
        members = super().payload()
        if not self.include_thumbnails:
            members.pop("includeThumbnails", None)
        return members

    @property
    def needs_beta(self) -> bool:
        """Whether only the beta version knows a member of this body."""
        return bool(self.include_thumbnails)
