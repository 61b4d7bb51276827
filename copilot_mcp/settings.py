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
        call_limit: seconds after which a call of copilot_chat returns what there is while the turn goes on, and a
            call of copilot_retrieve gives up.
        web: `ask` lets a call switch web search on for its turn, `never` refuses that.
        profile: name of the sign-in to use, `[a-z0-9][a-z0-9_-]{0,31}`.
        cache: `auto` keeps the sign-in encrypted where the system can, else in memory; `plain` in a file in clear with
            mode 0600; `memory` nowhere.
        names: nicknames by kind (sites, folders, labels, connections), each with what it stands for.
        allow_property: properties that filters may use although this release does not know them.
        outside: what becomes of hits that lie outside the filter: they are withheld, or shown and marked.
        text: `auto` shortens the text half of a result to one line for hosts known to show a model both halves,
            `full` never, `line` always.
        max_tokens: what a result may cost at most, in estimated tokens (UTF-8 bytes / 3); 0 means no limit.
        max_requests: how many retrievals one call may ask for.
        max_requests_per_day: how many may be sent in 24 hours; None means no limit of ours.
        quota: `warn` says when the hour's retrievals run out, `refuse` also holds to it.
        simulated: this is the simulated tenant, and every answer says so.
    """

    cloud: str = "global"
    tenant: str = "organizations"
    client_id: str | None = None
    chat: Literal["stream", "sync"] = "stream"
    time_zone: str | None = None
    call_limit: float = 55.0
    web: Literal["ask", "never"] = "ask"
    profile: str = "default"
    cache: Literal["auto", "plain", "memory"] = "auto"
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    allow_property: tuple[str, ...] = ()
    outside: Literal["withhold", "mark"] = "withhold"
    text: Literal["auto", "full", "line"] = "auto"
    max_tokens: int = 10_000
    max_requests: int = 3
    max_requests_per_day: int | None = None
    quota: Literal["warn", "refuse"] = "warn"
    simulated: bool = False
