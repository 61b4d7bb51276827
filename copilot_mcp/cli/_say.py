"""What is said to the person; through standard error where standard output may belong to a protocol."""

import sys
from contextlib import suppress

import click

from copilot_mcp.cli._terminal import fitted

__all__ = ["say", "tell"]


def say(text: str) -> None:
    """Say it where somebody listens. A host that has closed its end of the pipe loses the words, and no call fails."""
    with suppress(OSError):
        click.echo(text, err=True)


def tell(text: str, *, err: bool = False) -> None:
    """Print it, in lines that fit the terminal of the person who has asked for it."""
    click.echo(fitted(text, sys.stderr if err else sys.stdout), err=err)
