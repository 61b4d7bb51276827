"""What went wrong, for programs: the same object for every command, in the place of the answer that they wait for."""

import json
from collections.abc import Sequence
from typing import Any

import click

from copilot_mcp.errors import CopilotMcpError

__all__ = ["INTERRUPTED", "error_facts", "print_error", "wants_json"]

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells know it."""


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` is among the arguments, before a `--` that ends the options."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def error_facts(error: CopilotMcpError) -> dict[str, Any]:
    """Kind and details, message and hint. Kinds are stable, sentences are not."""
    return {**error.details(), "message": error.message, "hint": error.hint}


def print_error(error: CopilotMcpError | click.ClickException) -> int:
    """Print `{"error": {…}}` to standard output; gives the exit status that goes with it.

    What click says of wrong options has the kind `usage` and the status 2, as without `--json`.
    """
    if isinstance(error, CopilotMcpError):
        facts, status = error_facts(error), 1
    else:
        used = isinstance(error, click.UsageError)
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f"Run `{context.command_path} --help`." if context is not None else ""
        facts = {"kind": "usage" if used else "error", "message": error.format_message(), "hint": hint}
        status = error.exit_code
    text = json.dumps({"error": facts}, ensure_ascii=False)
    # An argument that was no UTF-8 may be quoted in the message: JSON can say it by its escapes alone.
    click.echo(text.encode("utf-8", "backslashreplace").decode())
    return status
