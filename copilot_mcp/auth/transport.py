"""The one HTTP client for Entra and Graph, and the transport that finds a tenant on this machine.

Certificates are judged by the operating system (`truststore`), so a company's own root works without an option.
Redirects are never followed: a bearer token must not travel to an address that an answer chose.
"""

import ssl
from collections.abc import Collection
from functools import lru_cache

import httpx

from copilot_mcp.auth.clouds import LOOPBACK_HOSTS
from copilot_mcp.errors import SettingsError

__all__ = ["LoopbackTransport", "open_http"]

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
WRITE_TIMEOUT_S = 30.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LAST_PORT = 65_535


def open_http(
    transport: httpx.AsyncBaseTransport | None = None, *, user_agent: str = "copilot-mcp", proxies: bool = True
) -> httpx.AsyncClient:
    """Open the process's HTTP client; the caller closes it.

    `transport` replaces the network, which also leaves the proxies of the environment out. `proxies` says whether
    `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` count; nothing else is read from the environment. Time limits are a
    default that a request may narrow.

    Raises:
        SettingsError: The environment names a proxy that cannot be used.
    """
    context: ssl.SSLContext | bool = True
    if transport is None:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return _Client(
            transport=transport,
            verify=context,
            trust_env=proxies,
            follow_redirects=False,
            headers={"user-agent": user_agent},
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, write=WRITE_TIMEOUT_S, pool=5.0),
            limits=httpx.Limits(max_connections=40, max_keepalive_connections=10, keepalive_expiry=30.0),
        )
    except (ImportError, ValueError, httpx.InvalidURL):
        # The cause would quote the address, and a proxy's address may hold a password.
        raise SettingsError(
            "The proxy named in the environment cannot be used.",
            "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY: an address such as http://proxy.example:8080.",
        ) from None


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Take nothing over. To ask the standard library what there is takes longer than to read an answer's head."""


class _Client(httpx.AsyncClient):
    """A client without a memory: what a service sets for one person must not come along with the next one."""

    @property
    def cookies(self) -> httpx.Cookies:
        """None, whatever answers set."""
        return _NoCookies()

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        raise AttributeError("this client keeps no cookies")


class LoopbackTransport(httpx.AsyncBaseTransport):
    """Sends requests for `hosts` to a plain-http server on this machine, and refuses every other host.

    MSAL insists on https and Graph's client pins its root, so both keep their https names; only the last step is
    redirected here. The Host header stays as the client wrote it. Nothing sent through this transport can leave the
    machine.

    Raises:
        ValueError: `base_url` is no http address of this machine.
    """

    def __init__(self, base_url: str, hosts: Collection[str] = LOOPBACK_HOSTS) -> None:
        self._base = _loopback_address(base_url)
        self._hosts = frozenset(hosts)
        # Plain http only, so no certificate is loaded; a context without any would refuse every TLS server.
        self._inner = httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request to this machine.

        Raises:
            httpx.ConnectError: The host is not one of ours; nothing was sent.
        """
        if request.url.host not in self._hosts or request.url.port is not None:
            raise httpx.ConnectError("only the tenant on this machine can be reached", request=request)
        url = _moved(request.url, self._base.host, self._base.port)
        return await self._inner.handle_async_request(
            httpx.Request(
                request.method,
                url,
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


@lru_cache(maxsize=64)
def _moved(url: httpx.URL, host: str, port: int | None) -> httpx.URL:
    return url.copy_with(scheme="http", host=host, port=port)


def _loopback_address(text: str) -> httpx.URL:
    needed = "a loopback address such as http://127.0.0.1:8080 is needed"
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ValueError(needed) from None
    if url.scheme != "http" or url.host not in _LOOPBACK or url.userinfo or (url.port or 0) > _LAST_PORT:
        raise ValueError(needed)
    return url
