"""Signing in with a browser against the simulated tenant: PKCE on loopback, and every way the answer can be wrong."""

import re
import threading
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest

from copilot_mcp.auth import CLOUDS, Credential, MemoryCache, open_http
from copilot_mcp.errors import AuthenticationError
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

CLOUD = CLOUDS["simulated"]
FILES = ("Files.Read.All", "Sites.Read.All")


class Browser:
    """Somebody with a browser on this machine: opens the page, decides, and brings the answer back."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.decision = "approve"
        self.addresses: list[str] = []
        self.pages: list[httpx.Response] = []
        self.first: list[tuple[str, str, dict[str, str]]] = []

    async def open(self, address: str) -> None:
        self.addresses.append(address)
        transport = httpx.ASGITransport(self.simulator.app)
        async with httpx.AsyncClient(transport=transport) as entra, httpx.AsyncClient(trust_env=False) as local:
            page = (await entra.get(address)).text
            form = {"user": "adele", "decision": self.decision, "consent": "yes"} | hidden(page)
            answer = (await entra.post("https://login.copilot-mcp.test/signin", data=form)).text
            (redirect,) = re.findall(r'action="(http://localhost:\d+)"', answer)
            for method, path, changes in self.first:
                members = hidden(answer) | changes
                headers = {name: value for name, value in changes.items() if name == "host"}
                self.pages.append(await local.request(method, redirect + path, data=members, headers=headers))
            self.pages.append(await local.post(redirect, data=hidden(answer)))


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


@pytest.fixture
def browser(simulator: Simulator) -> Browser:
    return Browser(simulator)


@pytest.fixture
async def signing(simulator: Simulator) -> AsyncIterator[Credential]:
    """A credential of the simulated tenant."""
    threads = threading.active_count()
    async with open_http(httpx.ASGITransport(simulator.app)) as http:
        yield Credential(CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", MemoryCache(), http)
    assert threading.active_count() <= threads + 4


async def test_browser_sign_in_gives_account_and_token(signing: Credential, browser: Browser) -> None:
    account = await signing.browser_sign_in(FILES, browser.open)
    assert (account.username, account.scopes) == ("adele@contoso.example", FILES)
    assert await signing.token(FILES)
    query = {name: values[0] for name, values in parse_qs(urlsplit(browser.addresses[0]).query).items()}
    assert query["response_mode"] == "form_post"
    assert query["code_challenge_method"] == "S256"
    assert query["prompt"] == "select_account"
    assert re.fullmatch(r"http://localhost:\d+", query["redirect_uri"])
    assert len(query["state"]) >= 16
    assert "cp1" in query["claims"]
    (page,) = browser.pages
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "Signed in. You can close this page" in page.text
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(trust_env=False) as local:
            await local.get(query["redirect_uri"])


async def test_only_the_right_answer_counts_and_waiting_goes_on(signing: Credential, browser: Browser) -> None:
    browser.first = [
        ("GET", "/?code=x&state=y", {}),
        ("POST", "/", {"state": "wrong"}),
        ("POST", "/", {"state": "é" * 40}),
        ("POST", "/elsewhere", {}),
        ("POST", "/", {"host": "evil.example"}),
        ("POST", "/", {"filler": "x" * 70_000}),
    ]
    assert (await signing.browser_sign_in(FILES, browser.open)).username == "adele@contoso.example"
    assert [page.status_code for page in browser.pages] == [400, 400, 400, 404, 421, 400, 200]


async def test_refusal_in_the_browser_is_told(signing: Credential, browser: Browser) -> None:
    browser.decision = "decline"
    with pytest.raises(AuthenticationError) as caught:
        await signing.browser_sign_in(FILES, browser.open)
    assert (caught.value.kind, await signing.account()) == ("consent_declined", None)
    assert "did not succeed" in browser.pages[0].text
    browser.decision = "approve"
    assert await signing.browser_sign_in(FILES, browser.open)


async def test_nobody_coming_back_ends_in_time(signing: Credential) -> None:
    async def show(address: str) -> None:
        return None

    with anyio.fail_after(5), pytest.raises(AuthenticationError) as caught:
        await signing.browser_sign_in(FILES, show, timeout_s=0.05)
    assert (caught.value.kind, await signing.account()) == ("sign_in_expired", None)


async def test_cancelled_sign_in_leaves_nothing(signing: Credential) -> None:
    shown = anyio.Event()

    async def show(address: str) -> None:
        shown.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(signing.browser_sign_in, FILES, show)
        await shown.wait()
        tasks.cancel_scope.cancel()
    assert await signing.account() is None


async def test_code_that_was_used_or_refused_is_told(
    signing: Credential, browser: Browser, simulator: Simulator
) -> None:
    simulator.faults.add("entra_down", operation="token")
    with pytest.raises(AuthenticationError) as caught:
        await signing.browser_sign_in(FILES, browser.open)
    assert (caught.value.kind, await signing.account()) == ("identity_unavailable", None)
    assert await signing.browser_sign_in(FILES, browser.open)
