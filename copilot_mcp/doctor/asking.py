"""One question to one host, without a token, and what came of it."""

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from copilot_mcp.http_dates import read_http_date

if TYPE_CHECKING:
    import httpx

__all__ = ["ANSWER_LIMIT_S", "Answer", "Unreachable", "ask"]

ANSWER_LIMIT_S = 6.0
MAX_BODY = 65_536
_TLS_REASONS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by itself",
    19: "comes from an authority that this computer does not know",
    20: "comes from an authority that this computer does not know",
    21: "comes from an authority that this computer does not know",
    62: "is for another name",
    64: "is for another name",
}
"""By OpenSSL's number for the refusal."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host answered.

    Attributes:
        date: its clock in seconds since 1970, None when it named none.
        asked: ours halfway between question and answer, in seconds since 1970.
        took_s: seconds from the question to the answer's head.
        issuer: who issued its certificate, empty where there was none or that cannot be told.
        body: the first part of the answer.
    """

    status: int
    content_type: str
    date: float | None
    asked: float
    took_s: float
    issuer: str = ""
    body: bytes = field(default=b"", repr=False)

    @property
    def is_page(self) -> bool:
        """Whether somebody answered with a web page where JSON was due, or asks to sign in to the network."""
        html = "html" in self.content_type or self.body.lstrip()[:1] == b"<"
        return html or self.status in (407, 511)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why no answer came: `kind` is the one that a sign-in would give."""

    kind: str
    reason: str
    remedy: str


async def ask(
    http: "httpx.AsyncClient", url: str, *, clock: Callable[[], float], limit_s: float = ANSWER_LIMIT_S
) -> Answer | Unreachable:
    """One GET without a token, for at most `limit_s` seconds; redirects are not followed."""
    import httpx

    before, started = clock(), time.perf_counter()
    try:
        with anyio.fail_after(limit_s):
            request = http.build_request("GET", url, headers={"accept-encoding": "identity"})
            response = await http.send(request, stream=True, follow_redirects=False)
            try:
                took, halfway = time.perf_counter() - started, (before + clock()) / 2
                issuer, body = _issuer(response), await _beginning(response)
            finally:
                await response.aclose()
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
        return _why(error)
    content_type, moment = response.headers.get("content-type", ""), read_http_date(response.headers.get("date", ""))
    date = None if moment is None else moment.timestamp()
    return Answer(response.status_code, content_type.lower(), date, halfway, took, issuer, body)


async def _beginning(response: "httpx.Response") -> bytes:
    body = bytearray()
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return b""  # it was asked away, and a small body could unpack to any size
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= MAX_BODY:
            break
    return bytes(body[:MAX_BODY])


def _issuer(response: "httpx.Response") -> str:
    """The organisation that issued the certificate, else its common name."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    encoded = tls.getpeercert(binary_form=True) if tls is not None else None
    if not encoded:
        return ""
    try:
        issuer = x509.load_der_x509_certificate(encoded).issuer
    except ValueError:
        return ""
    names = [
        *issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME),
        *issuer.get_attributes_for_oid(NameOID.COMMON_NAME),
    ]
    text = str(names[0].value) if names else ""
    return text[:100] if text.isprintable() else ""


def _why(error: BaseException) -> Unreachable:
    import httpx

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = _TLS_REASONS.get(cause.verify_code, "is not trusted by this computer")
            return Unreachable("tls_intercepted", f"its certificate {reason}", _tls_remedy(cause.verify_code))
        if isinstance(cause, ssl.SSLError):
            return Unreachable("tls_intercepted", "TLS could not be agreed upon", _tls_remedy(0))
    if isinstance(error, httpx.ProxyError):
        asks = "407" in str(error)
        reason = "the proxy asks for a sign-in (407)" if asks else "the proxy refused or broke the connection"
        return Unreachable("captive_portal", reason, "Check the proxy's address, name and password in HTTPS_PROXY.")
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        reason = "no answer came in time"
    else:
        reason = "the connection was refused or broken"
    return Unreachable("offline", reason, "Check network, firewall and proxy (HTTPS_PROXY); port 443 must be open.")


def _tls_remedy(code: int) -> str:
    if code in (9, 10):
        return "Check this computer's clock; if it is right, something on the way shows an old certificate."
    return (
        "If your network inspects TLS, install its root certificate in the operating system (on Linux, SSL_CERT_FILE "
        "may name it). Otherwise do not sign in on this network."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, a bounded chain."""
    current: BaseException | None = error
    for _ in range(10):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__
