"""One prompt for a profile: servers that share its saved sign-in show one code and count together."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from copilot_mcp.auth import CLOUDS, Credential, HostSignIn, LoopbackTransport, TokenCache, open_http
from copilot_mcp.auth.prompts import MemoryPrompts, SharedPrompts, SignInAttempt, Turn
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

CLOUD = CLOUDS["simulated"]
FILES = ("Files.Read.All", "Sites.Read.All")
MAIL = ("Mail.Read",)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

SERVER = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
import anyio
import anyio.lowlevel
from copilot_mcp.auth import CLOUDS, Credential, HostSignIn, LoopbackTransport, TokenCache, open_http
from copilot_mcp.errors import CopilotMcpError

cloud, scopes = CLOUDS["simulated"], sys.argv[3].split()

async def nap(seconds):
    await anyio.sleep(0.02)

def tell(**facts):
    print(json.dumps(facts), flush=True)

async def main():
    async with open_http(LoopbackTransport(sys.argv[1])) as http, anyio.create_task_group() as tasks:
        cache = TokenCache(Path(sys.argv[2]))
        credential = Credential(cloud, cloud.tenant_id, cloud.client_id, cache, http, tasks=tasks, sleep=nap)
        host = HostSignIn(credential, tasks, wait_s=20)
        while order := (await anyio.to_thread.run_sync(sys.stdin.readline)).strip():
            try:
                if order == "start":
                    attempt = await host.start(scopes)
                    tell(code=attempt.user_code)
                elif order == "wait":
                    tell(ended=await host.ended(attempt), token=len(await host.token(scopes)) > 20)
                elif order == "cancel":
                    host.cancel()
                    tell(cancelled=True)
            except CopilotMcpError as error:
                tell(kind=error.kind)
        tasks.cancel_scope.cancel()

anyio.run(main)
"""


class Server:
    """One process of a host's, told line by line what to do."""

    def __init__(self, url: str, path: Path, scopes: tuple[str, ...]) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", SERVER, url, str(path), " ".join(scopes)],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def do(self, order: str) -> dict[str, Any]:
        self.ask(order)
        return self.answer()

    def end(self) -> None:
        with suppress(BrokenPipeError):
            self.process.communicate("\n", timeout=30)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "file.json"


@pytest.fixture
def tenant(simulator: Simulator) -> Simulator:
    """A simulated tenant on a socket."""
    simulator.start()
    return simulator


@pytest.fixture
def new_server(tenant: Simulator, path: Path) -> Iterator[Callable[..., Server]]:
    """Starts processes that share one saved sign-in."""
    running: list[Server] = []

    def start(scopes: tuple[str, ...] = FILES) -> Server:
        running.append(Server(tenant.url, path, scopes))
        return running[-1]

    yield start
    for server in running:
        server.end()


async def nap(seconds: float) -> None:
    await anyio.sleep(0.02)


@asynccontextmanager
async def opened(tenant: Simulator, path: Path) -> AsyncIterator[tuple[Credential, HostSignIn]]:
    """A host's server in this process, with the objects of its own that another process would have."""
    async with open_http(LoopbackTransport(tenant.url)) as http, anyio.create_task_group() as tasks:
        cache = TokenCache(path)
        credential = Credential(
            CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", cache, http, sleep=nap, tasks=tasks
        )
        yield credential, HostSignIn(credential, tasks, wait_s=20)
        tasks.cancel_scope.cancel()


def codes_made(tenant: Simulator) -> int:
    return [entry["operation"] for entry in tenant.exchanges].count("devicecode")


async def test_two_servers_show_one_code_and_both_have_a_token_after_it(tenant: Simulator, path: Path) -> None:
    async with opened(tenant, path) as (_, first), opened(tenant, path) as (other, second):
        assert first.shared
        ours, shown = await first.start(FILES), await second.start(MAIL)
        assert ours is not None
        assert shown is not None
        same = (shown.user_code, shown.verification_uri, shown.expires_at)
        assert (same, shown.elsewhere) == ((ours.user_code, ours.verification_uri, ours.expires_at), True)
        assert await second.start(MAIL) is shown
        tenant.approve(ours.user_code, "adele")
        assert (await first.ended(ours), await second.ended(shown)) == (True, True)
        assert await first.token(FILES)
        assert await second.token(MAIL)  # by a refresh, without another prompt
        assert {account and account.username for account in (first.news(), second.news())} == {"adele@contoso.example"}
        account = await other.account()
        assert account is not None
        assert account.scopes == ("Files.Read.All", "Mail.Read", "Sites.Read.All")
    assert codes_made(tenant) == 1


async def test_only_what_was_shown_is_in_the_file_and_nothing_after_the_end(
    tenant: Simulator, path: Path, simulator: Simulator
) -> None:
    async with opened(tenant, path) as (credential, host):
        attempt = await host.start(FILES)
        assert attempt is not None
        told = json.loads(path.with_suffix(".prompt").read_text("utf-8"))
        assert (sorted(told), len(told["starts"])) == (["shown", "starts"], 1)
        assert told["shown"] == {
            "code": attempt.user_code,
            "page": attempt.verification_uri,
            "ends": attempt.expires_at.timestamp(),
            "interval": attempt.interval,
            "forClaims": False,
            "signOuts": 0,
        }
        credential.cancel_sign_in()
        assert json.loads(path.with_suffix(".prompt").read_text("utf-8"))["shown"] is None


async def test_code_that_its_server_gave_up_leaves_the_other_free_to_ask(tenant: Simulator, path: Path) -> None:
    async with opened(tenant, path) as (credential, first), opened(tenant, path) as (_, second):
        ours, shown = await first.start(FILES), await second.start(FILES)
        assert shown is not None
        credential.cancel_sign_in()
        assert await second.ended(shown)
        anew = await second.start(FILES)
        assert ours is not None
        assert anew is not None
        assert (anew.elsewhere, anew.user_code == ours.user_code) == (False, False)
        tenant.approve(anew.user_code, "adele")
        assert await second.ended(anew)
        assert await first.token(FILES)
    assert codes_made(tenant) == 2


async def test_server_that_waits_for_another_ends_its_waiting_and_not_the_sign_in(
    tenant: Simulator, path: Path
) -> None:
    async with opened(tenant, path) as (_, first), opened(tenant, path) as (other, second):
        ours, shown = await first.start(FILES), await second.start(FILES)
        assert ours is not None
        assert shown is not None
        second.give_up(shown)
        with pytest.raises(AuthenticationError) as caught:
            await other.finish_sign_in(shown)
        assert (caught.value.kind, other.sign_in_is_open(shown)) == ("sign_in_cancelled", False)
        tenant.approve(ours.user_code, "adele")
        assert await first.ended(ours)
        assert await second.token(FILES)


async def test_consent_is_asked_for_after_the_sign_in_of_another_server(tenant: Simulator, path: Path) -> None:
    async with opened(tenant, path) as (_, first), opened(tenant, path) as (_, second):
        ours, shown = await first.start(FILES), await second.start(MAIL, consent=True)
        assert ours is not None
        assert shown is not None
        tenant.approve(ours.user_code, "adele")
        assert await second.ended(shown)
        assert second.offers_consent(MAIL)
        own = await second.start(MAIL, consent=True)
        assert own is not None
        assert (own.elsewhere, second.offers_consent(MAIL)) == (False, True)
        tenant.approve(own.user_code, "adele")
        assert await second.ended(own)
        assert await second.start(MAIL, consent=True) is None
        assert not second.offers_consent(MAIL)
    assert codes_made(tenant) == 2


async def test_person_who_asks_for_it_is_not_refused_a_sixth_code(tenant: Simulator, path: Path) -> None:
    async with opened(tenant, path) as (credential, _), opened(tenant, path) as (other, _):
        for _ in range(5):
            await credential.start_sign_in(FILES)
            credential.cancel_sign_in()
        with pytest.raises(AuthenticationError) as caught:
            await other.start_sign_in(FILES)
        assert (caught.value.kind, codes_made(tenant)) == ("sign_in_limit", 5)
        attempt = await other.start_sign_in(FILES, limited=False)
        assert await other.start_sign_in(MAIL, limited=False) != attempt
        assert other._sign_in._pending is not None
        assert "device_code" in other._sign_in._pending.flow.answer
        other.cancel_sign_in()
        assert other._sign_in._pending.flow.answer == {}


async def test_account_of_the_one_that_waits_is_not_taken_for_the_new_sign_in(tenant: Simulator, path: Path) -> None:
    async with opened(tenant, path) as (credential, first), opened(tenant, path) as (other, _):
        ours = await first.start(FILES)
        assert ours is not None
        tenant.approve(ours.user_code, "adele")
        assert await first.ended(ours)
        again = await credential.start_sign_in(MAIL)
        shown = await other.start_sign_in(MAIL)
        assert await other.start_sign_in(FILES) is shown
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                with pytest.raises(AuthenticationError) as caught:
                    await other.finish_sign_in(shown)
                assert caught.value.kind == "sign_in_cancelled"

            tasks.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            credential.cancel_sign_in()
    assert again.user_code == shown.user_code


def test_two_processes_share_one_prompt_and_one_sign_in(new_server: Any, tenant: Simulator) -> None:
    servers = [new_server(FILES), new_server(MAIL), new_server(FILES)]
    for server in servers:
        server.ask("start")
    codes = {server.answer()["code"] for server in servers}
    assert len(codes) == 1
    for server in servers:
        server.ask("wait")
    tenant.approve(codes.pop(), "adele")
    assert [server.answer() for server in servers] == [{"ended": True, "token": True}] * 3
    assert codes_made(tenant) == 1


def test_five_starts_an_hour_count_over_two_processes(new_server: Any, tenant: Simulator) -> None:
    servers = [new_server(), new_server()]
    for number in range(5):
        assert "code" in servers[number % 2].do("start")
        assert servers[number % 2].do("cancel") == {"cancelled": True}
    assert [server.do("start") for server in servers] == [{"kind": "sign_in_limit"}] * 2
    assert codes_made(tenant) == 5


def test_process_that_was_killed_while_it_waited_blocks_nobody(new_server: Any, tenant: Simulator) -> None:
    first, second = new_server(), new_server()
    dead = first.do("start")["code"]
    assert second.do("start")["code"] == dead
    first.process.kill()
    first.process.wait(30)
    second.ask("wait")
    assert second.answer() == {"kind": "signed_out"}
    code = second.do("start")["code"]
    assert code != dead
    second.ask("wait")
    tenant.approve(code, "adele")
    assert second.answer() == {"ended": True, "token": True}


class Prompts:
    """Prompts of two processes on one file, their time in the test's hands."""

    def __init__(self, path: Path) -> None:
        self.now = 1_800_000_000.0
        self.path = path
        self.naps = 0

    def of_a_process(self, *, kept: bool = True) -> SharedPrompts:
        return SharedPrompts(
            self.path, CLOUD, lambda: kept, lambda: self.now, wait_s=0.3, monotonic=lambda: self.naps / 10, nap=self.nap
        )

    def nap(self, seconds: float) -> None:
        self.naps += 1

    def attempt(self, **changes: Any) -> dict[str, Any]:
        page = "https://login.copilot-mcp.test/devicelogin"
        return {
            "code": "ABCDEFGHI",
            "page": page,
            "ends": self.now + 900,
            "interval": 5,
            "forClaims": True,
            "signOuts": 0,
        } | changes

    def write(self, text: str) -> None:
        self.path.write_text(text, "utf-8")


@pytest.fixture
def prompts(tmp_path: Path) -> Prompts:
    return Prompts(tmp_path / "state" / "file.prompt")


def begun(prompts: SharedPrompts) -> Turn:
    turn = prompts.begin()
    assert isinstance(turn, Turn)
    return turn


def test_clock_that_was_set_back_does_not_lock_anybody_out(prompts: Prompts) -> None:
    turn = begun(prompts.of_a_process())
    prompts.write(json.dumps({"starts": [prompts.now + 1e6] * 4 + ["soon", None, prompts.now - 10, -1e400]}))
    turn.release()
    turn = begun(prompts.of_a_process())
    turn.check(prompts.now)


@pytest.mark.parametrize(
    "changes",
    [
        {"page": "https://evil.example/devicelogin"},
        {"page": None},
        {"code": "A](https://evil.example)"},
        {"code": 7},
        {"ends": 1e308},
        {"ends": "soon"},
        {"ends": 0},
        {"interval": 1e308},
        {"interval": True},
        {"signOuts": 1},
        {"signOuts": None},
    ],
)
def test_planted_text_is_never_shown(prompts: Prompts, changes: dict[str, Any]) -> None:
    holder = begun(prompts.of_a_process())
    prompts.write(json.dumps({"starts": [], "shown": prompts.attempt()}))
    other = prompts.of_a_process()
    shown = other.begin()
    assert isinstance(shown, SignInAttempt)
    assert (shown.user_code, shown.for_claims, other.is_shown(shown)) == ("ABCDEFGHI", True, True)
    prompts.write(json.dumps({"starts": [], "shown": prompts.attempt(**changes)}))
    assert not other.is_shown(shown)
    begun(other)
    holder.release()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"shown": 3}', "[" * 4000, '{"starts": 7}'])
def test_text_that_a_crash_cut_off_counts_as_none(prompts: Prompts, text: str) -> None:
    begun(prompts.of_a_process()).release()
    prompts.write(text)
    turn = begun(prompts.of_a_process())
    for _ in range(5):
        turn.check(prompts.now)
        turn.publish(SignInAttempt("A", "https://login.copilot-mcp.test/", NOON, 5), prompts.now)
    with pytest.raises(AuthenticationError, match="5 sign-ins were started within an hour"):
        turn.check(prompts.now + 3599)
    turn.check(prompts.now + 3600)


def test_process_that_hangs_before_it_asks_is_not_waited_for_without_end(
    prompts: Prompts, caplog: pytest.LogCaptureFixture
) -> None:
    holder = begun(prompts.of_a_process())
    begun(prompts.of_a_process())
    assert prompts.naps == 3
    assert "Another process has been about to ask for a sign-in for long; asking beside it." in caplog.messages
    holder.release()


def test_where_nothing_is_kept_each_process_asks_for_itself(prompts: Prompts) -> None:
    begun(prompts.of_a_process())
    alone = prompts.of_a_process(kept=False)
    begun(alone).publish(SignInAttempt("A", "https://login.copilot-mcp.test/", NOON, 5), prompts.now)
    assert "A" not in prompts.path.read_text("utf-8")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no links of this kind")
def test_file_that_is_not_safe_is_left_alone(
    prompts: Prompts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "elsewhere").write_text("precious", "utf-8")
    prompts.path.parent.mkdir(mode=0o700)
    prompts.path.symlink_to(tmp_path / "elsewhere")
    process = prompts.of_a_process()
    begun(process).release()
    assert not process.is_shown(SignInAttempt("A", "https://login.copilot-mcp.test/", NOON, 5))
    assert (tmp_path / "elsewhere").read_text("utf-8") == "precious"
    assert f"{prompts.path} cannot be used (AuthenticationError); sign-ins are counted alone." in caplog.messages


def test_alone_there_is_nobody_else_who_shows_a_code() -> None:
    assert not MemoryPrompts().is_shown(SignInAttempt("A", "https://login.copilot-mcp.test/", NOON, 5))


async def test_sign_in_is_started_where_the_saved_one_cannot_be_read(
    tenant: Simulator, path: Path, http: httpx.AsyncClient
) -> None:
    async with opened(tenant, path) as (credential, host):
        path.parent.mkdir(mode=0o700)
        path.write_text("damaged", "utf-8")
        path.chmod(0o600)
        with pytest.raises(AuthenticationRequiredError):
            await credential.token(FILES)
        path.write_text("damaged again", "utf-8")
        assert await host.start(FILES) is not None
