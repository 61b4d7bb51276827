"""What a simulated tenant holds: people, sites, labels, connections and documents, as frozen values.

A tenant is only data. It comes from the built-in company (`load_company`) or from any folder (`load_folder`);
nothing here knows of search, sign-in or HTTP.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

__all__ = ["Connection", "DataSource", "Document", "Label", "Site", "Tenant", "User"]

DataSource = Literal["sharePoint", "oneDriveBusiness", "externalItem"]

EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class User:
    """A person who can sign in. `id` is the directory object id, `key` a short name for people to type."""

    id: str
    key: str
    name: str
    username: str
    groups: frozenset[str] = frozenset()

    @property
    def principals(self) -> frozenset[str]:
        """Every name under which a reader list may let this person in."""
        return self.groups | {EVERYONE, self.id, self.key, self.username}


@dataclass(frozen=True, slots=True)
class Label:
    """A sensitivity label. A higher `priority` is stricter; `color` is `#RRGGBB`."""

    key: str
    id: str
    name: str
    tooltip: str = ""
    priority: int = 0
    color: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """A SharePoint site, or a person's OneDrive. `id` is the GUID of the site collection."""

    key: str
    name: str
    url: str
    id: str
    source: DataSource = "sharePoint"
    readers: frozenset[str] = frozenset({EVERYONE})


@dataclass(frozen=True, slots=True)
class Connection:
    """A Copilot connector. `schema` lists its properties in Graph's own form."""

    id: str
    name: str
    schema: tuple[Mapping[str, Any], ...] = ()
    readers: frozenset[str] = frozenset({EVERYONE})


@dataclass(frozen=True, slots=True)
class Document:
    """One searchable item. `body` is Markdown without front matter, `modified` is aware and in UTC.

    `readers` are group names, user ids or user keys. `properties` are further retrievable values, and for an
    external item those of its connection's schema.
    """

    url: str
    title: str
    body: str
    modified: datetime
    source: DataSource = "sharePoint"
    site: str = ""
    site_id: str = ""
    author: tuple[str, ...] = ()
    modified_by: str = ""
    extension: str = ""
    label: Label | None = None
    readers: frozenset[str] = frozenset({EVERYONE})
    connection: str = ""
    properties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def filename(self) -> str:
        """The last segment of the address, decoded."""
        return unquote(urlsplit(self.url).path.rstrip("/").rsplit("/", 1)[-1])


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files that could not be loaded for one reason; `names` are some of them."""

    reason: str
    count: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.names) else ""
        return f"{self.count} {self.reason} ({', '.join(self.names)}{more})"


@dataclass(frozen=True, slots=True)
class Tenant:
    """Everything one simulated tenant holds, and what of its folder it does not."""

    name: str
    about: str
    users: tuple[User, ...]
    documents: tuple[Document, ...]
    sites: tuple[Site, ...] = ()
    labels: tuple[Label, ...] = ()
    connections: tuple[Connection, ...] = ()
    fiction: bool = True
    left_out: tuple[LeftOut, ...] = ()

    @property
    def skipped(self) -> int:
        """How many files could not be loaded."""
        return sum(each.count for each in self.left_out)

    @property
    def left_out_sentence(self) -> str:
        """Which files could not be loaded, and why; empty where all could."""
        reasons = "; ".join(str(each) for each in self.left_out)
        return (
            f"Files left out: {self.skipped}, of which {reasons}."
            if len(self.left_out) > 1
            else (f"Files left out: {reasons}." if reasons else "")
        )

    def user(self, who: str) -> User | None:
        """Find a person by key, user name or object id, without regard to case."""
        wanted = who.strip().casefold()
        for user in self.users:
            if wanted in (user.key.casefold(), user.username.casefold(), user.id.casefold()):
                return user
        return None

    def connection(self, connection_id: str) -> Connection | None:
        """Find a connection by its id, spelt exactly."""
        return next((each for each in self.connections if each.id == connection_id), None)

    def may_read(self, user: User, document: Document) -> bool:
        """Whether security trimming lets this person see the document."""
        return not document.readers.isdisjoint(user.principals)

    def readable_by(self, user: User) -> frozenset[int]:
        """The places in `documents` of those the person may see."""
        return frozenset(n for n, document in enumerate(self.documents) if self.may_read(user, document))
