"""Turns a refusal of the sign-in service into one of our errors: a kind, our own sentence, and who can act.

`error_description` is never shown, because it may name people and addresses. The correlation id and the time are,
because Microsoft's logs are searched by them.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from copilot_mcp.auth.clouds import Cloud
from copilot_mcp.auth.identifiers import is_guid
from copilot_mcp.auth.refusal_table import (
    BY_ERROR,
    BY_NUMBER,
    BY_SUBERROR,
    DECISIVE_NUMBERS,
    EXPIRED,
    UNKNOWN,
    VAGUE_ERRORS,
    Refusal,
)
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError, CopilotMcpError

__all__ = [
    "Asked",
    "NoAnswerError",
    "clock_skew",
    "conditions_changed",
    "expired_code",
    "fault_error",
    "is_pending",
    "is_slow_down",
    "may_pass",
    "refusal_error",
    "scopes_missing",
    "signed_out",
]

_ANY_TENANT = "organizations"
_NAME = re.compile(r"[a-z_]{1,64}")
_NUMBER = re.compile(r"AADSTS(\d{1,9})")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ")

_FAULTS = {
    "offline": ("{host} cannot be reached.", "Check the network and the proxy."),
    "tls_intercepted": (
        "The certificate of {host} is not trusted by this computer.",
        "If your network inspects TLS, install its root certificate in the operating system.",
    ),
    "captive_portal": (
        "A proxy or a captive portal answered instead of {host}.",
        "Open a browser and sign in to the network.",
    ),
    "identity_unavailable": ("The sign-in service at {host} is busy.", "Try again in {wait}."),
    "bad_answer": (
        "{host} sent an answer that cannot be used.",
        "Try again; if it stays, look for a proxy that changes answers.",
    ),
}


class NoAnswerError(AuthenticationError):
    """The sign-in service could not be reached or understood: the same request may succeed later.

    `retry_after` is in seconds, None when the service named no time.
    """

    def __init__(self, message: str, hint: str = "", *, kind: str | None = None, who: str = "user") -> None:
        super().__init__(message, hint, kind=kind, who=who)
        self.retry_after: float | None = None

    def details(self) -> dict[str, Any]:
        """As above, with the seconds to wait where the service named them."""
        return super().details() | ({"retryAfterSeconds": self.retry_after} if self.retry_after else {})


def may_pass(error: CopilotMcpError) -> bool:
    """Whether the same request may succeed a moment later: no answer came, or one that something had spoilt."""
    return isinstance(error, NoAnswerError) or error.kind == "bad_answer"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked what: the facts that a sentence may name. `scopes` are permission names."""

    cloud: Cloud
    tenant: str
    client_id: str
    scopes: tuple[str, ...] = ()

    def by(self, tenant_id: str, scopes: Collection[str]) -> "Asked":
        """The same for these scopes, and for the account's own tenant where the setting names none."""
        tenant = tenant_id if self.tenant == _ANY_TENANT and tenant_id else self.tenant
        return replace(self, tenant=tenant, scopes=tuple(sorted(scopes)))

    def consent_link(self) -> str:
        """The page on which an administrator approves the app for everyone.

        Afterwards the browser lands on Entra's own blank page, because a page of this machine would read as a
        failure; the app registration has to list that address.
        """
        query = {
            "client_id": self.client_id,
            "scope": " ".join(self.cloud.scope(name) for name in self.scopes),
            "redirect_uri": f"{self.cloud.authority}/common/oauth2/nativeclient",
        }
        return f"{self.cloud.authority}/{quote(self.tenant, safe='')}/v2.0/adminconsent?{urlencode(query)}"

    def fill(self, text: str) -> str:
        """The text with its placeholders replaced."""
        return text.format(
            client=self.client_id,
            tenant=self.tenant,
            cloud=self.cloud.name,
            scopes=", ".join(self.scopes),
            link=self.consent_link() if "{link}" in text else "",
        )


def is_pending(answer: Mapping[str, Any]) -> bool:
    """Whether the person has not decided yet."""
    return _refusal(answer).kind == "sign_in_pending"


def is_slow_down(answer: Mapping[str, Any]) -> bool:
    """Whether the interval has to grow by five seconds for good (RFC 8628, 3.5)."""
    return answer.get("error") == "slow_down"


def refusal_error(answer: Mapping[str, Any], asked: Asked) -> AuthenticationError | AuthenticationRequiredError:
    """The error for an OAuth error answer, not raised.

    It is an `AuthenticationRequiredError` where a new sign-in is the remedy. `code` is the AADSTS number, or the
    OAuth error where there is none.
    """
    refusal = _refusal(answer)
    sentence, hint = asked.fill(refusal.sentence), asked.fill(refusal.hint)
    number, correlation_id = _number(answer), _correlation_id(answer)
    code = f"AADSTS{number}" if number else _matching(_NAME, answer.get("error"))
    time = _matching(_TIME, answer.get("timestamp"))
    facts = [code, f"correlation id {correlation_id}" if correlation_id else "", time]
    trace = ", ".join(fact for fact in facts if fact)
    error_class = AuthenticationRequiredError if refusal.again else AuthenticationError
    error = error_class(
        f"{sentence} ({trace})" if trace else sentence,
        hint,
        kind=refusal.kind,
        code=code,
        correlation_id=correlation_id,
        time=time,
        who=refusal.who,
    )
    error.scopes = asked.scopes
    return error


def fault_error(
    kind: str, host: str, retry_after: float | None, oauth: Mapping[str, Any] | None, asked: Asked
) -> AuthenticationError | AuthenticationRequiredError:
    """The error for a request that got no usable answer; `oauth` is the error of a refused discovery request."""
    if oauth is not None:
        return refusal_error(oauth, asked)
    message, hint = _FAULTS[kind]
    wait = f"{round(retry_after)} seconds" if retry_after else "a minute"
    error = NoAnswerError(
        message.format(host=host),
        hint.format(wait=wait),
        kind=kind,
        who="nobody" if kind == "identity_unavailable" else "user",
    )
    error.retry_after = retry_after
    return error


def expired_code() -> AuthenticationError:
    """The error when our own deadline for a device code has passed."""
    return AuthenticationError(EXPIRED.sentence, EXPIRED.hint, kind=EXPIRED.kind)


def clock_skew(minutes: int) -> AuthenticationError:
    """The error when this computer's clock is so wrong that tokens are refused; positive minutes when it is slow."""
    return AuthenticationError(
        f"This computer's clock is {abs(minutes)} minutes {'behind' if minutes > 0 else 'ahead'}; tokens are refused.",
        "Set the clock, then try again.",
        kind="clock_skew",
    )


def conditions_changed() -> AuthenticationRequiredError:
    """The error when Graph asks for more than a refresh can prove."""
    return AuthenticationRequiredError(
        "The conditions of access have changed.", "Run `copilot-mcp login` to sign in again.", kind="reauth_required"
    )


def signed_out() -> AuthenticationRequiredError:
    """The error when no account is signed in."""
    error = AuthenticationRequiredError("Nobody is signed in to Microsoft 365.", "Run `copilot-mcp login`.")
    error.sign_in_id = ""
    return error


def scopes_missing(missing: Sequence[str], asked: Asked) -> AuthenticationError:
    """The error when the sign-in succeeded and some permissions were not granted."""
    error = AuthenticationError(
        f"Signed in, but these permissions were not granted: {', '.join(missing)}.",
        f"Call again after an administrator has approved them at {asked.consent_link()}",
        kind="scopes_missing",
        who="administrator",
    )
    error.scopes = tuple(missing)
    return error


def _refusal(answer: Mapping[str, Any]) -> Refusal:
    error, number = answer.get("error"), _number(answer)
    name = error if isinstance(error, str) else ""
    suberror = answer.get("suberror")
    return (
        DECISIVE_NUMBERS.get(number)
        or BY_ERROR.get(name)
        or BY_NUMBER.get(number)
        or BY_SUBERROR.get(suberror if isinstance(suberror, str) else "")
        or VAGUE_ERRORS.get(name)
        or UNKNOWN
    )


def _number(answer: Mapping[str, Any]) -> int:
    """The AADSTS number, 0 without one: the first of `error_codes`, else the one that begins the description."""
    codes = answer.get("error_codes")
    if isinstance(codes, list) and codes and isinstance(codes[0], int) and 0 < codes[0] < 10**9:
        return codes[0]
    description = answer.get("error_description")
    found = _NUMBER.match(description) if isinstance(description, str) else None
    return int(found[1]) if found else 0


def _correlation_id(answer: Mapping[str, Any]) -> str:
    value = answer.get("correlation_id")
    return value if isinstance(value, str) and is_guid(value) else ""


def _matching(pattern: re.Pattern[str], value: object) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
