"""The demo's person: signs in by device code in this process, and can speak to Graph without our tools."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, MemoryCache, open_http
from copilot_mcp.demo.screen import Screen
from copilot_mcp.simulator import Simulator, User

__all__ = ["Person", "signed_in"]

_SCOPES = ("Files.Read.All", "Sites.Read.All")


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person with nothing between them and Graph."""

    credential: Credential
    http: httpx.AsyncClient
    graph_root: str

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send `body` as it stands; the status and the JSON of the answer."""
        token = await self.credential.token(_SCOPES)
        answer = await self.http.post(
            f"{self.graph_root}{path}", json=body, headers={"authorization": f"Bearer {token}"}
        )
        return answer.status_code, answer.json()


@asynccontextmanager
async def signed_in(screen: Screen, simulator: Simulator, url: str, user: User) -> AsyncIterator[Person]:
    """Sign in as `user` by device code, shown as a person would see it; the simulated tenant approves."""
    cloud = CLOUDS["simulated"]
    async with open_http(LoopbackTransport(url)) as http:
        credential = Credential(cloud, cloud.tenant_id or "", cloud.client_id or "", MemoryCache(), http)
        attempt = await credential.start_sign_in(_SCOPES)
        screen.say(f"To sign in, open {attempt.verification_uri} and enter the code {attempt.user_code}")
        screen.say(f"(the demo's user, {user.name}, approves it now; nobody else can)")
        simulator.approve(attempt.user_code, user.key)
        account = await credential.finish_sign_in(attempt)
        screen.good(f"Signed in as {account.name} <{account.username}>")
        yield Person(credential, http, cloud.graph_root)
