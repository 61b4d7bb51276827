"""What the demo shows, line by line: readable in a terminal, plain where there is none."""

import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Screen"]

_BOLD, _DIM, _GREEN, _RED, _CYAN, _RESET = "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[36m", "\033[0m"


class Screen:
    """Writes through `write`, one line a call, `width` columns at most; colours only where `colour` says so."""

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        colour: bool,
        width: int = 96,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._write = write
        self._colour = colour
        self._width = width
        self._clock = clock
        self._steps = 0
        self.heading = ""
        """Of the step under way, or of the last one."""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A numbered heading, what the step says, and the time it took."""
        self._steps += 1
        self._write("")
        self.heading = f"{self._steps}. {title}"
        self._lines(self.heading, "", _BOLD + _CYAN)
        started = self._clock()
        yield
        self._write(self._styled(_DIM, f"   [{self._clock() - started:.2f} s]"))

    def blank(self) -> None:
        """An empty line."""
        self._write("")

    def say(self, text: str) -> None:
        """A sentence of the demo's own."""
        self._lines(text, "   ")

    def good(self, text: str) -> None:
        """An outcome as it should be."""
        self._lines(text, "   ", _GREEN)

    def bad(self, text: str) -> None:
        """An outcome that nobody wants."""
        self._lines(text, "   ", _RED)

    def quote(self, text: str, *, most: int | None = None) -> None:
        """Text of somebody else, behind a bar; `most` lines, and what is left out is counted."""
        lines = [part for line in text.splitlines() for part in self._wrapped(line, "   | ")]
        shown = lines if most is None else lines[:most]
        for line in shown:
            self._write(self._styled(_DIM, line))
        if len(shown) < len(lines):
            self._write(self._styled(_DIM, f"   | … {len(lines) - len(shown)} more lines"))

    def _lines(self, text: str, margin: str, style: str = "") -> None:
        for line in text.splitlines():
            for part in self._wrapped(line, margin):
                self._write(self._styled(style, part))

    def _wrapped(self, line: str, margin: str) -> list[str]:
        return textwrap.wrap(
            line,
            self._width,
            initial_indent=margin,
            subsequent_indent=margin,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [margin.rstrip()]

    def _styled(self, style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if self._colour and style else text
