"""chatOverStream bytes -> events.

Not a reader of standard server-sent events: the published streams spread one JSON object over lines without `data:`,
put `id:` behind the data, and field reports add CRLF, comments and missing blank lines. So an event here ends where
its JSON object ends. Lines are cut from bytes and decoded whole, which keeps split characters together for free.
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

Event = dict[str, Any]

EVENT_CAP_BYTES = 8 * 1024 * 1024
"""An event larger than this is given up; the longest documented one has 10 kB."""

_SLICE_BYTES = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_UNREADABLE = (ValueError, RecursionError)
# Raw line breaks inside a string are what some streams really send.
_parse = json.JSONDecoder(strict=False).decode
_FIELD = re.compile(r"(?:id|event|retry):")
_REST_OF_STRING = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*')
_TOKEN = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)("?)|[{\[]|[}\]]')


class StreamReader:
    """Reads a stream piece by piece; holds at most one unfinished event.

    Attributes:
        done: the stream said `[DONE]`; the rest is ignored.
        skipped: events that were no JSON object or too large.
        cut: known after `close()`: the last event was unfinished or unreadable.
    """

    def __init__(self, cap_bytes: int = EVENT_CAP_BYTES) -> None:
        self.done = False
        self.skipped = 0
        self.cut = False
        self._cap = cap_bytes
        self._pending: list[bytes] = []  # the pieces of a line whose end has not come yet
        self._pending_size = 0
        self._after_cr = False
        self._first_line = True
        self._too_long = False
        self._last_was_bad = False
        self._open: _OpenEvent | None = None
        self._events: list[Event] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes, cut anywhere; return the events that they complete."""
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
        events, self._events = self._events, []
        return events

    def close(self) -> list[Event]:
        """Say that the stream ended; return a last event that lacked only its line end, and set `cut`."""
        if self._pending or self._too_long:
            self._end_line(b"")
        if self._open is not None and self._open.started:
            self._give_up()
        self.cut = self._last_was_bad and not self.done
        events, self._events = self._events, []
        return events

    def _hold(self, piece: bytes) -> None:
        self._pending_size += len(piece)
        if self._pending_size > self._cap:
            self._pending.clear()
            self._too_long = True
        if not self._too_long:
            self._pending.append(piece)

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
        elif self._open is None and piece.startswith(b"data: "):
            # Nearly every event is such a line: decode it without copying it first.
            self._begin(str(memoryview(piece)[6:], "utf-8", "replace"))
        else:
            self._line(piece.decode("utf-8", "replace").rstrip("\r\n"))

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
        if open_event.size > self._cap:
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

    def _begin(self, text: str) -> None:
        self._open = None
        if text[:1].isspace():
            text = text.lstrip()
        if text.rstrip() == "[DONE]":
            self.done = True
        elif text.startswith(("{", "[")):
            try:
                self._emit(_parse(text))
            except _UNREADABLE:
                self._open = _OpenEvent(text.rstrip("\r\n"))
                if self._open.complete:
                    self._give_up()
        elif text:
            self._give_up()
        else:
            self._open = _OpenEvent("")

    def _finish(self, open_event: "_OpenEvent") -> None:
        for text in open_event.readings():
            try:
                value = _parse(text)
            except _UNREADABLE:
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


class _OpenEvent:
    """The lines of one event whose JSON object is not closed yet."""

    def __init__(self, text: str) -> None:
        self.size = 0
        self._lines: list[str] = []
        self._doubtful: list[int] = []
        self._depth = 0
        self._in_string = False
        self._after_blank = False
        self.started = bool(text)
        if text:
            self._append(text)

    @property
    def complete(self) -> bool:
        """Whether every bracket is closed."""
        return self.started and self._depth <= 0 and not self._in_string

    def is_overtaken_by(self, text: str) -> bool:
        """Whether a `data:` line with this text is a new event, because this one was broken off.

        Outside a string a blank line before it is enough; inside one the text must be a whole object.
        """
        text = text.lstrip()
        if not self._after_blank or not text.startswith("{"):
            return False
        if not self._in_string:
            return True
        try:
            _parse(text)
        except _UNREADABLE:
            return False
        return True

    def add(self, line: str) -> None:
        """Append a line. Stream fields between two lines of an object are left out, as JSON has no such words."""
        if not line.strip():
            self._after_blank = True
        elif not self._in_string:
            if line.startswith("data:"):
                line = line[5:]
            elif _FIELD.match(line):
                return
            elif line.startswith(":"):
                self._doubtful.append(len(self._lines))
        self._append(line)

    def readings(self) -> list[str]:
        """What the lines may mean: all of them, or without those that look like comments."""
        texts = ["\n".join(self._lines)]
        if self._doubtful:
            kept = (line for number, line in enumerate(self._lines) if number not in self._doubtful)
            texts.append("\n".join(kept))
        return texts

    def _append(self, line: str) -> None:
        self._lines.append(line)
        self.size += len(line) + 1
        position = 0
        if self._in_string:
            position = self._rest_of_string(line)
        if not self._in_string:
            self._count_brackets(line, position)

    def _rest_of_string(self, line: str) -> int:
        match = _REST_OF_STRING.match(line)
        end = match.end() if match else 0
        if line[end : end + 1] == '"':
            self._in_string = False
        return end + 1

    def _count_brackets(self, line: str, position: int) -> None:
        for token in _TOKEN.finditer(line, position):
            bracket = token[0]
            if bracket in "{[":
                self._depth += 1
            elif bracket in "}]":
                self._depth -= 1
            elif not token[2]:
                self._in_string = True
                return


async def read_events(chunks: AsyncIterator[bytes], reader: StreamReader | None = None) -> AsyncGenerator[Event, None]:
    """The events of a stream, one at a time. Pass a `reader` to learn how the stream ended."""
    reader = reader or StreamReader()
    async for chunk in chunks:
        # A server in the same process may hand over everything at once; events are still made one slice at a time.
        for start in range(0, len(chunk), _SLICE_BYTES):
            for event in reader.feed(chunk[start : start + _SLICE_BYTES]):
                yield event
        if reader.done:
            break
    for event in reader.close():
        yield event
