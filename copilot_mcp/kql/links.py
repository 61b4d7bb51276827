"""Addresses of files and folders in SharePoint and OneDrive: which may be sent, and what a link stands for.

Judged by form alone; nothing is ever fetched. A sharing link that spells its file out becomes the file's own address
(Graph ignores what it cannot place), and one that hides it behind a token is refused, with the way to the right one.
The words of `AddressError` go on after the name of an argument or property.
"""

import re
from urllib.parse import parse_qs, quote, unquote

__all__ = [
    "MAX_ADDRESS_CHARACTERS",
    "AddressError",
    "direct_address",
    "is_link",
    "lacks_slash",
    "linked_path",
    "unescaped",
]

MAX_ADDRESS_CHARACTERS = 4_000
"""Sharing links carry long queries; SharePoint's own paths end at 400 characters."""

COPY_THE_PATH = "in SharePoint or OneDrive open the Details of the file or folder and copy its path there"
_HOST = re.compile(r"(?!xn--)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.(?:sharepoint\.(?:com|us|cn)|sharepoint-mil\.us)")
_CONSUMER = ("1drv.ms", "onedrive.live.com", "onedrive.com", "d.docs.live.net")
_PARTS = re.compile(
    r"https://(?P<host>[a-z0-9.-]+)(?::443)?(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.IGNORECASE,
)
_OFFICE = re.compile(r"ms-[a-z]+:of[ev]\|u\|(?P<url>[^|]+)(?:\|.*)?", re.IGNORECASE)
_WRAPPERS = {"teams.microsoft.com": "objecturl", "teams.cloud.microsoft": "objecturl"}
_SAFE_LINKS = ".safelinks.protection.outlook.com"
_SHARED_BY_PATH = re.compile(r"/:[a-z]:/r(?P<path>/.*)", re.IGNORECASE)
_SHARED_BY_TOKEN = re.compile(r"/:[a-z]:/", re.IGNORECASE)
_VIEW = re.compile(r"(?P<library>/.+)/Forms/[^/]+\.aspx", re.IGNORECASE)
_PAGE = re.compile(r".*/_layouts/.*|/my", re.IGNORECASE)
_PATH_MEMBERS = ("id", "rootfolder", "sourceurl", "sourcedoc")
_UNESCAPED = "/-_.~!$&'()*+,;=:@"
_MAX_WRAPS = 3
_FILE = re.compile(r".*\.[A-Za-z0-9]{1,5}", re.DOTALL)
_LINK = re.compile(
    r"\?|/:[a-z]:/|/_layouts/|/Forms/[^/]+\.aspx|^https?://[^/]+/my/?$|^ms-[a-z]+:of[ev]\||"
    r"^https?://(?:[^/]*\.safelinks\.protection\.outlook\.com|teams\.microsoft\.com|teams\.cloud\.microsoft)(?:/|$)",
    re.IGNORECASE,
)


class AddressError(ValueError):
    """The address cannot be used; the words say what to write instead."""


def is_link(url: str) -> bool:
    """Whether it is a link or a page of the browser, which leads to an item by other means than the item's path."""
    return _LINK.search(url) is not None


def linked_path(given: str) -> str:
    """The path, as the index writes it, of the item that a link stands for; a folder's ends with a slash.

    Raises:
        AddressError: As for `direct_address`.
    """
    url = unquote(direct_address(re.sub(r"^http://", "https://", given.strip(), flags=re.IGNORECASE)))
    return f"{url}/" if lacks_slash(url) else url


def unescaped(url: str) -> str:
    """The address as the index writes it, with a space for %20; as it is where its escapes are not UTF-8."""
    try:
        return unquote(url, errors="strict")
    except UnicodeDecodeError:
        return url


def lacks_slash(url: str) -> bool:
    """Whether it seems to be a folder without its final slash: no dot and one to five letters or digits end it."""
    path = url.split("/", 3)[3:]
    return not path or not (path[0] == "" or path[0].endswith("/") or _FILE.fullmatch(path[0].rsplit("/", 1)[-1]))


def direct_address(given: str) -> str:
    """The address that `given` stands for: https, a SharePoint or OneDrive host of an organisation, no query.

    Escapes in the path stay as they were given; a path that had to be taken out of a query is escaped.

    Raises:
        AddressError: Another scheme or host, a user name, a port, or a link whose path cannot be told from its form.
    """
    text = given.strip()
    if len(text) > MAX_ADDRESS_CHARACTERS:
        raise AddressError(f"has {len(text):,} characters; at most {MAX_ADDRESS_CHARACTERS:,} are allowed.")
    for _ in range(_MAX_WRAPS):
        host, path, members = _parts(text)
        inner = _unwrapped(host, members)
        if inner is None:
            return _direct(host, path, members)
        text = inner
    raise AddressError(f"is wrapped too often; {COPY_THE_PATH}.")


def _parts(text: str) -> tuple[str, str, dict[str, str]]:
    """Host in lower case, path, and the members of the query by their names in lower case."""
    office = _OFFICE.fullmatch(text)
    found = _PARTS.fullmatch(office["url"] if office else text)
    if found is None or not text.isprintable() or "\\" in text:
        raise AddressError("must be an absolute https address of SharePoint or OneDrive, without user name and port.")
    if "." in (found["fragment"] or ""):  # C# notes.docx
        raise AddressError("holds a #; write %23 where it is part of a name, and leave it out otherwise.")
    try:
        query = parse_qs(found["query"] or "", max_num_fields=100)
    except ValueError:
        raise AddressError(f"has too long a query; {COPY_THE_PATH}.") from None
    return found["host"].lower(), found["path"] or "", {name.lower(): values[0] for name, values in query.items()}


def _unwrapped(host: str, members: dict[str, str]) -> str | None:
    """The address inside a link of Teams, or of the mail filter that wraps links; None for all others."""
    name = "url" if host.endswith(_SAFE_LINKS) else _WRAPPERS.get(host)
    return members.get(name) if name else None


def _direct(host: str, path: str, members: dict[str, str]) -> str:
    if host in _CONSUMER:
        raise AddressError("is in a personal OneDrive; only files of an organisation can be read.")
    if not _HOST.fullmatch(host):
        raise AddressError("is not on a SharePoint or OneDrive host, such as contoso.sharepoint.com.")
    shared = _SHARED_BY_PATH.fullmatch(path)
    path = shared["path"] if shared else path
    if _SHARED_BY_TOKEN.match(path):
        raise AddressError(f"is a sharing link, which does not say where the file lies; {COPY_THE_PATH}.")
    view = _VIEW.fullmatch(path)
    if view or _PAGE.fullmatch(path):
        named = next((members[name] for name in _PATH_MEMBERS if members.get(name, "").startswith("/")), None)
        if named is None and view is None:
            raise AddressError(f"is a page of the browser, which does not say where the file lies; {COPY_THE_PATH}.")
        host = _list_host(members) or host
        path = quote(named, safe=_UNESCAPED) if named else view["library"] if view else path
    if any(part in (".", "..") for part in unquote(path).split("/")) or not unquote(path).isprintable():
        raise AddressError(f"has a path that leads elsewhere; {COPY_THE_PATH}.")
    return f"https://{host}{path}"


def _list_host(members: dict[str, str]) -> str | None:
    """The host of the library, which OneDrive's own pages name where it is another than theirs."""
    found = _PARTS.fullmatch(members.get("listurl", ""))
    if found is None:
        return None
    host = found["host"].lower()
    if not _HOST.fullmatch(host):
        raise AddressError("is not on a SharePoint or OneDrive host, such as contoso.sharepoint.com.")
    return host
