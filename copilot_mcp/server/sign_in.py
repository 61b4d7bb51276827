"""Signing in from inside the host: the call that finds nobody signed in asks the person, in the best way the host has.

A host that declared URL elicitation is asked to open the page: by a request in the older era, by a result that asks
for input in the newer one. Every other host gets an error result with the address and the code, to show and to call
again. The page's address holds no secret and nothing of the person; the code is worth nothing without their approval.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult

from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError, CopilotMcpError, PermissionDeniedError

if TYPE_CHECKING:
    from copilot_mcp.auth import SignInAttempt

__all__ = ["SignIn", "SignInPendingError", "needs_sign_in", "sign_in"]

_KEY = "sign_in"
_ASKS_BY_RESULT_SINCE = "2026-07-28"
_NOT_STARTED_KINDS = (
    "offline",
    "tls_intercepted",
    "captive_portal",
    "identity_unavailable",
    "bad_answer",
    "sign_in_limit",
)
_COMMAND = "`copilot-mcp login`"
_CURED_KINDS = ("reauth_required", "token_rejected")
_STOP = "The page must name your organisation's own app registration; stop if it names another."


class SignIn(Protocol):
    """The sign-in of the process."""

    async def start(self, scopes: Sequence[str]) -> "SignInAttempt | None":
        """The code to show, None when the person has just finished; raises the reason why the last one failed, once."""
        ...

    async def ended(self, attempt: "SignInAttempt") -> bool:
        """Wait a while for the person; False when they have not decided by then."""
        ...

    def check(self, attempt: "SignInAttempt") -> None:
        """Raise the reason why this attempt failed, if it did."""
        ...

    def give_up(self, attempt: "SignInAttempt") -> None:
        """Cancel this attempt, unless another call waits for it."""
        ...

    async def greeting(self) -> str:
        """Who has just signed in, in which tenant, and where that is kept; said once, else empty."""
        ...


class SignInPendingError(AuthenticationRequiredError):
    """The person has to sign in, and the call to be made again then. `attempt` says where and with which code."""

    kind = "sign_in_pending"

    def __init__(self, reason: str, attempt: "SignInAttempt") -> None:
        super().__init__(
            f"{reason} To sign in, the person opens {attempt.verification_uri} in a browser and enters the code "
            f"{attempt.user_code}; {_minutes_left(attempt)} minutes are left. {_STOP}",
            "Show the person this address and this code, or they run `copilot-mcp login` in a terminal. Call this tool "
            "again when they are done; it will just work.",
        )
        self.attempt = attempt

    def details(self) -> dict[str, Any]:
        """Kind and who acts, and where the person signs in with which code until when."""
        return super().details() | {
            "verificationUri": self.attempt.verification_uri,
            "userCode": self.attempt.user_code,
            "expiresAt": self.attempt.expires_at.isoformat(timespec="seconds"),
        }


def needs_sign_in(error: CopilotMcpError) -> bool:
    """Whether a new sign-in is the remedy, after which the call is made again; never that of a turn already sent."""
    cured = isinstance(error, PermissionDeniedError) and error.kind in _CURED_KINDS
    return not error.after_turn and (cured or isinstance(error, AuthenticationRequiredError))


async def sign_in(
    context: Context[Any, Any], person: SignIn, error: CopilotMcpError, scopes: Sequence[str]
) -> InputRequiredResult | None:
    """Get the person signed in for these scopes, because of `error`.

    Returns:
        None when that is done and the call can be made again, else the result that asks the host to ask the person.

    Raises:
        SignInPendingError: The person has not finished yet, or the host cannot ask.
        AuthenticationError: They declined, the sign-in failed, or none can be started.
    """
    attempt = await _begun(person, error, scopes)
    if attempt is None:
        return None
    if not _can_open_pages(context):
        raise SignInPendingError(error.message, attempt)
    if (context.protocol_version or "") < _ASKS_BY_RESULT_SINCE:
        agreed, ended = await _asked(context, person, attempt, error.message)
    else:
        answer = (context.input_responses or {}).get(_KEY)
        if not isinstance(answer, ElicitResult) or context.request_state != _ticket(attempt):
            page = ElicitRequestURLParams(message=_question(error.message, attempt), url=attempt.verification_uri)
            return InputRequiredResult(
                input_requests={_KEY: ElicitRequest(params=page)}, request_state=_ticket(attempt)
            )
        agreed = answer.action == "accept"
        ended = agreed and await _ended(person, attempt)
    if not agreed:
        person.give_up(attempt)
        raise AuthenticationError(
            "The person did not want to sign in.", "Call again only when they ask for it.", kind="sign_in_declined"
        )
    if not ended:
        raise SignInPendingError(error.message, attempt)
    person.check(attempt)
    return None


async def _begun(person: SignIn, error: CopilotMcpError, scopes: Sequence[str]) -> "SignInAttempt | None":
    """The code to show; where none can be had, the reason stands beside what needed it, and the other way in."""
    try:
        return await person.start(scopes)
    except AuthenticationError as failed:
        cause = "A sign-in cannot be started: " if failed.kind in _NOT_STARTED_KINDS else ""
        failed.message = f"{error.message} {cause}{failed.message}"
        if _COMMAND not in failed.hint:
            failed.hint = f"{failed.hint} The person can also run {_COMMAND} in a terminal.".lstrip()
        raise


async def _ended(person: SignIn, attempt: "SignInAttempt") -> bool:
    """Wait for the person; the last call that is cancelled meanwhile takes the sign-in with it."""
    try:
        return await person.ended(attempt)
    except anyio.get_cancelled_exc_class():
        person.give_up(attempt)
        raise


async def _asked(
    context: Context[Any, Any], person: SignIn, attempt: "SignInAttempt", reason: str
) -> tuple[bool, bool]:
    """In the older era: whether the person agreed, and whether they finished. They may do so before they answer."""
    ticket = secrets.token_hex(8)
    agreed, ended = True, False

    async def ask() -> None:
        nonlocal agreed
        try:
            answer = await context.elicit_url(_question(reason, attempt), attempt.verification_uri, ticket)
        except MCPError:
            return  # the host declared what it cannot do: wait as long as any call may, then name the code
        agreed = answer.action == "accept"
        if not agreed:
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        ended = await _ended(person, attempt)
        tasks.cancel_scope.cancel()
    if ended:
        await context.session.send_elicit_complete(ticket, context.request_id)
    return agreed, ended


def _can_open_pages(context: Context[Any, Any]) -> bool:
    """Whether the host declared URL elicitation, and can be reached where that needs a request of ours."""
    capabilities = context.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    if elicitation is None or elicitation.url is None:
        return False
    return (context.protocol_version or "") >= _ASKS_BY_RESULT_SINCE or context.session.can_send_request


def _question(reason: str, attempt: "SignInAttempt") -> str:
    return (
        f"{reason} Sign in to Microsoft 365: on the page that opens, enter the code {attempt.user_code} within "
        f"{_minutes_left(attempt)} minutes. {_STOP}"
    )


def _ticket(attempt: "SignInAttempt") -> str:
    """Tells an answer to this code from one to an earlier; no secret."""
    return attempt.expires_at.isoformat()


def _minutes_left(attempt: "SignInAttempt") -> int:
    return max(1, round((attempt.expires_at - datetime.now(UTC)).total_seconds() / 60))
