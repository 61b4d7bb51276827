"""Somebody at the host of a server: asked to sign in, and answering."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.types import ElicitResult

from copilot_mcp.cli._services import GraphServices
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator


class Person:
    """Somebody at the host: answers its questions and, where told to, approves in the browser."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.acts: list[str] = ["approve", "accept"]
        self.asked: list[Any] = []
        self.decided = anyio.Event()
        self.decided_codes: set[str] = set()
        self.both_asked = anyio.Event()
        self.services: list[GraphServices] = []
        self.consents = True

    def decide(self, code: str, user: str | None = "adele") -> None:
        self.simulator.approve(code, user, consent=self.consents) if user else self.simulator.decline(code)
        self.decided_codes.add(code)
        self.decided.set()

    async def sleep(self, seconds: float) -> None:
        """Between two polls: until the person has decided."""
        await self.decided.wait()

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        self.asked.append(params)
        for act in self.acts:
            if act in ("approve", "refuse"):
                code = code_in(params.message)
                if code not in self.decided_codes:
                    self.decide(code, "adele" if act == "approve" else None)
            elif act == "both":
                if len(self.asked) == 2:
                    self.both_asked.set()
                await self.both_asked.wait()
            elif act == "never":
                await anyio.sleep_forever()
            elif act == "fail":
                raise MCPError(-32601, "no such method")
            else:
                return ElicitResult(action=act)
        raise AssertionError


def code_in(text: str) -> str:
    found = re.search(r"code ([A-Z]{9})\b", text)
    assert found, text
    return found[1]


@pytest.fixture
def person(simulator: Simulator) -> Person:
    return Person(simulator)


@pytest.fixture
async def open_client(
    simulator: Simulator, settings: Settings, era: Any, in_process: Any, person: Person
) -> AsyncIterator[Callable[..., Any]]:
    """Opens a client of a server where nobody is signed in; `asks` says whether the host can open pages."""
    async with AsyncExitStack() as stack:

        async def opened(*, asks: bool, wait_s: float = 30.0) -> Client:
            tenant = in_process(simulator, signs_in=False)
            services = GraphServices(settings, tenant, sleep=person.sleep, sign_in_wait_s=wait_s)
            await stack.enter_async_context(services)
            person.services.append(services)
            server = build_server(services, settings, person=services.person)
            client: Client = await stack.enter_async_context(
                Client(server, mode=era, elicitation_callback=person if asks else None)
            )
            return client

        yield opened
