"""Texts of a stream -> the answer so far, whether they are snapshots or increments.

Snapshots are the captured form: each text is the whole answer so far, though the service may have taken back words of
it. Increments are a form that it knows as an option: each text goes on where the last one ended. No member of an event
tells the two apart, so each text has a vote: snapshots begin alike, increments do not. Until the votes are plain the
newest text is shown alone, so that a few rewrites are never strung together; a wrong decision is taken back by the
next votes.
"""

from collections import deque

__all__ = ["Growth"]

_ALIKE = 12
"""Characters at the beginning that two texts do not share by chance."""

_SOME = 4

_PLAIN = 4
"""Votes that make increments, where there are more than twice as many as for snapshots."""

_SURE = 6
"""Votes for snapshots after which nothing else is thought of, where there are as many as for increments."""

_UNDECIDED_MOST = 64
"""Texts after which, votes being even, they are what the service documents."""

_REMEMBERED = 4
_LONG_TEXT = 80
_SHOWN_WHOLE = 16 * 1024
_STEP = 32
"""An answer longer than `_SHOWN_WHOLE` characters grows by at least one part in so many before it is put together
again, so that the work grows with the stream and not with its square."""


class Growth:
    """Feed it the text of each event."""

    def __init__(self) -> None:
        self._sure = False  # that they are snapshots
        self._for_snapshots = 0
        self._for_increments = 0
        self._weighed = 0
        self._recent: deque[str] = deque(maxlen=_REMEMBERED)  # the newest texts that were not blank
        self._longest = ""  # of those
        self._begun = ""  # the first of them
        self._joined = ""
        self._held: list[str] = []
        self._held_size = 0

    @property
    def joined(self) -> str:
        """Increments put together, with what `grown` has held back for its next step; empty for snapshots."""
        if not self._are_increments:
            return ""
        self._put_together()
        return self._joined

    @property
    def _are_increments(self) -> bool:
        return self._for_increments >= _PLAIN and self._for_increments > 2 * self._for_snapshots

    def grown(self, text: str) -> str:
        """The answer so far, after this event's text."""
        if self._sure:
            return text
        if text.strip():
            self._weigh(text)
        if self._sure:
            self._joined = self._longest = ""
            self._held.clear()
            self._recent.clear()
            return text
        self._held.append(text)
        self._held_size += len(text)
        if not self._are_increments:
            return text
        if len(self._joined) < _SHOWN_WHOLE or self._held_size * _STEP > len(self._joined):
            self._put_together()
        return self._joined

    def _put_together(self) -> None:
        self._joined += "".join(self._held)
        self._held.clear()
        self._held_size = 0

    def _weigh(self, text: str) -> None:
        """Let this text vote, and see whether that settles it."""
        earlier = [*self._recent, self._longest]
        self._recent.append(text)
        self._longest = max(self._longest, text, key=len)
        if not earlier[0]:
            self._begun = text
            return
        self._weighed += 1
        if self._are_increments and self._repeats_all(text):
            self._sure = True
        elif text not in earlier:  # the same once more tells nothing
            alike = max(_likeness(each, text) for each in earlier)
            self._for_snapshots += alike
            self._for_increments += 0 if alike else self._seam(earlier[-2], text)
        even = self._weighed >= _UNDECIDED_MOST and not self._are_increments
        settled = self._for_snapshots >= _SURE and self._for_snapshots >= self._for_increments
        self._sure = self._sure or settled or even

    def _repeats_all(self, text: str) -> bool:
        """Whether it is a snapshot of all the increments before."""
        return text.startswith(self._begun) and len(self.joined) >= _ALIKE and text.startswith(self.joined)

    def _seam(self, last: str, text: str) -> int:
        """How much it looks as if `text` went on in the sentence of the last one: answers begin with a capital, a digit
        or a mark of Markdown, and so do rewrites; the middle of a sentence mostly does not."""
        first = text.lstrip()[0]
        goes_on = first.islower() or first in ",;)"
        apart = self._ends_in_blank or text[0].isspace()
        if goes_on and (apart or len(last) >= _LONG_TEXT) and self._size >= _ALIKE:
            return _PLAIN
        return 2 if goes_on or text[0].isspace() else 1

    @property
    def _ends_in_blank(self) -> bool:
        return bool(self._held) and self._held[-1][-1:].isspace()

    @property
    def _size(self) -> int:
        return len(self._joined) + self._held_size


def _likeness(before: str, after: str) -> int:
    """Votes for the one being the other: gone on, plainly or by little, or rewritten towards its end."""
    before, after = before.lstrip(), after.lstrip()
    if len(after) > len(before) and after.startswith(before):
        return 3 if len(before) >= _ALIKE else 2 if len(before) >= _SOME else 1
    shorter = min(len(before), len(after))
    length = min(_ALIKE, max(2, min(shorter - 1, _ALIKE // 2), (shorter + 1) // 2))
    return 1 if before[:length] == after[:length] else 0
