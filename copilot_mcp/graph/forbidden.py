"""A 403 told apart: permission, kind of account, policy, licence. Each with how certain that is.

Graph rarely says which it was. What the token says of itself decides the first two for certain; after that a 403 for
somebody who holds every permission is, most often, a licence that is missing or too new.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Certainty = Literal["certain", "likely", "possible", ""]

_LICENCE_WORDS = ("licen", "payment", "billing", "notpurchased")
_POLICY_WORDS = ("conditionalaccess", "policy", "insufficient_claims", "interactionrequired")
_CONSENT_WORDS = ("consent", "scope", "authorization_requestdenied", "insufficientprivileges", "missingpermission")


class TokenClaims(Protocol):
    """What can be known of a token."""

    @property
    def scopes(self) -> frozenset[str] | None:
        """Delegated permissions it carries, None when unknown."""

    @property
    def app_only(self) -> bool:
        """Whether it belongs to an application and no person."""

    @property
    def personal(self) -> bool:
        """Whether it belongs to a personal account."""


class TokenReader(Protocol):
    """Whoever can say what a token is; the transport itself does not look inside."""

    def describe(self, token: str) -> TokenClaims | None:
        """What is known of the token."""

    def consent_link(self, scopes: Sequence[str]) -> str:
        """The page where an administrator approves these permissions, empty when unknown."""


@dataclass(frozen=True, slots=True)
class Access:
    """With what a request was made: the permissions it needs, and what is known of its token."""

    needed: tuple[str, ...]
    token: TokenClaims | None = None
    consent_link: Callable[[Sequence[str]], str] = lambda scopes: ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Needed permissions that the token certainly does not carry."""
        carried = self.token.scopes if self.token is not None else None
        return () if carried is None else tuple(sorted(set(self.needed) - carried))

    @property
    def complete(self) -> bool:
        """Whether the token certainly carries every needed permission."""
        return self.token is not None and self.token.scopes is not None and not self.missing


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request was refused; `sentence` has no full stop."""

    kind: str
    sentence: str
    hint: str
    certainty: Certainty = ""
    missing: tuple[str, ...] = ()


def is_forbidden(code: str) -> bool:
    """Whether an error code that came without a status means a refusal."""
    return any(word in code.casefold() for word in (*_LICENCE_WORDS, *_CONSENT_WORDS, "forbidden"))


def reason_of_403(status: int, code: str, challenge: str, *, wrapped: bool, access: Access | None) -> Reason:
    """Why a 402 or 403 came. `wrapped` says that it was hidden in the 5xx of a service in front."""
    word = code.casefold()
    if status == 402 or any(part in word for part in _LICENCE_WORDS):
        hint = "Ask an administrator about the Microsoft 365 Copilot licence or pay-as-you-go billing."
        return Reason("licence", "No licence or billing covers this request", hint, "certain")
    if access is not None and (reason := reason_of_token(access) or _missing_consent(access)) is not None:
        return reason
    if any(part in word or part in challenge.casefold() for part in _POLICY_WORDS):
        hint = "Ask an administrator; the request id helps them find the policy."
        return Reason("policy", "A policy of the organisation blocks this request", hint, "certain")
    complete = access is not None and access.complete
    if wrapped:
        hint = "Ask an administrator whether this person has a Microsoft 365 Copilot licence."
        return Reason(
            "licence", "The chat service refuses this person, most likely for want of a licence", hint, "likely"
        )
    if any(part in word for part in _CONSENT_WORDS) and not complete:
        hint = "Ask an administrator to approve the permissions, then run `copilot-mcp login` again."
        return Reason("consent", "A permission this request needs was not granted", hint, "likely")
    other = "" if complete else ", or a permission that was not approved"
    hint = (
        "Likely causes: no Microsoft 365 Copilot licence (or, for retrieval, no pay-as-you-go billing), or a licence "
        f"so new that it does not count yet, which takes up to 24 hours{other}. Ask an administrator."
    )
    sentence = "Microsoft Graph refuses this request for the signed-in person"
    return Reason("forbidden", sentence, hint, "likely" if complete else "possible")


def reason_of_token(access: Access | None) -> Reason | None:
    """Why a token can never serve, whoever asks; None where it may."""
    if access is None or access.token is None:
        return None
    if access.token.app_only:
        hint = "Sign in as a person: `copilot-mcp login`, or a token with delegated permissions."
        return Reason(
            "app_only_token", "The token belongs to an application, and Copilot answers people only", hint, "certain"
        )
    if access.token.personal:
        hint = "Sign in with a work or school account."
        return Reason("personal_account", "Personal Microsoft accounts cannot use these APIs", hint, "certain")
    return None


def _missing_consent(access: Access) -> Reason | None:
    if not access.missing:
        return None
    link = access.consent_link(access.needed)
    page = f" at {link}" if link else ""
    return Reason(
        "consent",
        f"These permissions were not granted: {', '.join(access.missing)}",
        f"Call again after an administrator has approved them{page}",
        "certain",
        access.missing,
    )


ONE_DRIVE_ALONE = Reason(
    "licence",
    "OneDrive is refused while SharePoint answers, so this person probably has no Microsoft 365 Copilot licence",
    "Use SharePoint or connectors, whose calls are then billed to the tenant by use, or ask an administrator for a "
    "licence (a new one takes up to 24 hours to count).",
    "likely",
)
"""OneDrive is never covered by pay-as-you-go, SharePoint is."""
