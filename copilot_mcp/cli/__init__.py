"""The command line: reads flags and the environment, opens and closes everything. The only importer of click.

Each command is a module of this package, imported when it is asked for, so that `--version` costs no library.
"""

import errno
import importlib
import io
import os
import sys
from typing import Any

import click

from copilot_mcp.cli._errors import INTERRUPTED, print_error, wants_json
from copilot_mcp.cli._terminal import is_terminal, refuses_colour
from copilot_mcp.errors import CopilotMcpError

__all__ = ["app", "main"]

COMMANDS = ("demo", "serve", "simulate", "login", "status", "logout", "doctor", "filter")


_AS_JSON = "copilot_mcp.as_json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


class _Commands(click.Group):
    """Commands by module name, in the order of `COMMANDS`; our own errors end with status 1 and their sentence.

    With `--json` every error is one object on standard output.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"copilot_mcp.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:  # click looks for the one meant among commands that are loaded
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_AS_JSON] = wants_json(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        if refuses_colour():
            ctx.color = False
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if is_terminal(sys.stderr):
                click.echo(err=True)  # behind the ^C
            ctx.exit(INTERRUPTED)
        except (CopilotMcpError, click.ClickException) as error:
            if ctx.meta[_AS_JSON]:
                ctx.exit(print_error(error))
            if isinstance(error, click.ClickException):
                raise
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="copilot-mcp", prog_name="copilot-mcp")
def app() -> None:
    """Microsoft 365 Copilot as tools for any MCP host.

    Not made by Microsoft. Begin with `copilot-mcp demo`: it needs no account and no network.
    """


def main() -> None:
    """The entry point of the `copilot-mcp` script."""
    closed = sys.stdout is None  # a program started with `>&-`
    if closed and sys.argv[1:2] != ["serve"]:  # which says of its own what it needs
        _open_unwritable()
    try:
        app(prog_name="copilot-mcp")
    except OSError as error:
        if error.filename is not None or error.errno not in _FULL:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would try once more at its end
        if sys.stderr is not None:
            why = "standard output is closed" if closed else error.strerror
            print(f"Error: The output cannot be written: {why}.", file=sys.stderr)  # noqa: T201 - no click left
        sys.exit(1)


def _open_unwritable() -> None:
    """Let writing to standard output fail: without a stream `click.echo` would keep still about what it cannot say."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    if nowhere != 1:
        os.dup2(nowhere, 1)
        os.close(nowhere)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8")
