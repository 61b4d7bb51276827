"""An option of ours, and what becomes of a value that it cannot take: an error, or for `doctor` a thing it found."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from copilot_mcp.errors import CopilotMcpError

__all__ = ["Refusal", "Setting", "collect_refusals", "is_examined", "refuse", "setting"]

_REFUSALS = "copilot_mcp.refusals"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value with which `serve` does not start: what is wrong with it, and what to do."""

    what: str
    remedy: str


class Setting(click.Option):
    """An option whose value is judged by its type and its callback, from a flag as from the environment.

    Where refusals are collected, one stands for the value, and the command goes on with the default.
    """

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        try:
            return super().process_value(ctx, value)
        except (click.BadParameter, CopilotMcpError) as error:
            refuse(ctx, str(self.name), error, self)
            return super().process_value(ctx, self.get_default(ctx))


setting = partial(click.option, cls=Setting, show_envvar=True)
"""Declares one; the help names its variable."""


def collect_refusals(context: click.Context) -> dict[str, Refusal]:
    """Let a command go on after a refusal; gives what was refused so far, by the name of the parameter."""
    refusals: dict[str, Refusal] = context.meta.setdefault(_REFUSALS, {})
    return refusals


def is_examined(context: click.Context) -> bool:
    """Whether refusals are collected."""
    return _REFUSALS in context.meta


def refuse(
    context: click.Context, name: str, error: click.BadParameter | CopilotMcpError, option: click.Option | None = None
) -> None:
    """Keep the refusal where refusals are collected.

    Raises:
        click.BadParameter: They are not.
        CopilotMcpError: The same.
    """
    if not is_examined(context):
        raise error
    if isinstance(error, CopilotMcpError):
        refusal = Refusal(error.message, error.hint)
    else:
        refusal = Refusal(error.message, _remedy(option) if option is not None else "")
    collect_refusals(context)[name] = refusal


def _remedy(option: click.Option) -> str:
    named = max(option.opts, key=len) + (f" (or {option.envvar})" if option.envvar else "")
    valid = _valid(option.type)
    return f"Set {named} to {valid}, or leave it out." if valid else f"Correct {named}, or leave it out."


def _valid(kind: click.ParamType[Any]) -> str:
    if isinstance(kind, click.Choice):
        *most, last = (str(choice) for choice in kind.choices)
        return f"{', '.join(most)} or {last}"
    if isinstance(kind, click.IntRange):
        return f"a whole number from {kind.min} to {kind.max}" if kind.max is not None else f"{kind.min} or more"
    return "true or false" if isinstance(kind, click.types.BoolParamType) else ""
