"""Loads any folder of Markdown, text or HTML files as a simulated tenant.

Each top folder becomes a SharePoint site, files at the root belong to the site `Documents`. Two people can sign
in: `adele` reads everything, `megan` everything but the alphabetically last top folder, so that security
trimming can be seen on a folder that knows no rights.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from os import PathLike
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from copilot_mcp.simulator.addresses import Parts, folded, safe_segments
from copilot_mcp.simulator.front_matter import FrontMatter, parse_instant, split_front_matter
from copilot_mcp.simulator.tenant import EVERYONE, Document, Label, LeftOut, Site, Tenant, User

__all__ = ["load_folder"]

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_FILES = 20_000
_EXTENSIONS = frozenset({"md", "markdown", "txt", "text", "rst", "html", "htm"})
_HTML = frozenset({"html", "htm"})
_ROOT_SITE = "Documents"
_RESTRICTED = "restricted"
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_AUTHOR_KEYS = ("author", "authors", "ms.author")
_MODIFIED_KEYS = ("lastmodified", "last_modified", "modified", "updated", "ms.date", "date")
_USERS = (
    User(
        "3f0a6c52-8d1e-4b7a-9c44-1e5b7d2a9f01",
        "adele",
        "Adele Vance",
        "adele@contoso.example",
        frozenset({EVERYONE, _RESTRICTED}),
    ),
    User("7b92d4e8-05c3-4f6d-a1b7-6c8e3f40d202", "megan", "Megan Bowen", "megan@contoso.example"),
)
_LABELS = (
    Label("general", "b2f1d8e5-6c49-4a03-9d17-4e80a2c3f002", "General", "Ordinary business content.", 1, "#0078d4"),
    Label(
        "confidential",
        "c302e9f6-7d5a-4b14-ae28-5f91b3d40003",
        "Confidential",
        "For people inside the organisation only.",
        2,
        "#f7b500",
    ),
)


_SHOWN_NAMES = 3
_TOO_LARGE = f"larger than {MAX_FILE_BYTES // 1024**2} MiB"
_NOT_UTF_8 = "not UTF-8"
_ODD_NAME = "with a name that is not UTF-8"
_UNREADABLE = "not to be read"


class _Tally:
    """What was left out, by reason; a name is told as the path below the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[str, list[str]] = {}

    def leave_out(self, file: Path, reason: str) -> None:
        self._found.setdefault(reason, []).append(str(file.relative_to(self._root)))

    def cannot_list(self, error: OSError) -> None:
        self.leave_out(Path(os.fsdecode(error.filename)), _UNREADABLE)

    def told(self) -> tuple[LeftOut, ...]:
        return tuple(
            LeftOut(reason, len(names), tuple(map(_printable, names[:_SHOWN_NAMES])))
            for reason, names in self._found.items()
        )


def _printable(name: str) -> str:
    return "".join(one if one.isprintable() else "\ufffd" for one in name)


def load_folder(path: str | PathLike[str], *, max_files: int = MAX_FILES) -> Tenant:
    """Read every Markdown, text and HTML file below `path`.

    Hidden files and folders are passed over. Files that are not UTF-8 in text or name, are larger than 4 MiB, are no
    regular files or cannot be read are left out and told in `Tenant.left_out`, as are all beyond `max_files`. Links
    that lead outside the folder are not followed.

    Raises:
        OSError: The folder does not exist or is no folder.
    """
    root = Path(path).resolve(strict=True)
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is not a folder")
    tally = _Tally(root)
    found = [(file, text) for file in _files(root, tally, max_files) if (text := _read(file, root, tally)) is not None]
    tops = sorted({file.relative_to(root).parts[0] for file, _ in found if len(file.relative_to(root).parts) > 1})
    segments = safe_segments([file.relative_to(root).parts for file, _ in found])
    sites = _sites(
        {top: segments[(top,)] for top in tops}, has_root_files=any(file.parent == root for file, _ in found)
    )
    documents = tuple(_document(file, text, file.relative_to(root).parts, segments, sites) for file, text in found)
    name = os.fsencode(root.name).decode("utf-8", "replace")
    return Tenant(
        name=name,
        about=_about(name, tops),
        users=_USERS,
        documents=documents,
        sites=tuple(sites.values()),
        labels=_LABELS,
        fiction=False,
        left_out=tally.told(),
    )


def _about(name: str, tops: list[str]) -> str:
    limit = f' Megan Bowen may not read "{tops[-1]}".' if tops else ""
    return f'The files of the folder "{name}" in a simulated tenant. The people and rights are made up.{limit}'


def _files(root: Path, tally: _Tally, max_files: int) -> Iterator[Path]:
    """Readable candidates in a stable order. `os.walk` does not enter linked folders."""
    count = 0
    for folder, names, files in os.walk(root, onerror=tally.cannot_list):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            file = Path(folder) / name
            if name.startswith(".") or file.suffix.lower().lstrip(".") not in _EXTENSIONS:
                continue
            if _leads_out(file, root):
                continue
            count += 1
            if count > max_files:
                tally.leave_out(file, f"beyond the first {max_files:,}")
                continue
            yield file


def _leads_out(file: Path, root: Path) -> bool:
    try:
        return file.is_symlink() and not file.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # links in a circle: nothing is there to be read
        return False


def _read(file: Path, root: Path, tally: _Tally) -> str | None:
    reason = _UNREADABLE
    try:
        # a pipe would keep its reader waiting for ever
        if file.is_file():
            reason = _ODD_NAME
            str(file.relative_to(root)).encode()
            reason = _TOO_LARGE if file.stat().st_size > MAX_FILE_BYTES else _NOT_UTF_8
            if reason is _NOT_UTF_8:
                return file.read_bytes().decode("utf-8")
    except UnicodeError:
        pass
    except OSError:
        reason = _UNREADABLE
    tally.leave_out(file, reason)
    return None


def _sites(tops: dict[str, str], *, has_root_files: bool) -> dict[str, Site]:
    """Sites by top folder, the root's files under the empty name. `tops` are the folders with their segments."""
    names = dict(tops)
    if has_root_files or not tops:
        root_name = _ROOT_SITE
        while folded(root_name) in {folded(name) for name in names.values()}:
            root_name += " root"
        names[""] = root_name
    sites = {}
    for top, name in names.items():
        url = f"https://contoso.sharepoint.com/sites/{name}"
        readers = frozenset({_RESTRICTED}) if top and top == max(tops) else frozenset({EVERYONE})
        sites[top] = Site(name, name, url, str(uuid5(NAMESPACE_URL, url)), readers=readers)
    return sites


def _document(file: Path, text: str, parts: Parts, segments: dict[Parts, str], sites: dict[str, Site]) -> Document:
    site = sites[parts[0] if len(parts) > 1 else ""]
    tail = [segments[parts[:depth]] for depth in range(1, len(parts) + 1)][len(parts) > 1 :]
    extension = file.suffix.lower().lstrip(".")
    front, body, title = _content(text, extension)
    author = next((front[key] for key in _AUTHOR_KEYS if key in front), ())
    label = front.get("label", ("",))[0].casefold()
    return Document(
        url="/".join((site.url, "Shared Documents", *tail)),
        title=front.get("title", (title or file.stem,))[0],
        body=body,
        modified=_modified(front, file),
        site=site.name,
        site_id=site.id,
        author=author,
        modified_by=front.get("modifiedby", author or ("",))[0],
        extension=extension,
        label=next((each for each in _LABELS if label in (each.key, each.name.casefold())), None),
        readers=site.readers,
        properties=front,
    )


def _modified(front: FrontMatter, file: Path) -> datetime:
    for key in _MODIFIED_KEYS:
        if key in front and (instant := parse_instant(front[key][0])):
            return instant
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).replace(microsecond=0)


def _content(text: str, extension: str) -> tuple[FrontMatter, str, str]:
    """Front matter, body and the title that the text itself gives."""
    if extension in _HTML:
        page = _Page()
        page.feed(text)
        page.close()
        return {}, page.markdown(), page.title
    front, body = split_front_matter(text)
    heading = _HEADING.search(body)
    return front, body, heading[1] if heading else ""


class _Page(HTMLParser):
    """The readable text of an HTML page, headings kept as Markdown headings."""

    _BLOCKS = frozenset({"p", "div", "li", "tr", "br", "section", "article", "pre", "table", "ul", "ol", "dt", "dd"})
    _SILENT = frozenset({"script", "style", "nav", "template", "noscript"})
    _HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._parts: list[str] = []
        self._silent = 0
        self._in_title = False

    def parse_html_declaration(self, i: int) -> int:
        """What is no declaration is skipped, as browsers do; the parser of some Python versions gives up there."""
        try:
            return super().parse_html_declaration(i)
        except AssertionError:
            return self.parse_bogus_comment(i, False)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title"
        self._silent += tag in self._SILENT
        if tag in self._HEADINGS:
            self._parts.append("\n\n" + "#" * int(tag[1]) + " ")
        elif tag == "li":
            self._parts.append("\n- ")
        elif tag in self._BLOCKS:
            self._parts.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        self._silent = max(0, self._silent - (tag in self._SILENT))
        if tag in self._HEADINGS or tag in self._BLOCKS:
            self._parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title = " ".join((self.title + data).split())
        elif not self._silent:
            self._parts.append(re.sub(r"\s+", " ", data))

    def markdown(self) -> str:
        """The page's text, one blank line between blocks."""
        text = "".join(self._parts)
        lines = [line.strip() for line in text.split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
