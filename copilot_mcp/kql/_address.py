"""Addresses that show where an item lies: host, site and file name read off a URL of SharePoint or OneDrive."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from .match import fold

__all__ = ["Place", "extension_of", "place_of"]

_MANAGED: Final = ("sites", "teams", "personal")
"""The first part of a site's path; the part after it is the site's own name."""

_INDIRECT = re.compile(r"/_layouts/|/:[a-z]:/|/contentstorage/|/_api/|/forms/[^/]+\.aspx|^/my/?$", re.IGNORECASE)
_EXTENSION = re.compile(r"[a-z0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Place:
    """An address, decoded and folded for comparison.

    Attributes:
        path: from the first slash after the host on; empty when nothing follows the host.
        site: `/sites/hr`, empty for the site at the root of the host.
        query: whether something follows the path. A name may hold a `#`, so what follows may be the rest of it.
        written: the path without decoding; a name may hold what looks like an escape.
        canonical: whether scheme and host are written as the index writes them.
    """

    host: str
    path: str
    query: bool
    written: str
    canonical: bool

    @property
    def address(self) -> str:
        """The whole, without what follows the path."""
        return f"https://{self.host}{self.path}"

    @property
    def site(self) -> str:
        """The path of the site collection."""
        parts = self.path.split("/")
        whole = len(parts) > 2 and parts[1] in _MANAGED and parts[2]
        return f"/{parts[1]}/{parts[2]}" if whole else ""

    @property
    def in_managed_path(self) -> bool:
        """Whether the address is, or is below, the place of sites below the root, though it may not say which."""
        return self.path.split("/")[1:2] in [[name] for name in _MANAGED]

    @property
    def below_managed_path(self) -> bool:
        """Whether everything that begins with the address belongs to sites below the root."""
        return self.path.startswith(tuple(f"/{name}/" for name in _MANAGED))

    @property
    def plain(self) -> bool:
        """Whether the address is whole, and written as the index writes it."""
        return self.canonical and not self.query and self.written == self.path

    @property
    def site_is_plain(self) -> bool:
        """Whether as much of it as shows the site is whole, and written as the index writes it."""
        return self.plain or (self.canonical and self.written.startswith(f"{self.site}/"))


def place_of(url: str) -> Place | None:
    """The place that an address shows; None where it shows none, as a sharing link or `_layouts` address."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
    except ValueError:
        return None
    path = unquote(parts.path)
    if parts.scheme not in ("https", "http") or not host or "@" in parts.netloc or _INDIRECT.search(path):
        return None
    canonical = parts.scheme == "https" and fold(parts.netloc) == fold(host)
    return Place(fold(host), fold(path), bool(parts.query or parts.fragment), fold(parts.path), canonical)


def extension_of(place: Place) -> str | None:
    """The extension of the file that an address names; None where it names none for certain."""
    name = place.path.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    sure = stem and dot and not place.query and _EXTENSION.fullmatch(extension) and not extension.isdigit()
    return extension if sure else None
