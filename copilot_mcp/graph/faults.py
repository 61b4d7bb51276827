"""Connection faults -> errors, and whether the request can have been processed."""

from typing import TYPE_CHECKING

from copilot_mcp.errors import ServiceUnavailableError

if TYPE_CHECKING:
    import httpx


MAY_BE_RECORDED = "The chat turn may have been recorded: do not send it again as it is."


def try_later(on_conversation: bool) -> str:
    """The hint after a failure whose outcome is unknown; only a chat turn leaves something behind."""
    if on_conversation:
        return f"Try later. {MAY_BE_RECORDED}"
    return "Try again later."


def never_connected(fault: Exception) -> bool:
    """Whether no connection was made, so that the request was certainly not processed.

    A proxy's own refusal is one of these: httpx names it so only while the way through the proxy is being opened.
    """
    import httpx

    return isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError)


def is_untrusted_certificate(fault: Exception) -> bool:
    """Whether TLS failed on the certificate; trying again will not help."""
    from ssl import SSLCertVerificationError

    cause: BaseException | None = fault
    chain: list[BaseException] = []
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return any(isinstance(one, SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(one) for one in chain)


def fault_error(
    fault: "httpx.HTTPError | TimeoutError", host: str, *, on_conversation: bool = False
) -> ServiceUnavailableError:
    """The error a connection fault stands for. Says nothing of the request but its host."""
    import httpx

    if is_untrusted_certificate(fault):
        hint = "If your network inspects TLS, let this computer trust its certificate authority."
        return ServiceUnavailableError(f"The certificate of {host} is not trusted here.", hint, kind="tls_intercepted")
    if isinstance(fault, httpx.PoolTimeout):
        return ServiceUnavailableError("Too many requests are under way.", "Try again soon.", kind="timeout")
    if never_connected(fault):
        return ServiceUnavailableError(f"{host} cannot be reached.", "Check network and proxy.", kind="offline")
    if isinstance(fault, httpx.TimeoutException | TimeoutError):
        return ServiceUnavailableError(f"{host} did not answer in time.", try_later(on_conversation), kind="timeout")
    if isinstance(fault, httpx.DecodingError):
        return ServiceUnavailableError(
            f"The answer of {host} cannot be unpacked.", try_later(on_conversation), kind="service"
        )
    return ServiceUnavailableError(f"The connection to {host} broke.", try_later(on_conversation), kind="service")
