"""Values as they were typed, brought into the shape that their property takes: extension, GUID, path, plain words.

Everything here feeds suggestions only.
"""

import re
from collections.abc import Callable

from . import _words as words
from .links import is_link, linked_path
from .tree import is_guid

_MIME = {
    "application/pdf": "pdf",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "text/plain": "txt",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "image/png": "png",
    "image/jpeg": "jpg",
}
_HOST = re.compile(r"(?:[A-Za-z0-9-]+\.){1,8}[A-Za-z]{2,}(?:/|$)")

_OR = re.compile(r"\s(?:OR|or)\s")
_QUOTED = re.compile(r"(\"[^\"]*\"|(?<!\w)'[^']*')")


def strip_quotes(text: str) -> str:
    """The text without the quotes, of any kind, around it, and without an OData type before them."""
    bare = words.ENCODED_QUOTES.sub('"', text).strip()
    bare = bare[:-1] if bare.endswith(("';", '";')) else bare
    bare = re.sub(r"^\[?(?:datetime|datetimeoffset|guid)\]?(?=['\"(])", "", bare, flags=re.IGNORECASE)
    for opening, closing in (('"', '"'), ("'", "'"), ("\u2018", "\u2019"), ("\u2019", "\u2019"), ("(", ")"), ("'", "")):
        if len(bare) > 1 and bare.startswith(opening) and bare.endswith(closing):
            bare = bare[1 : len(bare) - len(closing)].strip()
    return bare.rstrip("'\u2019") if text.strip()[:1] in words.SINGLE_QUOTES else bare


def split_list(text: str) -> list[str]:
    """The items of a list with commas, semicolons or OR; quoted items may hold them."""
    text = text.removeprefix("@")  # PowerShell's lists are @(a, b)
    pieces = [piece if index % 2 else _OR.sub(",", piece) for index, piece in enumerate(_QUOTED.split(text))]
    items = re.findall(r"\"[^\"]*\"|'[^']*'|[^\s,;\"'\[\](){}][^,;\[\](){}]*", "".join(pieces))
    return [item for item in items if item.strip()]


def words_shape(text: str) -> str | None:
    """Plain words, with a final star where their beginning was meant; None when nothing is left."""
    starred = text[:1] in "*%"
    ends = text.endswith(("*", "%")) and not starred
    text = text.strip("*%" if starred or ends else "*")
    for opening, closing in ("[]", "()"):
        text = text.strip() if opening in text[1:] else text.strip(opening + closing)
    if text.rstrip("0123456789.")[-1:] in ("^", "~"):
        text = text.rstrip("0123456789.").rstrip("^~")
    text = re.sub(r"[\"\x00-\x1f\x7f]", " ", text)
    cut = re.search(r"[*]", text)
    if cut:
        text, ends = text[: cut.start()], True
    text = " ".join(text.replace("\\ ", " ").rstrip("\\").split())
    if not text:
        return None
    return f"{text}*" if ends else text


def _extension_shape(text: str) -> str | None:
    text = _MIME.get(text.casefold(), text).removeprefix("*").removeprefix("%").lstrip(".")
    return text if re.fullmatch(r"[A-Za-z0-9_-]+\*?", text) else None


def _guid_shape(text: str) -> str | None:
    """The one GUID, or the first of Graph's own id of a site: host, site collection, site."""
    host, *found = [part.strip("{} ") for part in text.split(",")]
    guid = found[0] if found and "." in host else host if not found else ""
    return guid if is_guid(guid) else None


def _path_shape(text: str) -> str | None:
    url = text.rstrip("*%").replace("\\", "/") if "?" not in text else text.replace("\\", "/")
    if url.startswith("//"):
        url = url[2:]
    if is_link(url):
        return linked_path(url)
    if not words.URL.match(url):
        if not _HOST.match(url):
            return None
        url = f"https://{url}"
    return linked_path(url) if is_link(url) else url


SHAPES: dict[str, Callable[[str], str | None]] = {
    "extension": _extension_shape,
    "guid": _guid_shape,
    "path": _path_shape,
}
