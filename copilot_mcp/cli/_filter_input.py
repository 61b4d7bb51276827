"""What the `filter` commands read: expressions, and conditions and schemas as JSON."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from copilot_mcp.cli._terminal import is_terminal
from copilot_mcp.errors import SettingsError
from copilot_mcp.kql import Condition, Group, SchemaProperty

__all__ = ["expressions", "group_from", "read_json", "read_once", "read_schema", "whole_text", "wrong_usage"]

MAX_BYTES = 16 * 1024 * 1024
MAX_GROUPS = 100
"""Levels of groups that are read; a filter bears fewer, which the builder says."""

_KINDS = ("all", "any", "none")
_MEMBERS = ("property", "operator", "values")


def expressions(given: str | None, file: Path | None) -> Iterator[tuple[int | None, str]]:
    """The filters to look at, each with its line number where it came from a file or from standard input.

    One filter a line, which LF or CRLF ends and nothing else: a value may hold any other break. Blank lines and lines
    that begin with `#` are passed over.

    Raises:
        click.UsageError: Nothing was given, or too much.
        SettingsError: The input cannot be read or is no Unicode text.
    """
    if given is not None and given != "-":
        if file is not None:
            raise wrong_usage("An expression and --file exclude each other. Give one of them.")
        yield None, whole_text(given, "The expression")
        return
    if given is None and file is None and (sys.stdin is None or is_terminal(sys.stdin)):
        raise wrong_usage(
            "There is no filter to read. Give one as an argument (in quotes), or --file FILE, or pipe some in."
        )
    for number, line in enumerate(re.split(r"\r?\n", _read(file)), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def read_once(*given: str | Path | None) -> None:
    """Make sure that at most one of the inputs is standard input, `-`.

    Raises:
        click.UsageError: Two of them are: the first would read it to its end.
    """
    if sum(str(each) == "-" for each in given) > 1:
        raise wrong_usage("Standard input can be read only once. Name a file for one of the two.")


def wrong_usage(message: str) -> click.UsageError:
    """For options and arguments that do not go together; `--json` gives it the kind `usage`."""
    return click.UsageError(message, click.get_current_context(silent=True))


def whole_text(text: str, named: str) -> str:
    """The text itself.

    Raises:
        SettingsError: It is no Unicode text: an argument that was not UTF-8, or half of a surrogate pair in JSON.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SettingsError(
            f"{named} is no Unicode text (character {error.start + 1}).", "Write the whole character, in UTF-8."
        ) from None
    return text


def read_json(file: Path) -> Any:
    """The JSON value in `file`, or on standard input for `-`.

    Raises:
        SettingsError: It cannot be read or is no JSON.
    """
    try:
        return json.loads(_read(file))
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{_named(file)} is no JSON: {error}.", "Correct it there.") from error


def read_schema(file: Path | None) -> list[SchemaProperty] | None:
    """A connection's schema as Graph gives it, whole or only its list of `properties`; None without a file.

    Raises:
        SettingsError: It has another form.
    """
    if file is None:
        return None
    data = read_json(file)
    rows = data.get("properties") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SettingsError(
            f"{_named(file)} is no connector schema.", "It is a JSON list of properties, each with `name` and `type`."
        )
    try:
        schema = [SchemaProperty.of(row) for row in rows]
        for one in schema:
            for text in (one.name, one.type, *one.aliases):
                whole_text(text, f"{_named(file)}: a text of the schema")
        return schema
    except ValueError as error:
        raise SettingsError(f"{_named(file)}: {error}", "Correct it there.") from error


def group_from(data: Any, place: str = "", depth: int = 1) -> Group:
    """Conditions in the tool's own form, `all`, `any` and `none`; a group may stand where a condition may.

    Raises:
        SettingsError: It has another form; the message names the place.
    """
    if depth > MAX_GROUPS:
        raise SettingsError(f"The conditions: groups are nested more than {MAX_GROUPS} levels deep.", "Flatten them.")
    if not isinstance(data, dict) or not data or set(data) - set(_KINDS):
        raise SettingsError(f"{place or 'The conditions'}: a group has `all`, `any` or `none`.", "Correct it there.")
    return Group(**{kind: _items(items, f"{place}{kind}", depth) for kind, items in data.items()})


def _items(items: Any, place: str, depth: int) -> Sequence[Condition | Group]:
    if not isinstance(items, list):
        raise SettingsError(f"{place} is no list.", "Correct it there.")
    return [_item(item, f"{place}[{index}]", depth) for index, item in enumerate(items)]


def _item(item: Any, place: str, depth: int) -> Condition | Group:
    if isinstance(item, dict) and set(item) & set(_KINDS):
        return group_from(item, f"{place}.", depth + 1)
    return _condition(item, place)


def _condition(item: Any, place: str) -> Condition:
    right = isinstance(item, Mapping) and {"property", "operator"} <= set(item) <= set(_MEMBERS)
    values = item.get("values", []) if right else None
    texts = isinstance(values, list) and all(isinstance(value, str) for value in values)
    if not texts or not all(isinstance(item[name], str) for name in _MEMBERS[:2]):
        raise SettingsError(
            f"{place}: a condition has `property` and `operator`, each a text, and `values`, a list of texts.",
            "Correct it there.",
        )
    for text in (item["property"], item["operator"], *(values or ())):
        whole_text(text, f"{place}: a text")
    return Condition(item["property"], item["operator"], tuple(values or ()))


def _read(file: Path | None) -> str:
    named = None if file is None or str(file) == "-" else file
    if named is None and sys.stdin is None:
        raise SettingsError("Standard input is closed.", "Name a file, or pipe some in.")
    try:
        if named is None:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with named.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{_named(file)} cannot be read ({error.strerror}).", "Name another file.") from error
    if len(data) > MAX_BYTES:
        raise SettingsError(f"{_named(file)} is larger than 16 MiB.", "Split it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{_named(file)} is not UTF-8 (byte {error.start}).", "Convert it.") from error


def _named(file: Path | None) -> str:
    return "Standard input" if file is None or str(file) == "-" else f"The file {file}"
