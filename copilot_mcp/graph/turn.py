"""One streamed chat turn: events -> snapshots of the growing answer."""

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal, Self

import anyio

from copilot_mcp.errors import GraphError
from copilot_mcp.graph.bodies import unpacked
from copilot_mcp.graph.conversation import CopilotConversation
from copilot_mcp.graph.endings import Finality
from copilot_mcp.graph.growth import Growth
from copilot_mcp.graph.refusals import refusal, stream_refusal
from copilot_mcp.graph.stream import Event, StreamReader, read_arrivals
from copilot_mcp.graph.transport import Clocks, Sent

SETTLED_AFTER_S = 3.0
"""A stream that says nothing for so long, after an event with all that a last one has, has said everything: growing
answers come several times a second."""

Ending = Literal["open", "final", "cut", "idle", "time_limit", "too_large"]


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
        self._answer = sent.answer
        self._deadline = sent.deadline
        self._prompt = prompt
        self._clocks = clocks
        self._reader = StreamReader()
        self._bytes = unpacked(sent.response)
        self._arrivals = read_arrivals(self._bytes, self._reader)
        self._arrived: deque[Event] = deque()
        self._growth = Growth()
        self._finality = Finality(prompt)
        self._settles_at = math.inf
        self._latest: CopilotConversation | None = None
        self._text = ""
        self._how: Ending = "cut"
        self._broken = False
        self._over = False
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
            GraphError: The stream carried an error; `partial_text` holds the answer so far. Or a page came instead.
        """
        while not self._settled:
            event = await self._next_event()
            snapshot = self._at_the_end() if event is None else self._snapshot(event)
            if snapshot is not None and self._finality.certain:
                snapshot = self._final(snapshot.conversation)
            self._settled = self._settled or event is None
            if event is None and self._is_page():
                raise self._page_error()
            # What no `data:` line announced may be one plain body: its end says what it was.
            if snapshot is not None and (self._settled or self._reader.is_stream):
                return snapshot
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop reading. The connection itself belongs to `GraphClient.chat_over_stream`."""
        self._settled = True
        await self._arrivals.aclose()
        await self._bytes.aclose()

    async def _next_event(self) -> Event | None:
        """The next event, None when there is none for whatever reason."""
        if not self._arrived and not self._over:
            await self._read_on()
        if self._arrived:
            return self._arrived.popleft()
        self.ending = self._how
        return None

    async def _read_on(self) -> None:
        """Wait for what comes next, and note how it ended where nothing does."""
        import httpx

        nothing: list[Event] = []
        self._how, self._broken = "cut", True
        until = min(self._deadline, self._settles_at)
        try:
            with anyio.fail_after(max(0.0, until - self._clocks.monotonic())):
                events = await anext(self._arrivals, nothing)
        except TimeoutError:
            self._how = "time_limit" if until == self._deadline else "cut"
            events = self._reader.close()
            self._broken = until == self._deadline or self._reader.cut
            self._over = True
        except httpx.HTTPError as fault:
            self._how = "idle" if isinstance(fault, httpx.TimeoutException) else "cut"
            events = self._reader.close()  # a last line may lack its end alone
            self._over = True
        else:
            self._how = "too_large" if self._reader.flooded else "cut"
            self._broken = self._reader.cut
            self._over = not events
        self._arrived.extend(events)

    def _is_page(self) -> bool:
        """Whether a page came instead of a stream. The media type alone is not believed, only where nothing else is."""
        labelled = "html" in self._answer.headers.get("content-type", "").casefold()
        return self._finality.events == 0 and (self._reader.is_page or (labelled and not self._broken))

    def _page_error(self) -> GraphError:
        page = replace(self._answer, is_html=True)
        error = refusal(page, now=self._clocks.now(), on_conversation=True, request_id=self.request_id)
        error.requests_used = self.requests_used
        return error

    def _snapshot(self, event: Event) -> ChatSnapshot | None:
        if event.get("error"):
            error = stream_refusal(event, now=self._clocks.now(), request_id=self.request_id)
            error.partial_text = error.partial_text or self._newest_text
            error.requests_used = self.requests_used
            raise error
        conversation = CopilotConversation.model_validate(event)
        answer = conversation.answer(self._prompt)
        self._finality.read(conversation, "" if answer is None else answer.text)
        waits = self._finality.likely or conversation.disengaged
        self._settles_at = self._clocks.monotonic() + SETTLED_AFTER_S if waits else math.inf
        if answer is None:
            return self._closed_by_filter(conversation)
        grown = self._growth.grown(answer.text) if answer.text else ""
        # What looks like the last event holds the whole answer, until a later one shows that it was not the last.
        text = answer.text if self._finality.likely else grown
        self._text = text if text.strip() else self._growth.joined or self._text
        self._latest = conversation.stamped(self.request_id, self.requests_used)
        return ChatSnapshot(conversation, self._text, final=False)

    def _closed_by_filter(self, conversation: CopilotConversation) -> ChatSnapshot | None:
        """Events without an answer are passed over, unless one says that the conversation was closed."""
        if not conversation.disengaged or (self._latest is not None and self._latest.disengaged):
            return None
        if self._latest is not None:
            conversation = self._latest.model_copy(update={"state": conversation.state})
        self._latest = conversation.stamped(self.request_id, self.requests_used)
        return ChatSnapshot(conversation, self._text, final=False)

    def _final(self, conversation: CopilotConversation) -> ChatSnapshot:
        """The last snapshot, after an event that is final for certain. What came together with it may be newer, or
        show that it was not; nothing more is waited for."""
        while self._arrived:
            event = self._arrived.popleft()
            read = CopilotConversation.model_validate(event)
            if not event.get("error") and (read.is_final(self._prompt) or not read.messages):
                self._snapshot(event)
        conversation = self._latest or conversation
        if self._finality.certain:
            return self._last(conversation, self._text, complete=True)
        return ChatSnapshot(conversation, self._text, final=False)

    def _at_the_end(self) -> ChatSnapshot | None:
        """The last snapshot once more, where the end of the stream makes it final or uncovers more of its text."""
        if self._latest is None:
            return None
        whole_body = not self._reader.is_stream and self._finality.events == 1 and not self._reader.cut
        complete = whole_body or (not self._broken and self._finality.likely)
        newest = self._newest_text
        if not complete and self._reader.is_stream and newest == self._text:
            return None
        return self._last(self._latest, newest, complete=complete)

    @property
    def _newest_text(self) -> str:
        """The answer so far, with increments that were not shown yet."""
        return self._text if self._finality.likely else self._growth.joined or self._text

    def _last(self, conversation: CopilotConversation, text: str, *, complete: bool) -> ChatSnapshot:
        self._settled = True
        self._text = text
        self.ending = "final" if complete else self.ending if self.ending != "open" else "cut"
        return ChatSnapshot(conversation, self._text, final=complete)
