"""The Microsoft clouds: where each signs people in, where its Graph is, and what it offers.

A cloud is one decision: a token for one cloud's Graph is refused by another's, and an app registration exists in one
cloud only. Availability follows Microsoft's pages of summer 2026. The simulated tenant is one more row here, and no
other module of this package can tell it from the rest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

__all__ = ["CLOUDS", "LOOPBACK_HOSTS", "Cloud"]

_MAX_URI = 200
_PRINTABLE = re.compile(r"[!-~]+")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Cloud:
    """One row of the table.

    Attributes:
        name: what the `--cloud` option takes.
        authority: root of the sign-in service, without a path.
        graph_root: root of Microsoft Graph, without a version; every full scope begins with it.
        verification_hosts: hosts on which the page for a device code may be.
        chat: `maybe` where Microsoft's own pages disagree.
        retrieval: whether the Retrieval API is offered.
        simulated: nothing here is real, and every answer says so.
        tenant_id: the only tenant, where the cloud has just one.
        client_id: an app registration that is always there, None in every real cloud.
        loopback_approval: the page for a device code may be plain http on this machine.
    """

    name: str
    authority: str
    graph_root: str
    verification_hosts: tuple[str, ...]
    chat: Literal["yes", "maybe", "no"]
    retrieval: bool
    simulated: bool = False
    tenant_id: str | None = None
    client_id: str | None = None
    loopback_approval: bool = False

    @property
    def hosts(self) -> tuple[str, str]:
        """Host of the sign-in service, then host of Graph."""
        return (urlsplit(self.authority).netloc, urlsplit(self.graph_root).netloc)

    def scope(self, name: str) -> str:
        """The full scope for a permission name such as `Files.Read.All`."""
        return f"{self.graph_root}/{name}"

    def scope_name(self, scope: str) -> str:
        """The permission name in a scope as Entra echoes it, with or without this cloud's prefix."""
        prefix = f"{self.graph_root}/"
        return scope[len(prefix) :] if scope.lower().startswith(prefix) else scope

    def may_show(self, verification_uri: str) -> bool:
        """Whether a person may be sent to this page: https on a listed host, and nothing odd about it.

        The address comes from the network, so a port, a user name or an unprintable character is a refusal.
        """
        if len(verification_uri) > _MAX_URI or not _PRINTABLE.fullmatch(verification_uri):
            return False
        try:
            parts = urlsplit(verification_uri)
            port = parts.port
        except ValueError:
            return False
        if "@" in parts.netloc:
            return False
        if parts.scheme == "http":
            return self.loopback_approval and parts.hostname in _LOOPBACK
        allowed = (*self.verification_hosts, self.hosts[0])
        return parts.scheme == "https" and parts.hostname in allowed and port in (None, 443)


_PAGES = ("microsoft.com", "www.microsoft.com", "aka.ms", "login.microsoft.com")

_ROWS = (
    Cloud("global", "https://login.microsoftonline.com", "https://graph.microsoft.com", _PAGES, "yes", True),
    Cloud("usgov-l4", "https://login.microsoftonline.us", "https://graph.microsoft.us", _PAGES, "maybe", False),
    Cloud("usgov-l5", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us", _PAGES, "maybe", False),
    Cloud(
        "china",
        "https://login.partner.microsoftonline.cn",
        "https://microsoftgraph.chinacloudapi.cn",
        (*_PAGES, "login.chinacloudapi.cn"),
        "no",
        False,
    ),
    Cloud(
        "simulated",
        "https://login.copilot-mcp.test",
        "https://graph.copilot-mcp.test",
        (),
        "yes",
        True,
        simulated=True,
        tenant_id="00000000-0000-4000-8000-000000000001",
        client_id="00000000-0000-4000-8000-00000000c0de",
        loopback_approval=True,
    ),
)

CLOUDS: Mapping[str, Cloud] = MappingProxyType({cloud.name: cloud for cloud in _ROWS})
"""Every cloud by its name."""

LOOPBACK_HOSTS: frozenset[str] = frozenset(host for cloud in _ROWS if cloud.simulated for host in cloud.hosts)
"""Hosts that exist on this machine only; a real name server never answers for them (`.test`, RFC 2606)."""
