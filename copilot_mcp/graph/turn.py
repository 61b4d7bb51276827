"""One streamed chat turn: events -> snapshots of the growing answer."""

from dataclasses import dataclass
from typing import Literal, Self

import anyio

from copilot_mcp.graph.bodies import unpacked
from copilot_mcp.graph.conversation import CopilotConversation
from copilot_mcp.graph.refusals import stream_refusal
from copilot_mcp.graph.stream import Event, StreamReader, read_events
from copilot_mcp.graph.transport import Clocks, Sent

Ending = Literal["open", "final", "cut", "idle", "time_limit", "too_large"]

_PLAIN_CHARACTERS = 12
"""An increment does not begin with so many characters of the one before it."""


@dataclass(frozen=True, slots=True)
class ChatSnapshot:
    """The answer so far.

    Attributes:
        conversation: the newest one that held an answer, with the newest state.
        text: the whole answer so far, as Copilot wrote it; it may rewrite what an earlier snapshot said, but an
            event without text takes nothing away.
        final: the turn has ended; this is the whole answer, unless the event itself held no text.
    """

    conversation: CopilotConversation
    text: str
    final: bool


class ChatTurn:
    """Iterate over it for snapshots. It does not raise when the stream breaks off: look at `complete`.

    Attributes:
        ending: `open` while snapshots come; then `final`, `cut` (the connection ended or broke), `idle` (nothing
            came for a minute), `time_limit` (the turn took too long) or `too_large` (the stream passed its limit).
        requests_used: requests that were sent for it, retries counted.
    """

    def __init__(self, sent: Sent, prompt: str, clocks: Clocks) -> None:
        self.ending: Ending = "open"
        self.requests_used = sent.requests_used
        self.request_id = sent.request_id
        self._deadline = sent.deadline
        self._prompt = prompt
        self._clocks = clocks
        self._is_json = "json" in sent.answer.headers.get("content-type", "").casefold()
        self._reader = StreamReader()
        self._bytes = unpacked(sent.response)
        self._events = read_events(self._bytes, self._reader)
        self._growth = _Growth()
        self._latest: CopilotConversation | None = None
        self._text = ""
        self._settled = False

    @property
    def complete(self) -> bool:
        """Whether the final snapshot came."""
        return self.ending == "final"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatSnapshot:
        """The next snapshot.

        Raises:
            GraphError: The stream carried an error; `partial_text` holds the answer so far.
        """
        while not self._settled:
            event = await self._next_event()
            snapshot = None if event is None else self._snapshot(event)
            if snapshot is not None:
                return snapshot
            self._settled = self._settled or event is None
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop reading. The connection itself belongs to `GraphClient.chat_over_stream`."""
        self._settled = True
        await self._events.aclose()
        await self._bytes.aclose()

    async def _next_event(self) -> Event | None:
        """The next event, None when there is none for whatever reason."""
        import httpx

        event: Event | None = None
        ending: Ending = "cut"
        try:
            with anyio.fail_after(max(0.0, self._deadline - self._clocks.monotonic())):
                event = await anext(self._events, None)
            ending = "too_large" if self._reader.flooded else "cut"
        except TimeoutError:
            ending = "time_limit"
        except httpx.TimeoutException:
            ending = "idle"
        except httpx.HTTPError:
            ending = "cut"
        if event is None and self.ending == "open":
            self.ending = ending
        return event

    def _snapshot(self, event: Event) -> ChatSnapshot | None:
        if event.get("error"):
            error = stream_refusal(event, now=self._clocks.now(), request_id=self.request_id)
            error.partial_text = error.partial_text or self._text
            error.requests_used = self.requests_used
            raise error
        conversation = CopilotConversation.model_validate(event)
        answer = conversation.answer(self._prompt)
        if answer is None:
            return self._closed_by_filter(conversation)
        # Some call a stream JSON and some a body a stream, so the bytes decide.
        whole = self._is_json and not self._reader.is_stream
        final = conversation.is_final(self._prompt) or whole
        text = self._growth.grown(answer.text) if answer.text and not final else answer.text
        self._text = text if text.strip() else self._text
        self._latest = conversation.stamped(self.request_id, self.requests_used)
        if final:
            self.ending = "final"
            # An echo before the turn is counted may still grow; the stream's end then settles it.
            self._settled = whole or conversation.turn_is_counted
        return ChatSnapshot(conversation, self._text, final)

    def _closed_by_filter(self, conversation: CopilotConversation) -> ChatSnapshot | None:
        """Events without an answer are passed over, unless one says that the conversation was closed."""
        if not conversation.disengaged or (self._latest is not None and self._latest.disengaged):
            return None
        if self._latest is not None:
            conversation = self._latest.model_copy(update={"state": conversation.state})
        self._latest = conversation.stamped(self.request_id, self.requests_used)
        return ChatSnapshot(conversation, self._text, final=False)


class _Growth:
    """Snapshots are cumulative, but the service knows increments as an option, so three unrelated texts in a row are
    taken for increments. One unrelated text alone is a rewrite, and where one snapshot has plainly gone on from
    another, they all are snapshots, however often they are rewritten."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._cumulative = False

    def grown(self, text: str) -> str:
        """The answer so far, after this event's text."""
        before = self._pieces[-1] if len(self._pieces) == 1 else ""
        self._cumulative = self._cumulative or (len(before) >= _PLAIN_CHARACTERS and text.startswith(before))
        if self._cumulative:
            return text
        joined = "".join(self._pieces)
        if len(self._pieces) < 3:
            related = not self._pieces or any(_related(piece, text) for piece in self._pieces)
        else:
            related = text.startswith(joined)
        self._pieces = [text] if related else [*self._pieces, text]
        return "".join(self._pieces) if len(self._pieces) >= 3 else text


def _related(before: str, after: str) -> bool:
    """Whether one text is the other, grown or partly rewritten: both begin alike."""
    length = min(4, len(before), len(after))
    return before[:length] == after[:length]
