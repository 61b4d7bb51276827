"""The forms of what Entra calls tenants and apps by, as far as a form can tell."""

import re

__all__ = ["is_application_id", "is_guid", "is_tenant"]

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}", re.IGNORECASE)
_MANY = ("organizations", "common", "consumers")


def is_guid(text: str) -> bool:
    """Whether the text has the form of a tenant or object id."""
    return _GUID.fullmatch(text) is not None


def is_application_id(text: str) -> bool:
    """Whether it has the form of an application id; whatever else stands in its place is not shown."""
    return is_guid(text)


def is_tenant(text: str) -> bool:
    """Whether it has the form of a directory id, a domain, or a name that Entra has for many tenants."""
    return text.lower() in _MANY or is_guid(text) or _DOMAIN.fullmatch(text) is not None
