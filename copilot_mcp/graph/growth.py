"""Texts of a stream -> the answer so far, whether they are snapshots or increments.

Snapshots are the captured form: each text is the whole answer so far, though the service may have taken back words of
it. Increments are a form that it knows as an option: each text goes on where the last one ended. No member of an event
tells the two apart, so the texts have to, and until they do the newest one is shown alone: part of an answer may be
missing for a while, but rewrites are never strung together.
"""

from typing import Literal

_TELLING = 12
"""Characters that two texts do not share at their beginnings by chance."""

_ENOUGH = 6
"""Points at which texts are taken for increments: one seam that plainly goes on, or several that may."""

_UNDECIDED_MOST = 12
"""Texts that show neither form; after so many they are read as what the service documents, snapshots."""

_SHOWN_WHOLE = 16 * 1024
_STEP = 32
"""An answer longer than `_SHOWN_WHOLE` characters grows by at least one part in so many before it is put together
again, so that the work grows with the stream and not with its square."""

_Form = Literal["open", "snapshots", "increments"]


class Growth:
    """Feed it the text of each event. The first form that the texts prove stays, except that increments turn out to be
    snapshots when one of them repeats everything, or when each has gone on from the one before."""

    def __init__(self) -> None:
        self._form: _Form = "open"
        self._points = 0
        self._growths = 0  # texts in a row that went on from the one before
        self._last = ""  # the newest text that was not blank
        self._longest = ""
        self._ends_in_space = False
        self._count = 0
        self._joined = ""
        self._held: list[str] = []
        self._held_size = 0

    @property
    def joined(self) -> str:
        """Increments put together, with what `grown` has held back for its next step; empty for snapshots."""
        if self._form != "increments":
            return ""
        if self._held:
            self._put_together()
        return self._joined

    def grown(self, text: str) -> str:
        """The answer so far, after this event's text."""
        if self._form != "snapshots":
            self._weigh(text)
        if text.strip():
            self._last = text
        if self._form == "snapshots":
            self._joined, self._longest = "", ""
            self._held.clear()
            return text
        self._ends_in_space = text[-1:].isspace()
        self._longest = max(self._longest, text, key=len) if self._form == "open" else ""
        self._held.append(text)
        self._held_size += len(text)
        if self._form == "open":
            return text
        if len(self._joined) < _SHOWN_WHOLE or self._held_size * _STEP > len(self._joined):
            self._put_together()
        return self._joined

    def _put_together(self) -> None:
        self._joined += "".join(self._held)
        self._held.clear()
        self._held_size = 0

    def _weigh(self, text: str) -> None:
        """Decide what the texts are, as far as this one tells."""
        if not self._last:
            return
        went_on = len(text) > len(self._last) and text.startswith(self._last)
        self._growths = self._growths + 1 if went_on else 0
        if self._form == "increments":
            if self._repeats_all(text) or (self._growths > 1 and len(self._last) >= _TELLING):
                self._form = "snapshots"
            return
        self._count += 1
        told = len(self._last) >= _TELLING and text.startswith(self._last)
        returned = len(self._longest) >= _TELLING and text.startswith(self._longest)
        if told or returned or self._growths > 1 or self._count >= _UNDECIDED_MOST:
            self._form = "snapshots"
            return
        self._points += -_ENOUGH if went_on else self._seam(text)
        if self._points >= _ENOUGH:
            self._form = "increments"

    def _repeats_all(self, text: str) -> bool:
        size = len(self._joined) + self._held_size
        return _TELLING <= size <= len(text) and text.startswith(self.joined)

    def _seam(self, text: str) -> int:
        """How much it looks as if this text went on in the sentence of the last one. Answers begin with a capital, a
        digit or a mark of Markdown, and so do rewrites; the middle of a sentence mostly does not."""
        first = text.lstrip()[:1]
        if not first:
            return 0
        goes_on = first.islower() or first in ",;)"
        apart = self._ends_in_space or text[0].isspace()
        if goes_on and apart:
            return _ENOUGH if self._held_size >= _TELLING else _ENOUGH // 2
        if goes_on or apart or (first.isalpha() and not first.isupper()):  # the middle of a word, or a script like 中文
            return 1
        return -_ENOUGH
