"""The faults of sign-in that a test or a person asks for by name.

    simulator.faults.add("entra_error", value=50076)
    simulator.faults.add("interval", value="5")

Each strikes the operations it names until its `times` are used up; `value` says which of its forms. This module is
the table; `stand_ins.py` answers in Entra's place, `spoilt_answers.py` changes real answers.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from copilot_mcp.simulator.entra_errors import EntraRefusalError, entra_refusal

__all__ = ["ENTRA_FAULTS", "OPTIONS", "asked_refusal", "check_value", "header_text"]

MAX_KEYS: Final = 100_000

ENTRA_FAULTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "dns_failure": ("connect", "entra", "the name of the host is not known"),
    "tls_untrusted": ("connect", "entra", "the certificate comes from an authority nobody trusts"),
    "tls_expired": ("connect", "entra", "the certificate has expired"),
    "tls_wrong_name": ("connect", "entra", "the certificate is for another name"),
    "silence": ("wait", "entra", "accepts the request and never answers"),
    "cut_answer": ("body", "token", "the body ends just before its last byte, with whole tokens in it"),
    "not_an_object": ("answer", "token", "200 with the JSON `value`: null, [], text or a number"),
    "redirect_to_http": ("answer", "entra", "307 to the same address without TLS"),
    "redirect_to_another_host": ("answer", "entra", "307 to a host of somebody else"),
    "outage": ("answer", "entra", "503 until `value`, in seconds since the epoch; for ever when not said"),
    "entra_error": ("answer", "token", "the error `value`: an AADSTS number or the name of an OAuth error"),
    "retry_after_on_success": ("sign_in", "token", "a real answer with a Retry-After that has no business there"),
    "no_access_token": ("sign_in", "token", "a success without an access token"),
    "odd_access_token": ("sign_in", "token", "the access token is `value`: 42 when not said"),
    "expires_in": ("sign_in", "token", "the life time is `value`; for operation devicecode, the code's"),
    "no_expires_in": ("sign_in", "token", "no life time; for operation devicecode, none of the code"),
    "broken_id_token": ("sign_in", "token", "an ID token that is no JWT"),
    "id_token_of_another_person": ("sign_in", "token", "the ID token names a colleague of the person"),
    "id_token_of_another_tenant": ("sign_in", "token", "the ID token is from another tenant"),
    "no_client_info": ("sign_in", "token", "no client_info"),
    "fewer_scopes": ("sign_in", "token", "the last scope is not granted, or only those in the list `value`"),
    "scopes_in_another_case": ("sign_in", "token", "the scopes granted are spelt in small letters"),
    "approved_by_a_stranger": ("sign_in", "token", "every token is for a person of another tenant"),
    "app_only_token": ("sign_in", "token", "the access token is an application's, without a person"),
    "personal_account": ("sign_in", "token", "the tokens are for a personal account"),
    "discovery_over_http": ("sign_in", "discovery", "the addresses are plain http"),
    "discovery_elsewhere": ("sign_in", "discovery", "the addresses are on a host of somebody else"),
    "foreign_issuer": ("sign_in", "discovery", "the issuer is somebody else"),
    "discovery_missing": ("answer", "discovery", "404"),
    "keys_empty": ("sign_in", "keys", "no keys"),
    "keys_twice": ("sign_in", "keys", "two keys under one id, the wrong one first"),
    "keys_elliptic": ("sign_in", "keys", "an elliptic curve key under the id in use"),
    "keys_flood": ("sign_in", "keys", "10,000 keys, or `value`"),
    "keys_rotated": ("sign_in", "keys", "the key in use is not among them"),
    "slow_down": ("answer", "token", "polls too often, whatever the client does"),
    "interval": ("sign_in", "devicecode", "the polling interval is `value`: 0 when not said"),
    "verification_uri": ("sign_in", "devicecode", "the address is `value`, a look-alike when not said"),
    "message": ("sign_in", "devicecode", "the message is `value`, hostile text when not said"),
    "user_code": ("sign_in", "devicecode", "the user code is `value`, hostile text when not said"),
    "claims_challenge": ("answer", "graph", "401 that asks for claims, with `value` as WWW-Authenticate"),
}
"""Name -> stage, operation and meaning."""


OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("dns_failure", "tls_untrusted", "tls_expired", "tls_wrong_name", "silence", "cut_answer"), ()),
    "retry_after_on_success": ("retry_after",),
}
"""What a fault can be told where that is not `value`."""


def asked_refusal(value: Any) -> EntraRefusalError:
    """The error asked for: a number, a name, or an object with `code` and `claims`."""
    if isinstance(value, Mapping):
        return entra_refusal(value["code"], claims=value.get("claims"))
    return entra_refusal(value if value is not None else 50076)


def check_value(name: str, value: Any) -> None:
    """Raise `ValueError` when a fault is asked for with a value that it cannot take."""
    if name == "entra_error":
        try:
            asked_refusal(value)
        except (KeyError, TypeError) as error:
            raise ValueError("value must be a number, a name, or an object with a code") from error
    right, meant = _VALUES.get(name, (_anything, ""))
    if value is not None and not right(value):
        raise ValueError(f"value must be {meant}")


def header_text(value: Any) -> bool:
    """Whether the value can stand in a header."""
    return isinstance(value, str) and value.isascii() and value.isprintable()


def _anything(value: Any) -> bool:
    return True


def _moment(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_KEYS


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_VALUES: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "outage": (_moment, "a number of seconds"),
    "keys_flood": (_count, f"a number from 0 to {MAX_KEYS}"),
    "fewer_scopes": (_texts, "a list of text"),
    "claims_challenge": (header_text, "printable ASCII text"),
}
"""What `value` has to be, for the faults that cannot take every JSON value."""
