"""One sentence for one rejected argument, in our own words: which argument, what is wrong, what is allowed."""

from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

__all__ = ["complaint", "path_of", "shortened"]

_WANTED = {
    "string": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "model": "an object",
    "dict": "an object",
    "finite": "a number",
}
_SHOWN_CHARACTERS = 40
_SHOWN_BELOW = 10**12


def complaint(model: type[BaseModel], detail: ErrorDetails) -> str:
    """Say what `detail`, an error of validating `model`, means to whoever wrote the arguments."""
    where = f"`{path_of(detail['loc'])}`" if detail["loc"] else "The arguments"
    kind, limits = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return f"{where} is missing{_about(model, detail['loc'])}."
    if kind == "value_error":  # our own validators: the words are ours
        words = str(limits["error"])
        if words.startswith("."):  # about a member: the path goes on where ours ends
            member, _, words = words.partition(" ")
            where = f"`{path_of(detail['loc'])}{member}`"
        return f"{where} {words}"
    if kind == "literal_error":
        return f"{where} is {_shown(detail['input'])}; it must be one of {limits['expected']}."
    if kind in ("string_too_short", "too_short"):
        return f"{where} is empty{_about(model, detail['loc'])}."
    if kind == "string_pattern_mismatch":  # the only pattern of our models asks for something visible
        return f"{where} is blank{_about(model, detail['loc'])}."
    if kind in ("string_too_long", "too_long"):
        return _too_long(where, kind, detail["input"], limits)
    if kind in ("greater_than_equal", "less_than_equal"):
        low, high = _range(model, detail["loc"])
        bounds = (
            f"{low} to {high}"
            if None not in (low, high)
            else f"at {'least' if high is None else 'most'} {low if high is None else high}"
        )
        return f"{where} is {_shown(detail['input'])}; it must be {bounds}."
    wanted = next((words for start, words in _WANTED.items() if kind.startswith(start)), "of another type")
    return f"{where} must be {wanted}."


def _too_long(where: str, kind: str, value: Any, limits: dict[str, Any]) -> str:
    unit = "characters" if kind == "string_too_long" else "entries"
    return f"{where} has {len(value):,} {unit}; at most {limits['max_length']:,} are allowed."


def path_of(loc: tuple[int | str, ...]) -> str:
    """A place in the arguments as our sentences name it: `connections[0].connectionId`."""
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _field(model: type[BaseModel], loc: tuple[int | str, ...]) -> Any:
    found: Any = None
    current: Any = model
    for part in loc:
        if isinstance(part, int):
            continue
        fields = {field.alias or name: field for name, field in current.model_fields.items()}
        found = fields[part]
        current = _model_in(found.annotation)
    return found


def _model_in(annotation: Any) -> Any:
    """The model class named somewhere in an annotation such as `list[X] | None`."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation
    return next((inner for part in get_args(annotation) if (inner := _model_in(part)) is not type(None)), None)


def _about(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """What the argument is, from its own description."""
    field = _field(model, loc)
    text = getattr(field, "description", None)
    return f" ({text.rstrip('.')})" if text else ""


def _range(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[Any, Any]:
    limits = _field(model, loc).metadata
    low = next((limit.ge for limit in limits if getattr(limit, "ge", None) is not None), None)
    high = next((limit.le for limit in limits if getattr(limit, "le", None) is not None), None)
    return low, high


def shortened(name: str) -> str:
    """The name of an argument, as much of it as a name can need."""
    return name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}…"


def _shown(value: Any) -> str:
    """Numbers and short words are shown back; anything longer is the caller's data."""
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= _SHOWN_CHARACTERS else "a longer text"
    if isinstance(value, int) and abs(value) >= _SHOWN_BELOW:
        return "a huge number"
    return str(value) if isinstance(value, int | float) else f"of type {type(value).__name__}"
