"""Turns that may outlive the call that sent them.

A turn is read by a task of the process, not of the call: when the call's time is over, the answer goes on growing and
a later call fetches it. A turn is sent once, so whatever happens to the calls around it, nothing here sends it again.
"""

import secrets
from collections.abc import Awaitable, Callable
from itertools import takewhile
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import anyio
from anyio.abc import TaskGroup

from copilot_mcp.errors import ArgumentError

if TYPE_CHECKING:
    from copilot_mcp.graph import CopilotConversation
    from copilot_mcp.tools.answer import Turn

__all__ = ["KEPT_S", "MOST_KEPT", "MOST_RUNNING", "OpenTurn", "OpenTurns"]

KEPT_S = 900.0
"""How long a turn that was handed back can be fetched, counted from the last time somebody asked for it."""

MOST_KEPT = 16
"""Turns of one person that can be fetched; the oldest finished one makes room."""

MOST_RUNNING = 8
"""Turns of one person that run at a time; a further one waits."""


class OpenTurn:
    """One turn, from the wish to ask until its answer is whole. Filled by the task that reads it.

    Attributes:
        id: what `pendingTurn` says; unguessable, and of use to its own person only.
        stage: `opening` (signing in, or starting the conversation), `queued` (behind other turns), then `asked`: from
            here on it counts as sent.
        asked: what was asked; known when `stage` says so.
        text: the answer so far.
        conversation: the newest state of the conversation that held an answer.
        worded: the newest state whose answer had a text.
        complete: the final event came.
        cancelled: the call that waited for it was cancelled before that.
        request_id: Microsoft's id of the request, empty before it was answered.
        requests_used: requests sent for the turn, retries counted.
        error: why there is no answer.
        watchers: calls that wait for it now.
    """

    def __init__(self) -> None:
        self.id = secrets.token_urlsafe(24)
        self.identity: str | None = None
        self.conversation_id: str | None = None
        self.stage: Literal["opening", "queued", "asked"] = "opening"
        self.asked: Turn | None = None
        self.text = ""
        self.conversation: CopilotConversation | None = None
        self.worded: CopilotConversation | None = None
        self.complete = False
        self.cancelled = False
        self.request_id = ""
        self.requests_used = 0
        self.error: Exception | None = None
        self.watchers = 0
        self.kept_until = 0.0
        self.ended = anyio.Event()
        self.news = anyio.Event()
        self._scope = anyio.CancelScope()

    def ask(self, asked: "Turn") -> None:
        """From here on the turn counts as sent."""
        self.stage, self.asked = "asked", asked

    def grow(self, conversation: "CopilotConversation", text: str) -> None:
        """Take the answer so far, and wake who waits for it."""
        self.conversation = conversation
        self.text = text or self.text
        answer = conversation.answer(self.asked.prompt) if self.asked else None
        self.worded = conversation if answer and answer.text.strip() else self.worded
        self._wake()

    def cancel(self) -> None:
        """Stop reading; the connection closes at once. What had arrived stays."""
        self.cancelled = True
        self._scope.cancel()

    async def run(self, read: Callable[[Self], Awaitable[None]]) -> None:
        """Let `read` fill this turn. Its errors are kept for whoever asks, since no call may be there to get them."""
        try:
            with self._scope:
                await read(self)
        except Exception as error:
            self.error = error
        finally:
            self.ended.set()
            self._wake()

    def _wake(self) -> None:
        news, self.news = self.news, anyio.Event()
        news.set()


class OpenTurns:
    """The turns of a process. Open it around the server: closing it ends every turn that still runs."""

    def __init__(self) -> None:
        self._tasks: TaskGroup | None = None
        self._running: list[OpenTurn] = []
        self._kept: dict[str, OpenTurn] = {}
        self._queued: list[OpenTurn] = []
        self._freed = anyio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._tasks is not None:
            tasks, self._tasks = self._tasks, None
            tasks.cancel_scope.cancel()
            await tasks.__aexit__(None, None, None)  # without the error, which a task group would wrap in a group
        self._kept.clear()

    def start(self, read: Callable[[OpenTurn], Awaitable[None]]) -> OpenTurn:
        """A new turn, filled by `read` in a task of its own.

        Raises:
            RuntimeError: Nobody opened the turns.
        """
        if self._tasks is None:
            raise RuntimeError("OpenTurns has to be opened around the server")
        turn = OpenTurn()
        self._tasks.start_soon(self._run, turn, read)
        return turn

    async def _run(self, turn: OpenTurn, read: Callable[[OpenTurn], Awaitable[None]]) -> None:
        try:
            await turn.run(read)
        finally:
            if turn in self._running:
                self._running.remove(turn)
            freed, self._freed = self._freed, anyio.Event()
            freed.set()

    async def claim(self, turn: OpenTurn, identity: str, conversation_id: str | None) -> None:
        """Wait until `turn` is the only one of its conversation, and one of a few of its person; first come, first
        served."""
        turn.identity, turn.conversation_id = identity, conversation_id
        self._queued.append(turn)
        try:
            while self._must_wait(turn):
                turn.stage = "queued"
                await self._freed.wait()
            turn.stage = "opening"
            self._running.append(turn)
        finally:
            self._queued.remove(turn)

    def _must_wait(self, turn: OpenTurn) -> bool:
        own = [each for each in self._running if each.identity == turn.identity]
        return len(own) >= MOST_RUNNING or self.before(turn) is not None

    def before(self, turn: OpenTurn) -> OpenTurn | None:
        """The turn of the same conversation that `turn` waits for, None when there is none."""
        if turn.conversation_id is None:
            return None
        place = (turn.identity, turn.conversation_id)
        ahead = [*self._running, *takewhile(lambda each: each is not turn, self._queued)]
        return next((each for each in ahead if (each.identity, each.conversation_id) == place), None)

    def keep(self, turn: OpenTurn, now: float) -> str:
        """Let a later call fetch `turn`; answers its id. `now` is in monotonic seconds."""
        self._forget(now)
        turn.kept_until = now + KEPT_S
        self._kept[turn.id] = turn
        own = [each for each in self._kept.values() if each.identity == turn.identity]
        if len(own) > MOST_KEPT:  # some have ended, since fewer may run
            del self._kept[next(each.id for each in own if each.ended.is_set())]
        return turn.id

    def is_kept(self, turn: OpenTurn) -> bool:
        """Whether a call can fetch it."""
        return turn.id in self._kept

    def find(self, turn_id: str, identity: str, now: float) -> OpenTurn:
        """The turn that `pendingTurn` names, for its own person.

        Raises:
            ArgumentError: It is not here: of another process or person, or handed back too long ago.
        """
        self._forget(now)
        turn = self._kept.get(turn_id)
        if turn is None or turn.identity != identity:
            raise ArgumentError(
                "The rest of this turn is not here: it was handed back by another process of copilot-mcp, or too long "
                "ago. The turn was not sent again.",
                "Ask in a follow-up with its conversationId for what is missing.",
                kind="pending_turn_gone",
            )
        turn.kept_until = now + KEPT_S
        return turn

    def _forget(self, now: float) -> None:
        for turn in [each for each in self._kept.values() if each.ended.is_set() and each.kept_until <= now]:
            del self._kept[turn.id]
