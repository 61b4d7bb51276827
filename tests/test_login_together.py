"""`copilot-mcp login` beside a server that waits for the person already: one code, a second only where it must."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest

from copilot_mcp.auth import CLOUDS, Account, Credential, Keeping, SignInAttempt, TokenCache, open_http
from copilot_mcp.cli._surroundings import Surroundings
from copilot_mcp.cli.login import Login
from copilot_mcp.errors import AuthenticationError
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

CLOUD = CLOUDS["simulated"]
FILES = ("Files.Read.All", "Sites.Read.All")


async def nap(seconds: float) -> None:
    await anyio.sleep(0.02)


@pytest.fixture
async def new_credential(tmp_path: Path, simulator: Simulator, in_process: Any) -> AsyncIterator[Callable[[], Any]]:
    """Credentials of processes that share one saved sign-in."""
    async with AsyncExitStack() as stack:

        async def make() -> Credential:
            http = await stack.enter_async_context(open_http(await in_process(simulator).open()))
            cache = TokenCache(tmp_path / "state" / "file.json")
            return Credential(CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", cache, http, sleep=nap)

        yield make


class Terminal:
    """What the person sees."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    @property
    def text(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text

    @property
    def codes(self) -> list[str]:
        return re.findall(r"enter the code ([A-Z]{9})", self.text)

    async def shows(self, codes: int) -> None:
        """Until so many codes have been shown."""
        with anyio.fail_after(20):
            while len(self.codes) < codes:
                await anyio.sleep(0.01)


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


async def login_beside(
    new_credential: Any, simulator: Simulator, screen: Terminal, scopes: tuple[str, ...], *, gives_up: bool = False
) -> tuple[Account, int]:
    """Log in for `scopes` while another process asks for retrieval alone; who is signed in, and how many codes."""
    server, terminal = await new_credential(), await new_credential()
    attempt = await server.start_sign_in(FILES)
    login = Login(scopes, None, False, Surroundings("a desktop", True))
    accounts: list[Account] = []

    async def wait() -> None:
        if not gives_up:
            await server.finish_sign_in(attempt)

    async def log_in() -> None:
        accounts.append(await login.run(terminal, None))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(log_in)
        await screen.shows(1)
        if gives_up:
            server.cancel_sign_in()
        else:
            simulator.approve(attempt.user_code, "adele")
        with anyio.fail_after(20):
            while not accounts:
                for code in screen.codes[1:]:
                    with suppress(LookupError):
                        simulator.approve(code, "adele")
                await anyio.sleep(0.02)
    return accounts[0], len(screen.codes)


async def test_login_shows_the_code_of_the_server_and_both_are_signed_in(
    new_credential: Any, simulator: Simulator, screen: Terminal
) -> None:
    account, codes = await login_beside(new_credential, simulator, screen, FILES)
    assert (account.username, codes) == ("adele@contoso.example", 1)
    assert "Another copilot-mcp process asks for this already; one approval serves both." in screen.text


async def test_permissions_beyond_the_servers_come_by_a_refresh(
    new_credential: Any, simulator: Simulator, screen: Terminal
) -> None:
    account, codes = await login_beside(new_credential, simulator, screen, ("Mail.Read", *FILES))
    assert (account.username, codes) == ("adele@contoso.example", 1)
    assert await (await new_credential()).missing_scopes(("Mail.Read", *FILES)) == ()


async def test_permissions_that_need_the_persons_consent_need_one_more_code(
    new_credential: Any, simulator: Simulator, screen: Terminal
) -> None:
    simulator.identity.set_consent("adele", ["Mail.Read"], "user")
    account, codes = await login_beside(new_credential, simulator, screen, ("Mail.Read", *FILES))
    assert (account.scopes, codes) == (("Files.Read.All", "Mail.Read", "Sites.Read.All"), 2)
    assert "asked for less, so one more is needed" in screen.text


async def test_login_that_finds_somebody_signed_in_meanwhile_shows_no_code(
    new_credential: Any, simulator: Simulator, screen: Terminal
) -> None:
    server, terminal = await new_credential(), await new_credential()
    attempt = await server.start_sign_in(FILES)
    terminal._cache.prospect = partial(anyio.from_thread.run, approved, simulator, server, attempt, terminal._cache)
    account = await Login(FILES, None, False, Surroundings("a desktop", True)).run(terminal, None)
    assert (account, screen.codes) == (await server.account(), [])


async def approved(simulator: Simulator, server: Credential, attempt: SignInAttempt, cache: TokenCache) -> Keeping:
    """How a sign-in is kept, told when the server has got its approval."""
    simulator.approve(attempt.user_code, "adele")
    await server.finish_sign_in(attempt)
    return cache.keeping()


async def test_server_that_gives_up_leaves_login_a_code_of_its_own(
    new_credential: Any, simulator: Simulator, screen: Terminal
) -> None:
    account, codes = await login_beside(new_credential, simulator, screen, FILES, gives_up=True)
    assert (account.username, codes) == ("adele@contoso.example", 2)


async def test_second_code_that_is_refused_ends_login(
    new_credential: Any, simulator: Simulator, screen: Terminal
) -> None:
    server, terminal = await new_credential(), await new_credential()
    await server.start_sign_in(FILES)
    login = Login(FILES, None, False, Surroundings("a desktop", True))
    async with anyio.create_task_group() as tasks:

        async def decline() -> None:
            await screen.shows(1)
            server.cancel_sign_in()
            await screen.shows(2)
            simulator.decline(screen.codes[1])

        tasks.start_soon(decline)
        with pytest.raises(AuthenticationError) as caught:
            await login.run(terminal, None)
    assert caught.value.kind == "sign_in_declined"
