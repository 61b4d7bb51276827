"""Options that several commands share. Flag over environment over default; nothing below reads the environment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from copilot_mcp.auth import CLOUDS, is_application_id, is_tenant
from copilot_mcp.cli._say import say
from copilot_mcp.cli._setting import is_examined, setting
from copilot_mcp.errors import SettingsError
from copilot_mcp.settings import Settings

__all__ = [
    "account_options",
    "all_of",
    "allow_property_option",
    "documents_option",
    "filter_options",
    "log_option",
    "result_options",
    "settings_from",
    "settings_option",
    "simulation_options",
]

F = TypeVar("F", bound=Callable[..., Any])
REAL_CLOUDS = [name for name, cloud in CLOUDS.items() if not cloud.simulated]


def all_of(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """The decorators as one; the first one's option comes first in the help."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _checked_profile(_: click.Context, __: click.Parameter, name: str) -> str:
    from copilot_mcp.auth import checked_profile

    return checked_profile(name)


def _checked_tenant(context: click.Context, _: click.Parameter, tenant: str) -> str:
    if tenant.lower() == "consumers" or not is_tenant(tenant):
        raise SettingsError(
            "The tenant (--tenant or COPILOT_MCP_TENANT_ID) is for personal Microsoft accounts, which cannot use the "
            "Copilot APIs."
            if tenant.lower() == "consumers"
            else "The tenant (--tenant or COPILOT_MCP_TENANT_ID) is neither a directory id nor a domain.",
            "Set it to your organisation's directory id or a verified domain of it.",
        )
    if tenant.lower() == "common" and not is_examined(context):  # `doctor` has a line for it
        say(
            "WARNING: tenant common also admits personal Microsoft accounts, which cannot use the Copilot APIs; set "
            "--tenant (or COPILOT_MCP_TENANT_ID) to your organisation's directory id or a verified domain of it."
        )
    return tenant


def _checked_client(_: click.Context, __: click.Parameter, client_id: str | None) -> str | None:
    if client_id and not is_application_id(client_id):
        raise SettingsError(
            "The client id (--client-id or COPILOT_MCP_CLIENT_ID) does not have the form of an application id.",
            "Copy the application (client) id from the app registration's overview; it is not a name or a secret.",
        )
    return client_id


def _checked_names(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    if names:  # the language is imported where it is needed
        from copilot_mcp.kql import properties_for

        try:
            properties_for("sharePoint", allow=names)
        except ValueError as error:
            raise SettingsError(
                f"--allow-property (or COPILOT_MCP_ALLOW_PROPERTY): {error}", "Give the name as filters spell it."
            ) from error
    return names


_cloud_option = setting(
    "--cloud",
    type=click.Choice(REAL_CLOUDS),
    default="global",
    show_default=True,
    envvar="COPILOT_MCP_CLOUD",
    help="Microsoft cloud of the tenant.",
)

_keeping_options = all_of(
    setting(
        "--profile",
        default="default",
        show_default=True,
        callback=_checked_profile,
        envvar="COPILOT_MCP_PROFILE",
        help="Name of the sign-in to use; each is kept apart, with an account of its own.",
    ),
    setting(
        "--cache",
        type=click.Choice(["auto", "plain", "memory"]),
        default="auto",
        show_default=True,
        envvar="COPILOT_MCP_CACHE",
        help="Where the sign-in is kept: encrypted where this system can, else in memory (auto); in a file that "
        "only you can read, NOT encrypted (plain); in memory.",
    ),
)


account_options = all_of(
    _cloud_option,
    setting(
        "--tenant",
        default="organizations",
        show_default=True,
        callback=_checked_tenant,
        envvar="COPILOT_MCP_TENANT_ID",
        help="Directory (tenant) id or verified domain.",
    ),
    setting(
        "--client-id",
        callback=_checked_client,
        envvar="COPILOT_MCP_CLIENT_ID",
        help="Application (client) id of your app registration.",
    ),
    _keeping_options,
)

settings_option = setting(
    "--settings",
    "settings_file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="COPILOT_MCP_SETTINGS",
    help="Settings file with names for sites, folders, labels and connections, instead of those in the usual places.",
)

allow_property_option = setting(
    "--allow-property",
    metavar="NAME",
    multiple=True,
    callback=_checked_names,
    envvar="COPILOT_MCP_ALLOW_PROPERTY",
    help="Let filters use a property that this release does not know; may be given several times.",
)

filter_options = all_of(
    settings_option,
    allow_property_option,
    setting(
        "--outside",
        type=click.Choice(["withhold", "mark"]),
        default="withhold",
        show_default=True,
        envvar="COPILOT_MCP_OUTSIDE",
        help="What becomes of hits proven to lie outside the filter.",
    ),
)

result_options = all_of(
    setting(
        "--max-tokens",
        type=click.IntRange(min=0),
        default=10_000,
        show_default=True,
        envvar="COPILOT_MCP_MAX_TOKENS",
        help="What a retrieval's or filter's result may cost, in estimated tokens; 0: no limit. Hosts cut at 25000.",
    ),
    setting(
        "--text",
        type=click.Choice(["auto", "full", "line"]),
        default="auto",
        show_default=True,
        envvar="COPILOT_MCP_TEXT",
        help="Text of a result beside its structured content: whole, or one line; auto: a line only for hosts known "
        "to show a model both.",
    ),
    setting(
        "--max-requests",
        type=click.IntRange(1, 20),
        default=3,
        show_default=True,
        envvar="COPILOT_MCP_MAX_REQUESTS",
        help="Most retrievals that one call may ask for; each counts, and may be billed.",
    ),
    setting(
        "--max-requests-per-day",
        type=click.IntRange(min=1),
        envvar="COPILOT_MCP_MAX_REQUESTS_PER_DAY",
        help="Most retrievals sent in 24 hours, retries counted; left out: no limit.",
    ),
    setting(
        "--quota",
        type=click.Choice(["warn", "refuse"]),
        default="warn",
        show_default=True,
        envvar="COPILOT_MCP_QUOTA",
        help="Warn from 160 of the 200 retrievals an hour on, or also refuse beyond 200. After a 429 both refuse.",
    ),
)

documents_option = setting(
    "--documents",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="COPILOT_MCP_DOCUMENTS",
    help="A folder of Markdown, text or HTML for the simulated tenant, instead of its built-in company.",
)

simulation_options = all_of(
    setting(
        "--simulate",
        is_flag=True,
        envvar="COPILOT_MCP_SIMULATE",
        help="Use a simulated tenant inside this process instead of Microsoft 365.",
    ),
    setting(
        "--simulate-url",
        envvar="COPILOT_MCP_SIMULATE_URL",
        help="Join the simulated tenant that runs at this loopback address.",
    ),
    documents_option,
    setting(
        "--as",
        "user",
        metavar="USER",
        envvar="COPILOT_MCP_AS",
        help="Who signs in to the simulated tenant; left out: adele.",
    ),
    setting(
        "--signed-out",
        is_flag=True,
        envvar="COPILOT_MCP_SIGNED_OUT",
        help="Simulated tenant: do not sign in by itself.",
    ),
)

log_option = setting(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="warning",
    show_default=True,
    envvar="COPILOT_MCP_LOG_LEVEL",
    help="What goes to standard error. Never a token, a code, a prompt, an answer or document text.",
)


def settings_from(**given: Any) -> Settings:
    """Settings out of the options of a command; an option that decides a setting bears that setting's name."""
    return Settings(**given)
