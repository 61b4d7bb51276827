"""build_filter: make, check or explain a `filterExpression`, offline."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from copilot_mcp.errors import ArgumentError
from copilot_mcp.quoting import code_fence, code_span
from copilot_mcp.tools._tool import Tool, ToolContext, ToolResult
from copilot_mcp.tools.filter_request import BuildFilterRequest, FilterCondition
from copilot_mcp.tools.filter_size import within_tokens

if TYPE_CHECKING:  # the language is imported by the first call: listing the tools does not need it
    from copilot_mcp.kql import Diagnostic, Group, Node, Properties

__all__ = ["TOOL", "BuildFilterResult", "FilterDiagnostic", "reported"]

_TOO_LONG = "FILTER_TOO_LONG"


class FilterDiagnostic(BaseModel):
    """One finding. `start` and `end` count characters of the expression, from 0; `suggestion` replaces all of it."""

    code: str
    severity: str
    message: str
    start: int
    end: int
    suggestion: str | None = None


class BuildFilterResult(ToolResult):
    """Whether the filter may be sent, and the text to send."""

    valid: bool
    filter_expression: str | None = Field(
        None, description="KQL for copilot_retrieve; null: do not send.", json_schema_extra={"type": ["string", "null"]}
    )
    explanation: str = Field(description="What it finds.")
    diagnostics: list[FilterDiagnostic]
    repairs: list[str] = Field(description="What was changed in the input.")

    def structured(self) -> dict[str, Any]:
        """As any result, but a missing expression is said with null: it is the answer."""
        return {**super().structured(), "filterExpression": self.filter_expression}


async def build_filter(request: BuildFilterRequest, context: ToolContext) -> BuildFilterResult:
    """Build or check; an invalid filter is an ordinary result, with the reasons.

    Raises:
        ArgumentError: Neither conditions nor an expression were given, or both.
    """
    typed = bool(request.all or request.any or request.none)
    expression = None if typed and not (request.expression or "").strip() else request.expression
    if typed == (expression is not None):
        both = "Conditions and `expression` exclude each other." if typed else "There is nothing to build or check."
        raise ArgumentError(both, "Give conditions in `all`, `any` or `none`, or one `expression`.")

    from copilot_mcp.kql import build, parse

    properties = _properties(request, context)
    if expression is None:
        built = build(_group(request), properties, now=context.now(), names=context.names.current())
        found = Findings(built.tree, built.text, built.diagnostics)
        return _result(found, list(built.repairs), properties, context)
    parsed = parse(expression, properties, now=context.now())
    found = Findings(parsed.tree, parsed.canonical, parsed.diagnostics, parsed.omitted)
    repairs = ["Written in canonical form; the meaning is the same."]
    changed = parsed.canonical not in (None, expression)
    return _result(found, repairs if changed else [], properties, context)


def reported(diagnostics: Iterable["Diagnostic"]) -> list[FilterDiagnostic]:
    """The findings worth a reader's time: errors and warnings. Hints on style are left out."""
    return [FilterDiagnostic(**found.as_dict()) for found in diagnostics if found.severity != "information"]


@dataclass(frozen=True, slots=True)
class Findings:
    """What became of a filter, built or read; `omitted` counts the diagnostics that are not listed."""

    tree: "Node | None"
    text: str | None
    diagnostics: "tuple[Diagnostic, ...]"
    omitted: int = 0


def _properties(request: BuildFilterRequest, context: ToolContext) -> "Properties":
    from copilot_mcp.kql import SchemaProperty, properties_for

    schema = None
    if request.connector_schema:
        if request.data_source != "externalItem":
            raise ArgumentError(
                f"`connectorSchema` does not go with `dataSource` {request.data_source}.",
                "Leave it out, or set `dataSource` to externalItem.",
            )
        given = [each.model_dump(by_alias=True, exclude_none=True) for each in request.connector_schema]
        schema = [SchemaProperty.of(each) for each in given]
    return properties_for(request.data_source, schema, allow=context.settings.allow_property)


def _group(request: BuildFilterRequest) -> "Group":
    from copilot_mcp.kql import Condition, Group

    def conditions(given: list[FilterCondition] | None) -> tuple[Condition, ...]:
        return tuple(Condition(each.property, each.operator, tuple(each.values)) for each in given or ())

    return Group(all=conditions(request.all), any=conditions(request.any), none=conditions(request.none))


def _result(found: Findings, repairs: list[str], properties: "Properties", context: ToolContext) -> BuildFilterResult:
    """One verdict with copilot_retrieve: it refuses a text that is too long, so none is offered here."""
    from copilot_mcp.kql import explain
    from copilot_mcp.kql.parser import FILTER_LIMIT

    text, diagnostics = found.text, reported(found.diagnostics)
    others = [each for each in diagnostics if each.code != _TOO_LONG]
    if found.tree is None or text is None:
        explanation = "Do not send it: Microsoft 365 ignores such a filter and searches everything."
    elif len(text) > FILTER_LIMIT:
        message = f"The filter has {len(text):,} characters; at most {FILTER_LIMIT:,} are sent."
        text, explanation = None, "Too long to be sent: search several times, with a part of the values each."
        diagnostics = [FilterDiagnostic(code=_TOO_LONG, severity="error", message=message, start=0, end=0), *others]
    else:
        explanation = explain(found.tree, properties, now=context.now())
        diagnostics = others  # what was too long is the spelling that was given, and it is not sent
    result = BuildFilterResult(
        valid=text is not None,
        filter_expression=text,
        explanation=explanation,
        diagnostics=diagnostics,
        repairs=repairs,
    )
    return within_tokens(result, context.settings.max_tokens, render, found.omitted)


def render(result: BuildFilterResult) -> str:
    """The text half: the expression in a code block, what it finds, then what was changed or found."""
    lines = ["Not valid."]
    if result.filter_expression is not None:
        fence = code_fence(result.filter_expression)
        lines = [f"Valid. filterExpression:\n{fence}\n{result.filter_expression}\n{fence}"]
    lines.append(result.explanation)
    lines += [f"- repaired: {repair}" for repair in result.repairs]
    for found in result.diagnostics:
        place = f" at {found.start}-{found.end}" if found.end > found.start else ""
        remedy = f" Write: {code_span(found.suggestion)}" if found.suggestion else ""
        lines.append(f"- {found.severity} {found.code}{place}: {found.message}{remedy}")
    return "\n".join(lines)


DESCRIPTION = """\
Make, check or explain a filterExpression for copilot_retrieve. Offline, free, never fails on a wrong filter: it \
says what is wrong and what to write. Microsoft 365 ignores a malformed filter and searches everything, so check any \
filter that did not come from here. Give typed conditions or one raw expression; pass the returned filterExpression \
on unchanged."""

TOOL = Tool(
    name="build_filter",
    title="Build or check a filter",
    description=DESCRIPTION,
    request=BuildFilterRequest,
    result=BuildFilterResult,
    handle=build_filter,
    render=render,
    scopes=(),
    read_only=True,
    idempotent=True,
    open_world=False,
)
