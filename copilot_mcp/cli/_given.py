"""Where each value of the configuration came from, for `doctor`; nothing secret is among what it gives."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from copilot_mcp.cli._outside import TOKEN_VARIABLE
from copilot_mcp.cli._setting import Refusal
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    from copilot_mcp.auth import Origin
    from copilot_mcp.doctor import Given, Source

__all__ = ["known_variables", "options_given"]

_NOT_OPTIONS = ("as_json", "log_level", "help")
_NOT_SIMULATED = ("profile", "cache", "token_command", "token_file")
"""Options that have no meaning in a simulated tenant, where nothing is kept."""

_NOT_FLAGS = ("COPILOT_MCP_SECRET", TOKEN_VARIABLE)
"""Variables that are no option of any command, because other users of the machine can read flags."""


def known_variables(context: click.Context) -> frozenset[str]:
    """Every variable of ours that some command reads."""
    found = set(_NOT_FLAGS)
    waiting = [context.find_root().command]
    while waiting:
        command = waiting.pop()
        found |= {str(option.envvar) for option in command.params if option.envvar}
        if isinstance(command, click.Group):
            inner = (command.get_command(context, name) for name in command.list_commands(context))
            waiting += [each for each in inner if each is not None]
    return frozenset(found)


def options_given(
    context: click.Context, settings: Settings, origin: "Origin | None", refusals: Mapping[str, Refusal]
) -> "list[Given]":
    """The options of this command as click decided them; one that was refused bears why, and not its value."""
    from copilot_mcp.doctor import Given

    ours = {str(option.name): option for option in context.command.params}
    left_out = (*_NOT_OPTIONS, *(_NOT_SIMULATED if settings.simulated else ()))
    found = [
        _given(context, option, settings, origin, refusals.get(name))
        for name, option in ours.items()
        if name in refusals or name not in left_out
    ]
    if origin is not None and not (context.params.get("token_file") or context.params.get("token_command")):
        found.append(Given("token", "set, and not shown", "environment", TOKEN_VARIABLE))
    together = {name: refusal for name, refusal in refusals.items() if name not in ours}
    return found + [Given(name, "", "together", "", each.what, each.remedy) for name, each in together.items()]


def _given(
    context: click.Context, option: click.Parameter, settings: Settings, origin: "Origin | None", why: Refusal | None
) -> "Given":
    from copilot_mcp.doctor import Given

    name, source = str(option.name), context.get_parameter_source(str(option.name))
    variable = str(option.envvar or "")
    place: Source = "flag" if source is ParameterSource.COMMANDLINE else "default"
    if source is ParameterSource.ENVIRONMENT:
        place = "environment"
    if why is not None:
        return Given(_word(option), "", place, variable, why.what, why.remedy)
    if settings.simulated and name in ("cloud", "tenant", "client_id"):
        return Given(_word(option), str(getattr(settings, name) or ""), "simulated")
    return Given(_word(option), _shown(name, context.params.get(name), origin), place, variable)


def _shown(name: str, value: Any, origin: "Origin | None") -> str:
    from copilot_mcp.doctor import shown_address

    if value is None or value is False or value == ():
        return ""
    if name == "simulate_url":
        return shown_address(str(value))
    if name == "token_command":
        return origin.name if origin is not None else "set"  # its arguments may hold a secret
    text = "yes" if value is True else ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if text.isprintable() else "unreadable"


def _word(option: click.Parameter) -> str:
    """The option's longest flag without its dashes, such as `client-id`."""
    return max(option.opts, key=len).lstrip("-")
