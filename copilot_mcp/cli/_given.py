"""Where each value of the configuration came from, for `doctor`; nothing secret is among what it gives."""

import os
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from copilot_mcp.cli._outside import TOKEN_VARIABLE
from copilot_mcp.settings import Settings

if TYPE_CHECKING:
    from copilot_mcp.auth import Origin
    from copilot_mcp.doctor import Given

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


def options_given(context: click.Context, settings: Settings, origin: "Origin | None") -> "list[Given]":
    """The options of this command as click decided them, and those of `serve` that only the environment can set."""
    from copilot_mcp.cli.serve import command as serve
    from copilot_mcp.doctor import Given

    ours = {option.name: option for option in context.command.params if option.name not in _NOT_OPTIONS}
    left_out = _NOT_SIMULATED if settings.simulated else ()
    found = [_given(context, option, settings, origin) for name, option in ours.items() if name not in left_out]
    if origin is not None and not (context.params.get("token_file") or context.params.get("token_command")):
        found.append(Given("token", "set, and not shown", "environment", TOKEN_VARIABLE))
    others = [option for option in serve.params if option.name not in ours and option.name not in _NOT_OPTIONS]
    return found + [_of_serve(option) for option in others]


def _given(context: click.Context, option: click.Parameter, settings: Settings, origin: "Origin | None") -> "Given":
    from copilot_mcp.doctor import Given

    name, source = str(option.name), context.get_parameter_source(str(option.name))
    variable = str(option.envvar or "")
    shown = _shown(name, context.params.get(name), origin)
    if settings.simulated and name in ("cloud", "tenant", "client_id"):
        return Given(_word(option), str(getattr(settings, name) or ""), "simulated")
    if source is ParameterSource.ENVIRONMENT:
        return Given(_word(option), shown, "environment", variable)
    return Given(_word(option), shown, "flag" if source is ParameterSource.COMMANDLINE else "default", variable)


def _of_serve(option: click.Parameter) -> "Given":
    from copilot_mcp.doctor import Given

    variable = str(option.envvar or "")
    value = os.environ.get(variable, "") if variable else ""
    if value:
        return Given(_word(option), value if value.isprintable() else "unreadable", "environment", variable)
    default = option.to_info_dict().get("default")
    return Given(_word(option), "" if default is None else str(default), "default", variable)


def _shown(name: str, value: Any, origin: "Origin | None") -> str:
    from copilot_mcp.doctor import shown_address

    if value is None or value is False or value == ():
        return ""
    if name == "simulate_url":
        return shown_address(str(value))
    if name == "token_command":
        return origin.name if origin is not None else "set"  # its arguments may hold a secret
    if isinstance(value, tuple):
        return ", ".join(str(each) for each in value)
    return "yes" if value is True else str(value)


def _word(option: click.Parameter) -> str:
    """The option's longest flag without its dashes, such as `client-id`."""
    return max(option.opts, key=len).lstrip("-")
