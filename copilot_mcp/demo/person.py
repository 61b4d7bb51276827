"""The demo's person: signs in by device code in this process, and can speak to Graph without our tools."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, MemoryCache, open_http
from copilot_mcp.demo.screen import Screen
from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.simulator import Simulator, User

__all__ = ["Person", "signed_in"]

_SCOPES = ("Files.Read.All", "Sites.Read.All")


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person with nothing between them and Graph."""

    credential: Credential
    http: httpx.AsyncClient
    graph_root: str

    async def retrieve(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The hits for `body`, which is sent to the Retrieval API as it stands.

        Raises:
            CopilotMcpError: Graph did not answer with hits.
        """
        token = await self.credential.token(_SCOPES)
        address = f"{self.graph_root}/v1.0/copilot/retrieval"
        try:
            answer = await self.http.post(address, json=body, headers={"authorization": f"Bearer {token}"})
            hits: list[dict[str, Any]] = answer.raise_for_status().json()["retrievalHits"]
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            raise CopilotMcpError(f"The tenant's Graph did not answer with hits ({type(error).__name__}).") from error
        return hits


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
