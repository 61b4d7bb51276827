"""The process's HTTP client, and the transport for a tenant on this machine."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from copilot_mcp.auth import LoopbackTransport, open_http

pytestmark = pytest.mark.anyio


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        answer = json.dumps({"path": self.path, "host": self.headers["host"], "body": body}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def base_url() -> Iterator[str]:
    """A plain-http server on this machine."""
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_https_name_of_the_tenant_reaches_this_machine(base_url: str) -> None:
    async with open_http(LoopbackTransport(base_url)) as http:
        answer = await http.post("https://graph.copilot-mcp.test/v1.0/copilot/retrieval?x=1", content=b"body")
    assert answer.json() == {
        "path": "/v1.0/copilot/retrieval?x=1",
        "host": "graph.copilot-mcp.test",
        "body": "body",
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://graph.microsoft.com/v1.0/me",
        "https://other.copilot-mcp.test/",
        "https://graph.copilot-mcp.test:8443/",
        "http://127.0.0.1:1/",
    ],
)
async def test_every_other_host_is_refused_unsent(url: str) -> None:
    async with open_http(LoopbackTransport("http://127.0.0.1:9")) as http:
        with pytest.raises(httpx.ConnectError, match="only the tenant on this machine"):
            await http.get(url)


@pytest.mark.parametrize(
    "base_url",
    [
        "https://127.0.0.1:8080",
        "http://192.0.2.1:8080",
        "http://me@127.0.0.1:8080",
        "127.0.0.1:8080",
        "http://127.0.0.1:99999",
        "http://[::1",
        "",
    ],
)
def test_only_a_loopback_address_is_accepted(base_url: str) -> None:
    with pytest.raises(ValueError, match="loopback address"):
        LoopbackTransport(base_url)


async def test_client_follows_no_redirect_and_has_time_limits() -> None:
    async with open_http(
        httpx.MockTransport(lambda _: httpx.Response(302, headers={"location": "https://evil.example/"}))
    ) as http:
        answer = await http.get("https://graph.microsoft.com/v1.0/me")
    assert (answer.status_code, answer.request.headers["user-agent"]) == (302, "copilot-mcp")
    assert http.timeout == httpx.Timeout(60.0, connect=5.0, write=30.0, pool=5.0)


async def test_real_network_is_judged_by_the_operating_systems_certificates() -> None:
    async with open_http(proxies=False, user_agent="me/1") as http:
        assert (http.headers["user-agent"], http.trust_env, http.follow_redirects) == ("me/1", False, False)


def opened_with(environment: dict[str, str], *, proxies: bool = True) -> str:
    """What `open_http` does in a process with this environment."""
    code = (
        "import asyncio, sys\n"
        "from copilot_mcp.auth import open_http\n"
        "from copilot_mcp.errors import SettingsError\n"
        "async def main():\n"
        f"    async with open_http(proxies={proxies}) as http:\n"
        "        sys.stdout.write('opened')\n"
        "try:\n"
        "    asyncio.run(main())\n"
        "except SettingsError as error:\n"
        "    sys.stdout.write(str(error))\n"
    )
    path = {"PYTHONPATH": ":".join(entry for entry in sys.path if entry)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=path | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_proxy_of_the_environment_is_used_unless_it_is_switched_off() -> None:
    assert opened_with({"HTTPS_PROXY": "http://127.0.0.1:9"}) == "opened"
    unusable = {"HTTPS_PROXY": "gopher://user:password@127.0.0.1:9"}
    assert opened_with(unusable) == (
        "The proxy named in the environment cannot be used. "
        "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY: an address such as http://proxy.example:8080."
    )
    assert opened_with(unusable, proxies=False) == "opened"


async def test_a_cookie_is_neither_kept_nor_taken() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"set-cookie": "who=adele; Path=/"}, json=dict(request.headers))

    async with open_http(httpx.MockTransport(answer)) as http:
        await http.get("https://graph.microsoft.com/v1.0/me")
        assert "cookie" not in (await http.get("https://graph.microsoft.com/v1.0/me")).json()
        assert not http.cookies
        with pytest.raises(AttributeError, match="keeps no cookies"):
            http.cookies = httpx.Cookies({"who": "adele"})
