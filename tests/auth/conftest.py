"""A small Entra for the tests of sign-in: a pure function from request to answer, with a script for wrong answers.

Every secret in it carries a mark, and after each test all captured output is searched for that mark.
"""

import asyncio
import base64
import json
import logging
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import anyio.lowlevel
import httpx
import pytest
from anyio.abc import TaskGroup

from copilot_mcp.auth import CLOUDS, Credential, MemoryCache, SignInCache, quiet_libraries
from copilot_mcp.auth.msal_http import MsalHttp
from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.simulator.secrets_issued import SECRET_MARKS

MARK = "SECRETMARK"
TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "22222222-2222-4222-8222-222222222222"
ROOT = "https://login.microsoftonline.com"


def jwt(claims: dict[str, Any]) -> str:
    """A token of the right form; nobody here checks signatures."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}.{MARK}"


@dataclass
class Person:
    """Somebody who can sign in."""

    oid: str
    username: str
    name: str
    tenant: str = TENANT

    def id_token(self, client_id: str = CLIENT, **changes: Any) -> str:
        claims = {
            "aud": client_id,
            "sub": self.oid,
            "oid": self.oid,
            "tid": self.tenant,
            "preferred_username": self.username,
            "name": self.name,
        }
        return jwt({name: value for name, value in (claims | changes).items() if value is not None})

    def client_info(self) -> str:
        return base64.urlsafe_b64encode(json.dumps({"uid": self.oid, "utid": self.tenant}).encode()).decode()


ALICE = Person("aaaaaaaa-0000-4000-8000-000000000001", "alice@contoso.example", "Alice Adams")
BOB = Person("bbbbbbbb-0000-4000-8000-000000000002", "bob@contoso.example", "Bob Brown")


@dataclass
class FakeEntra:
    """Answers like Entra, or with the next of `script[endpoint]`: a response, an exception, or a function."""

    person: Person = field(default_factory=lambda: ALICE)
    approved: bool = False
    grants: set[str] | None = None
    bare_echo: bool = False
    life_s: Any = 3600
    script: dict[str, deque[Any]] = field(
        default_factory=lambda: {"discovery": deque(), "devicecode": deque(), "token": deque()}
    )
    log: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    tokens: int = 0
    refresh_tokens: set[str] = field(default_factory=set)
    device_scope: str = ""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        endpoint = request.url.path.rsplit("/", 1)[-1].replace("openid-configuration", "discovery")
        form = dict(parse_qsl(request.content.decode()))
        self.log.append(form.get("grant_type", endpoint).rsplit(":", 1)[-1])
        self.forms.append(form)
        self.device_scope = form["scope"] if endpoint == "devicecode" else self.device_scope
        if self.script[endpoint]:
            planned = self.script[endpoint].popleft()
            if isinstance(planned, Exception):
                raise planned
            return planned(form) if callable(planned) else planned
        return getattr(self, f"_{endpoint}")(request, form)

    def _discovery(self, request: httpx.Request, _: dict[str, str]) -> httpx.Response:
        tenant = request.url.path.split("/")[1]
        root = f"https://{request.url.host}/{tenant}/oauth2/v2.0"
        return httpx.Response(
            200,
            json={
                "issuer": f"https://{request.url.host}/{tenant}/v2.0",
                "authorization_endpoint": f"{root}/authorize",
                "token_endpoint": f"{root}/token",
                "device_authorization_endpoint": f"{root}/devicecode",
            },
        )

    def _devicecode(self, _: httpx.Request, __: dict[str, str]) -> httpx.Response:
        return httpx.Response(
            200,
            json={
                "user_code": "ABCD1234",
                "device_code": f"device-{MARK}",
                "verification_uri": "https://microsoft.com/devicelogin",
                "expires_in": 900,
                "interval": 5,
                "message": "ignored",
            },
        )

    def _token(self, _: httpx.Request, form: dict[str, str]) -> httpx.Response:
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] not in self.refresh_tokens:
                return self.refusal("invalid_grant", 50173)
            self.refresh_tokens.discard(form["refresh_token"])
            return self.success(form["scope"])
        if not self.approved:
            return self.refusal("authorization_pending", 70016)
        return self.success(self.device_scope)

    def success(self, scope: str, **changes: Any) -> httpx.Response:
        """A token answer for the person; refresh tokens work once."""
        self.tokens += 1
        refresh_token = f"refresh-{self.tokens}-{MARK}"
        self.refresh_tokens.add(refresh_token)
        names = [part.rsplit("/", 1)[-1] for part in scope.split()]
        kept = [name for name in names if self.grants is None or name in self.grants]
        prefix = "" if self.bare_echo else "https://graph.microsoft.com/"
        plain = ("openid", "profile", "offline_access")
        body = {
            "token_type": "Bearer",
            "access_token": f"access-{self.tokens}-{MARK}",
            "refresh_token": refresh_token,
            "expires_in": self.life_s,
            "scope": " ".join(name if name in plain else prefix + name for name in kept),
            "id_token": self.person.id_token(),
            "client_info": self.person.client_info(),
        }
        return httpx.Response(200, json={name: value for name, value in (body | changes).items() if value is not None})

    def refusal(self, error: str, number: int = 0, status: int = 400, **more: Any) -> httpx.Response:
        """An error in Entra's form; the description names a person, and nobody may see it."""
        body = {
            "error": error,
            "error_description": f"AADSTS{number}: {MARK} alice@contoso.example",
            "error_codes": [number],
            "timestamp": "2026-07-01 10:00:00Z",
            "correlation_id": "cccccccc-0000-4000-8000-000000000003",
        }
        return httpx.Response(status, json=body | more)


class Clock:
    """Seconds that pass only when somebody sleeps. `on_sleep` runs after each sleep."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.on_sleep()
        await anyio.lowlevel.checkpoint()


@pytest.fixture(autouse=True)
def _no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    quiet_libraries()
    caplog.set_level(logging.DEBUG)
    yield
    records = [record for phase in ("setup", "call") for record in caplog.get_records(phase)]
    told = [record.getMessage() + str(record.exc_info) for record in records]
    assert [text for text in told for mark in (MARK, *SECRET_MARKS) if mark in text] == []


@pytest.fixture
def ends(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], orphans: Any
) -> Callable[..., Awaitable[Any]]:
    """Lets a call meet its fault: its kind, in time, no secret in anything said, no task left, and then a call works.

    What a test leaves in threads, locks and files is looked at when it has ended (`shows` in `tests/conftest.py`).
    """

    async def run(
        failing: Awaitable[Any], kind: str, then: Callable[[], Awaitable[Any]], *, within_s: float = 10.0
    ) -> CopilotMcpError:
        tasks, started = asyncio.all_tasks(), time.monotonic()
        with pytest.raises(CopilotMcpError) as caught:
            await failing
        error = caught.value
        assert (error.kind, time.monotonic() - started < within_s) == (kind, True)
        assert await orphans(tasks) == set()
        printed = capfd.readouterr()
        told = "".join(traceback.format_exception(error)) + f"{error!r} {error.details()} {vars(error)}"
        told += caplog.text + printed.out + printed.err
        assert [mark for mark in (MARK, *SECRET_MARKS) if mark in told] == []
        assert await then()
        return error

    return run


class LoopTime:
    """What the event loop takes for the time; it passes only when a test says so, besides passing by itself."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._now, self.ahead = loop.time, 0.0
        # The time limits of a request are counted by the loop, and twenty seconds are too long for a test.
        patch.setattr(loop, "time", lambda: self._now() + self.ahead)

    def passes(self, seconds: float) -> None:
        self.ahead += seconds


@pytest.fixture
async def loop_time(monkeypatch: pytest.MonkeyPatch) -> LoopTime:
    """The clock of this test's event loop."""
    return LoopTime(monkeypatch)


@pytest.fixture
def entra() -> FakeEntra:
    """The fake authority."""
    return FakeEntra()


@pytest.fixture
def alice() -> Person:
    """The person who signs in by default."""
    return ALICE


@pytest.fixture
def bob() -> Person:
    """Somebody else of the same tenant."""
    return BOB


@pytest.fixture
def clock() -> Clock:
    """Time under control, beginning at the real time, because MSAL reads the machine's clock."""
    return Clock()


@pytest.fixture
async def http(entra: FakeEntra) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose network is the fake authority."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(entra)) as client:
        yield client


@pytest.fixture
def cache() -> SignInCache:
    """A cache that touches no disk; a test may override it."""
    return MemoryCache()


@pytest.fixture
def new_credential(cache: SignInCache, http: httpx.AsyncClient, clock: Clock) -> Callable[..., Credential]:
    """Makes credentials that share cache and clock, as two processes would."""

    def make(tenant: str = TENANT, cache: SignInCache = cache, tasks: TaskGroup | None = None) -> Credential:
        return Credential(CLOUDS["global"], tenant, CLIENT, cache, http, clock=clock, sleep=clock.sleep, tasks=tasks)

    return make


@pytest.fixture
def credential(new_credential: Callable[..., Credential]) -> Credential:
    """A credential of the global cloud."""
    return new_credential()


@pytest.fixture
def sign_in(credential: Credential, entra: FakeEntra) -> Callable[..., Any]:
    """Signs the fake authority's person in."""

    async def run(*scopes: str, by: Credential = credential) -> Any:
        entra.approved = True
        return await by.finish_sign_in(await by.start_sign_in(scopes or ("Files.Read.All", "Sites.Read.All")))

    return run


@pytest.fixture
def adapter(http: httpx.AsyncClient, clock: Clock) -> MsalHttp:
    """The client that MSAL gets."""
    return MsalHttp(http, ROOT, clock=clock)
