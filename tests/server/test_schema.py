"""Published schemas hold nothing that a model provider refuses."""

from typing import Literal

import pytest
from pydantic import BaseModel, Field

from copilot_mcp.server.schema import plain_schema


class Inner(BaseModel):
    """For programmers."""

    text: str = Field(description="The words.")


class Outer(BaseModel):
    """For programmers."""

    one: Inner = Field(description="The nearest description wins.")
    many: list[Inner] | None = Field(None, description="Some.")
    kind: Literal["a", "b"] | None = None
    only: Literal["x"] = "x"
    count: int | None = Field(None, ge=1, le=25)


class Unclear(BaseModel):
    either: int | str


def test_references_titles_defaults_and_unions_with_null_are_gone() -> None:
    inner = {"type": "object", "properties": {"text": {"type": "string", "description": "The words."}}}
    inner["required"] = ["text"]
    assert plain_schema(Outer) == {
        "type": "object",
        "properties": {
            "one": {**inner, "description": "The nearest description wins."},
            "many": {"type": "array", "items": inner, "description": "Some."},
            "kind": {"type": "string", "enum": ["a", "b"]},
            "only": {"type": "string", "enum": ["x"]},
            "count": {"type": "integer", "minimum": 1, "maximum": 25},
        },
        "required": ["one"],
    }


def test_descriptions_can_be_left_out() -> None:
    assert "description" not in str(plain_schema(Outer, descriptions=False))


def test_a_true_union_is_refused() -> None:
    with pytest.raises(ValueError, match="a union of 2 types"):
        plain_schema(Unclear)
