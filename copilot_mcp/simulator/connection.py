"""What goes wrong before there is an answer: no connection, or one that stays silent.

In process there is no connection. The ASGI client then gets the error that the operating system would give; over a
socket, which is open by then, the connection is reset. `Simulator.start(certificate=…)` has bad certificates for real.
"""

import errno
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Final

from starlette.requests import Request

__all__ = ["connection_error", "silence"]

_ERRORS: Final[Mapping[str, Callable[[], OSError]]] = {
    "refused": lambda: ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
    "dns_failure": lambda: socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    "tls_untrusted": lambda: _unverified("unable to get local issuer certificate"),
    "tls_expired": lambda: _unverified("certificate has expired"),
    "tls_wrong_name": lambda: _unverified("Hostname mismatch, certificate is not valid for the host"),
}


def connection_error(name: str) -> OSError:
    """What the system says about this fault of stage `connect`."""
    return _ERRORS[name]()


def _unverified(reason: str) -> ssl.SSLCertVerificationError:
    return ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {reason}")


async def silence(request: Request) -> None:
    """Never answer; ends when the client goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
