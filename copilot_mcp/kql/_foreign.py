"""Operators and functions of other query languages: recognised as such, and what they meant."""

import re

from . import _words as words
from ._lexemes import Cursor, is_bare_word
from ._quotes import gather_single_quoted
from ._repair import meant, meant_list
from ._shapes import split_list
from ._tokens import Token
from .properties import Property
from .tree import Node, Not

_METHODS = re.compile(
    r"(contains|includes|startswith|endswith|equals|eq|ne|ge|gt|le|lt|has|match|matches|like)", re.IGNORECASE
)

_LONGEST_LIST = 64
_OPENING = "[({'\u2018\u2019"


def _property(cursor: Cursor, name: str) -> Property | None:
    name = name.strip().removeprefix("$filter=").removeprefix("$_.").strip("[]`'\"")
    known = cursor.properties.find(name)
    if known is None:
        nearest = cursor.properties.nearest(name)
        known = cursor.properties.find(nearest) if nearest else None
    return known if known is not None and known.status != "not queryable" else None


def read_foreign(cursor: Cursor, name: Token, negated: bool) -> None:
    """Read `name word value`; `name` has been taken, and the `NOT` before the word too where `negated`."""
    word = cursor.tokens[cursor.position]
    cursor.position += 1
    following = cursor.peek()
    operator, opposite = words.foreign_word(word.text) or (word.text.casefold(), False)
    negated = negated is not opposite
    if operator == "is" and following is not None and following.text.casefold() == "not":
        cursor.position += 1
        negated = True
    known = _property(cursor, name.text)
    span = (name.start, word.end)
    message = f"{word.text} is an operator of another language; write name:value, name>=value or A..B."
    cursor.notes.add("FOREIGN_OPERATOR", span, message)
    node = _foreign_value(cursor, known, operator, name.start)
    end = cursor.tokens[cursor.position - 1].end
    if node is None or known is None:
        cursor.unreadable(name.start, end)
    else:
        turned = node.item if isinstance(node, Not) else Not(node)
        cursor.operand(turned if negated else node, name.start, end)


def _foreign_value(cursor: Cursor, known: Property | None, word: str, start: int) -> Node | None:
    token = cursor.peek()
    if token is None or token.kind == "close" or token.text in words.BOOLEAN_WORDS:
        return None
    if word == "between":
        return _between(cursor, known, start)
    text = _words(cursor) if known is not None and known.kind == "text" else take_value(cursor)
    span = (start, cursor.tokens[cursor.position - 1].end)
    if known is None:
        return None
    if text.casefold() in ("null", "none", "undefined"):
        present = meant(known, ":", "*", cursor.guess, span)
        return present if word == "ne" else Not(present) if present is not None else None
    if word == "in":
        return meant_list(known, ":", split_list(text), cursor.guess, span)
    return meant(known, word, text, cursor.guess, span)


def _between(cursor: Cursor, known: Property | None, start: int) -> Node | None:
    first = _bound(cursor)
    last = ""
    token = cursor.peek()
    if token is not None and token.text.casefold() == "and":
        cursor.position += 1
        last = _bound(cursor)
    text = first.strip("()") if ".." in first else f"{bare(first)}..{bare(last)}"
    text = re.sub(r"\s?\.\.\s?", "..", text)
    return meant(known, ":", text, cursor.guess, (start, cursor.tokens[cursor.position - 1].end)) if known else None


def _bound(cursor: Cursor) -> str:
    """Take one end of a range, which may be several words: 1 March 2024."""
    first = cursor.peek()
    text = take_value(cursor)
    while first is not None and first.kind == "word" and is_bare_word(cursor):
        text = f"{text} {take_value(cursor)}"
    return text


def _words(cursor: Cursor) -> str:
    """Take one value of a text, which may be several words."""
    first = cursor.peek()
    text = take_value(cursor)
    while first is not None and first.kind == "word" and first.text[0] not in _OPENING and is_bare_word(cursor):
        text = f"{text} {take_value(cursor)}"
    return text


def bare(text: str) -> str:
    """The text without the quotes around it."""
    return text.strip("'\"")


def take_value(cursor: Cursor) -> str:
    """Take one value: a quoted string, words in single quotes, a list or a call in parentheses, or a word."""
    token = cursor.peek()
    if token is None:
        return ""
    if token.kind == "open":
        return cursor.text[token.start : cursor.skip_group()]
    cursor.position += 1
    if cursor.opens():
        return cursor.text[token.start : cursor.skip_group()]
    if token.text[:1] == "[" and token.kind == "word":
        return _bracketed(cursor, token)
    if token.kind == "word" and token.text[0] in words.SINGLE_QUOTES:
        end = gather_single_quoted(cursor, token.text)
        return cursor.text[token.start : end or token.end]
    return cursor.text[token.start : token.end]


def _bracketed(cursor: Cursor, first: Token) -> str:
    """Take the words up to the closing bracket; `first` has been taken. One word where there is none near."""
    for ahead in range(_LONGEST_LIST):
        last = cursor.peek(ahead - 1) if ahead else first
        if last is None or last.kind != "word":
            break
        if last.text.endswith("]"):
            cursor.position += ahead
            return cursor.text[first.start : last.end]
    return first.text


def read_call(cursor: Cursor, name: Token) -> None:
    """Read `word(…)`; `name` has been taken and the parenthesis comes next."""
    inside = cursor.position
    end = cursor.skip_group()
    cursor.notes.add("FUNCTION_CALL", (name.start, end), "A word touches a parenthesis: there are no functions.")
    arguments = split_list(cursor.text[cursor.tokens[inside].end : end].removesuffix(")"))
    node = _call(cursor, name.text, arguments, (name.start, end))
    if node is None:
        cursor.unreadable(name.start, end)
    else:
        cursor.operand(node, name.start, end)


def _call(cursor: Cursor, name: str, arguments: list[str], span: tuple[int, int]) -> Node | None:
    subject, dot, method = name.rpartition(".")
    if dot and len(arguments) == 1:
        arguments = [subject, *arguments]
    method = method.casefold()
    if method == "substringof":
        method, arguments = "contains", arguments[::-1]
    if len(arguments) != 2 or not _METHODS.fullmatch(method):
        return None
    known = _property(cursor, arguments[0])
    return meant(known, method, arguments[1], cursor.guess, span) if known else None
