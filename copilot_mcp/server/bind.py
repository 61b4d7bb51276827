"""Our `Tool` as a tool of the MCP SDK: the one place where results and errors become MCP content.

A subclass of the SDK's tool and not its decorator: from a plain signature the SDK drops unknown arguments in
silence, and it parses text that looks like JSON before anybody sees it (both tried with mcp 2.3.0).
"""

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool as SdkTool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import Field

from copilot_mcp.errors import (
    AuthenticationError,
    AuthenticationRequiredError,
    CopilotMcpError,
    GraphError,
    PermissionDeniedError,
)
from copilot_mcp.quoting import quoted
from copilot_mcp.server.arguments import read_arguments
from copilot_mcp.server.halves import shows_both
from copilot_mcp.server.schema import plain_schema
from copilot_mcp.server.sign_in import SignIn, needs_sign_in, sign_in
from copilot_mcp.tools import SIMULATED, Tool, ToolContext, ToolResult, inert_text, unheard
from copilot_mcp.tools.consent import closed_uses, tools_closed_without

__all__ = ["BoundTool", "ContextFactory", "bind", "refusal_result"]

logger = logging.getLogger(__name__)

ERROR_META = "copilot-mcp/error"
"""Where the machine-readable facts of an error stand; error results carry no structured content."""

SIGNED_IN = "signedIn"
"""The member of the structured half that says who has just signed in; once, so that no schema announces it."""

_BLANK_LINE = "\n\n"
_NEWER_ERA = "2026-07-28"

ContextFactory = Callable[[Callable[[str], Any]], ToolContext]
"""Makes the context of one call around its progress function."""


class BoundTool(SdkTool):
    """The SDK's tool object around one of ours."""

    tool: Any = Field(exclude=True)
    make_context: Any = Field(exclude=True)
    person: Any = Field(None, exclude=True)
    simulated: bool = False
    text: Literal["auto", "full", "line"] = "auto"

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult | InputRequiredResult:
        """Call the tool. Never raises: whatever goes wrong becomes an error result that a model can act on."""
        started = time.perf_counter()
        outcome = "ok"
        try:
            result = await self._called(arguments, context)
            if isinstance(result, InputRequiredResult):
                outcome = "sign_in_asked"
                return result
            return await self._greeted(self._answer(result, in_line=shows_both(*_client(context), self.text)))
        except CopilotMcpError as error:
            outcome = error.kind
            text, facts = _with_what_is_closed(error)
            return refusal_result(text, facts, simulated=self.simulated, said=getattr(error, "partial_text", ""))
        except Exception as error:
            outcome = "internal"
            _log_crash(self.name, error)
            return refusal_result(
                f"copilot-mcp failed inside {self.name} ({type(error).__name__}). This is a defect of copilot-mcp; "
                "its log says where. Other calls are not affected.",
                {"kind": "internal"},
                simulated=self.simulated,
            )
        finally:
            logger.info("%s: %s in %.0f ms", self.name, outcome, (time.perf_counter() - started) * 1000)

    async def _called(self, arguments: dict[str, Any], context: Context[Any, Any]) -> ToolResult | InputRequiredResult:
        """The tool's result; where a sign-in is all that is missing, that of a second try after it.

        No second try follows a chat turn, whatever became of it.
        """
        request = read_arguments(self.tool.request, arguments, sends=self.tool.open_world)
        handle = partial(self.tool.handle, request, self.make_context(_progress(context)))
        since = self.person.successes if self.person is not None else 0
        try:
            result: ToolResult = await handle()
            return result
        except (AuthenticationRequiredError, AuthenticationError, PermissionDeniedError) as error:
            if self.person is None or not needs_sign_in(error):
                raise
            asked = await sign_in(context, self.person, error, error.scopes or self.tool.scopes, since=since)
        return asked if asked is not None else await handle()

    async def _greeted(self, answer: CallToolResult) -> CallToolResult:
        """The answer, and after a sign-in who signed in, in both halves. Nothing there costs the answer."""
        try:
            greeting = await self.person.greeting() if self.person is not None else ""
        except Exception as error:
            _log_crash(f"{self.name}, greeting", error)
            greeting = ""
        if greeting:
            answer.content.append(TextContent(type="text", text=greeting))
            answer.structured_content = {**(answer.structured_content or {}), SIGNED_IN: greeting}
        return answer

    def _answer(self, result: ToolResult, *, in_line: bool) -> CallToolResult:
        text = f"{self.title}: all of it is in the structured content." if in_line else self.tool.render(result)
        data = result.structured()
        if self.simulated:
            data = {"tenant": SIMULATED, **data}
            text = f"{text}{' ' if in_line else _BLANK_LINE}({SIMULATED}: not Microsoft 365)"
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=data)


def bind(
    tool: Tool[Any, Any],
    make_context: ContextFactory,
    *,
    simulated: bool,
    text: Literal["auto", "full", "line"] = "auto",
    person: SignIn | None = None,
    most_items: Mapping[str, int] | None = None,
) -> BoundTool:
    """Make `tool` callable by MCP clients; `text` is what `halves.shows_both` takes.

    `person` is who can sign in from inside the host, None where nobody can. `most_items` says how many entries of
    a list argument the settings allow, so that no model is told of more.
    """
    parameters = plain_schema(tool.request)
    for name, most in (most_items or {}).items():
        if name in parameters["properties"]:
            parameters["properties"][name]["maxItems"] = most
    return BoundTool(
        fn=tool.handle,
        name=tool.name,
        title=tool.title,
        description=tool.description,
        parameters=parameters,
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=plain_schema(tool.result)),
        is_async=True,
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=False,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
        tool=tool,
        make_context=make_context,
        person=person,
        simulated=simulated,
        text=text,
    )


def refusal_result(text: str, facts: dict[str, Any], *, simulated: bool, said: str = "") -> CallToolResult:
    """An error as MCP content: its text, its kind, and the facts beside it.

    `said` is what the service wrote before or instead of answering: quoted, so that nothing is lost.
    """
    text = f"{text} [{facts['kind']}]"
    if simulated:
        text = f"{text} ({SIMULATED}: not Microsoft 365)"
    if said.strip():
        text = f"{text}\n\nThe service had written:\n{quoted(inert_text(said).strip())}"
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True, _meta={ERROR_META: facts})


def _client(context: Context[Any, Any]) -> tuple[str, str]:
    """Name and version of the host, empty where it gave none, as it may in the modern era."""
    params = context.session.client_params
    return (params.client_info.name, params.client_info.version) if params else ("", "")


def _with_what_is_closed(error: CopilotMcpError) -> tuple[str, dict[str, Any]]:
    """Words and facts of an error, and beside them what a missing permission closes, where that is what went wrong."""
    missing: tuple[str, ...] = ()
    if isinstance(error, GraphError):
        missing = error.missing_scopes
    elif isinstance(error, AuthenticationError) and error.lacks_permission:
        missing = error.scopes
    uses = [str(use) for use in closed_uses(missing)]
    if not uses:
        return str(error), error.details()
    facts = error.details() | {"closedTools": list(tools_closed_without(missing)), "closedUses": uses}
    return f"{error} Closed until then: {'; '.join(uses)}.", facts


def _progress(context: Context[Any, Any]) -> Callable[[str], Any]:
    """Progress as MCP wants it: a number that rises with every message. Nothing happens where it was not asked for."""
    if not _may_hear(context):
        return unheard
    count = 0

    async def report(message: str) -> None:
        nonlocal count
        count += 1
        await context.report_progress(count, message=message)

    return report


def _may_hear(context: Context[Any, Any]) -> bool:
    """Whether the host asked for progress, which only the older era tells."""
    meta: Any = context.request_context.meta
    return (context.protocol_version or "") >= _NEWER_ERA or (bool(meta) and "progress_token" in meta)


def _log_crash(name: str, error: Exception) -> None:
    """Where it failed, without the exception's own text, which may quote a prompt, an answer or a token."""
    places = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s crashed with %s\n%s", name, type(error).__name__, places)
