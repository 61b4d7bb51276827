"""chatOverStream bytes -> events.

Not a reader of standard server-sent events: the published streams spread one JSON object over lines without `data:`,
put `id:` behind the data, and field reports add CRLF, comments and missing blank lines. So an event here ends where
its JSON object ends. Lines are cut from bytes and decoded whole, which keeps split characters together for free.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from copilot_mcp.graph.json_reader import DECODER, UNREADABLE, JsonLimitError, check_size, checked
from copilot_mcp.graph.open_event import OpenEvent

Event = dict[str, Any]

EVENT_CAP_BYTES = 8 * 1024 * 1024
"""An event larger than this is given up; the longest documented one has 10 kB."""

STREAM_CAP_BYTES = 64 * 1024 * 1024
"""A stream is read no further than this; a long answer moves several megabytes."""

_SLICE_BYTES = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_parse, _parse_at = DECODER.decode, DECODER.raw_decode
_STARTS_OF_NOTHING = b"\r\ni:er"  # of an empty line, `id`, a comment, `event`, `retry`


class StreamReader:
    """Reads a stream piece by piece; holds at most one unfinished event.

    Attributes:
        done: the stream said `[DONE]`; the rest is ignored.
        flooded: the stream passed the limit of a whole stream; the rest is ignored.
        skipped: events that were no JSON object, too large or too deep.
        is_stream: a `data:` line came, whatever the media type said.
        is_page: it began with markup, and is no stream; the rest is ignored.
        cut: known after `close()`: the last event was unfinished or unreadable.
    """

    def __init__(self, cap_bytes: int = EVENT_CAP_BYTES, stream_cap_bytes: int = STREAM_CAP_BYTES) -> None:
        self.done = False
        self.flooded = False
        self.is_stream = False
        self.is_page = False
        self.skipped = 0
        self.cut = False
        self._cap = cap_bytes
        self._left = stream_cap_bytes
        self._pending: list[bytes] = []  # the pieces of a line whose end has not come yet
        self._pending_size = 0
        self._after_cr = False
        self._first_line = True
        self._too_long = False
        self._last_was_bad = False
        self._open: OpenEvent | None = None
        self._events: list[Event] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes, cut anywhere; return the events that they complete."""
        self._left -= len(chunk)
        if self._left < 0:
            self.flooded = True
            return []
        if self._after_cr or (b"\r" in chunk and chunk.count(b"\r") != chunk.count(b"\r\n")):
            self._cut_at_any_line_end(chunk)
        else:
            self._cut_at_line_feeds(chunk)
        if not self._events:
            return []
        events, self._events = self._events, []
        return events

    def close(self) -> list[Event]:
        """Say that the stream ended; return a last event that lacked only its line end, and set `cut`."""
        if self._pending or self._too_long:
            self._end_line(b"")
        if self._open is not None and self._open.started:
            self._give_up()
        self.cut = self.flooded or (self._last_was_bad and not self.done)
        events, self._events = self._events, []
        return events

    def _cut_at_line_feeds(self, chunk: bytes) -> None:
        """The common case, by `find`, which is many times faster than `splitlines`."""
        position = 0
        if self._pending or self._too_long:
            position = chunk.find(b"\n") + 1
            if not position:
                self._hold(chunk)
                return
            self._end_line(chunk[:position])
        while end := chunk.find(b"\n", position) + 1:
            # Between two events, empty lines and stream fields mean nothing: two lines of three.
            if self._open is not None or chunk[position] not in _STARTS_OF_NOTHING:
                self._end_line(chunk[position:end])
            position = end
        if position < len(chunk):
            self._hold(chunk[position:])

    def _cut_at_any_line_end(self, chunk: bytes) -> None:
        for piece in chunk.splitlines(keepends=True):
            if self._after_cr:
                self._after_cr = False
                if piece == b"\n":  # the second half of a CRLF whose first half ended the piece before
                    continue
            end = piece[-1]
            if end == 0x0A or end == 0x0D:
                self._after_cr = end == 0x0D
                self._end_line(piece)
            else:
                self._hold(piece)

    def _hold(self, piece: bytes) -> None:
        self._pending_size += len(piece)
        if self._pending_size <= self._cap:
            self._pending.append(piece)
        else:
            self._pending.clear()
            self._too_long = True

    def _end_line(self, piece: bytes) -> None:
        if self._pending or self._too_long:
            self._hold(piece)
            piece = b"".join(self._pending)
            self._pending.clear()
            self._pending_size = 0
        if self._first_line:
            self._first_line = False
            piece = piece.removeprefix(_BOM)
        if self._too_long or len(piece) > self._cap:
            self._too_long = False
            self._give_up()
        elif self.done:
            return
        else:
            line = piece.decode("utf-8", "replace")
            start = 6 if line.startswith("data: {") else 5 if line.startswith("data:{") else 0
            if not self.is_stream:
                self.is_stream = line.startswith("data:")
            if self._open is not None or not start or not self._is_whole(line, start):
                self._line(line.rstrip("\r\n"))

    def _is_whole(self, line: str, start: int) -> bool:
        """Nearly every event is one line that holds one object: read it in place."""
        try:
            check_size(line)
            event, end = _parse_at(line, start)
            if end < len(line) - 1 and line[end:].strip():  # more than the line feed
                return False
            event = checked(event, line)
        except (RecursionError, JsonLimitError):
            self._give_up()
            return True
        except ValueError:
            return False
        self._last_was_bad = False
        self._events.append(event)
        return True

    def _line(self, line: str) -> None:
        open_event = self._open
        if open_event is None or not open_event.started:
            self._line_between(line)
            return
        if line.startswith("data:") and open_event.is_overtaken_by(line[5:]):
            self._give_up()
            self._begin(line[5:])
            return
        open_event.add(line)
        if open_event.size > self._cap or open_event.too_deep:
            self._give_up()
        elif open_event.complete:
            self._finish(open_event)

    def _line_between(self, line: str) -> None:
        if line.startswith("data:"):
            self._begin(line[5:])
        elif line.startswith("{") or (self._open is not None and line.lstrip().startswith("{")):
            # A plain JSON body under the wrong media type, or an object that begins below an empty `data:`.
            self._begin(line)
        elif not line:
            self._open = None
        elif line.lstrip().startswith("<"):
            self.is_page = not self.is_stream

    def _begin(self, text: str) -> None:
        self._open = None
        text = text.strip()
        if text == "[DONE]":
            self.done = True
        elif text.startswith(("{", "[")):
            self._open = OpenEvent(text)
            if self._open.too_deep:
                self._give_up()
            elif self._open.complete:
                self._finish(self._open)
        elif text:
            self._give_up()
        else:
            self._open = OpenEvent("")

    def _finish(self, open_event: OpenEvent) -> None:
        for text in open_event.readings():
            try:
                check_size(text)
                value = checked(_parse(text), text)
            except UNREADABLE:
                continue
            self._open = None
            self._emit(value)
            return
        self._give_up()

    def _emit(self, value: Any) -> None:
        if isinstance(value, dict):
            self._last_was_bad = False
            self._events.append(value)
        else:
            self._give_up()

    def _give_up(self) -> None:
        self.skipped += 1
        self._last_was_bad = True
        self._open = None


async def read_events(chunks: AsyncIterator[bytes], reader: StreamReader | None = None) -> AsyncGenerator[Event, None]:
    """The events of a stream, one at a time. Pass a `reader` to learn how the stream ended."""
    async for events in read_arrivals(chunks, reader or StreamReader()):
        for event in events:
            yield event


async def read_arrivals(chunks: AsyncIterator[bytes], reader: StreamReader) -> AsyncGenerator[list[Event], None]:
    """The events of a stream, those together that came together."""
    async for chunk in chunks:
        # A server in the same process may hand over everything at once; events are still made one slice at a time.
        for start in range(0, len(chunk), _SLICE_BYTES):
            if events := reader.feed(chunk[start : start + _SLICE_BYTES]):
                yield events
        if reader.done or reader.flooded or reader.is_page:
            break
    if events := reader.close():
        yield events
