"""What the Copilot Retrieval API answers with: hits, their passages and pictures."""

import base64
import binascii
import json
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from copilot_mcp.graph._base import ONLY_OBJECTS, GraphAnswer, GraphResource
from copilot_mcp.graph.labels import OptionalLabel


def _whole_numbers(value: Any) -> Any:
    return [each for each in value if type(each) is int] if isinstance(value, list) else value


class RetrievalExtract(GraphResource):
    """A passage. `relevance_score` is 0 to 1 and often missing, which says nothing about relevance."""

    text: str = ""
    relevance_score: float | None = Field(None, allow_inf_nan=False)
    page_numbers: Annotated[list[int], BeforeValidator(_whole_numbers)] = Field(default_factory=list)


def _as_extracts(value: Any) -> Any:
    """A passage that comes alone, or as bare text, is one all the same."""
    several = value if isinstance(value, list) else [value]
    return [{"text": each} if isinstance(each, str) else each for each in several]


_MISNAMED_MEDIA_TYPES = {"image/jpg": "image/jpeg"}
_JPEG_START = "/9j/"
_STARTS = (_JPEG_START, "iVBORw0KGgo")


def _media_type(value: Any) -> Any:
    return _MISNAMED_MEDIA_TYPES.get(value, value) if isinstance(value, str) else value


def _bare_base64(value: Any) -> Any:
    """Base64 without the prefixes the samples show, empty when it does not decode.

    `base64` is itself legal base64, so a bare one is taken for a prefix only where a JPEG begins right after it.
    """
    if not isinstance(value, str):
        return ""
    content = "".join(value.split())
    if content.startswith("data:"):
        content = content.partition(",")[2]
    if content.startswith("base64" + _JPEG_START):
        content = content.removeprefix("base64")
    if content.startswith(_STARTS):  # some leave out what fills the last group; only of a picture is that certain
        content = content.rstrip("=") + "=" * (-len(content.rstrip("=")) % 4)
    try:
        base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return content


class RetrievalThumbnail(GraphResource):
    """The image of a page. `content` is plain base64, empty where the service sent something else."""

    content: Annotated[str, BeforeValidator(_bare_base64)] = ""
    media_type: Annotated[str, BeforeValidator(_media_type)] = Field(
        "", validation_alias=AliasChoices("mediaType", "mimeType")
    )
    page_number: int | None = None


def _texts(value: Any) -> Any:
    """Property values as the documents promise them: strings, several joined by `;`, none left out."""
    if not isinstance(value, dict):
        return {}
    return {name: _text(member) for name, member in value.items() if member is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ";".join(_text(member) for member in value if member is not None)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


class RetrievalHit(GraphResource):
    """A document with its passages. Hits and passages come in no particular order."""

    web_url: str = ""
    extracts: Annotated[list[RetrievalExtract], ONLY_OBJECTS, BeforeValidator(_as_extracts)] = Field(
        default_factory=list
    )
    resource_type: str = ""
    resource_metadata: Annotated[dict[str, str], BeforeValidator(_texts)] = Field(default_factory=dict)
    sensitivity_label: OptionalLabel = None
    thumbnails: Annotated[list[RetrievalThumbnail], ONLY_OBJECTS] = Field(default_factory=list)

    def metadata(self, name: str) -> str | None:
        """The value of a property, found without regard to case, as the service changes it; None when missing."""
        wanted = name.casefold()
        return next((value for key, value in self.resource_metadata.items() if key.casefold() == wanted), None)


class RetrievalResponse(GraphAnswer):
    """The hits. An empty list means that nothing relevant was found, or that the tenant or app is not enabled."""

    retrieval_hits: Annotated[list[RetrievalHit], ONLY_OBJECTS]

    @classmethod
    def _without_nulls(cls, members: dict[str, Any]) -> dict[str, Any]:
        # A null collection is an empty one; a missing one means that this is no retrieval answer.
        none: dict[str, Any] = {"retrievalHits": []} if "retrievalHits" in members else {}
        return none | super()._without_nulls(members)
