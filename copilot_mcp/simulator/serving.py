"""Serves an ASGI application on loopback from a thread of its own, so that other processes can reach it."""

import asyncio
import socket
import ssl
import threading
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["LoopbackServer"]

_HOST: Final = "127.0.0.1"
_START_LIMIT_S: Final = 10.0
_GRACE_S: Final = 0.4
_STOP_LIMIT_S: Final = 5.0


class _Protocol(H11Protocol):
    """HTTP/1.1 whose requests know their transport, so that a fault can break the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class LoopbackServer:
    """One running server. `url` is `http://127.0.0.1:<port>`, or https."""

    def __init__(self, app: Any, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Bind the port and start to serve, over TLS where `tls` is given; returns when requests are taken.

        Raises:
            OSError: the port is taken or may not be used.
        """
        self._socket = _bound(port)
        self.url = f"{'https' if tls else 'http'}://{_HOST}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            ssl_context_factory=(lambda _config, _default: tls) if tls else None,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, name="copilot-mcp simulator", daemon=True)
        self._thread.start()
        if not self._server.listening.wait(_START_LIMIT_S):
            self.stop()
            raise OSError(f"the simulated tenant did not start on {self.url}")

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Stop serving. Requests under way get a moment, then they are ended."""
        self._server.should_exit = True
        self._thread.join(_GRACE_S)
        self._server.force_exit = True
        self._thread.join(_STOP_LIMIT_S)
        self._socket.close()


def _bound(port: int) -> socket.socket:
    # Named TCP: asyncio switches Nagle's delay off only where the socket says that it is TCP.
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((_HOST, port))
        server.listen(128)
    except (OSError, OverflowError) as error:
        server.close()
        raise OSError(f"cannot listen on port {port} of {_HOST}: {error}") from error
    return server
