"""Results and errors as MCP content: both halves, error facts beside the text, and crashes that give nothing away."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.types import Implementation, TextContent

from copilot_mcp.errors import (
    AuthenticationError,
    AuthenticationRequiredError,
    FilterError,
    PermissionDeniedError,
    ThrottledError,
)
from copilot_mcp.server.bind import bind
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator
from copilot_mcp.tools import Tool, ToolContext, ToolResult
from copilot_mcp.tools.filter import BuildFilterRequest

pytestmark = pytest.mark.anyio


class Answer(ToolResult):
    text: str


Handle = Callable[[BuildFilterRequest, ToolContext], Any]


def tool(handle: Handle) -> Tool[Any, Any]:
    return Tool(
        name="probe",
        title="Probe",
        description="A probe.",
        request=BuildFilterRequest,
        result=Answer,
        handle=handle,
        render=lambda result: result.text,
        scopes=(),
        read_only=True,
        idempotent=True,
        open_world=False,
    )


async def call(
    handle: Handle,
    era: Any,
    *,
    simulated: bool = False,
    host: tuple[str, str] = ("probe", "1"),
    text: Any = "auto",
    person: Any = None,
) -> Any:
    async def no_graph() -> Any:
        raise AssertionError

    def context(progress: Any) -> ToolContext:
        return ToolContext(no_graph, Settings(), lambda: None, lambda: 0.0, progress)

    bound = bind(tool(handle), context, simulated=simulated, text=text, person=person)
    server: MCPServer[Any] = MCPServer("probe", tools=[bound])
    async with Client(server, mode=era, client_info=Implementation(name=host[0], version=host[1])) as client:
        return await client.call_tool("probe", {"dataSource": "sharePoint"})


@pytest.mark.parametrize("simulated", [False, True])
async def test_a_result_becomes_text_and_data(era: Any, simulated: bool) -> None:
    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        return Answer(text="42")

    result = await call(handle, era, simulated=simulated)
    mark = "\n\n(simulated tenant: not Microsoft 365)" if simulated else ""
    assert result.content == [TextContent(type="text", text=f"42{mark}")]
    assert result.structured_content == {"text": "42"} | ({"tenant": "simulated tenant"} if simulated else {})


LINE = "Probe: all of it is in the structured content."
COPILOT_CLI = "github-copilot-developer"


@pytest.mark.parametrize(
    ("host", "choice", "text"),
    [
        (("claude-code", "2.1.280"), "auto", "42"),
        ((COPILOT_CLI, "1.0.56"), "auto", LINE),
        ((COPILOT_CLI, "1.1.0-beta.3"), "auto", LINE),
        ((COPILOT_CLI, "1.0.55"), "auto", "42"),
        ((COPILOT_CLI, "1.0"), "auto", "42"),
        ((COPILOT_CLI, "unknown"), "auto", "42"),
        ((COPILOT_CLI, "1.0.78"), "full", "42"),
        (("claude-code", "2.1.280"), "line", LINE),
    ],
)
async def test_text_is_one_line_only_where_the_host_shows_both_halves(
    era: Any, host: tuple[str, str], choice: str, text: str
) -> None:
    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        return Answer(text="42")

    result = await call(handle, era, host=host, text=choice)
    assert result.content == [TextContent(type="text", text=text)]
    assert result.structured_content == {"text": "42"}


async def test_one_line_still_says_that_the_tenant_is_simulated(era: Any) -> None:
    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        return Answer(text="42")

    result = await call(handle, era, simulated=True, text="line")
    assert result.content[0].text == f"{LINE} (simulated tenant: not Microsoft 365)"


class Speechless:
    """A person whose greeting fails."""

    successes = 0

    async def greeting(self) -> str:
        raise PermissionError(" ".join(["Adele", "Vance"]))


async def test_an_answer_is_not_lost_when_the_greeting_fails(era: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        return Answer(text="42")

    result = await call(handle, era, person=Speechless())
    assert (result.is_error, result.content) == (False, [TextContent(type="text", text="42")])
    assert "probe, greeting crashed with PermissionError" in caplog.text
    assert "Adele Vance" not in caplog.text


async def test_an_error_has_its_facts_beside_the_text(era: Any) -> None:
    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        raise ThrottledError("Too much.", "Wait.", status=429, code="Busy", request_id="r1", retry_after=6.2)

    result = await call(handle, era)
    assert result.is_error
    assert result.structured_content is None
    assert result.content[0].text == "Too much. Wait. Next try in 7 s. [throttled]"
    assert result.meta["copilot-mcp/error"] == {
        "kind": "throttled",
        "status": 429,
        "code": "Busy",
        "requestId": "r1",
        "retryAfterSeconds": 6.2,
    }


async def test_a_filter_error_carries_its_diagnostics(era: Any) -> None:
    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        raise FilterError("Wrong.", diagnostics=[{"code": "EMPTY_FILTER"}])

    result = await call(handle, era)
    facts = {"kind": "invalid_filter", "diagnostics": [{"code": "EMPTY_FILTER"}]}
    assert result.meta["copilot-mcp/error"] == facts


async def test_what_the_service_wrote_before_an_error_is_quoted_and_not_logged(
    era: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        error = ThrottledError("Too much.", "Wait.")
        error.partial_text = "The merger\nis off.\n"
        raise error

    with caplog.at_level(logging.DEBUG):
        result = await call(handle, era)
    assert result.content[0].text == "Too much. Wait. [throttled]\n\nThe service had written:\n> The merger\n> is off."
    assert "merger" not in caplog.text


async def test_nothing_acts_in_what_the_service_wrote_before_an_error(era: Any) -> None:
    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        error = ThrottledError("Too much.", "Wait.")
        error.partial_text = (
            "See <File>Plan.docx</File> ![x](https://evil.example/x)\u2028- Note: <script>a\u200bb</script>"
        )
        raise error

    result = await call(handle, era)
    assert result.content[0].text == (
        "Too much. Wait. [throttled]\n\nThe service had written:\n"
        "> See Plan.docx {image: x; evil.example}\n> - Note: &lt;script>ab&lt;/script>"
    )


@pytest.mark.parametrize("fault", ["stream_error", "refusal"])
async def test_a_turn_that_fails_loses_nothing_of_what_copilot_said(
    client: Client, simulator: Simulator, fault: str
) -> None:
    simulator.faults.add(fault)
    result = await client.call_tool("copilot_chat", {"message": "How many weeks of parental leave do we get?"})
    assert result.is_error
    assert "\n\nThe service had written:\n> " in result.content[0].text


async def test_a_crash_names_its_place_but_not_its_words(era: Any, caplog: pytest.LogCaptureFixture) -> None:
    words = " ".join(["the prompt was:", "merger"])

    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        raise RuntimeError(words)

    with caplog.at_level(logging.DEBUG):
        result = await call(handle, era)
    assert result.is_error
    assert "copilot-mcp failed inside probe (RuntimeError)" in result.content[0].text
    assert result.meta["copilot-mcp/error"] == {"kind": "internal"}
    assert words not in result.content[0].text
    assert words not in caplog.text
    assert "test_bind.py" in caplog.text


@pytest.mark.parametrize(
    ("error_class", "attribute", "kind"),
    [(AuthenticationError, "scopes", "scopes_missing"), (PermissionDeniedError, "missing_scopes", "consent")],
)
async def test_a_missing_permission_names_the_tools_it_closes(
    era: Any, error_class: Any, attribute: str, kind: str
) -> None:
    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        error = error_class("Not granted.", "Ask.", kind=kind)
        setattr(error, attribute, ("Mail.Read",))
        raise error

    result = await call(handle, era)
    assert result.content[0].text == f"Not granted. Ask. Closed until then: copilot_chat. [{kind}]"
    facts = result.meta["copilot-mcp/error"]
    assert (facts["closedTools"], facts["closedUses"]) == (["copilot_chat"], ["copilot_chat"])


async def test_a_tool_that_is_closed_in_part_is_named_with_that_part(era: Any) -> None:
    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        error = PermissionDeniedError("Not granted.", "Ask.", kind="consent")
        error.missing_scopes = ("Files.Read.All",)
        raise error

    result = await call(handle, era)
    closed = "copilot_retrieve, SharePoint and OneDrive"
    assert result.content[0].text == f"Not granted. Ask. Closed until then: {closed}. [consent]"
    assert result.meta["copilot-mcp/error"]["closedUses"] == [closed]
    assert result.meta["copilot-mcp/error"]["closedTools"] == []


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationRequiredError("Signed out."),
        AuthenticationError("Not granted.", kind="consent_required"),
        PermissionDeniedError("Refused.", kind="token_rejected"),
    ],
)
@pytest.mark.parametrize("after_turn", [False, True])
async def test_no_call_is_made_again_after_a_turn(era: Any, error: Any, after_turn: bool) -> None:
    calls: list[str] = []

    class Person:
        successes = 0
        shared = True

        def offers_consent(self, scopes: Any) -> bool:
            return True

        async def start(self, scopes: Any, *, consent: bool, since: int, seen: str | None) -> None:
            calls.append(f"sign-in after {seen}")

        async def greeting(self) -> str:
            return ""

    async def handle(request: BuildFilterRequest, context: ToolContext) -> Answer:
        calls.append("call")
        error.after_turn, error.sign_in_id = after_turn, "7"
        raise error

    result = await call(handle, era, person=Person())
    assert result.meta["copilot-mcp/error"]["kind"] == error.kind
    assert calls == (["call"] if after_turn else ["call", "sign-in after 7", "call"])
