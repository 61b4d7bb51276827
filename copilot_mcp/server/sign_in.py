"""Signing in from inside the host: the call that finds nobody signed in asks the person, in the best way the host has.

A host that declared URL elicitation is asked to open the page: by a request in the older era, by a result that asks
for input in the newer one. Every other host gets an error result with the address and the code, to show and to call
again. The page's address holds no secret and nothing of the person; the code is worth nothing without their approval.

A permission that the person can grant themselves is asked for in the same ways, once an hour; where an administrator
has to grant it, nobody is asked.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult

from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError, CopilotMcpError

if TYPE_CHECKING:
    from copilot_mcp.auth import SignInAttempt

__all__ = ["SignIn", "SignInPendingError", "needs_sign_in", "sign_in"]

_KEY = "sign_in"
_DIGITS = 12
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
_APART = f"{_COMMAND} in a terminal would not reach this process, which keeps its sign-in in memory"
_STOP = "The page must name your organisation's own app registration; stop if it names another."


class SignIn(Protocol):
    """The sign-in of the process."""

    def offers_consent(self, scopes: Sequence[str]) -> bool:
        """Whether the person is asked to grant these permissions themselves, or has been asked lately."""
        ...

    @property
    def shared(self) -> bool:
        """Whether a sign-in in a terminal would serve this process too."""
        ...

    @property
    def successes(self) -> int:
        """How many sign-ins have succeeded so far."""
        ...

    async def start(
        self, scopes: Sequence[str], *, consent: bool = False, since: int | None = None, seen: str | None = None
    ) -> "SignInAttempt | None":
        """The code to show, None when the person has just finished, when more than `since` have succeeded, or when the
        saved sign-in is not `seen` any more; raises the reason why the last one failed, once."""
        ...

    async def ended(self, attempt: "SignInAttempt") -> bool:
        """Wait a while for the person; False when they have not decided by then."""
        ...

    def check(self, attempt: "SignInAttempt") -> None:
        """Raise the reason why this attempt failed, if it did."""
        ...

    def expect(self, attempt: "SignInAttempt", question: str) -> None:
        """Note that the host asks the person to use this code, and comes back with their answer to `question`."""
        ...

    def answered(self, question: str) -> None:
        """Note that it has."""
        ...

    def give_up(self, attempt: "SignInAttempt") -> None:
        """Cancel this attempt, unless another call waits for it or asks for it."""
        ...

    async def greeting(self) -> str:
        """Who has just signed in, in which tenant, and where that is kept; said once, else empty."""
        ...


class SignInPendingError(AuthenticationRequiredError):
    """The person has to sign in, and the call to be made again then. `attempt` says where and with which code."""

    kind = "sign_in_pending"

    def __init__(self, reason: str, attempt: "SignInAttempt", *, shared: bool) -> None:
        otherwise = f", or they run {_COMMAND} in a terminal" if shared else f" ({_APART})"
        super().__init__(
            f"{reason} To sign in, the person opens {attempt.verification_uri} in a browser and enters the code "
            f"{attempt.user_code}; {_minutes_left(attempt)} minutes are left. {_STOP}",
            f"Show the person this address and this code{otherwise}. Call this tool again when they are done; it will "
            "just work.",
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
    return error.cured_by_sign_in and not error.after_turn


def _asks_consent(error: CopilotMcpError) -> bool:
    return error.lacks_permission and error.cured_by_sign_in


async def sign_in(
    context: Context[Any, Any], person: SignIn, error: CopilotMcpError, scopes: Sequence[str], *, since: int
) -> InputRequiredResult | None:
    """Get the person signed in for these scopes, because of `error`. `since`: `successes` when the call began.

    Returns:
        None when that is done and the call can be made again, else the result that asks the host to ask the person.

    Raises:
        SignInPendingError: The person has not finished yet, or the host cannot ask.
        AuthenticationError: They declined, the sign-in failed, or none can be started.
    """
    if _asks_consent(error) and not person.offers_consent(scopes):
        raise error
    attempt = await _begun(person, error, scopes, _since(context, since))
    if attempt is None:
        return None
    if not _can_open_pages(context):
        raise SignInPendingError(error.message, attempt, shared=person.shared)
    if (context.protocol_version or "") < _ASKS_BY_RESULT_SINCE:
        agreed, ended = await _asked(context, person, attempt, error.message)
    else:
        answer = _answer(context, person, attempt)
        if answer is None:
            return _asking(person, attempt, error.message, since)
        agreed = answer.action == "accept"
        ended = agreed and await _ended(person, attempt)
    if not agreed:
        person.give_up(attempt)
        raise _declined(error)
    if not ended:
        raise SignInPendingError(error.message, attempt, shared=person.shared)
    try:
        person.check(attempt)
    except AuthenticationError as failed:
        raise _beside(failed, error) from None
    return None


async def _begun(person: SignIn, error: CopilotMcpError, scopes: Sequence[str], since: int) -> "SignInAttempt | None":
    """The code to show; where none can be had, the reason stands beside what needed it, and the other way in."""
    try:
        return await person.start(scopes, consent=_asks_consent(error), since=since, seen=error.sign_in_id)
    except AuthenticationError as failed:
        cause = "A sign-in cannot be started: " if failed.kind in _NOT_STARTED_KINDS else ""
        if cause and _asks_consent(error):
            raise error from None  # what is missing, and who else can grant it
        failed.message = f"{error.message} {cause}{failed.message}"
        if _COMMAND not in failed.hint:
            otherwise = f"The person can also run {_COMMAND} in a terminal." if person.shared else f"({_APART}.)"
            failed.hint = f"{failed.hint} {otherwise}".lstrip()
        raise _beside(failed, error) from None


def _beside(failed: AuthenticationError, error: CopilotMcpError) -> AuthenticationError:
    """Why a sign-in failed, with the permissions that it was for and who else can grant them."""
    if isinstance(error, AuthenticationError):
        failed.scopes = error.scopes
        failed.hint = f"{failed.hint} {error.hint}".lstrip()
    return failed


def _declined(error: CopilotMcpError) -> AuthenticationError:
    """The person was asked and said no."""
    if not isinstance(error, AuthenticationError):
        return AuthenticationError(
            "The person did not want to sign in.", "Call again only when they ask for it.", kind="sign_in_declined"
        )
    declined = AuthenticationError(
        f"{error.message} The person did not want to sign in for it, and is not asked again within the hour.",
        error.hint,
        kind="consent_declined",
    )
    declined.scopes = error.scopes
    return declined


def _asking(person: SignIn, attempt: "SignInAttempt", reason: str, since: int) -> InputRequiredResult:
    """In the newer era: the result that asks the host to ask the person, and to call again with the answer."""
    ticket = f"{attempt.expires_at.isoformat()} {since} {secrets.token_hex(8)}"
    person.expect(attempt, ticket)
    page = ElicitRequestURLParams(message=_question(reason, attempt), url=attempt.verification_uri)
    return InputRequiredResult(input_requests={_KEY: ElicitRequest(params=page)}, request_state=ticket)


def _since(context: Context[Any, Any], since: int) -> int:
    """`since` of the call that was made first, where this is the one that comes back with the person's answer."""
    _, _, rest = (context.request_state or "").partition(" ")
    first = rest.partition(" ")[0]
    return min(since, int(first)) if first.isascii() and first.isdigit() and len(first) < _DIGITS else since


def _answer(context: Context[Any, Any], person: SignIn, attempt: "SignInAttempt") -> ElicitResult | None:
    """The person's answer to the question with this code; None where they were not asked, or with an earlier code."""
    answer, ticket = (context.input_responses or {}).get(_KEY), context.request_state or ""
    person.answered(ticket)
    asked = ticket.partition(" ")[0] == attempt.expires_at.isoformat()
    return answer if asked and isinstance(answer, ElicitResult) else None


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


def _minutes_left(attempt: "SignInAttempt") -> int:
    return max(1, round((attempt.expires_at - datetime.now(UTC)).total_seconds() / 60))
