"""The errors of Entra: which OAuth error, status and suberror go with which AADSTS number, and their wire form.

Pairs of error and number follow what Microsoft documents and what public reports of real answers show; sentences are
short paraphrases. The same refusal has another OAuth error where the browser carries it: there a person's refusal, a
missing approval and a policy are all `access_denied`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

__all__ = ["ENTRA_ERRORS", "EntraError", "EntraRefusalError", "entra_refusal", "error_members"]

POLICY_CLAIMS: Final = {
    "access_token": {"capolids": {"essential": True, "values": ["00000000-0000-4000-8000-0000000ca001"]}}
}
"""What a Conditional Access failure asks the next sign-in to bring: the policy that has to be met."""


@dataclass(frozen=True, slots=True)
class EntraError:
    """One AADSTS number. `policy` says that the answer carries `claims`."""

    error: str
    sentence: str
    status: int = 400
    suberror: str = ""
    policy: bool = False


class EntraRefusalError(Exception):
    """Entra says no. `error` is the OAuth error, `code` the AADSTS number, `claims` what a new sign-in must bring."""

    def __init__(
        self,
        error: str,
        code: int,
        description: str,
        *,
        suberror: str = "",
        status: int = 400,
        claims: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"AADSTS{code}: {description}")
        self.error = error
        self.code = code
        self.suberror = suberror
        self.status = status
        self.claims = claims


def _rows(
    error: str, sentences: Mapping[int, str], *, status: int = 400, suberror: str = "", policy: bool = False
) -> dict[int, EntraError]:
    return {number: EntraError(error, text, status, suberror, policy) for number, text in sentences.items()}


_BLOCKED = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
_VERIFY = "A configuration change or a new location requires multi-factor authentication."
_BUSY = "A transient error has occurred. Please try again."
_NOT_FOUND = "The application was not found in the directory of this tenant."
_NO_TENANT_IN = "No tenant-identifying information was found in the request."
_ELSEWHERE = "The user account does not exist in the tenant and cannot access the application in it."
_NEEDS_ADMIN = "The grant requires admin permission."
_ENDED_BY_PASSWORD = "The session is not valid because the password expired or was recently changed."

ENTRA_ERRORS: Final[Mapping[int, EntraError]] = {
    70016: EntraError("authorization_pending", "Authorization is pending. Continue polling."),
    70019: EntraError("code_expired", "The verification code has expired."),
    70020: EntraError("expired_token", "The device code has expired."),
    70018: EntraError("bad_verification_code", "The device code is not known."),
    **_rows("access_denied", {65004: "The user declined to consent to access the app."}),
    **_rows(
        "invalid_request",
        {
            90120: "The request was already authorized or declined.",
            900023: "The tenant identifier is neither a valid DNS name nor a valid external domain.",
            900144: "The request body must contain a required parameter.",
            50128: _NO_TENANT_IN,
            50059: _NO_TENANT_IN,
            90038: "The tenant belongs to another national cloud.",
            90051: "The national cloud identifier is not valid.",
            50194: "The application is not configured as a multi-tenant application.",
            500200: "The user account is a personal Microsoft account, which the endpoint does not serve.",
            500208: "The domain is not a valid login domain for the account type.",
            9002332: "The application is configured for use by directory users only.",
            90008: "The application must ask for access to the directory by at least one permission.",
            65002: "Consent between a first party application and a first party resource must be preauthorized.",
            50027: "The JWT token is invalid or malformed.",
            9010010: "The resource parameter does not match the requested scopes.",
            901002: "The resource parameter is not supported.",
            70007: "The response mode is not supported.",
            501491: "The size of the code challenge is not valid.",
            50011: "The redirect URI of the request does not match those registered for the application.",
        },
    ),
    **_rows("invalid_tenant", {90002: "The tenant was not found."}),
    **_rows(
        "unauthorized_client",
        {
            700016: _NOT_FOUND,
            700011: _NOT_FOUND,
            7000112: "The application is disabled.",
            70001: "The application is disabled.",
            1000031: "The application cannot be accessed at this time.",
            7000114: "The application is not allowed to make on-behalf-of calls.",
        },
    ),
    **_rows(
        "invalid_client",
        {
            7000218: "The request body must contain 'client_assertion' or 'client_secret'.",
            650053: "The application asked for a scope that does not exist.",
            50012: "Authentication of the client failed.",
            700027: "The client assertion failed signature validation.",
            7000215: "An invalid client secret was provided.",
            7000222: "The client secret keys of the app are expired.",
            70002: "The credentials of the client could not be validated.",
        },
        status=401,
    ),
    **_rows(
        "invalid_client",
        {
            650052: "The organization lacks a service principal for the service that the app wants to access.",
            650056: "The application is misconfigured: it does not list the permissions it asks for.",
        },
    ),
    **_rows("invalid_scope", {70011: "The scope is not valid.", 28002: "The scope is not valid for an access token."}),
    **_rows(
        "invalid_resource",
        {
            500011: "The resource principal was not found in this tenant.",
            650057: "The resource is not listed in the permissions of the app registration.",
        },
    ),
    **_rows(
        "invalid_grant",
        {
            50020: _ELSEWHERE,
            50034: _ELSEWHERE,
            51004: _ELSEWHERE,
            90072: _ELSEWHERE,
            90094: _NEEDS_ADMIN,
            90095: _NEEDS_ADMIN,
            700082: "The refresh token has expired due to inactivity.",
            70008: "The authorization code or refresh token has expired due to inactivity.",
            50089: "Authentication failed because the flow token expired.",
            50173: "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
            50132: _ENDED_BY_PASSWORD,
            50133: _ENDED_BY_PASSWORD,
            70000: "The provided grant is not valid; it was used already or has been revoked.",
            50057: "The user account is disabled.",
            50053: "The account is locked because of too many wrong sign-ins.",
            53011: "The user is blocked due to risk on the home tenant.",
            53004: "The user needs to complete registration before accessing this content.",
            50105: "The signed in user is not assigned to a role for the application.",
            500133: "The assertion is not within its valid time range.",
            50013: "The assertion failed signature validation.",
            54005: "The authorization code was already redeemed.",
            501481: "The code verifier does not match the code challenge of the authorization request.",
            500112: "The reply address does not match the one of the authorization request.",
        },
    ),
    **_rows("invalid_grant", {65001: "The user or administrator has not consented."}, suberror="consent_required"),
    **_rows(
        "invalid_grant",
        {70043: "The refresh token is invalid due to sign-in frequency checks by Conditional Access."},
        suberror="token_expired",
    ),
    **_rows(
        "invalid_grant",
        dict.fromkeys((50076, 50074, 50072, 50079, 50078), _VERIFY),
        suberror="basic_action",
        policy=True,
    ),
    **_rows(
        "invalid_grant",
        dict.fromkeys((53003, 530032, 530034, 530035, 530084), _BLOCKED),
        suberror="message_only",
        policy=True,
    ),
    **_rows(
        "invalid_grant",
        {
            53000: "The device is not in the required state: it is not compliant.",
            53001: "The device is not in the required state: it is not domain joined.",
            53002: "The application is not an approved application for Conditional Access.",
            50097: "Device authentication is required.",
            50129: "The device is not joined to the workplace.",
            50005: "The platform of the device is not supported by policy.",
            50187: "Device information was not provided.",
        },
        suberror="additional_action",
        policy=True,
    ),
    **_rows("interaction_required", {16000: _ELSEWHERE}),
    **_rows("login_required", {50058: "A silent sign-in request was sent but no user is signed in."}),
    **_rows("temporarily_unavailable", {50196: "The server ended the operation: it met a client request loop."}),
    **_rows("temporarily_unavailable", dict.fromkeys((50033, 50087, 90006, 90012, 90024, 90033), _BUSY), status=503),
    **_rows("temporarily_unavailable", {90055: "The tenant receives too many requests."}, status=429),
    **_rows("unsupported_grant_type", {70003: "The grant type is not supported."}),
    **_rows("unsupported_response_type", {70005: "The response type is not supported."}),
}
"""Every number of sign-in that this tenant can answer with."""

_AT_THE_BROWSER: Final = ("invalid_grant", "interaction_required")
_BARE: Final[Mapping[str, tuple[int, int]]] = {
    "slow_down": (70016, 400),
    "authorization_declined": (70016, 400),
    "access_denied": (65004, 400),
    "consent_required": (65001, 400),
    "interaction_required": (50076, 400),
    "server_error": (50033, 500),
    "temporarily_unavailable": (90033, 503),
    "invalid_client": (7000218, 401),
}
"""OAuth errors asked for by name: the number and status they come with where several numbers share the error."""


def entra_refusal(which: int | str, *, claims: Mapping[str, Any] | None = None, text: str = "") -> EntraRefusalError:
    """The refusal for an AADSTS number, or for the name of an OAuth error.

    `claims` replace those of the number, `text` its sentence.

    Raises:
        ValueError: Entra has no such error.
    """
    if isinstance(which, str) and which in _BARE:
        number, status = _BARE[which]
        known = ENTRA_ERRORS[number]
        asked = claims or (POLICY_CLAIMS if which == "interaction_required" else None)
        return EntraRefusalError(which, number, text or known.sentence, status=status, claims=asked)
    for number, error in ENTRA_ERRORS.items():
        if which in (number, error.error):
            asked = claims or (POLICY_CLAIMS if error.policy else None)
            return EntraRefusalError(
                error.error, number, text or error.sentence, suberror=error.suberror, status=error.status, claims=asked
            )
    raise ValueError(f"no such error of Entra: {which!r}")


def error_members(
    refusal: EntraRefusalError, seconds: float, correlation_id: str, base: str, *, browser: bool = False
) -> dict[str, Any]:
    """The members of the answer that says no: the JSON of the token endpoint, or what the `browser` takes along.

    `seconds` is the time since the epoch, `base` the address of the authority without tenant.
    """
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace_id = str(uuid4())
    lines = (str(refusal), f"Trace ID: {trace_id}", f"Correlation ID: {correlation_id}", f"Timestamp: {stamp}")
    uri = f"{base}/error?code={refusal.code}"
    if browser:
        error = "access_denied" if refusal.error in _AT_THE_BROWSER else refusal.error
        return {"error": error, "error_description": " ".join(lines), "error_uri": uri}
    body: dict[str, Any] = {
        "error": refusal.error,
        "error_description": " ".join(lines),
        "error_codes": [refusal.code],
        "timestamp": stamp,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": uri,
    }
    if refusal.suberror:
        body["suberror"] = refusal.suberror
    if refusal.claims:
        body["claims"] = json.dumps(refusal.claims, separators=(",", ":"))
    return body
