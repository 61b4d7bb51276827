"""Entra's error names and AADSTS numbers, and what each means for the person in front of the screen.

Numbers may change, says Microsoft, so they only pick the better sentence; the OAuth error decides first where it is
precise. Sentences are ours, with `{client}`, `{tenant}`, `{cloud}`, `{scopes}` and `{link}` filled in.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["BY_ERROR", "BY_NUMBER", "BY_SUBERROR", "DECISIVE_NUMBERS", "UNKNOWN", "Refusal"]


Who = Literal["user", "administrator", "operator", "client", "nobody"]
"""Who can act; `operator` is whoever runs this server, `client` the program that called it, `nobody` means: wait."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason. `again` says that a new sign-in is the remedy, so the saved one is of no use."""

    kind: str
    sentence: str
    hint: str
    again: bool = False
    who: Who = "user"


_LOGIN = "Run `copilot-mcp login`."
_ADMIN = "An administrator has to change that."

_PENDING = Refusal("sign_in_pending", "The sign-in is waiting for approval in the browser.", "Finish it there.")
_DECLINED = Refusal(
    "sign_in_declined",
    "The sign-in was refused in the browser.",
    "Run `copilot-mcp login` again if that was a mistake.",
)
EXPIRED = Refusal(
    "sign_in_expired",
    "The code was not used in time.",
    "Start it again. If the browser said that access is blocked, your organisation does not allow device codes: use "
    "`copilot-mcp login --browser`.",
)
_CODE_UNKNOWN = Refusal("sign_in_failed", "The sign-in service no longer knows this code.", _LOGIN)
_CODE_USED = Refusal("sign_in_failed", "This code was already used or refused.", _LOGIN)
_NOT_PUBLIC = Refusal(
    "app_misconfigured",
    "The app registration {client} does not allow public client flows.",
    "An administrator has to switch on “Allow public client flows” for it.",
    who="administrator",
)
_NO_APP = Refusal(
    "app_not_found",
    "App {client} does not exist in tenant {tenant}.",
    "Check both ids, or have an administrator add the app to the tenant.",
    who="administrator",
)
_APP_OFF = Refusal("app_disabled", "App {client} is disabled in this tenant.", _ADMIN, who="administrator")
_NO_TENANT = Refusal(
    "tenant_not_found", "Tenant {tenant} was not found in the cloud {cloud}.", "Check the spelling and the cloud."
)
_WRONG_CLOUD = Refusal(
    "wrong_cloud", "This tenant lives in another national cloud than {cloud}.", "Choose that cloud with `--cloud`."
)
_SINGLE_TENANT = Refusal(
    "app_misconfigured", "App {client} serves a single tenant.", "Set your tenant id instead of {tenant}."
)
_NOT_MEMBER = Refusal(
    "user_not_in_tenant",
    "This account is neither a member nor a guest of {tenant}.",
    "Sign in with another account, or ask to be invited.",
)
_PERSONAL = Refusal(
    "personal_account",
    "Personal Microsoft accounts cannot use the Microsoft 365 Copilot APIs.",
    "Sign in with a work or school account.",
)
_CONSENT = Refusal(
    "consent_required",
    "Permission for {scopes} has not been granted.",
    "Approve it at sign-in with `copilot-mcp login`, or an administrator approves for everyone at {link}",
)
_ADMIN_CONSENT = Refusal(
    "admin_consent_required",
    "Your organisation wants an administrator to approve this app.",
    "An administrator approves it at {link}",
    who="administrator",
)
_CONSENT_DECLINED = Refusal(
    "consent_declined", "Consent was declined, so nothing was granted.", "Run `copilot-mcp login` to decide again."
)
_BAD_SCOPE = Refusal(
    "bad_scope", "One of the scopes {scopes} is not known in this cloud.", "Check the cloud setting.", who="operator"
)
_NO_PERMISSION = Refusal(
    "app_misconfigured",
    "The app registration {client} does not list the permissions of Microsoft Graph it needs.",
    "An administrator adds the delegated permissions {scopes}.",
    who="administrator",
)
_FOREIGN_APP = Refusal(
    "app_misconfigured",
    "An application id that belongs to Microsoft cannot be used here.",
    "Register an app of your own and set its client id.",
    who="operator",
)
_MFA = Refusal("mfa_required", "The saved sign-in needs an additional verification.", _LOGIN, again=True)
_POLICY = Refusal(
    "blocked_by_policy",
    "A Conditional Access policy of your organisation blocks this sign-in.",
    "Try `copilot-mcp login --browser` or `--broker`; an administrator finds the policy in the sign-in log under the "
    "correlation id.",
    who="administrator",
)
_DEVICE = Refusal(
    "device_required",
    "Your organisation requires a managed device for this sign-in.",
    "Use `copilot-mcp login --broker` on a managed computer.",
)
_BOUND = Refusal(
    "token_protection",
    "Your organisation asks for tokens that are bound to a device, which this sign-in cannot provide.",
    "Use `copilot-mcp login --broker`, or ask an administrator for an exception.",
    who="administrator",
)
_APPROVED_APP = Refusal(
    "approved_app_required", "Policy allows approved client apps only.", _ADMIN, who="administrator"
)
_FREQUENCY = Refusal("sign_in_frequency", "Your organisation asks for a fresh sign-in now.", _LOGIN, again=True)
_INACTIVE = Refusal("session_expired", "The saved sign-in expired after long inactivity.", _LOGIN, again=True)
_REVOKED = Refusal(
    "session_revoked",
    "The saved sign-in was revoked, by a password change or an administrator.",
    _LOGIN,
    again=True,
)
_ENDED = Refusal("session_expired", "The saved sign-in can no longer be used.", _LOGIN, again=True)
_ACCOUNT_OFF = Refusal("account_disabled", "This account is disabled.", _ADMIN, who="administrator")
_AT_RISK = Refusal(
    "account_at_risk",
    "The account is locked or flagged as at risk.",
    "Contact your administrator.",
    who="administrator",
)
_NOT_ASSIGNED = Refusal("not_assigned", "Your account is not assigned to app {client}.", _ADMIN, who="administrator")
_SIGNED_OUT = Refusal("signed_out", "There is no active sign-in.", _LOGIN, again=True)
_LOOP = Refusal(
    "retry_loop", "Too many identical requests were made; pausing for five minutes.", "Try again then.", who="nobody"
)
_BUSY = Refusal("identity_unavailable", "Microsoft's sign-in service is busy.", "Try again in a minute.", who="nobody")
_CREDENTIAL = Refusal(
    "server_credential",
    "The sign-in service wants app {client} to prove itself with a secret, which a local sign-in does not have.",
    "Register it as a public client (an administrator can), or correct the client id of this server.",
    who="operator",
)
_NO_BEHALF = Refusal("app_misconfigured", "App {client} may not act on behalf of users.", _ADMIN, who="administrator")
_INBOUND = Refusal(
    "inbound_token_expired",
    "The token that the calling client sent has expired or is not valid.",
    "The client has to renew its token.",
    who="client",
)
_RESOURCE = Refusal(
    "client_resource_mismatch",
    "The client asked for another resource than its scope belongs to.",
    "Whoever runs the server corrects the address that clients are given.",
    who="operator",
)
_NO_SERVICE = Refusal(
    "service_not_enabled",
    "The organisation {tenant} has not enabled or subscribed to a service that app {client} asks for.",
    "An administrator enables it (a missing service principal) or removes the permission from the app registration.",
    who="administrator",
)
UNKNOWN = Refusal("sign_in_failed", "The sign-in service refused.", "Run `copilot-mcp login`, or ask an administrator.")

BY_ERROR: dict[str, Refusal] = {
    "authorization_pending": _PENDING,
    "slow_down": _PENDING,
    "authorization_declined": _DECLINED,
    "expired_token": EXPIRED,
    "code_expired": EXPIRED,
    "bad_verification_code": _CODE_UNKNOWN,
    "consent_required": _CONSENT,
    "temporarily_unavailable": _BUSY,
    "server_error": _BUSY,
}
"""OAuth errors that say enough by themselves."""

VAGUE_ERRORS: dict[str, Refusal] = {
    "access_denied": _DECLINED,
    "unauthorized_client": _NO_APP,
    "invalid_client": _CREDENTIAL,
    "invalid_scope": _BAD_SCOPE,
    "invalid_tenant": _NO_TENANT,
    "invalid_grant": _ENDED,
    "interaction_required": _MFA,
    "login_required": _SIGNED_OUT,
}
"""OAuth errors that many reasons share: the number is asked first."""

BY_SUBERROR: dict[str, Refusal] = {
    "consent_required": _CONSENT,
    "token_expired": _INACTIVE,
    "bad_token": _REVOKED,
    "user_password_expired": _REVOKED,
    "basic_action": _MFA,
    "additional_action": _MFA,
    "protection_policy_required": _APPROVED_APP,
    "device_authentication_failed": _DEVICE,
}


def _numbers(*rows: tuple[Refusal, tuple[int, ...]]) -> dict[int, Refusal]:
    return {number: refusal for refusal, numbers in rows for number in numbers}


BY_NUMBER: dict[int, Refusal] = _numbers(
    (_PENDING, (70016,)),
    (EXPIRED, (70019, 70020)),
    (_CODE_UNKNOWN, (70018,)),
    (_CODE_USED, (90120,)),
    (_NOT_PUBLIC, (7000218,)),
    (_NO_APP, (700016, 700011)),
    (_APP_OFF, (7000112, 70001, 1000031)),
    (_NO_TENANT, (90002, 900023, 50128, 50059)),
    (_WRONG_CLOUD, (90038, 90051)),
    (_SINGLE_TENANT, (50194,)),
    (_NOT_MEMBER, (50020, 50034, 16000, 51004, 90072)),
    (_PERSONAL, (500200, 500208, 9002332)),
    (_CONSENT, (65001,)),
    (_ADMIN_CONSENT, (90094, 90095, 90008)),
    (_CONSENT_DECLINED, (65004,)),
    (_BAD_SCOPE, (650053, 70011, 28002)),
    (_NO_PERMISSION, (650057, 650056, 500011)),
    (_FOREIGN_APP, (65002,)),
    (_NO_SERVICE, (650052,)),
    (_MFA, (50076, 50074, 50072, 50079, 50078)),
    (_POLICY, (53003, 530032, 530034, 530035)),
    (_DEVICE, (53000, 53001, 50097, 50129, 50005, 50187)),
    (_BOUND, (530084,)),
    (_APPROVED_APP, (53002,)),
    (_FREQUENCY, (70043,)),
    (_INACTIVE, (700082, 70008, 50089)),
    (_REVOKED, (50173, 50132, 50133, 70000)),
    (_ACCOUNT_OFF, (50057,)),
    (_AT_RISK, (50053, 53011, 53004)),
    (_NOT_ASSIGNED, (50105,)),
    (_SIGNED_OUT, (50058,)),
    (_BUSY, (50033, 50087, 90006, 90012, 90024, 90033, 90055)),
    (_CREDENTIAL, (50012, 700027, 7000215, 7000222, 70002)),
    (_NO_BEHALF, (7000114,)),
    (_INBOUND, (500133, 50013, 50027)),
    (_RESOURCE, (9010010, 901002)),
)
"""AADSTS numbers."""

DECISIVE_NUMBERS: dict[int, Refusal] = _numbers((_LOOP, (50196,)))
"""Numbers that count more than the OAuth error, which calls them a passing fault."""
