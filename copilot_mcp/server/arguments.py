"""Raw tool arguments -> a request model: lenient about form, strict about names and values.

Models write `"10"` for 10, a bare string where an object with a `text` is declared, one value where a list is, and
objects as JSON text. Those are read as meant. An unknown name is refused at any depth, with the nearest right one: a
misspelt `filterExpresion` that was dropped in silence would search everything.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from copilot_mcp.errors import ArgumentError
from copilot_mcp.server.complaints import complaint, path_of, shortened
from copilot_mcp.server.half_characters import mended

__all__ = ["read_arguments"]

M = TypeVar("M", bound=BaseModel)
_ABSENT = object()
_PREFIX_CHARACTERS = 3
_QUESTIONS = frozenset({"prompt", "question", "query", "input", "content", "q"})
_WANTED = {bool: "true or false", int: "a whole number", float: "a number"}


def read_arguments(model: type[M], raw: Mapping[str, Any], *, sends: bool = True) -> M:
    """Validate `raw` as `model`; `sends` says that the call would have sent something.

    Raises:
        ArgumentError: One sentence for each problem, naming the argument and the remedy; no library text, and no
            value or name longer than a word.
    """
    problems: list[_Problem] = []
    shaped = _object(model, mended(raw), "", problems)
    try:
        request = model.model_validate(shaped)
        if not problems:
            return request
    except ValidationError as error:
        problems += _further(model, error, problems)
    sentences = " ".join(each.sentence for each in problems)
    remedy = "Correct the arguments and call again."
    raise ArgumentError(sentences, f"Nothing was sent. {remedy}" if sends else remedy) from None


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong, in one sentence; `about` is the argument that was left out of the shaped arguments for it."""

    sentence: str
    about: str = ""


def _further(model: type[BaseModel], error: ValidationError, known: Sequence[_Problem]) -> list[_Problem]:
    """The wrong values, without what only follows from a problem that is known: that its argument is missing."""
    about = {each.about for each in known}
    details = [
        detail
        for detail in error.errors(include_url=False)
        if not (detail["type"] == "missing" and path_of(detail["loc"]) in about) and (detail["loc"] or not known)
    ]
    return [_Problem(complaint(model, detail)) for detail in details]


def _object(model: type[BaseModel], raw: Mapping[str, Any], path: str, problems: list[_Problem]) -> dict[str, Any]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    shaped: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in fields:
            problems.append(_unknown(model, fields, path, name))
            continue
        member = _value(fields[name].annotation, value, f"{path}{name}", problems)
        if member is not _ABSENT:
            shaped[name] = member
    return shaped


def _unknown(model: type[BaseModel], fields: Mapping[str, FieldInfo], path: str, name: str) -> _Problem:
    from difflib import get_close_matches

    where = f"`{path}{shortened(name)}`"
    lowered = {known.lower(): known for known in fields}
    given = name.lower().replace("_", "")
    longer = [known for known in lowered if known.startswith(given)] if len(given) >= _PREFIX_CHARACTERS else []
    near = sorted(longer, key=len) or get_close_matches(given, lowered, n=1, cutoff=0.6)  # `filter`, `filterExpresion`
    if near:
        meant = f"{path}{lowered[near[0]]}"
        return _Problem(f"{where} is not an argument; did you mean `{meant}`?", meant)
    home = _home(model, name, path) or (_question(model, fields) if given in _QUESTIONS and not path else "")
    if home:
        return _Problem(f"{where} is not an argument here; it belongs at `{home}`.", home)
    return _Problem(f"{where} is not an argument; known here: {', '.join(fields)}.")


def _question(model: type[BaseModel], fields: Mapping[str, FieldInfo]) -> str:
    """Where the question goes that a model calls by another name."""
    return "queryString" if "queryString" in fields else _home(model, "text", "")


def _home(model: type[BaseModel], name: str, path: str) -> str:
    """Where below `model` a member called `name` is declared, or an empty string."""
    for alias, field in ((field.alias or key, field) for key, field in model.model_fields.items()):
        annotation, many = _core(field.annotation)
        if not _is_model(annotation):
            continue
        inside = f"{path}{alias}{'[]' if many else ''}."
        if any(name == (child.alias or key) for key, child in annotation.model_fields.items()):
            return f"{inside}{name}"
        deeper = _home(annotation, name, inside)
        if deeper:
            return deeper
    return ""


def _value(annotation: Any, value: Any, path: str, problems: list[_Problem]) -> Any:
    """`value` in the form that `annotation` declares where that is plain; else unchanged, for pydantic to refuse."""
    core, many = _core(annotation)
    if value is None:
        return _ABSENT
    if many:
        items = _list(core, value)
        if items is None:
            return value
        shaped = [_value(core, item, f"{path}[{index}]", problems) for index, item in enumerate(items)]
        return [item for item in shaped if item is not _ABSENT]
    if _is_model(core):
        members = _members(core, value)
        return value if members is None else _object(core, members, f"{path}.", problems)
    shaped = _scalar(core, value)
    wanted = _WANTED.get(core)  # pydantic would read true as 1, and 1, "on" and "yes" as true
    if wanted and (core is bool) != isinstance(shaped, bool):
        problems.append(_Problem(f"`{path}` must be {wanted}.", path))
        return _ABSENT
    return shaped


def _core(annotation: Any) -> tuple[Any, bool]:
    """The annotation without `None`, and whether it is a list of that."""
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not NoneType)
    if get_origin(annotation) in (list, tuple):
        return get_args(annotation)[0], True
    return annotation, False


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _list(core: Any, value: Any) -> list[Any] | None:
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        parsed = _json(value)
        if isinstance(parsed, list):
            return parsed
        return [value]
    return [value] if isinstance(value, Mapping) == _is_model(core) else None


def _members(model: type[BaseModel], value: Any) -> Mapping[str, Any] | None:
    """The members of an object that may have come as JSON text, or as the one text it is about."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str):
        return None
    names = {field.alias or name for name, field in model.model_fields.items()}
    parsed = _json(value)
    if "text" in names:  # free text may look like JSON; only a whole right object counts as one
        whole = isinstance(parsed, Mapping) and "text" in parsed and set(parsed) <= names
        return parsed if whole else {"text": value}
    if isinstance(parsed, Mapping):
        return parsed
    required = [field.alias or name for name, field in model.model_fields.items() if field.is_required()]
    return {required[0]: value} if len(required) == 1 else None


def _json(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return mended(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _scalar(core: Any, value: Any) -> Any:
    if get_origin(core) is Literal and isinstance(value, str):
        known = {str(choice).lower(): choice for choice in get_args(core)}
        return known.get(value.strip().lower(), value)
    if core is bool and isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    if core in (int, float) and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        if core is int and not math.isfinite(number):
            return value
        return int(number) if core is int and number.is_integer() else number
    if core is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
