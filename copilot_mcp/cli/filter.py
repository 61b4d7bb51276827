"""`copilot-mcp filter`: check, build and explain filter expressions, offline."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from copilot_mcp.cli._filter_input import (
    expressions,
    group_from,
    read_json,
    read_once,
    read_schema,
    whole_text,
    wrong_usage,
)
from copilot_mcp.cli._filter_report import code_lines, diagnostic_lines, picture_lines, visible
from copilot_mcp.cli._names import names_from
from copilot_mcp.cli._options import allow_property_option, settings_option
from copilot_mcp.errors import SettingsError
from copilot_mcp.kql import Condition, Group, Parsed, Properties, build, explain, parse, properties_for
from copilot_mcp.kql.builder import Built
from copilot_mcp.kql.codes import CodeEntry, code_table, codes_page
from copilot_mcp.kql.names import Names
from copilot_mcp.kql.properties import DATA_SOURCES

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])


class _AnyCase(click.Choice[str]):
    """Choices that are taken in any case, and shown as they are spelt: click shows them in lower case then."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = {choice.casefold(): choice for choice in self.choices}
        return super().convert(known.get(str(value).casefold(), value), param, ctx)


def _shared(function: F) -> F:
    """The options of every command that reads filters."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object for each filter, on a line of its own."),
        allow_property_option,
        click.option(
            "--connector-schema",
            type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
            help="externalItem: JSON file with the connection's schema, or its properties, as Graph gives them.",
        ),
        click.option(
            "--data-source",
            type=_AnyCase(DATA_SOURCES),
            default="sharePoint",
            show_default=True,
            help="Where the filter will be used.",
        ),
    ):
        function = option(function)
    return function


def _reading(function: F) -> F:
    function = click.option(
        "--file",
        type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
        help="A file of filters, one a line; blank lines and lines that begin with # are passed over.",
    )(function)
    return click.argument("expression", required=False)(function)


@click.group("filter")
def command() -> None:
    """Check, build or explain filter expressions (KQL).

    Offline and without an account. Ends with status 1 when a filter is not valid: Microsoft 365 would ignore it and
    search everything.
    """


@command.command("check")
@_reading
@_shared
def check(expression: str | None, file: Path | None, as_json: bool, **language: Any) -> None:
    """Check filters, and say what to write instead.

    Reads EXPRESSION, or the lines of --file, or those of standard input.
    """
    _read_all(expression, file, language, as_json=as_json, explained=False)


@command.command("explain")
@_reading
@_shared
def explain_filters(expression: str | None, file: Path | None, as_json: bool, **language: Any) -> None:
    """Say in plain words what filters find.

    Reads EXPRESSION, or the lines of --file, or those of standard input.
    """
    _read_all(expression, file, language, as_json=as_json, explained=True)


def _conditions(kind: str, about: str) -> Callable[[F], F]:
    return click.option(
        f"--{kind}", kind, nargs=3, multiple=True, metavar="PROPERTY OPERATOR VALUE", help=f"{about} Repeat for more."
    )


@command.command("build")
@_conditions("all", "A condition that must hold.")
@_conditions("any", "A condition of which one at least must hold.")
@_conditions("none", "A condition that must not hold.")
@click.option(
    "--conditions",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Instead: a JSON file with `all`, `any` and `none`, each a list of {property, operator, values}; groups nest.",
)
@settings_option
@_shared
def build_filter(conditions: Path | None, settings_file: Path | None, as_json: bool, **given: Any) -> None:
    """Build a filter from conditions.

    The filter goes to standard output, what it finds and what was repaired to standard error. Operators: contains,
    equals, notEquals, startsWith, lessThan, atMost, greaterThan, atLeast, between (A..B), hasValue (with "" as VALUE).
    Dates: 2025-01-31, or today-30d.
    """
    kinds = {kind: [_condition(*each) for each in given.pop(kind)] for kind in ("all", "any", "none")}
    if (conditions is not None) == any(kinds.values()):
        raise wrong_usage("Give conditions with --all, --any, --none, or else a file of them with --conditions.")
    read_once(conditions, given["connector_schema"])
    group = Group(**kinds) if conditions is None else group_from(read_json(conditions))
    properties = _properties(**given)
    built = build(group, properties, now=_now(), names=Names(**names_from(settings_file)))
    (_print_built_json if as_json else _print_built)(built, properties)
    sys.exit(0 if built.text is not None else 1)


@command.command("codes")
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each code, on a line of its own.")
def codes(code: str | None, as_json: bool) -> None:
    """Explain every code that a check may report, or one of them."""
    known = [row.code for row in code_table()]
    chosen = code.upper() if code is not None else None
    if chosen is not None and chosen not in known:
        raise wrong_usage(f"There is no code {visible(code or '')}. There are: {', '.join(known)}.")
    if as_json:
        for row in code_table():
            if chosen in (None, row.code):
                click.echo(json.dumps(_code_facts(row), ensure_ascii=False))
        return
    for line in code_lines(codes_page(chosen)):
        click.echo(line)


def _code_facts(row: CodeEntry) -> dict[str, Any]:
    return {
        "code": row.code,
        "severity": row.severity,
        "meaning": row.meaning,
        "fix": row.fix,
        "example": row.example,
        "dataSource": row.data_source,
        "corrected": row.corrected,
    }


def _now() -> datetime:
    return datetime.now(UTC)


def _properties(data_source: str, connector_schema: Path | None, allow_property: tuple[str, ...]) -> Properties:
    if connector_schema is not None and data_source != "externalItem":
        raise wrong_usage(
            f"--connector-schema does not go with --data-source {data_source}. Set --data-source externalItem."
        )
    return properties_for(data_source, read_schema(connector_schema), allow=allow_property)


def _condition(name: str, operator: str, value: str) -> Condition:
    for text in (name, operator, value):
        whole_text(text, "A condition")
    if operator == "between":
        low, _, high = value.partition("..")
        return Condition(name, operator, (low, high))
    return Condition(name, operator, () if operator == "hasValue" and not value else (value,))


def _read_all(
    expression: str | None, file: Path | None, language: dict[str, Any], *, as_json: bool, explained: bool
) -> None:
    read_once("-" if file is None and expression is None else file or expression, language["connector_schema"])
    properties = _properties(**language)
    counts = {True: 0, False: 0}
    for number, text in expressions(expression, file):
        parsed = parse(text, properties, now=_now())
        counts[parsed.valid] += 1
        (_print_json if as_json else _print_report)(number, text, parsed, properties, explained=explained)
    if not sum(counts.values()):
        raise SettingsError("There is no filter in the input.", "Write one filter a line.")
    if sum(counts.values()) > 1 and not as_json:
        click.echo(f"{sum(counts.values())} filters: {counts[True]} valid, {counts[False]} not valid.")
    sys.exit(1 if counts[False] else 0)


def _explanation(parsed: Parsed, properties: Properties) -> str | None:
    return explain(parsed.tree, properties, now=_now()) if parsed.tree is not None and parsed.valid else None


def _print_report(number: int | None, text: str, parsed: Parsed, properties: Properties, *, explained: bool) -> None:
    place = "" if number is None else f"Line {number}: "
    shown = [one for one in parsed.diagnostics if one.severity != "information"]
    if parsed.valid:
        changed = parsed.canonical != text
        click.echo(
            f"{place}{click.style('valid', fg='green', bold=True)}{', send it in this form:' if changed else ''}"
        )
        click.echo(f"  {visible(parsed.canonical or '')}")
        if explained:
            explanation = _explanation(parsed, properties) or ""
            click.echo(f"  {visible(explanation)}")
            shown = [one for one in shown if f"Warning {one.code}: " not in explanation]
    else:
        click.echo(f"{place}{click.style('not valid', fg='red', bold=True)}: do not send it, it would be ignored.")
    copied = [parsed.canonical if parsed.valid else None, *(one.suggestion for one in shown)]
    for line in (*diagnostic_lines(text, shown), *picture_lines(copied)):
        click.echo(line)
    if parsed.omitted:
        click.echo(f"  {parsed.omitted} more findings are not listed.")


def _print_json(number: int | None, text: str, parsed: Parsed, properties: Properties, *, explained: bool) -> None:
    row: dict[str, Any] = {} if number is None else {"line": number}
    row |= {"expression": text, "dataSource": properties.data_source, "valid": parsed.valid}
    row |= {"filterExpression": parsed.canonical}
    if explained:
        row["explanation"] = _explanation(parsed, properties)
    row |= {"diagnostics": [one.as_dict() for one in parsed.diagnostics], "omitted": parsed.omitted}
    click.echo(json.dumps(row, ensure_ascii=False))


def _print_built(built: Built, properties: Properties) -> None:
    if built.text is not None and built.tree is not None:
        click.echo(built.text)
        click.echo(visible(explain(built.tree, properties, now=_now())), err=True)
    for repair in built.repairs:
        click.echo(f"  repaired {visible(repair)}", err=True)
    suggested = [one.suggestion for one in built.diagnostics]
    for line in (*diagnostic_lines(built.text or "", built.diagnostics), *picture_lines(suggested)):
        click.echo(line, err=True)


def _print_built_json(built: Built, properties: Properties) -> None:
    valid = built.text is not None and built.tree is not None
    row = {
        "dataSource": properties.data_source,
        "valid": valid,
        "filterExpression": built.text,
        "explanation": explain(built.tree, properties, now=_now()) if built.tree is not None else None,
        "repairs": list(built.repairs),
        "diagnostics": [one.as_dict() for one in built.diagnostics],
        "omitted": 0,
    }
    click.echo(json.dumps(row, ensure_ascii=False))
