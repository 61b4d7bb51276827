"""JSON Schemas that every model provider takes, read off the fields of pydantic models.

Some providers refuse references, unions, type arrays and formats, and every generated title costs tokens in each
conversation. What remains says the same: an optional member is one that `required` does not list.

Not pydantic's own generator: it builds every model first and then has to be undone, which made the start of the
server a twentieth slower (measured). A test holds the two against each other.
"""

from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["plain_schema"]

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_LIMITS = {"ge": "minimum", "le": "maximum"}
_LENGTHS = {
    "string": {"min_length": "minLength", "max_length": "maxLength"},
    "array": {"min_length": "minItems", "max_length": "maxItems"},
}


def plain_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of `model` without `$ref`, `anyOf`, `oneOf`, type arrays, `format`, defaults and titles.

    A field with `exclude` is taken from callers and not published: nobody need know that it may be sent.

    Raises:
        TypeError: The model holds a type without a plain form, such as a union of two types.
    """
    fields = {field.alias or name: field for name, field in model.model_fields.items() if not field.exclude}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _member(field) for name, field in fields.items()},
    }
    required = [name for name, field in fields.items() if field.is_required()]
    return {**schema, "required": required} if required else schema


def _member(field: FieldInfo) -> dict[str, Any]:
    node = _limited(_node(field.annotation), field.metadata)
    if field.description:
        node["description"] = field.description
    if isinstance(field.json_schema_extra, dict):
        node.update(field.json_schema_extra)
    return node


def _node(annotation: Any) -> dict[str, Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _limited(_node(arguments[0]), arguments[1:])
    if origin in (Union, UnionType):
        kinds = [kind for kind in arguments if kind is not NoneType]
        if len(kinds) == 1:
            return _node(kinds[0])
    elif origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    elif origin is list:
        return {"type": "array", "items": _node(arguments[0])}
    elif origin is dict:
        return {"type": "object"}
    elif annotation in _TYPES:
        return {"type": _TYPES[annotation]}
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return plain_schema(annotation)
    raise TypeError(f"{annotation} has no plain schema")


def _limited(node: dict[str, Any], metadata: Iterable[Any]) -> dict[str, Any]:
    """`node` with the limits that stand beside the type; patterns and validators are for us alone."""
    names = _LIMITS | _LENGTHS.get(node["type"], {})
    for limit in metadata:
        for name, keyword in names.items():
            value = getattr(limit, name, None)
            if value is not None:
                node[keyword] = value
    return node
