"""What the command line decided, as one frozen value that is handed down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Decided values. Only the command line reads flags and the environment.

    Attributes:
        cloud: a row of `auth.CLOUDS`.
        tenant: directory id or verified domain, or `organizations`.
        client_id: the app registration; None means that the Graph tools explain how to set it.
        chat: `stream` uses chatOverStream, `sync` the synchronous operation; never one after the other.
        time_zone: IANA name sent when a call has no `locationHint`; None asks the operating system.
        profile: name of the sign-in to use, `[a-z0-9][a-z0-9_-]{0,31}`.
        cache: `auto` keeps the sign-in encrypted where the system can, else in memory; `plain` in a file in clear with
            mode 0600; `memory` nowhere.
        names: nicknames by kind (sites, folders, labels, connections), each with what it stands for.
        allow_property: properties that filters may use although this release does not know them.
        outside: what becomes of hits that lie outside the filter: they are withheld, or shown and marked.
        simulated: this is the simulated tenant, and every answer says so.
    """

    cloud: str = "global"
    tenant: str = "organizations"
    client_id: str | None = None
    chat: Literal["stream", "sync"] = "stream"
    time_zone: str | None = None
    profile: str = "default"
    cache: Literal["auto", "plain", "memory"] = "auto"
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    allow_property: tuple[str, ...] = ()
    outside: Literal["withhold", "mark"] = "withhold"
    simulated: bool = False
