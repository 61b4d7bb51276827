"""One event of a stream that is spread over lines: when is its JSON object closed, and what do the lines mean?

A small scanner of brackets and strings keeps count line by line; parsing after each line would be quadratic.
"""

import re

from copilot_mcp.graph.json_reader import DECODER, DEPTH_CAP, UNREADABLE

_FIELD = re.compile(r"(?:id|event|retry):")
_REST_OF_STRING = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*')
_TOKEN = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)("?)|[{\[]|[}\]]')


class OpenEvent:
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
    def too_deep(self) -> bool:
        """Whether the brackets go deeper than any real answer; nothing behind them is counted."""
        return self._depth > DEPTH_CAP

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
            DECODER.decode(text)
        except UNREADABLE:
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
                if self.too_deep:
                    return
            elif bracket in "}]":
                self._depth -= 1
            elif not token[2]:
                self._in_string = True
                return
