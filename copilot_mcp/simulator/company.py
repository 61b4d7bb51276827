"""Loads the built-in company: `contoso/company.toml` and one Markdown file a document below `contoso/documents/`.

The folder of a document is the key of its site, OneDrive or connection; what its front matter does not say is
taken from there.
"""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from copilot_mcp.simulator.front_matter import FrontMatter, parse_instant, split_front_matter
from copilot_mcp.simulator.tenant import Connection, Document, Label, Site, Tenant, User

__all__ = ["load_company"]

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_OWN_KEYS = frozenset({"title", "url", "author", "modifiedby", "lastmodified", "label", "readers", "connection"})


def load_company() -> Tenant:
    """The fictional company that ships with the package: two people with different rights, four sites, two
    OneDrives and two ticket systems.
    """
    root = files("copilot_mcp.simulator") / "contoso"
    data = tomllib.loads((root / "company.toml").read_text(encoding="utf-8"))
    labels = {entry["key"]: _label(entry) for entry in data.get("labels", ())}
    sites = {entry["key"]: _site(entry, "sharePoint") for entry in data.get("sites", ())}
    sites |= {entry["key"]: _site(entry, "oneDriveBusiness") for entry in data.get("onedrives", ())}
    connections = {entry["key"]: _connection(entry) for entry in data.get("connections", ())}
    places: dict[str, Site | Connection] = {**sites, **connections}
    return Tenant(
        name=data.get("name", "Contoso"),
        about=" ".join(data["about"].split()),
        users=tuple(_user(entry) for entry in data["users"]),
        documents=tuple(_documents(root / "documents", places, labels)),
        sites=tuple(sites.values()),
        labels=tuple(labels.values()),
        connections=tuple(connections.values()),
    )


def _user(entry: Mapping[str, Any]) -> User:
    return User(entry["id"], entry["key"], entry["name"], entry["username"], frozenset(entry.get("groups", ())))


def _label(entry: Mapping[str, Any]) -> Label:
    return Label(entry["key"], entry["id"], entry["name"], entry["tooltip"], entry["priority"], entry["color"])


def _site(entry: Mapping[str, Any], source: Any) -> Site:
    name = entry.get("name", entry["key"])
    return Site(entry["key"], name, entry["url"], entry["siteId"], source, frozenset(entry["readers"]))


def _connection(entry: Mapping[str, Any]) -> Connection:
    return Connection(entry["id"], entry["name"], tuple(entry["schema"]), frozenset(entry["readers"]))


def _documents(
    root: Traversable, places: Mapping[str, Site | Connection], labels: Mapping[str, Label]
) -> Iterable[Document]:
    for folder in sorted(root.iterdir(), key=lambda each: each.name):
        for file in sorted(folder.iterdir(), key=lambda each: each.name):
            if file.name.endswith(".md"):
                front, body = split_front_matter(file.read_text(encoding="utf-8"))
                yield _document(front, body, places[folder.name], labels)


def _document(front: FrontMatter, body: str, place: Site | Connection, labels: Mapping[str, Label]) -> Document:
    author = front.get("author", ())
    url = front["url"][0]
    last_segment = url.rsplit("/", 1)[-1]
    site = place if isinstance(place, Site) else None
    return Document(
        url=url,
        title=front["title"][0],
        body=body,
        modified=parse_instant(front.get("lastmodified", ("",))[0]) or _EPOCH,
        source=site.source if site else "externalItem",
        site=site.name if site else place.id,
        site_id=site.id if site else "",
        author=author,
        modified_by=front.get("modifiedby", author or ("",))[0],
        extension=last_segment.rsplit(".", 1)[-1].lower() if "." in last_segment else "",
        label=labels[front["label"][0]] if "label" in front else None,
        readers=frozenset(front.get("readers", ())) or place.readers,
        connection="" if site else place.id,
        properties={key: values for key, values in front.items() if key not in _OWN_KEYS},
    )
