"""`copilot-mcp demo`: the main job, shown."""

import sys
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import anyio
import click

from copilot_mcp.cli._filter_input import whole_text
from copilot_mcp.cli._logs import start_logging
from copilot_mcp.cli._options import documents_option, log_option
from copilot_mcp.cli._running import run_to_end
from copilot_mcp.cli._simulated import load_tenant
from copilot_mcp.cli._terminal import is_terminal
from copilot_mcp.errors import CopilotMcpError

if TYPE_CHECKING:
    from copilot_mcp.demo import Screen
    from copilot_mcp.simulator import Tenant

__all__ = ["command", "show"]

MOST_CHARACTERS = 1500
"""That the Retrieval API takes."""

_LIMIT_S = 120
_WIDTH = 96
_LEAST_WIDTH = 40


def _checked_question(_: click.Context, __: click.Parameter, question: str | None) -> str | None:
    if question is None:
        return None
    if not question.strip():
        raise click.BadParameter("The question is empty. Leave it out for the demo's own questions.")
    if len(question) > MOST_CHARACTERS:
        raise click.BadParameter(f"The question has {len(question)} characters; {MOST_CHARACTERS} are the most.")
    return whole_text(question, "The question")


@click.command("demo")
@click.argument("question", required=False, callback=_checked_question)
@documents_option
@click.option("--trace", is_flag=True, help="Print each Graph request and answer, without secrets.")
@log_option
def command(question: str | None, documents: Path | None, trace: bool, log_level: str) -> None:
    """Show the main job on a simulated tenant.

    Needs no account and no network, and takes well under a minute.
    QUESTION is asked in every step instead of the demo's own questions.
    """
    from copilot_mcp.demo import Screen

    start_logging(log_level)
    tenant = load_tenant(documents)
    columns = get_terminal_size().columns if is_terminal(sys.stdout) else None
    screen = Screen(_write, colour=True, width=line_width(columns))
    show(screen, tenant, question, built_in=documents is None, trace=trace)


class _OutputError(Exception):
    """The output could not be written, which is no fault of the step; its cause says why."""


def _write(line: str) -> None:
    try:
        click.echo(line)  # which takes the colour out where there is to be none
    except OSError as error:
        raise _OutputError from error


def show(
    screen: "Screen", tenant: "Tenant", question: str | None, *, built_in: bool, trace: bool, limit_s: float = _LIMIT_S
) -> None:
    """Run the demo to its end.

    Raises:
        NoAnswerError: The question has no answer.
        OSError: The output cannot be written.
        click.ClickException: A step failed, or `limit_s` seconds were not enough; the text names the step.
    """
    from copilot_mcp.demo import NoAnswerError, run_demo

    async def run() -> None:
        with anyio.fail_after(limit_s):
            await run_demo(screen, tenant, question, built_in=built_in, trace=trace)

    try:
        run_to_end(run)
    except* _OutputError as group:
        raise _cause(group) from None
    except* NoAnswerError as group:
        raise _first(group) from None
    except* CopilotMcpError as group:
        raise click.ClickException(f'The demo stopped at "{screen.heading}". {_first(group)}') from None
    except* (TimeoutError, OSError) as group:
        reason = str(_first(group)) or f"It had not ended after {limit_s:g} s."
        raise click.ClickException(f'The demo stopped at "{screen.heading}". {reason}') from None


def line_width(columns: int | None) -> int:
    """How wide the lines are on a terminal of so many columns; None where there is no terminal."""
    return _WIDTH if columns is None else max(_LEAST_WIDTH, min(_WIDTH, columns))


def _cause(error: BaseException) -> BaseException:
    found = _first(error)
    return found.__cause__ or found


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
