"""What can go wrong, one class for each next step a caller can take.

    CopilotMcpError                  message + hint
      SettingsError                  fix the flag or variable it names
      AuthenticationRequiredError    run `copilot-mcp login`
      AuthenticationError            Entra said no
      ArgumentError                  fix the tool arguments it names
      FilterError                    fix the filter
      GraphError                     Microsoft Graph said no
        InvalidRequestError          400, 413, 422: fix the arguments
        PermissionDeniedError        401, 402, 403: sign-in, consent, licence, pay-as-you-go; 404: not offered here
        ConversationGoneError        404: start a new conversation
        ThrottledError               429: wait
        ServiceUnavailableError      5xx, time limit, no connection: try later

`kind` is a stable string for programs; `message` and `hint` are for people and models and may change.
"""

import math
from typing import Any

__all__ = [
    "ArgumentError",
    "AuthenticationError",
    "AuthenticationRequiredError",
    "ConversationGoneError",
    "CopilotMcpError",
    "FilterError",
    "GraphError",
    "InvalidRequestError",
    "PermissionDeniedError",
    "ServiceUnavailableError",
    "SettingsError",
    "ThrottledError",
]


class CopilotMcpError(Exception):
    """Base of every error this project raises on purpose.

    `message` says what happened in one sentence, `hint` what to do about it. Neither ever holds a token, a prompt, an
    answer or document text; a code only where it is there to be typed by the person who is shown it.

    `after_turn` says that a chat turn had been sent, or may have been: the call is not made again by itself.
    `requests_used` counts the requests to Graph that were sent for this call, retries included; what a quota has lost.
    `sign_in_id` names the saved sign-in that was found wanting, empty where nobody was signed in, None where unknown.
    """

    kind = "error"
    after_turn = False
    requests_used = 0
    sign_in_id: str | None = None

    def __init__(self, message: str, hint: str = "", *, kind: str | None = None) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint
        if kind is not None:
            self.kind = kind

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def details(self) -> dict[str, Any]:
        """The machine-readable facts, members without a value left out."""
        return {"kind": self.kind}

    @property
    def cured_by_sign_in(self) -> bool:
        """Whether a new sign-in of the person is the remedy, after which the same call may go well."""
        return False

    @property
    def lacks_permission(self) -> bool:
        """Whether some permission was not granted, so that what needs others may go well all the same."""
        return False


class SettingsError(CopilotMcpError):
    """A flag or environment variable is missing or wrong; the message names it."""

    kind = "settings"


class _SignInError(CopilotMcpError):
    """What both errors of the sign-in carry.

    Attributes:
        code: the AADSTS number or OAuth error, may be empty.
        correlation_id: what Microsoft's logs are searched by, may be empty.
        time: UTC, as the sign-in service wrote it, may be empty.
        who: who can act: `user`, `administrator`, `operator` (whoever runs this server), `client` (the program
            that called) or `nobody` (wait).
        scopes: the permissions the call needed, names without prefix.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        kind: str | None = None,
        code: str = "",
        correlation_id: str = "",
        time: str = "",
        who: str = "user",
    ) -> None:
        super().__init__(message, hint, kind=kind)
        self.code = code
        self.correlation_id = correlation_id
        self.time = time
        self.who = who
        self.scopes: tuple[str, ...] = ()

    def details(self) -> dict[str, Any]:
        """Kind and who acts, then code, correlation id and time where Entra gave them."""
        facts = {
            "kind": self.kind,
            "whoActs": self.who,
            "code": self.code,
            "correlationId": self.correlation_id,
            "time": self.time,
        }
        return {name: value for name, value in facts.items() if value}


class AuthenticationRequiredError(_SignInError):
    """Nobody is signed in, or the saved sign-in can no longer be used: a new sign-in is the remedy."""

    kind = "signed_out"

    @property
    def cured_by_sign_in(self) -> bool:
        """Always."""
        return True


class AuthenticationError(_SignInError):
    """Entra refused, and a new sign-in alone does not help."""

    kind = "sign_in_failed"

    @property
    def cured_by_sign_in(self) -> bool:
        """Where the person can grant themselves what is missing."""
        return self.kind == "consent_required"

    @property
    def lacks_permission(self) -> bool:
        """Whoever can grant it."""
        return self.kind in ("consent_required", "admin_consent_required", "consent_declined", "scopes_missing")


class ArgumentError(CopilotMcpError):
    """A tool argument is missing, misspelt or out of range; the message names each."""

    kind = "invalid_arguments"


class FilterError(CopilotMcpError):
    """A `filterExpression` that must not be sent. `diagnostics` is plain data, worst first."""

    kind = "invalid_filter"

    def __init__(self, message: str, hint: str = "", *, diagnostics: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message, hint)
        self.diagnostics = diagnostics or []

    def details(self) -> dict[str, Any]:
        """Kind and the diagnostics."""
        return {"kind": self.kind, "diagnostics": self.diagnostics}


class GraphError(CopilotMcpError):
    """Microsoft Graph answered with an error, or not at all.

    Attributes:
        status: HTTP status, None when no answer came.
        code: Graph's own error code, may be empty.
        request_id: Microsoft's id for support, may be empty.
        retry_after: seconds to wait before trying again, None when unknown.
        scopes: the permissions the request needed, names without prefix.
        who: who can act, `user` or `administrator`; empty where nobody in particular.
        certainty: how sure the stated reason is: `certain`, `likely` or `possible`; empty where that is no question.
        missing_scopes: permissions that were certainly not granted.
        partial_text: what the service said before or instead of answering. It may hold document text: show it to
            the caller if you must, never log it.
    """

    kind = "service"

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        kind: str | None = None,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint, kind=kind)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.scopes: tuple[str, ...] = ()
        self.who = ""
        self.certainty = ""
        self.missing_scopes: tuple[str, ...] = ()
        self.partial_text = ""

    def __str__(self) -> str:
        wait = "" if self.retry_after is None else f"Next try in {math.ceil(self.retry_after)} s."
        return f"{super().__str__()} {wait}".rstrip()

    def details(self) -> dict[str, Any]:
        """Kind, status, code, request id, waiting time, requests used, and how sure the reason is, as far as known."""
        facts = {
            "kind": self.kind,
            "status": self.status,
            "code": self.code,
            "requestId": self.request_id,
            "retryAfterSeconds": self.retry_after,
            "requestsUsed": self.requests_used or None,
            "whoActs": self.who,
            "certainty": self.certainty,
            "missingScopes": list(self.missing_scopes),
        }
        return {name: value for name, value in facts.items() if value not in (None, "", [])}


class InvalidRequestError(GraphError):
    """400, 413, 414, 422 and their like: the same request will fail again."""

    kind = "invalid_request"


class PermissionDeniedError(GraphError):
    """401 after a fresh token or on a turn, 402, 403: consent, licence, policy, billing. `kind` tells which one."""

    kind = "forbidden"

    @property
    def cured_by_sign_in(self) -> bool:
        """Where it is the token that is refused, and nothing that stands behind it."""
        return self.kind in ("reauth_required", "token_rejected")


class ConversationGoneError(GraphError):
    """404 on a conversation: it ended, or belongs to somebody else; or a filter has closed it. Start a new one."""

    kind = "conversation_gone"


class ThrottledError(GraphError):
    """429: wait `retry_after` seconds."""

    kind = "throttled"


class ServiceUnavailableError(GraphError):
    """5xx, a time limit or no connection. A chat turn may have been recorded all the same: do not send it again."""

    kind = "service"
