"""Third pass: tokens to operators, parentheses and operands.

A mistake is noted and read as what was probably meant, so that several are told at once.
"""

import re

from . import _words as words
from ._foreign import read_call, read_foreign
from ._lexemes import Cursor, dashed_follows, foreign_follows, operator_follows, operator_run
from ._quotes import gather_single_quoted
from ._repair import meant
from ._restrictions import read_group_value, read_restriction
from ._terms import another_value, lone_bound, single_quoted_term, term
from ._tokens import Token
from ._values import is_variable

_QUOTED_FILTER = re.compile(r"\s*(?:NOT\s{1,4})?[(\-]?([^\W\d][\w.\-]*)(\s?)(?:[:=]|<=|>=|<>|<|>)(\s?)\S")
_DANGLING = "A sign must touch what follows it; write NOT or AND."
_PIPE_COMMANDS = frozenset({"where", "project", "filter", "search"})


def read(cursor: Cursor) -> None:
    """Read every token into `cursor.lexemes`."""
    while (token := cursor.peek()) is not None:
        cursor.position += 1
        if token.kind == "open":
            cursor.groups.append(cursor.group)
            cursor.emit("open", token.start, token.end)
        elif token.kind == "close":
            if cursor.groups:
                cursor.groups.pop()
            cursor.emit("close", token.start, token.end)
        elif token.kind == "quoted":
            _quoted(cursor, token)
        else:
            _word(cursor, token)


def _word(cursor: Cursor, token: Token) -> None:
    text, group = token.text, cursor.group
    if text in words.BOOLEAN_WORDS:
        _operator(cursor, token, text.lower())
    elif text[0] in "+-":
        _sign(cursor, token)
    elif text.casefold() in ("and", "or", "not"):
        message = "Operators are upper case; this is an ordinary search word."
        cursor.notes.add("LOWERCASE_OPERATOR", (token.start, token.end), message)
        if cursor.opens():
            cursor.notes.add("FUNCTION_CALL", (token.start, token.end), "A word touches a parenthesis.")
        _operator(cursor, token, text.casefold())
    elif text in words.PROXIMITY_WORDS or (text in words.CALL_WORDS and cursor.opens()):
        _unsupported(cursor, token)
    elif text in words.C_STYLE_WORDS or text[0] == "!":
        _symbol(cursor, token)
    elif group is not None:
        read_group_value(cursor, group, token)
    elif words.URL.match(text):
        _bare_url(cursor, token, text)
    elif words.NAME_AND_OPERATOR.match(text) or (words.NAME.fullmatch(text) and operator_follows(cursor)):
        read_restriction(cursor, token)
    elif not _foreign(cursor, token):
        _bare_word(cursor, token)


def _operator(cursor: Cursor, token: Token, kind: str) -> None:
    if kind == "and":
        cursor.emit("and", token.start, token.end, token.text)
    elif kind == "or":
        cursor.emit_or(token.start, token.end, token.text)
    else:
        cursor.emit("not", token.start, token.end, token.text)


def _sign(cursor: Cursor, token: Token) -> None:
    sign, rest = token.text[0], token.text[1:]
    following = cursor.peek()
    if sign == "-" and rest.casefold() in ("and", "or", "not"):
        message = f"{token.text} is an operator of another language; write {rest.upper()}."
        cursor.notes.add("FOREIGN_OPERATOR", (token.start, token.end), message)
        if rest in words.BOOLEAN_WORDS:
            cursor.notes.add("DANGLING_SIGN", (token.start, token.start + 1), _DANGLING)
        _operator(cursor, token, rest.casefold())
        return
    touches = not rest and following is not None and following.glued and following.kind != "close"
    if touches or (rest and rest[0] not in "+-" and rest not in words.BOOLEAN_WORDS):
        cursor.emit("sign", token.start, token.start + 1, sign)
    else:
        span = (token.start, token.start + 1)
        cursor.notes.add("DANGLING_SIGN", span, _DANGLING)
        rest = rest.lstrip("+-")
        if sign == "-":
            cursor.emit("not", *span, sign)
    if rest:
        _word(cursor, Token("word", rest, token.end - len(rest), token.end, True))


def _unsupported(cursor: Cursor, token: Token) -> None:
    end = cursor.skip_group() if cursor.opens() else token.end
    message = f"{token.text} is not documented for filters; use AND or OR."
    cursor.notes.add("UNSUPPORTED_OPERATOR", (token.start, end), message)
    if token.text in words.CALL_WORDS:
        cursor.unreadable(token.start, end)
        return
    cursor.emit("and", token.start, end, token.text)
    if token.text == "XRANK":  # what it ranks by does not filter, so no operator stands for it
        cursor.notes.repairable = False


def _symbol(cursor: Cursor, token: Token) -> None:
    text, span = token.text, (token.start, token.end)
    cursor.notes.add("C_STYLE_OPERATOR", span, "Symbols are no operators; write AND, OR or NOT.")
    if text[0] == "!":
        run = operator_run(text)
        if run.strip("!"):
            cursor.notes.add("MISSING_PROPERTY", span, "An operator stands here without a property name.")
            cursor.unreadable(*span)
            return
        if len(run) % 2:
            cursor.emit("not", token.start, token.start + len(run), run)
        if len(text) > len(run):
            _word(cursor, Token("word", text[len(run) :], token.start + len(run), token.end, True))
        return
    following = cursor.peek()
    if text == "|" and following is not None and following.text.casefold() in _PIPE_COMMANDS:
        return
    _operator(cursor, token, words.C_STYLE_WORDS[text])


def _foreign(cursor: Cursor, token: Token) -> bool:
    """Read an operator word of another language where one follows; False where none does."""
    if foreign_follows(cursor) or dashed_follows(cursor, token.text):
        read_foreign(cursor, token, False)
        return True
    following, after = cursor.peek(), cursor.peek(2)
    negation = following is not None and following.kind == "word" and following.text.casefold() == "not"
    if negation and foreign_follows(cursor, 1):
        listed = after is not None and (after.kind == "open" or (following is not None and following.text != "NOT"))
        if listed or cursor.properties.find(token.text) is not None:
            cursor.position += 1
            read_foreign(cursor, token, True)
            return True
    if cursor.opens():
        read_call(cursor, token)
        return True
    return False


def _bare_url(cursor: Cursor, token: Token, url: str) -> None:
    span = (token.start, token.end)
    cursor.notes.add("BARE_URL", span, 'A URL needs its property: Path:"https://…/".')
    path = cursor.properties.find("Path")
    node = meant(path, ":", url, cursor.guess, span) if path and path.match == "path" else None
    if node is None:
        cursor.unreadable(*span)
    else:
        cursor.operand(node, *span)


def _quoted(cursor: Cursor, token: Token) -> None:
    group, text, span = cursor.group, token.text, (token.start, token.end)
    if group is not None:
        read_group_value(cursor, group, token)
        return
    if words.URL.match(text):
        _bare_url(cursor, token, text)
        return
    found = _QUOTED_FILTER.match(text)
    if found and (not (found[2] or found[3]) or cursor.properties.find(found[1]) is not None):
        cursor.notes.add("QUOTED_FILTER", span, "The restriction stands inside quotes; quote the value alone.")
        node = cursor.inner(text)
        if node is None:
            cursor.unreadable(*span)
        else:
            cursor.operand(node, *span)
        return
    if not text.strip():
        cursor.notes.add("EMPTY_VALUE", span, "The quotes are empty.")
        cursor.operand(None, *span)
        return
    if not another_value(cursor, token):
        term(cursor, text, True, span)


def _bare_word(cursor: Cursor, token: Token) -> None:
    text, span, notes = token.text, (token.start, token.end), cursor.notes
    if text[0] in words.OPERATOR_CHARACTERS:
        notes.add("MISSING_PROPERTY", span, "An operator stands here without a property name.")
        lone_bound(cursor, token)
    elif is_variable(text):
        notes.add("QUERY_VARIABLE", span, "Query variables in braces are not expanded here; write the value itself.")
        cursor.unreadable(*span)
    elif text[0] in "[{":
        notes.add("LUCENE_SYNTAX", span, "Brackets belong to another language; write A..B or plain words.")
        cursor.unreadable(*span)
    elif words.ENCODED_QUOTES.search(text):
        notes.add("ENCODED_QUOTES", span, 'The quotes are HTML or URL encoded; write ".')
        cursor.unreadable(*span)
    elif text[0] in words.SINGLE_QUOTES:
        notes.add("SINGLE_QUOTES", span, 'Single quotes do not quote; use ".')
        end = gather_single_quoted(cursor, text) or token.end
        single_quoted_term(cursor, cursor.text[token.start : end], (token.start, end))
    elif not notes.allow_free_text and not text.strip(",;") and cursor.lexemes and cursor.lexemes[-1].kind == "operand":
        notes.add("FREE_TEXT", span, "There are no comma lists; write each restriction, with OR or AND between.")
        cursor.lexemes[-1].end = token.end  # what follows is told by the comma that it goes on with the list
    elif text.endswith("\\"):
        notes.add("TRAILING_BACKSLASH", span, "A word cannot end in a backslash; drop it.")
        cursor.operand(None, *span)
    else:
        if not notes.allow_free_text and text.rstrip("0123456789.")[-1:] == "^":
            notes.add("LUCENE_SYNTAX", span, "^ belongs to another language; write the plain word.")
        if not another_value(cursor, token):
            term(cursor, text, False, span)
