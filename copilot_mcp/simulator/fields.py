"""Reads the members of a JSON request body and refuses what the documents do not allow, with Graph's 400."""

from collections.abc import Collection, Mapping
from typing import Any

from copilot_mcp.simulator.json_values import read_value
from copilot_mcp.simulator.replies import GraphRefusalError

__all__ = ["bad_request", "flag", "known_members", "member", "number", "objects", "read_json", "text", "texts"]


def bad_request(message: str) -> GraphRefusalError:
    """400 with Graph's general code."""
    return GraphRefusalError(400, "BadRequest", message)


def read_json(content: bytes) -> dict[str, Any]:
    """The JSON object of a request body; an empty body is an empty object."""
    if not content.strip():
        return {}
    try:
        value = read_value(content)
    except ValueError:
        raise bad_request("Unable to read the JSON request payload.") from None
    if not isinstance(value, dict):
        raise bad_request("The request payload must be a JSON object.")
    return value


def known_members(body: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuse members that the type does not have; OData's own are let through."""
    unknown = [name for name in body if name not in known and not name.startswith("@odata.")]
    if unknown:
        raise bad_request(f"The property '{unknown[0][:64]}' does not exist on {where}.")


def member(body: Mapping[str, Any], name: str, where: str = "the request") -> dict[str, Any]:
    """A member that must be an object when it is there; an absent one is an empty object."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"'{name}' of {where} must be an object.")
    return value


def text(body: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    """A member that must be text; empty when it is absent and not required."""
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value.strip()):
        raise bad_request(f"'{name}' must be {'non-empty ' if required else ''}text.")
    return value


def texts(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A member that must be a list of text; an absent one is empty."""
    value = body.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise bad_request(f"'{name}' must be a list of text.")
    return tuple(value)


def flag(body: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """A member that must be true or false."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad_request(f"'{name}' must be true or false.")
    return value


def number(body: Mapping[str, Any], name: str) -> float | None:
    """A member that must be a number when it is there."""
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise bad_request(f"'{name}' must be a number.")
    return value


def objects(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A member that must be a list of objects; an absent one is empty."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise bad_request(f"'{name}' must be a list of objects.")
    return value
