"""What was probably meant: habits of SQL, OData, Lucene, Kusto and JavaScript turned into restrictions.

Everything here feeds suggestions only. A caller reads the suggestion again before offering it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from . import _words as words
from ._date_repair import meant_dates
from ._values import number_literal
from .links import is_link, linked_path
from .properties import Properties, Property
from .tree import (
    AnyValue,
    BoolValue,
    IntValue,
    Node,
    NumberValue,
    Operator,
    RangeValue,
    Restriction,
    Span,
    TextValue,
    disjunction,
    is_guid,
)

_OPERATORS: dict[str, Operator] = {
    ":": ":",
    "=": "=",
    "<": "<",
    ">": ">",
    "<=": "<=",
    ">=": ">=",
    "<>": "<>",
    "==": "=",
    "===": "=",
    "!=": "<>",
    "!==": "<>",
    "=!": "<>",
    "!:": "<>",
    "><": "<>",
    "=>": ">=",
    "=<": "<=",
    "::": ":",
    ":=": ":",
    "~": ":",
    "=~": ":",
    "~=": ":",
    ":~": ":",
    ":>": ">",
    ":<": "<",
    ":>=": ">=",
    ":<=": "<=",
    "ne": "<>",
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
}
_CONTAINING = {"eq", "equals", "is", "like", "ilike", "contains", "has", "match", "matches", "includes", "startswith"}
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
_SIZE = re.compile(r"([0-9]{1,9})\s*([kmg])i?b?", re.IGNORECASE)
_HOST = re.compile(r"(?:[A-Za-z0-9-]+\.){1,8}[A-Za-z]{2,}(?:/|$)")


@dataclass(frozen=True, slots=True)
class Guess:
    """What a repair may use. Without `now` nothing relative can be turned into a date."""

    properties: Properties
    now: datetime | None = None


def meant_operator(known: Property, typed: str) -> Operator | None:
    """The operator that `typed`, a symbol or a word, stands for."""
    folded = typed.casefold()
    if folded in _CONTAINING:
        return "=" if known.kind in ("date", "integer", "number") else ":"
    return _OPERATORS.get(folded)


def meant(known: Property, typed: str, text: str, guess: Guess, span: Span | None = None) -> Node | None:
    """The restriction that was probably meant, or None."""
    op, bare = meant_operator(known, typed), strip_quotes(text)
    if typed.casefold() == "endswith":
        return _ending(known, bare, guess, span)
    if op is None or not bare:
        return None
    if typed.casefold() == "startswith" and not bare.endswith("*"):
        bare += "*"
    if bare == "*":
        return _exists(known, span)
    try:
        return _READERS[known.kind](known, op, bare, guess, span)
    except ValueError:
        return None


def strip_quotes(text: str) -> str:
    """The text without the quotes, of any kind, around it, and without an OData type before them."""
    bare = words.ENCODED_QUOTES.sub('"', text).strip()
    bare = bare[:-1] if bare.endswith(("';", '";')) else bare
    bare = re.sub(r"^\[?(?:datetime|datetimeoffset|guid)\]?(?=['\"(])", "", bare, flags=re.IGNORECASE)
    for opening, closing in (('"', '"'), ("'", "'"), ("\u2018", "\u2019"), ("\u2019", "\u2019"), ("(", ")"), ("'", "")):
        if len(bare) > 1 and bare.startswith(opening) and bare.endswith(closing):
            bare = bare[1 : len(bare) - len(closing)].strip()
    return bare.rstrip("'\u2019") if text.strip()[:1] in words.SINGLE_QUOTES else bare


def meant_list(known: Property, items: list[str], guess: Guess, span: Span | None = None) -> Node | None:
    """`name IN (a, b)`: any of the values."""
    nodes = [meant(known, "eq", item, guess, span) for item in items]
    found = [node for node in nodes if node is not None]
    return disjunction(found, span) if found and len(found) == len(nodes) else None


def split_list(text: str) -> list[str]:
    """The items of a list with commas or semicolons; quoted items may hold them."""
    text = text.removeprefix("@")  # PowerShell's lists are @(a, b)
    return [item for item in re.findall(r"\"[^\"]*\"|'[^']*'|[^\s,;\"'\[\](){}][^,;\[\](){}]*", text) if item.strip()]


def _exists(known: Property, span: Span | None) -> Node | None:
    if known.kind == "date":
        return meant(known, ">=", "1900-01-01", Guess(Properties("sharePoint", ())), span)
    return Restriction(known.name, ":", AnyValue(), span) if known.kind in ("text", "open") else None


def _ending(known: Property, text: str, guess: Guess, span: Span | None) -> Node | None:
    """Suffixes exist for file names only, as their extension."""
    ending = text.lstrip("*%")
    if known.match not in ("filename", "path") or not re.fullmatch(r"\.[A-Za-z0-9]+", ending):
        return None
    extension = guess.properties.find("FileExtension")
    return None if extension is None else Restriction(extension.name, ":", TextValue(ending[1:]), span)


def _text(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    if op in words.ORDERING:
        return None
    if text.startswith("{") and known.match != "guid":
        return None
    if known.match == "filename" and text.startswith("*."):
        return _ending(known, text, guess, span)
    change = _SHAPES.get(known.match, _words_shape)
    several = split_list(text.replace(" ", ",")) if known.match in ("extension", "guid") else []
    if len(several) > 1 and not any(is_guid(part) for part in several):
        return meant_list(known, several, guess, span)
    shaped = change(text.strip().rstrip(",;"))
    if shaped is None:
        return None
    body, prefix = (shaped[:-1], True) if shaped.endswith("*") else (shaped, False)
    return Restriction(known.name, op, TextValue(body, prefix), span)


def _words_shape(text: str) -> str | None:
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
    found = [part.strip("{} ") for part in text.split(",")]
    guids = [part for part in found if is_guid(part)]
    return guids[0] if guids else None


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


def _date(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    return meant_dates(known.name, op, text, guess.now, span)


def _number(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    left, dots, right = text.partition("..")
    if dots:
        return _number_range(known, left, right, span)
    sized = _SIZE.fullmatch(text)
    if sized and known.name == "Size":
        factor = {"k": 1024, "m": 1024**2, "g": 1024**3}[sized[2].casefold()]
        return Restriction(known.name, op, IntValue(int(sized[1]) * factor), span)
    grouped = re.fullmatch(r"[0-9]{1,3}(?:[,_][0-9]{3}){1,6}", text)
    value = _number_value(known, re.sub("[,_]", "", text) if grouped else text)
    return None if value is None else Restriction(known.name, op, value, span)


def _number_value(known: Property, text: str) -> IntValue | NumberValue | None:
    value = number_literal(text.strip())
    if known.kind == "number" and value is not None:
        return NumberValue(text.strip().removeprefix("+"))
    if known.kind == "open":
        return value
    return value if isinstance(value, IntValue) else None


def _number_range(known: Property, left: str, right: str, span: Span | None) -> Node | None:
    start, end = _number_value(known, left), _number_value(known, right)
    if start is not None and end is not None:
        low, high = sorted(
            (start, end), key=lambda value: float(str(getattr(value, "value", getattr(value, "text", ""))))
        )
        return Restriction(known.name, ":", RangeValue(low, high), span)
    if start is not None and not right:
        return Restriction(known.name, ">=", start, span)
    return Restriction(known.name, "<=", end, span) if end is not None and not left else None


def _boolean(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    folded = text.casefold()
    if op in words.ORDERING or folded not in {"true", "false", "yes", "no", "1", "0", "y", "n", "t", "f"}:
        return None
    return Restriction(known.name, op, BoolValue(folded in {"true", "yes", "1", "y", "t"}), span)


def _open(known: Property, op: Operator, text: str, guess: Guess, span: Span | None) -> Node | None:
    dated = meant_dates(known.name, op, text, guess.now, span)
    if dated is not None and (op in words.ORDERING or re.match(r"[0-9]{4}-", text)):
        return dated
    if number_literal(text) is not None or (".." in text and number_literal(text.partition("..")[0]) is not None):
        return _number(known, op, text, guess, span)
    return _text(known, op, text, guess, span)


_Reader = Callable[[Property, Operator, str, Guess, Span | None], Node | None]
_READERS: dict[str, _Reader] = {
    "text": _text,
    "date": _date,
    "integer": _number,
    "number": _number,
    "yesno": _boolean,
    "open": _open,
}
_SHAPES: dict[str, Callable[[str], str | None]] = {
    "extension": _extension_shape,
    "guid": _guid_shape,
    "path": _path_shape,
}
