"""Watching a turn: what is said when, and what happens when somebody stops watching."""

from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from copilot_mcp.errors import AuthenticationRequiredError, ServiceUnavailableError
from copilot_mcp.graph.conversation import CopilotConversation
from copilot_mcp.settings import Settings
from copilot_mcp.tools import OpenTurns, ToolContext
from copilot_mcp.tools.chat import TOOL, ChatRequest
from copilot_mcp.tools.turns import OpenTurn
from copilot_mcp.tools.watch import SHOWN_CHARACTERS, watch

pytestmark = pytest.mark.anyio


async def no_graph() -> Any:
    raise RuntimeError("a defect")


def context(time: Any, progress: Any, **more: Any) -> ToolContext:
    return ToolContext(
        no_graph, Settings(), lambda: datetime.now(UTC), time.monotonic, progress, sleep=time.sleep, **more
    )


@pytest.mark.parametrize("extra", [0, 1, 4_000])
async def test_a_long_text_is_shown_by_its_end(time: Any, extra: int) -> None:
    said: list[str] = []

    async def progress(text: str) -> None:
        said.append(text)
        turn.cancel()

    async def read(turn: OpenTurn) -> None:
        turn.grow(CopilotConversation(), "b" * extra + "a" * SHOWN_CHARACTERS)
        await anyio.sleep_forever()

    async with OpenTurns() as turns, anyio.create_task_group() as tasks:
        tasks.start_soon(time.run)
        turn = turns.start(read)
        assert await watch(turn, context(time, progress), 60)
        tasks.cancel_scope.cancel()
    count = f"{extra + SHOWN_CHARACTERS:,}"
    head = f"[{count} characters so far, the end of them:] …" if extra else ""
    assert said == [f"{head}{'a' * SHOWN_CHARACTERS}"]


async def test_progress_that_cannot_be_sent_ends_the_turn_too(time: Any) -> None:
    async def progress(text: str) -> None:
        raise ConnectionError("the host is gone")

    async def read(turn: OpenTurn) -> None:
        turn.grow(CopilotConversation(), "a text")
        await anyio.sleep_forever()

    async with OpenTurns() as turns, anyio.create_task_group() as tasks:
        tasks.start_soon(time.run)
        turn = turns.start(read)
        with pytest.raises(ConnectionError):
            await watch(turn, context(time, progress), 60)
        await turn.ended.wait()
        tasks.cancel_scope.cancel()
    assert (turn.error, turn.text, turn.watchers) == (None, "a text", 0)


async def silent(text: str) -> None:
    return None


async def test_a_defect_before_the_turn_comes_out_of_the_call(time: Any) -> None:
    async with OpenTurns() as turns:
        with pytest.raises(RuntimeError, match="a defect"):
            await TOOL.handle(
                ChatRequest.model_validate({"message": {"text": "hello"}}), context(time, silent, turns=turns)
            )


async def test_without_an_identity_nothing_can_be_fetched(time: Any) -> None:
    async with OpenTurns() as turns:
        with pytest.raises(AuthenticationRequiredError, match="Nobody is signed in"):
            await TOOL.handle(ChatRequest.model_validate({"pendingTurn": "p"}), context(time, silent, turns=turns))


async def test_a_sign_in_that_hangs_does_not_hold_the_call(time: Any) -> None:
    async def identity() -> str:
        await time.sleep(1_000)
        return "adele"

    async with OpenTurns() as turns, anyio.create_task_group() as tasks:
        tasks.start_soon(time.run)
        with pytest.raises(ServiceUnavailableError, match=r"within 55 s\. The turn goes on\."):
            await TOOL.handle(
                ChatRequest.model_validate({"pendingTurn": "p"}), context(time, silent, turns=turns, identity=identity)
            )
        tasks.cancel_scope.cancel()
    assert time.seconds == 55.0
