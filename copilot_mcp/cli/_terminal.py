"""Whom the output goes to: a terminal or not, in colour or not. Decided here for every command."""

import os
import shutil
import textwrap
from collections.abc import Mapping
from typing import IO

__all__ = ["fitted", "is_dumb", "is_terminal", "refuses_colour"]


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a person sees the stream in a terminal. A program started without it has None for it."""
    return stream is not None and not stream.closed and stream.isatty()


_WIDEST = 110


def fitted(text: str, stream: IO[str] | None) -> str:
    """The text in lines that the terminal shows whole, broken between words; as it is for what is no terminal.

    An address stays in one piece, whatever its length.
    """
    if not is_terminal(stream):
        return text
    columns = min(shutil.get_terminal_size().columns, _WIDEST)
    wrapped = (
        textwrap.wrap(line, columns, break_long_words=False, break_on_hyphens=False) or [""]
        for line in text.split("\n")
    )
    return "\n".join(line for lines in wrapped for line in lines)


def is_dumb(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal knows no escape sequences."""
    return environment.get("TERM") == "dumb"


def refuses_colour(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the person does not want colour (no-color.org), or their terminal has none.

    What is no terminal gets none either, for which `click.echo` sees.
    """
    return bool(environment.get("NO_COLOR")) or is_dumb(environment)
