"""What a saved sign-in holds, and how to read, check and change it.

MSAL's five sections map a key to an entry; a sixth, ours, names the account. Bytes from a disk are believed only
after every part that MSAL or this package will touch has the right form.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import Any, TypeAlias

from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.clouds import Cloud
from copilot_mcp.errors import AuthenticationError

__all__ = [
    "Content",
    "StoredToken",
    "account_in",
    "content_of",
    "is_other_persons",
    "merged",
    "msal_text",
    "refuse_other_person",
    "stored_tokens",
    "with_account",
    "without_token",
]

Content: TypeAlias = dict[str, dict[str, dict[str, Any]]]
"""Section to key to entry."""

StoredToken: TypeAlias = tuple[str, float, float]
"""Access token, when it ends and when it is better renewed, both in seconds since 1970."""

_OURS = "CopilotMcp"
_ACCOUNT = "account"
_SCOPES = "scopes"
_REQUIRED = {
    "AccessToken": ("secret", "expires_on", "target", "home_account_id", "client_id"),
    "RefreshToken": ("secret", "home_account_id", "client_id"),
    "IdToken": ("secret", "home_account_id"),
    "Account": ("home_account_id", "environment", "authority_type"),
    "AppMetadata": (),
    _OURS: (),
}
_WHOLE_NUMBERS = ("expires_on", "refresh_on", "cached_at", "last_modification_time")
_LATEST = 10**11
_NAMES = ("username", "name", "tenant_id", "object_id", "home_account_id", "sign_in_id")


def content_of(data: bytes, limit: int) -> Content | None:
    """The content in a file's bytes; None when they are damaged, too many, or not of this form."""
    if len(data) > limit:
        return None
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not all(_is_section(*item) for item in document.items()):
        return None
    return document


def _is_section(name: str, section: object) -> bool:
    required = _REQUIRED.get(name)
    return (
        required is not None
        and isinstance(section, dict)
        and all(_is_entry(entry, required) for entry in section.values())
    )


def _is_entry(entry: object, required: tuple[str, ...]) -> bool:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in required):
        return False
    return all(_is_whole_number(entry[name]) for name in _WHOLE_NUMBERS if name in entry)


def _is_whole_number(value: object) -> bool:
    """MSAL writes times as text and reads them with `int`."""
    return isinstance(value, str) and value.isascii() and value.isdigit() and int(value[:20]) < _LATEST


def account_in(content: Content) -> Account | None:
    """The account that is signed in; None when there is none."""
    entry = content.get(_OURS, {}).get(_ACCOUNT, {})
    names = {name: entry.get(name) for name in _NAMES}
    scopes = entry.get(_SCOPES)
    if not isinstance(scopes, list) or not all(isinstance(value, str) for value in (*names.values(), *scopes)):
        return None
    return Account(scopes=tuple(scopes), **{name: str(value) for name, value in names.items()})


def with_account(content: Content, account: Account) -> Content:
    """The content with this account as the one that is signed in."""
    return {**content, _OURS: {_ACCOUNT: {**asdict(account), _SCOPES: sorted(account.scopes)}}}


def is_other_persons(content: Content, account: Account | None) -> bool:
    """Whether somebody else than this account is signed in."""
    present = account_in(content)
    return present is not None and account is not None and not present.same_person(account)


def refuse_other_person(content: Content, account: Account | None) -> None:
    """Keep one person's profile from becoming another's unasked, by a slip or by somebody else's approval.

    Raises:
        AuthenticationError: Somebody else is signed in (`other_account`).
    """
    if is_other_persons(content, account):
        raise AuthenticationError(
            "Another account signed in than the one this profile belongs to; nothing was stored.",
            "Run `copilot-mcp login --replace-account` to hand the profile over, or give the account a profile of its "
            "own (`--profile NAME`).",
            kind="other_account",
        )


def msal_text(content: Content) -> str:
    """The part that MSAL reads, as the text it reads."""
    return json.dumps({name: section for name, section in content.items() if name != _OURS})


def merged(current: Content, before: Content, after: Content) -> Content:
    """`current` with the difference between `before` and `after` applied, entry by entry."""
    result = {name: dict(section) for name, section in current.items()}
    for name in {*before, *after}:
        old, new = before.get(name, {}), after.get(name, {})
        section = result.setdefault(name, {})
        for key in {*old, *new}:
            if key not in new:
                section.pop(key, None)
            elif old.get(key) != new[key]:
                section[key] = new[key]
    return result


def without_token(content: Content, secret: str) -> Content:
    """The content without this access token; the same content where it is not there."""
    tokens = content.get("AccessToken", {})
    if all(entry["secret"] != secret for entry in tokens.values()):
        return content
    return {**content, "AccessToken": {key: entry for key, entry in tokens.items() if entry["secret"] != secret}}


def stored_tokens(
    content: Content, account: Account, client_id: str, cloud: Cloud, names: Collection[str]
) -> Iterator[StoredToken]:
    """The access tokens kept for the account that carry all these permission names.

    MSAL compares scopes letter by letter and misses a token whose scopes were echoed without their prefix, or in
    another case; here names are compared, in any case.
    """
    wanted = {name.casefold() for name in names}
    for entry in content.get("AccessToken", {}).values():
        if entry["home_account_id"] == account.home_account_id and entry["client_id"] == client_id:
            ends = float(entry["expires_on"])
            if wanted <= {cloud.scope_name(scope).casefold() for scope in entry["target"].split()}:
                yield entry["secret"], ends, float(entry.get("refresh_on", ends))
