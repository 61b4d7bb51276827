"""Lexical facts: character classes, names, operators and keywords of the language."""

import re

BOOLEAN_WORDS = frozenset({"AND", "OR", "NOT"})
PROXIMITY_WORDS = frozenset({"NEAR", "ONEAR", "XRANK"})
CALL_WORDS = frozenset({"WORDS", "ANY", "ALL", "NONE"})
C_STYLE_WORDS = {"&&": "and", "||": "or", "&": "and", "|": "or", "and/or": "or", "AND/OR": "or", "And/Or": "or"}
FOREIGN_WORDS = frozenset(
    {"eq", "ne", "gt", "ge", "lt", "le", "like", "ilike", "contains", "startswith", "endswith", "has", "in"}
    | {"between", "is", "match", "matches", "equals"}
)

# PowerShell writes them with a dash, and has some with their negation.
_DASHED_NEGATIONS = {"notlike": "like", "notin": "in", "notmatch": "match", "notcontains": "contains"}

OPERATORS = (":", "=", "<", ">", "<=", ">=", "<>")
ORDERING = frozenset({"<", ">", "<=", ">="})
COMPARISONS = ORDERING | {"<>"}
OPERATOR_CHARACTERS = frozenset(":=<>!~")

# Escapes, because these characters are easily taken for their ASCII relatives.
SINGLE_QUOTES = "'\u2018\u2019"
SMART_QUOTES = frozenset("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb")
DASHES = frozenset("\u2013\u2014\u2212")
LOOKALIKES = {
    "\uff1a": ":",
    "\uff1d": "=",
    "\uff1c": "<",
    "\uff1e": ">",
    "\uff02": '"',
    "\uff08": "(",
    "\uff09": ")",
    "\uff0a": "*",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "<>",
}
ENCODED_QUOTES = re.compile(r"&quot;|%22", re.IGNORECASE)

PLAIN_SPACE = " \t\r\n"
# For the inside of a pattern's brackets; halves of surrogate pairs are no characters, and cannot be sent either.
CONTROL_CLASS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff"
LAST_CONTROL = "\x7f"
INVISIBLE = frozenset("\u200b\u200c\u200d\u2060\ufeff")

NAME = re.compile(r"[^\W\d][\w.\-]*")
NAME_AND_OPERATOR = re.compile(r"([^\W\d][\w.\-]*)([:=<>!~]+)")
URL = re.compile(r"https?://", re.IGNORECASE)
GUID = re.compile(r"[0-9A-Za-z]{8}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{12}")
INTEGER = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
WORD_ONLY = re.compile(r"\w+")

_CONTROL = re.compile(f"[{CONTROL_CLASS}]")

MAX_DEPTH = 100


def holds_control(text: str) -> bool:
    """Whether a control character is in it: those may stand nowhere, not even inside quotes."""
    return _CONTROL.search(text) is not None


def is_unusual_space(character: str) -> bool:
    """White space or an invisible mark that is none of space, tab, CR and LF, and no control character."""
    return is_space(character) and character not in PLAIN_SPACE and not holds_control(character)


def foreign_word(text: str) -> tuple[str, bool] | None:
    """The operator word of another language that `text` is, and whether it negates: `-notlike` is like, negated."""
    folded = text.casefold()
    bare = folded.removeprefix("-")
    if bare in FOREIGN_WORDS:
        return bare, False
    return (_DASHED_NEGATIONS[bare], True) if bare != folded and bare in _DASHED_NEGATIONS else None


def is_space(character: str) -> bool:
    """White space of any kind outside quotes."""
    return character.isspace() or character in INVISIBLE


def reads_as_word(text: str) -> bool:
    """Whether `text` without quotes is one search word and nothing else to the parser."""
    if not text or text in PROXIMITY_WORDS or text.casefold() in {"and", "or", "not"} or text in C_STYLE_WORDS:
        return False
    if text[0] in "+-![{" or text[0] in SINGLE_QUOTES or text[0] in OPERATOR_CHARACTERS or text[0] in DASHES:
        return False
    if NAME_AND_OPERATOR.match(text) or URL.match(text) or ENCODED_QUOTES.search(text):
        return False
    if holds_control(text):
        return False
    return not any(is_space(c) or c in '()"*`' or c in SMART_QUOTES or c in LOOKALIKES for c in text)
