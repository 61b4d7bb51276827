"""Options that several commands share. Flag over environment over default; nothing below reads the environment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from copilot_mcp.auth import CLOUDS, is_application_id, is_tenant
from copilot_mcp.cli._say import say
from copilot_mcp.errors import SettingsError
from copilot_mcp.settings import Settings

__all__ = [
    "account_options",
    "allow_property_option",
    "documents_option",
    "examined_account_options",
    "filter_options",
    "log_option",
    "result_options",
    "settings_from",
    "settings_option",
    "simulation_options",
]

F = TypeVar("F", bound=Callable[..., Any])
REAL_CLOUDS = [name for name, cloud in CLOUDS.items() if not cloud.simulated]


def _all(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _checked_profile(_: click.Context, __: click.Parameter, name: str) -> str:
    from copilot_mcp.auth import checked_profile

    return checked_profile(name)


def _checked_tenant(_: click.Context, __: click.Parameter, tenant: str) -> str:
    if tenant.lower() == "consumers" or not is_tenant(tenant):
        raise SettingsError(
            "The tenant (--tenant or COPILOT_MCP_TENANT_ID) is for personal Microsoft accounts, which cannot use the "
            "Copilot APIs."
            if tenant.lower() == "consumers"
            else "The tenant (--tenant or COPILOT_MCP_TENANT_ID) is neither a directory id nor a domain.",
            "Set it to your organisation's directory id or a verified domain of it.",
        )
    if tenant.lower() == "common":
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


_cloud_option = click.option(
    "--cloud",
    type=click.Choice(REAL_CLOUDS),
    default="global",
    show_default=True,
    envvar="COPILOT_MCP_CLOUD",
    show_envvar=True,
    help="Microsoft cloud of the tenant.",
)

_keeping_options = _all(
    click.option(
        "--profile",
        default="default",
        show_default=True,
        callback=_checked_profile,
        envvar="COPILOT_MCP_PROFILE",
        show_envvar=True,
        help="Name of the sign-in to use; each is kept apart, with an account of its own.",
    ),
    click.option(
        "--cache",
        type=click.Choice(["auto", "plain", "memory"]),
        default="auto",
        show_default=True,
        envvar="COPILOT_MCP_CACHE",
        show_envvar=True,
        help="Where the sign-in is kept: encrypted where this system can, else in memory (auto); in a file that "
        "only you can read, NOT encrypted (plain); in memory.",
    ),
)


def _account_options(*, checked: bool) -> Callable[[F], F]:
    identity = _all(
        click.option(
            "--tenant",
            default="organizations",
            show_default=True,
            callback=_checked_tenant if checked else None,
            envvar="COPILOT_MCP_TENANT_ID",
            show_envvar=True,
            help="Directory (tenant) id or verified domain.",
        ),
        click.option(
            "--client-id",
            callback=_checked_client if checked else None,
            envvar="COPILOT_MCP_CLIENT_ID",
            show_envvar=True,
            help="Application (client) id of your app registration.",
        ),
    )
    return _all(_cloud_option, identity, _keeping_options)


account_options = _account_options(checked=True)

examined_account_options = _account_options(checked=False)
"""For `doctor`, which says itself what is wrong with them."""

settings_option = click.option(
    "--settings",
    "settings_file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="COPILOT_MCP_SETTINGS",
    show_envvar=True,
    help="Settings file with names for sites, folders, labels and connections, instead of those in the usual places.",
)

allow_property_option = click.option(
    "--allow-property",
    metavar="NAME",
    multiple=True,
    callback=_checked_names,
    envvar="COPILOT_MCP_ALLOW_PROPERTY",
    show_envvar=True,
    help="Let filters use a property that this release does not know; may be given several times.",
)

filter_options = _all(
    settings_option,
    allow_property_option,
    click.option(
        "--outside",
        type=click.Choice(["withhold", "mark"]),
        default="withhold",
        show_default=True,
        envvar="COPILOT_MCP_OUTSIDE",
        show_envvar=True,
        help="What becomes of hits proven to lie outside the filter.",
    ),
)

result_options = _all(
    click.option(
        "--max-tokens",
        type=click.IntRange(min=0),
        default=10_000,
        show_default=True,
        envvar="COPILOT_MCP_MAX_TOKENS",
        show_envvar=True,
        help="What a retrieval's or filter's result may cost, in estimated tokens; 0: no limit. Hosts cut at 25000.",
    ),
    click.option(
        "--text",
        type=click.Choice(["auto", "full", "line"]),
        default="auto",
        show_default=True,
        envvar="COPILOT_MCP_TEXT",
        show_envvar=True,
        help="Text of a result beside its structured content: whole, or one line; auto: a line only for hosts known "
        "to show a model both.",
    ),
    click.option(
        "--max-requests",
        type=click.IntRange(1, 20),
        default=3,
        show_default=True,
        envvar="COPILOT_MCP_MAX_REQUESTS",
        show_envvar=True,
        help="Most retrievals that one call may ask for; each counts, and may be billed.",
    ),
    click.option(
        "--max-requests-per-day",
        type=click.IntRange(min=1),
        envvar="COPILOT_MCP_MAX_REQUESTS_PER_DAY",
        show_envvar=True,
        help="Most retrievals sent in 24 hours, retries counted; left out: no limit.",
    ),
    click.option(
        "--quota",
        type=click.Choice(["warn", "refuse"]),
        default="warn",
        show_default=True,
        envvar="COPILOT_MCP_QUOTA",
        show_envvar=True,
        help="Warn from 160 of the 200 retrievals an hour on, or also refuse beyond 200. After a 429 both refuse.",
    ),
)

documents_option = click.option(
    "--documents",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="COPILOT_MCP_DOCUMENTS",
    show_envvar=True,
    help="A folder of Markdown, text or HTML for the simulated tenant, instead of its built-in company.",
)

simulation_options = _all(
    click.option(
        "--simulate",
        is_flag=True,
        envvar="COPILOT_MCP_SIMULATE",
        show_envvar=True,
        help="Use a simulated tenant inside this process instead of Microsoft 365.",
    ),
    click.option(
        "--simulate-url",
        envvar="COPILOT_MCP_SIMULATE_URL",
        show_envvar=True,
        help="Join the simulated tenant that runs at this loopback address.",
    ),
    documents_option,
    click.option("--as", "user", metavar="USER", help="Who signs in to the simulated tenant.  [default: adele]"),
    click.option("--signed-out", is_flag=True, help="Simulated tenant: do not sign in by itself."),
)

log_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="warning",
    show_default=True,
    envvar="COPILOT_MCP_LOG_LEVEL",
    show_envvar=True,
    help="What goes to standard error. Never a token, a code, a prompt, an answer or document text.",
)


def settings_from(**given: Any) -> Settings:
    """Settings out of the options of a command; an option that decides a setting bears that setting's name."""
    return Settings(**given)
