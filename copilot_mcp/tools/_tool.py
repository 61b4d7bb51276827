"""What a tool is, and what a call of one is given. Data and plain functions: `server` turns them into MCP."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from copilot_mcp.errors import AuthenticationRequiredError
from copilot_mcp.settings import Settings
from copilot_mcp.tools.names import KnownNames
from copilot_mcp.tools.turns import OpenTurns

if TYPE_CHECKING:  # graph is imported by the tools that need it; this file only names it
    from copilot_mcp.graph import GraphClient
    from copilot_mcp.tools.quota import Quota

__all__ = ["SIMULATED", "Tool", "ToolContext", "ToolResult", "unheard"]

SIMULATED = "simulated tenant"
"""What both halves of every result say when no real Microsoft 365 answered."""

RequestT = TypeVar("RequestT", bound=BaseModel)
ResultT = TypeVar("ResultT", bound="ToolResult")


class ToolResult(BaseModel):
    """What a host may rely on: our documented fields, camelCase on the wire, members without a value left out."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, defer_build=True)

    tenant: str | None = Field(None, description="Absent for Microsoft 365.")

    def structured(self) -> dict[str, Any]:
        """The structured half: plain JSON data that fits the published output schema."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


async def unheard(message: str) -> None:
    """Progress where the host did not ask for any."""


async def nobody() -> str:
    """The identity where none was set: a turn is bound to its person, so there has to be one.

    Raises:
        AuthenticationRequiredError: Always.
    """
    raise AuthenticationRequiredError("Nobody is signed in.", "Run `copilot-mcp login`.")


async def _own_quota() -> "Quota":
    from copilot_mcp.tools.quota import MemoryStore, Quota

    return Quota(MemoryStore())


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a call may use.

    Attributes:
        open_graph: gives the one Graph client; raises `SettingsError` where the settings do not allow one.
        settings: the decided values.
        now: the clock, aware and in UTC.
        monotonic: seconds that never run backwards, for intervals.
        progress: tells the host how far the call has come; does nothing where the host did not ask.
        names: what nicknames stand for: those of the settings, and the labels of hits seen so far.
        sleep: waits so many seconds.
        identity: names the person whom the calls speak for, the same in all their calls and nobody else's.
        turns: the chat turns of the process, which may outlive their call.
        open_quota: gives the person's count of retrievals; raises as `open_graph` does. Left out: each call counts
            for itself.
    """

    open_graph: "Callable[[], Awaitable[GraphClient]]"
    settings: Settings
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    progress: Callable[[str], Awaitable[None]]
    names: KnownNames = field(default_factory=KnownNames)
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    identity: Callable[[], Awaitable[str]] = nobody
    turns: OpenTurns = field(default_factory=OpenTurns)
    open_quota: "Callable[[], Awaitable[Quota]]" = _own_quota


@dataclass(frozen=True, slots=True)
class Tool(Generic[RequestT, ResultT]):
    """One tool: its words, its shapes and the function behind it.

    Attributes:
        scopes: the delegated Graph permissions that `login` asks for on its behalf; those of previews are asked for
            when they are used.
        handle: does the work; raises `CopilotMcpError` for everything the caller can act on.
        render: the text half, a short Markdown rendering of the same facts.
    """

    name: str
    title: str
    description: str
    request: type[RequestT]
    result: type[ResultT]
    handle: Callable[[RequestT, ToolContext], Awaitable[ResultT]]
    render: Callable[[ResultT], str]
    scopes: tuple[str, ...]
    read_only: bool
    idempotent: bool
    open_world: bool
