"""Graph's scope names in a request for tokens."""

from collections.abc import Collection, Iterable
from typing import Final

from copilot_mcp.simulator.entra_errors import entra_refusal
from copilot_mcp.simulator.tokens import GRAPH_RESOURCE

__all__ = ["DEFAULT", "PRODUCT_SCOPES", "known_scopes", "resource_scopes", "whole_names"]

PRODUCT_SCOPES: Final = (
    "ChannelMessage.Read.All",
    "Chat.Read",
    "ExternalItem.Read.All",
    "FileStorageContainer.Selected",
    "Files.Read.All",
    "Mail.Read",
    "OnlineMeetingTranscript.Read.All",
    "People.Read.All",
    "Sites.Read.All",
)
DEFAULT: Final = ".default"
_OIDC_SCOPES: Final = frozenset({"openid", "profile", "offline_access", "email"})
_KNOWN: Final = {name.casefold(): name for name in (*PRODUCT_SCOPES, DEFAULT)}


def resource_scopes(scopes: Collection[str]) -> dict[str, str]:
    """Graph's scope names among `scopes` -> as they were spelt. OpenID Connect's own are left out.

    Raises:
        EntraRefusalError: another resource, or a scope that Graph does not have.
    """
    names: dict[str, str] = {}
    for spelt in scopes:
        prefix, _, bare = spelt.rpartition("/")
        if spelt in _OIDC_SCOPES:
            continue
        if prefix and prefix.casefold() != GRAPH_RESOURCE:
            raise entra_refusal(500011)
        if bare.casefold() not in _KNOWN:
            raise entra_refusal(650053)
        names[_KNOWN[bare.casefold()]] = spelt
    return names


def whole_names(names: dict[str, str]) -> dict[str, str]:
    """The same with `.default` replaced by every scope of the product."""
    if DEFAULT not in names:
        return names
    prefix = names[DEFAULT].removesuffix(DEFAULT)
    return {name: prefix + name for name in PRODUCT_SCOPES} | {
        name: spelt for name, spelt in names.items() if name != DEFAULT
    }


def known_scopes(names: Iterable[str]) -> tuple[str, ...]:
    """Names without prefix as Graph spells them, for a test that sets consent.

    Raises:
        ValueError: the product does not ask for such a scope.
    """
    found = tuple(_KNOWN.get(name.casefold(), "") for name in names)
    if not all(found):
        raise ValueError(f"no such scope; there are {', '.join(PRODUCT_SCOPES)}")
    return found
