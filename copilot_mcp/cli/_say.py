"""What is said to the person, through standard error: standard output may belong to a protocol."""

from contextlib import suppress

import click

__all__ = ["say"]


def say(text: str) -> None:
    """Say it where somebody listens. A host that has closed its end of the pipe loses the words, and no call fails."""
    with suppress(OSError):
        click.echo(text, err=True)
