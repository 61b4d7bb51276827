"""Published schemas hold nothing that a model provider refuses, and say what pydantic's own would say."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, StringConstraints

from copilot_mcp.server.schema import plain_schema
from copilot_mcp.tools import TOOLS

LEFT_OUT = {"title", "default", "format", "additionalProperties", "pattern"}


class Inner(BaseModel):
    """For programmers."""

    text: str = Field(description="The words.")


class Outer(BaseModel):
    """For programmers."""

    one: Inner = Field(description="The nearest description wins.")
    many: list[Inner] | None = Field(None, description="Some.")
    kind: Literal["a", "b"] | None = None
    count: int | None = Field(None, ge=1, le=25)
    names: list[Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]] = Field(max_length=3)
    extra: dict[str, str] | None = Field(None, json_schema_extra={"type": ["object", "null"]})
    unpublished: str | None = Field(None, exclude=True)
    ratio: float = 0.5
    on: bool = False


class Unclear(BaseModel):
    either: int | str


UNPUBLISHED = ("unpublished", "isRetrievable", "isRefinable", "labels", "placed")
"""Fields with `exclude`: taken, and not published."""


def flattened(node: Any, definitions: dict[str, Any]) -> Any:
    """Pydantic's schema without references, unions with null, and what we leave out."""
    if isinstance(node, list):
        return [flattened(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    siblings = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
    if "$ref" in node:
        target = {**definitions[node["$ref"].removeprefix("#/$defs/")]}
        target.pop("description", None)
        return flattened({**target, **siblings}, definitions)
    if "anyOf" in node:
        (only,) = [each for each in node["anyOf"] if each.get("type") != "null"]
        return {**flattened(only, definitions), **flattened(siblings, definitions)}
    kept = {key: value for key, value in node.items() if key not in LEFT_OUT | {"properties"}}
    plain = {key: flattened(value, definitions) for key, value in kept.items()}
    if "properties" in node:
        published = {name: each for name, each in node["properties"].items() if name not in UNPUBLISHED}
        plain["properties"] = {name: flattened(each, definitions) for name, each in published.items()}
    return plain


@pytest.mark.parametrize("model", [Outer, *(model for tool in TOOLS for model in (tool.request, tool.result))])
def test_the_schema_says_what_pydantics_own_says(model: type[BaseModel]) -> None:
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    schema.pop("description", None)
    assert plain_schema(model) == flattened(schema, definitions)


def test_references_titles_defaults_and_unions_with_null_are_gone() -> None:
    inner = {"type": "object", "properties": {"text": {"type": "string", "description": "The words."}}}
    inner["required"] = ["text"]
    assert plain_schema(Outer) == {
        "type": "object",
        "properties": {
            "one": {**inner, "description": "The nearest description wins."},
            "many": {"type": "array", "items": inner, "description": "Some."},
            "kind": {"type": "string", "enum": ["a", "b"]},
            "count": {"type": "integer", "minimum": 1, "maximum": 25},
            "names": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 3},
            "extra": {"type": ["object", "null"]},
            "ratio": {"type": "number"},
            "on": {"type": "boolean"},
        },
        "required": ["one", "names"],
    }


def test_a_true_union_is_refused() -> None:
    with pytest.raises(TypeError, match="has no plain schema"):
        plain_schema(Unclear)
