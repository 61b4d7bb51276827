"""Puts the parts of a simulated tenant together. Loaded only when a `Simulator` is made."""

import threading
from collections.abc import Awaitable, Callable
from typing import Any

from copilot_mcp.simulator.app import build_app
from copilot_mcp.simulator.authorize import Authorizations
from copilot_mcp.simulator.certificates import Authority
from copilot_mcp.simulator.challenges import Challenges
from copilot_mcp.simulator.chat import Chat
from copilot_mcp.simulator.conversations import Conversations
from copilot_mcp.simulator.endpoints import Endpoints
from copilot_mcp.simulator.entra import Entra
from copilot_mcp.simulator.entra_errors import EntraRefusalError
from copilot_mcp.simulator.faults import Faults
from copilot_mcp.simulator.graph import Graph
from copilot_mcp.simulator.identity import Identity
from copilot_mcp.simulator.identity_pages import IdentityPages
from copilot_mcp.simulator.retrieval import Retrieval
from copilot_mcp.simulator.search import Index
from copilot_mcp.simulator.sign_ins import SignIns
from copilot_mcp.simulator.tenant import Tenant
from copilot_mcp.simulator.throttle import Throttle
from copilot_mcp.simulator.tokens import Tokens
from copilot_mcp.simulator.trace import Trace

__all__ = ["Assembly"]


class Assembly:
    """The parts of one tenant, wired. The search index is made when the first question comes."""

    def __init__(
        self,
        tenant: Tenant,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        *,
        pace: float,
        interval: int,
        auto_approve: str | None,
        key: str | None,
        base: Callable[[], str],
        hourly_limit: int | None,
    ) -> None:
        self._tenant = tenant
        self._lock = threading.Lock()
        self._index: Index | None = None
        self.authority = Authority()
        self.faults = Faults(tuple(user.key for user in tenant.users))
        self.trace = Trace()
        self.sign_ins = SignIns(tenant, clock, interval_s=interval, auto_approve=auto_approve)
        authorizations = Authorizations(self.sign_ins, clock)
        challenges = Challenges()
        tokens = Tokens(clock, self.sign_ins.issued)
        self.identity = Identity(self.sign_ins, authorizations, challenges, tokens, self.faults, clock)

        async def pause() -> None:
            if pace > 0:
                await sleep(pace)

        self.conversations = Conversations(clock)
        chat = Chat(tenant, self.index, self.faults, clock, self.conversations, pause)
        retrieval = Retrieval(tenant, self.index, self.faults, clock)
        throttle = Throttle(hourly_limit, clock)
        graph = Graph(tenant, tokens, self.faults, chat, retrieval, challenges, throttle)
        entra = Entra(self.sign_ins, authorizations, challenges, tokens, self.faults, clock)
        pages = IdentityPages(self.identity, key)
        endpoints = Endpoints(graph, entra, self.faults, self.trace, clock, sleep, lambda: f"{base()}/devicelogin", key)
        self.app = build_app(
            tenant, self.sign_ins, self.faults, self.trace, endpoints, pages, counts=self.counts, key=key
        )

    def counts(self) -> dict[str, Any]:
        """POSTs received by operation, and chat turns recorded."""
        return {"received": self.trace.received, "turnsRecorded": self.conversations.recorded}

    def index(self) -> Index:
        """The passages of the tenant."""
        with self._lock:
            if self._index is None:
                self._index = Index(self._tenant.documents)
            return self._index

    def approve(self, user_code: str, user: str, *, consent: bool) -> int | None:
        """Approve a device code; answers the AADSTS number that the person sees instead, if any."""
        try:
            self.sign_ins.decide(user_code, user, agreed=consent)
        except EntraRefusalError as refusal:
            return refusal.code
        return None

    def close(self) -> None:
        """Free the index; it is made again when it is needed again."""
        with self._lock:
            if self._index is not None:
                self._index.close()
                self._index = None
