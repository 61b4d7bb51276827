"""Text values: wildcards, and the rules of extensions, GUIDs, file names and paths."""

import re
from collections.abc import Callable

from . import _words as words
from .diagnostics import Notes, Rewrite
from .links import AddressError, is_link, lacks_slash, linked_path, unescaped
from .properties import Properties, Property
from .tree import Node, Not, Operator, Restriction, Span, TextValue, disjunction, replace, walk

FRIENDLY_TYPES = {
    "word": ("docx", "doc"),
    "excel": ("xlsx", "xls"),
    "powerpoint": ("pptx", "ppt"),
    "office": ("docx", "xlsx", "pptx"),
    "document": ("docx", "doc", "pdf"),
    "spreadsheet": ("xlsx", "xls", "csv"),
    "presentation": ("pptx", "ppt"),
    "image": ("jpg", "png", "gif"),
    "video": ("mp4", "mov"),
    "text": ("txt",),
    "page": ("aspx",),
}
PLURALS = frozenset({"document", "spreadsheet", "presentation", "image", "video", "page"})
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_EXTENSION = re.compile(r"[A-Za-z0-9_-]+")
_HEX = re.compile(r"[0-9A-Fa-f-]+")


def friendly_type(text: str) -> tuple[str, ...]:
    """Extensions that an everyday word such as "word" or "images" stands for; empty for others."""
    folded = text.casefold()
    singular = folded[:-1] if folded.endswith("s") and folded[:-1] in PLURALS else folded
    return FRIENDLY_TYPES.get(singular, ())


def swap(span: Span, change: Callable[[Restriction], Node | None]) -> Rewrite:
    """A rewrite that exchanges the restriction read at `span`."""

    def rewrite(tree: Node) -> Node | None:
        for node in walk(tree):
            if isinstance(node, Restriction) and node.span == span:
                changed = change(node)
                return replace(tree, node, changed) if changed is not None else None
        return None

    return rewrite


def with_text(node: Restriction, text: str, prefix: bool = False) -> Restriction | None:
    """The restriction with other text, or None when that text cannot be written."""
    try:
        return Restriction(node.property, node.op, TextValue(text, prefix), node.span)
    except ValueError:
        return None


def check_text(
    known: Property, op: Operator, text: str, quoted: bool, span: Span, properties: Properties, notes: Notes
) -> TextValue | None:
    """The text value, or None after at least one error was noted."""
    prefix = text.endswith("*")
    body = text[:-1] if prefix else text
    if not check_stars(body, prefix, span, notes):
        return None
    _check_foreign_wildcards(body, quoted, span, notes)
    if op == "=" and prefix:
        notes.add(
            "EXACT_WITH_WILDCARD",
            span,
            "= with a final star is discouraged; use :.",
            swap(span, lambda node: Restriction(node.property, ":", node.value, node.span)),
        )
    check = _CHECKS.get(known.match)
    if check and not check(known, body, prefix, span, notes):
        return None
    if known.match == "path" and not _path(op, body, prefix, span, properties, notes):
        return None
    if properties.data_source == "sharePointEmbedded" and known.match == "words" and _is_column(known) and op == ":":
        notes.add(
            "EXACT_WANTED",
            span,
            ": matches terms and prefixes of a column; use = for the whole value.",
            swap(span, lambda node: Restriction(node.property, "=", node.value, node.span)),
        )
    return TextValue(body, prefix)


def _is_column(known: Property) -> bool:
    return "ows" in known.name.casefold()


def check_stars(body: str, prefix: bool, span: Span, notes: Notes) -> bool:
    """Whether `body`, without its final star, has no other star and something to be a prefix of."""
    if prefix and (not body or body[-1].isspace()):
        notes.add("LEADING_WILDCARD", span, "A star needs letters before it: there is no suffix matching.")
        return False
    star = body.find("*")
    if star < 0:
        return True
    if star == 0 or body[star - 1].isspace():
        notes.add("LEADING_WILDCARD", span, "A star stands only at the end of a word: there is no suffix matching.")
    else:
        notes.add("INNER_WILDCARD", span, "A star stands only at the end of a word or phrase.")
    return False


def _check_foreign_wildcards(body: str, quoted: bool, span: Span, notes: Notes) -> None:
    if "?" in body and not quoted:
        notes.add(
            "QUESTION_MARK_WILDCARD",
            span,
            "? is no wildcard; use * at the end.",
            swap(span, lambda node: with_text(node, body.partition("?")[0], True)),
        )
    if body.startswith("%"):
        bare = body.strip("%")
        notes.add("SQL_WILDCARD", span, "% is no wildcard; drop it.", swap(span, lambda node: with_text(node, bare)))


def _extension(known: Property, body: str, prefix: bool, span: Span, notes: Notes) -> bool:
    if body.startswith("."):
        notes.add("LEADING_DOT", span, f"{known.name} takes the extension without a dot: docx.")
        return False
    if not _EXTENSION.fullmatch(body):
        notes.add("BAD_EXTENSION", span, f"{known.name} takes a bare extension such as docx.")
        return False
    types = friendly_type(body)
    if types and not prefix:
        notes.add(
            "FILETYPE_FRIENDLY_NAME",
            span,
            f"{body} is no extension; meant may be {' or '.join(types)}.",
            swap(span, lambda node: _any_extension(node, types)),
        )
    return True


def _any_extension(node: Restriction, types: tuple[str, ...]) -> Node:
    found = disjunction(Restriction(node.property, ":", TextValue(kind)) for kind in types)
    return Not(found) if node.op == "<>" else found


def _guid(known: Property, body: str, prefix: bool, span: Span, notes: Notes) -> bool:
    if prefix or not words.GUID.fullmatch(body):
        wanted = "a whole GUID without braces, not a name; typed conditions also take a known name"
        notes.add("BAD_GUID", span, f"{known.name} takes {wanted}.")
        return False
    if not _HEX.fullmatch(body):
        notes.add("NON_HEX_GUID", span, "The GUID holds letters past f, so nothing can match; look the id up.")
    return True


def _filename(known: Property, body: str, prefix: bool, span: Span, notes: Notes) -> bool:
    name = re.split(r"[/\\]", body)[-1]
    if name != body:
        notes.add(
            "FILENAME_HAS_PATH",
            span,
            f"{known.name} holds the name alone; use Path for folders.",
            swap(span, lambda node: with_text(node, name, prefix)),
        )
    return True


_CHECKS: dict[str, Callable[[Property, str, bool, Span, Notes], bool]] = {
    "extension": _extension,
    "guid": _guid,
    "filename": _filename,
}


def _path(op: Operator, url: str, prefix: bool, span: Span, properties: Properties, notes: Notes) -> bool:
    fine = True
    if "\\" in url:
        notes.add("PATH_BACKSLASH", span, "A path is a URL with forward slashes.")
        fine = False
    if is_link(url):
        notes.add("PATH_SHARING_LINK", span, _link_message(url))
        fine = False
    if not words.URL.match(url):
        notes.add("PATH_NO_SCHEME", span, "A path is an absolute URL that begins with https://.")
        fine = False
    if fine:
        _path_warnings(op, url, prefix, span, properties, notes)
    return fine


def _link_message(url: str) -> str:
    try:
        linked_path(url)
    except AddressError as problem:
        return f"This address {problem}"
    return "This is a sharing or browser link; write the path it stands for."


def _path_warnings(op: Operator, url: str, prefix: bool, span: Span, properties: Properties, notes: Notes) -> None:
    if url.casefold().startswith("http://"):
        change = swap(span, lambda node: with_text(node, "https" + url[4:], prefix))
        notes.add("PATH_NOT_HTTPS", span, "Paths are indexed with https://.", change)
    if _ESCAPE.search(url):
        plain = unescaped(url)
        decode = swap(span, lambda node: with_text(node, plain, prefix)) if plain != url else None
        notes.add("PATH_PERCENT_ENCODED", span, "Paths are indexed with plain spaces and letters, not %20.", decode)
    if prefix:
        change = swap(span, lambda node: with_text(node, url))
        notes.add(
            "PATH_WILDCARD", span, "A path already matches everything that begins with it; drop the star.", change
        )
    if op == "<>":
        folder = url.rstrip("/") + "/"
        change = swap(span, lambda node: Not(Restriction(node.property, ":", TextValue(folder))))
        notes.add("PATH_NOT_EQUAL", span, "<> leaves out this one URL only; for a folder write NOT Path:.", change)
    if properties.data_source == "sharePointEmbedded":
        return  # its addresses follow a template: form only
    if op == ":" and not prefix and lacks_slash(url):
        change = swap(span, lambda node: with_text(node, url + "/"))
        message = "Without a final / siblings match too: …/HR1 also matches …/HR10."
        notes.add("PATH_NO_TRAILING_SLASH", span, message, change)
    host = url.split("/", 3)[2].casefold()
    wrong = "-my.sharepoint" not in host if properties.data_source == "oneDriveBusiness" else "-my.sharepoint" in host
    if ".sharepoint" in host and wrong:
        notes.add("DATASOURCE_PATH_MISMATCH", span, f"This host is not searched by {properties.data_source}.")
