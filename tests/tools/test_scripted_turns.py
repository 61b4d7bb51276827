"""copilot_chat over a wire that the test writes: what the simulated tenant has no fault for."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import anyio
import httpx
import pytest

from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.graph import GraphClient
from copilot_mcp.settings import Settings
from copilot_mcp.tools._tool import ToolContext
from copilot_mcp.tools.answer import ChatResult
from copilot_mcp.tools.chat import ChatRequest, chat
from copilot_mcp.tools.turns import OpenTurns

pytestmark = pytest.mark.anyio

PROMPT = "Who keeps the keys of the observatory?"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

Handler = Callable[[httpx.Request], httpx.Response]


class Tokens:
    async def token(self, scopes: Any, *, rejected: str | None = None, claims: str | None = None) -> str:
        return "token"


async def ask(handler: Handler, **members: Any) -> ChatResult:
    """The result of one call; `members` go into the request."""

    async def identity() -> str:
        return "me"

    async def silent(message: str) -> None:
        await anyio.lowlevel.checkpoint()

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http, OpenTurns() as turns:
        graph = GraphClient(http, "https://graph.lumen.test", Tokens(), clock=lambda: NOW)

        async def open_graph() -> GraphClient:
            return graph

        context = ToolContext(
            open_graph=open_graph,
            settings=Settings(time_zone="Etc/UTC"),
            now=lambda: NOW,
            monotonic=anyio.current_time,
            progress=silent,
            sleep=anyio.sleep,
            identity=identity,
            turns=turns,
        )
        return await chat(ChatRequest.model_validate({"message": {"text": PROMPT}} | members), context)


def event(*texts: str, **members: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "displayName": "Intermediate Conversation Update",
        "turnCount": 0,
        "state": "active",
        "messages": [{"text": text} for text in texts],
    } | members


def streamed(*events: dict[str, Any], conversation_id: str = "c", end: bytes = b"") -> Handler:
    content = b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in events) + end

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/conversations"):
            return httpx.Response(201, json={"id": conversation_id, "state": "active", "turnCount": 0})
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=content)

    return handler


async def test_answer_that_was_cut_while_it_grew_beside_its_echo_is_incomplete() -> None:
    result = await ask(streamed(event(PROMPT, "Ines"), event(PROMPT, "Ines keeps"), end=b'data: {"id": "c", "mess'))
    assert (result.answer, result.complete) == ("Ines keeps", False)
    assert result.notes[-1].startswith("The stream was cut before its end")


@pytest.mark.parametrize("closing", [event(state="disengagedForRai"), event(PROMPT, state="disengagedForRai")])
async def test_conversation_closed_after_an_empty_text_is_said_to_be_closed(closing: dict[str, Any]) -> None:
    with pytest.raises(CopilotMcpError) as caught:
        await ask(streamed(event(""), closing))
    assert caught.value.kind == "disengaged"


@pytest.mark.parametrize("conversation_id", ["a/b", "a%2Fb", "x" * 300])
async def test_new_conversation_is_asked_by_whatever_id_it_has(conversation_id: str) -> None:
    asked: list[httpx.URL] = []
    final = event(PROMPT, "Ines.", displayName=PROMPT, turnCount=1)
    answer = streamed(final, conversation_id=conversation_id)

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return answer(request)

    result = await ask(handler)
    assert (result.answer, result.conversation_id, len(asked)) == ("Ines.", conversation_id, 2)
    segments = asked[1].raw_path.decode().split("/")
    assert segments[-1] == "chatOverStream" and len(segments) == 6
    assert unquote(segments[4]) == conversation_id


async def test_new_conversation_whose_id_leads_elsewhere_is_not_asked() -> None:
    asked: list[str] = []
    answer = streamed(conversation_id="../users")

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return answer(request)

    with pytest.raises(CopilotMcpError, match="The question was not sent") as caught:
        await ask(handler)
    assert (caught.value.kind, caught.value.after_turn, len(asked)) == ("service", False, 1)
