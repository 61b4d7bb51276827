"""JSON Schemas that every model provider takes, made from pydantic models.

Some providers refuse references, unions, type arrays and formats, and every generated title costs tokens in each
conversation. What remains says the same: an optional member is one that `required` does not list.
"""

from typing import Any

from pydantic import BaseModel

__all__ = ["plain_schema"]

_DROPPED = ("title", "default", "format", "additionalProperties", "examples", "pattern")


def plain_schema(model: type[BaseModel], *, descriptions: bool = True) -> dict[str, Any]:
    """The schema of `model` without `$ref`, `anyOf`, `oneOf`, type arrays, `format` and titles.

    Raises:
        ValueError: The model holds a union of more than one type and null, which has no plain form.
    """
    schema = model.model_json_schema(by_alias=True, mode="validation")
    definitions = schema.pop("$defs", {})
    plain: dict[str, Any] = _plain(schema, definitions, descriptions)
    plain.pop("description", None)  # the class docstring is for programmers
    return plain


def _plain(node: dict[str, Any], definitions: dict[str, Any], descriptions: bool) -> dict[str, Any]:
    node = _resolved(node, definitions)
    plain = {key: value for key, value in node.items() if key not in _DROPPED}
    if not descriptions:
        plain.pop("description", None)
    if "const" in plain:
        plain["enum"] = [plain.pop("const")]
    if "properties" in plain:
        plain["properties"] = {
            name: _plain(member, definitions, descriptions) for name, member in plain["properties"].items()
        }
    if "items" in plain:
        plain["items"] = _plain(plain["items"], definitions, descriptions)
    return plain


def _resolved(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Follow one reference and take the only type of an optional; the description nearest the member wins."""
    siblings = {key: value for key, value in node.items() if key not in ("$ref", "anyOf", "allOf")}
    if "$ref" in node:
        target = dict(definitions[node["$ref"].removeprefix("#/$defs/")])
        target.pop("description", None)  # a class docstring
        return _resolved({**target, **siblings}, definitions)
    choices = [choice for choice in node.get("anyOf", node.get("allOf", ())) if choice.get("type") != "null"]
    if not choices:
        return node
    if len(choices) > 1:
        raise ValueError(f"a union of {len(choices)} types has no plain schema")
    return _resolved({**_resolved(choices[0], definitions), **siblings}, definitions)
