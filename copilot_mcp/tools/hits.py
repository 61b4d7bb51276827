"""Documents and passages as copilot_retrieve publishes them."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = ["Extract", "Hit", "Part", "Thumbnail"]


class Part(BaseModel):
    """A part of a result: frozen, camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, defer_build=True)


class Extract(Part):
    """One passage, verbatim. `id` comes from its document's address and its text."""

    id: str
    text: str
    relevance_score: float | None = Field(None, description="0 to 1.")
    page_numbers: list[int] | None = None


class Thumbnail(Part):
    """A picture of one page."""

    page_number: int | None = None
    media_type: str | None = None
    content: str = Field(description="Base64.")


class Hit(Part):
    """One document. `id` comes from its address and is the same whenever the same document comes back.

    `label` is a name out of the result's `sensitivity_labels`, `requests` the numbers of those that found it, where
    there were several.
    """

    id: str
    web_url: str
    title: str
    extracts: list[Extract]
    extracts_left_out: int | None = None
    resource_type: str | None = None
    resource_metadata: dict[str, str] | None = Field(None, description="Several values are joined by `;`.")
    label: str | None = None
    thumbnails: list[Thumbnail] | None = None
    outside_filter: bool | None = Field(None, description="True: proven outside.")
    requests: list[int] | None = None
