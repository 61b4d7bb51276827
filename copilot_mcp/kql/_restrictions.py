"""Property restrictions and value groups: name, operator and value put together."""

from typing import NamedTuple

from . import _words as words
from ._lexemes import Cursor, Group, is_bare_word, operator_run, starts_restriction
from ._names import LEFT_OUT, resolve
from ._quotes import gather_single_quoted
from ._repair import meant, meant_operator
from ._tokens import Token
from ._values import RawValue, check_form, read_value
from .properties import Property
from .tree import AnyValue, Operator, Restriction, Span, TextValue, Value

RESTRICTION_LIMIT = 2_048
_PEOPLE = frozenset({"Author", "ModifiedBy"})


class Head(NamedTuple):
    """`name op` as typed. `spaced` tells whether white space stands before the operator."""

    name: str
    run: str
    start: int
    spaced: bool


def read_restriction(cursor: Cursor, token: Token) -> None:
    """Read the restriction whose first word, `token`, has just been taken."""
    found = words.NAME_AND_OPERATOR.match(token.text)
    if found:
        head, rest = Head(found[1], found[2], token.start, False), token.text[found.end() :]
    else:
        operator = cursor.tokens[cursor.position]
        cursor.position += 1
        run = operator_run(operator.text)
        head, rest = Head(token.text, run, token.start, True), operator.text[len(run) :]
    last = cursor.tokens[cursor.position - 1]
    if rest:
        _read_unquoted(cursor, head, rest, last.end, False)
        return
    following = cursor.peek()
    spaced = following is None or not following.glued
    if following is None or following.kind == "close" or (_is_operator(following) and spaced):
        _no_value(cursor, head, last.end)
        if following is not None and following.text == "NOT":  # which may begin the value
            cursor.notes.repairable = False
    elif following.kind == "open":
        _open_group(cursor, head, following, spaced)
    elif following.kind == "quoted":
        cursor.position += 1
        _finish(cursor, head, RawValue(following.text, True, (head.start, following.end)), spaced)
    elif head.run in (":", "=") and _names_property(cursor):
        _note_spaces(cursor, head, spaced, (head.start, last.end))
        _no_value(cursor, head, last.end)
    else:
        cursor.position += 1
        _read_unquoted(cursor, head, following.text, following.end, spaced)


def _is_operator(token: Token) -> bool:
    return token.kind == "word" and token.text in words.BOOLEAN_WORDS


def _names_property(cursor: Cursor) -> bool:
    """Whether a restriction on a known property follows, so that this one has no value."""
    token = cursor.peek()
    found = words.NAME_AND_OPERATOR.match(token.text) if token else None
    return found is not None and not cursor.properties.external and cursor.properties.find(found[1]) is not None


def _read_unquoted(cursor: Cursor, head: Head, text: str, end: int, spaced: bool) -> None:
    if cursor.opens():
        start = end - len(text)
        end = cursor.skip_group()
        span = (head.start, end)
        cursor.notes.add(
            "PAREN_IN_VALUE", span, "A parenthesis touches an unquoted value; quote it, or write the date."
        )
        known = resolve(cursor, head.name, RawValue(text, False, span))
        _note_spaces(cursor, head, spaced, span)
        _operand(cursor, known[1], head, cursor.text[start:end], span)
        return
    _finish(cursor, head, RawValue(text, False, (head.start, end)), spaced)


def _no_value(cursor: Cursor, head: Head, end: int) -> None:
    span = (head.start, end)
    known = resolve(cursor, head.name, RawValue("", True, span))
    if head.run not in words.OPERATORS:
        _note_bad_operator(cursor, head, span)
    check_form("words", RawValue("", True, span), cursor.notes)
    if head.spaced:
        _note_spaces(cursor, head, False, span)
    _operand(cursor, known[1], head, "*", span)


def _note_spaces(cursor: Cursor, head: Head, after: bool, span: Span) -> None:
    if head.run in words.COMPARISONS:
        if head.spaced:
            cursor.notes.add("SPACE_BEFORE_COMPARISON", span, f"No white space may stand before {head.run}.")
        if after:
            cursor.notes.add("SPACE_AFTER_COMPARISON", span, f"No white space should stand after {head.run}.")
    elif head.run in (":", "=") and (head.spaced or after):
        message = f"White space beside {head.run} breaks the restriction: write {head.name}{head.run}value."
        cursor.notes.add("SPACE_IN_RESTRICTION", span, message)


def _note_bad_operator(cursor: Cursor, head: Head, span: Span) -> None:
    known = cursor.properties.find(head.name)
    instead = meant_operator(known or Property(head.name, "text", "words"), head.run)
    advice = f"; write {instead}" if instead else ""
    cursor.notes.add("BAD_OPERATOR", span, f"{head.run[:8]} is no operator of the language{advice}.")


def _finish(cursor: Cursor, head: Head, raw: RawValue, spaced: bool) -> None:
    notes = cursor.notes
    known, intended = resolve(cursor, head.name, raw)
    _note_spaces(cursor, head, spaced, raw.span)
    op = _operator(cursor, head, intended, raw)
    value: Value | None = None
    if known is not None:
        value = read_value(known, op, raw, cursor.properties, notes)
    else:
        check_form("words", raw, notes)
    if raw.span[1] - raw.span[0] > RESTRICTION_LIMIT:
        notes.add("RESTRICTION_TOO_LONG", raw.span, f"A restriction may have {RESTRICTION_LIMIT:,} characters.")
        notes.repairable = False
    typed = raw.text
    if not raw.quoted and typed in ("NOT", "-"):  # what is left out may follow
        notes.repairable = False
    if not raw.quoted and (value is None or isinstance(value, TextValue)):
        more = _more_words(cursor, head, raw, known, op)
        if more:
            typed, value, raw = more, None, RawValue(more, True, (raw.span[0], cursor.tokens[cursor.position - 1].end))
    if known is not None and value is not None and head.run in words.OPERATORS:
        if isinstance(value, TextValue) and not raw.quoted:
            notes.add("UNQUOTED_TEXT", raw.span, "Text is safer in double quotes; the canonical text has them.")
        node = Restriction(known.name, op, value, raw.span)
        cursor.operand(node, *raw.span, known.name.casefold())
    else:
        _operand(cursor, intended, head, typed, raw.span)


def _operator(cursor: Cursor, head: Head, intended: Property | None, raw: RawValue) -> Operator:
    if head.run not in words.OPERATORS:
        _note_bad_operator(cursor, head, raw.span)
        if head.run == "~" and raw.text.replace(".", "").isdigit():
            cursor.notes.add("LUCENE_SYNTAX", raw.span, "~ belongs to another language; write the plain word.")
    return meant_operator(intended or Property(head.name, "text", "words"), head.run) or ":"


def _operand(cursor: Cursor, intended: Property | None, head: Head, typed: str, span: Span) -> None:
    """Add what was meant, as far as it can be guessed."""
    if intended is LEFT_OUT:
        cursor.operand(None, *span)
        return
    node = meant(intended, head.run, typed, cursor.guess, span) if intended else None
    if node is None:
        cursor.unreadable(*span)
    else:
        cursor.operand(node, *span, intended.name.casefold() if intended else None)


def _more_words(cursor: Cursor, head: Head, raw: RawValue, known: Property | None, op: Operator) -> str | None:
    """The whole value when bare words follow an unquoted one; they are taken and noted."""
    start = raw.span[1] - len(raw.text)
    if raw.text[0] in words.SINGLE_QUOTES:
        end = gather_single_quoted(cursor, raw.text)
        return cursor.between(start, end) if end else None
    first = cursor.position
    while True:
        if is_bare_word(cursor):
            cursor.position += 1
        elif _inner_operator(cursor, known):
            cursor.position += 2
        else:
            break
    if cursor.position == first:
        return None
    last = cursor.tokens[cursor.position - 1]
    span = (raw.span[0], last.end)
    if op in (":", "="):
        message = f"Only the first word belongs to {head.name}; quote the whole value."
        cursor.notes.add("UNQUOTED_MULTIWORD", span, message)
    else:
        cursor.notes.add(
            "FREE_TEXT", (cursor.tokens[first].start, last.end), "Search words do not belong in the filter."
        )
        if cursor.notes.allow_free_text:
            cursor.notes.repairable = False
    return cursor.between(start, last.end)


def _inner_operator(cursor: Cursor, known: Property | None) -> bool:
    """Whether a lower-case operator or a dash follows that seems to belong to the value: a bare word comes next."""
    token = cursor.peek()
    if token is None or token.kind != "word" or not is_bare_word(cursor, 1) or cursor.opens(1):
        return False
    span = (token.start, token.end)
    if token.text.casefold() == "or" and known is not None and known.name in _PEOPLE:
        return False  # two people
    if token.text in ("and", "or", "not", "And", "Or", "Not"):
        cursor.notes.add("LOWERCASE_OPERATOR", span, "Operators are upper case; this is a search word.")
        cursor.notes.add("FREE_TEXT", span, "Search words do not belong in the filter.")
        return True
    if token.text in ("-", "+"):
        cursor.notes.add("DANGLING_SIGN", span, "A sign stands alone; write NOT, or quote the value.")
        return True
    if token.text == "&":
        cursor.notes.add("C_STYLE_OPERATOR", span, "Symbols are no operators; write AND, or quote the value.")
        return True
    return False


def _open_group(cursor: Cursor, head: Head, token: Token, spaced: bool) -> None:
    span = (head.start, token.end)
    known, intended = resolve(cursor, head.name, RawValue("", True, span))
    _note_spaces(cursor, head, spaced, span)
    if head.run not in words.OPERATORS:
        _note_bad_operator(cursor, head, span)
    elif head.run != ":" or (known is not None and known.kind not in ("text", "open")):
        message = "name:(…) takes : and the values of a Text property; write one restriction for each value."
        cursor.notes.add("VALUE_GROUP_INVALID", span, message)
    else:
        cursor.notes.add("VALUE_GROUP", span, "name:(…) is not documented for filters; the canonical text expands it.")
    subject = known or (None if intended is LEFT_OUT else intended)
    op = meant_operator(subject or Property(head.name, "text", "words"), head.run) or ":"
    if op in words.ORDERING and subject is not None:
        end = cursor.skip_group()
        _operand(cursor, subject, head, cursor.text[token.start : end], (head.start, end))
        return
    if op in words.ORDERING:
        op, cursor.notes.repairable = ":", False
    cursor.position += 1
    cursor.groups.append(Group(subject, op, head.name))
    cursor.emit("open", head.start, token.end)
    cursor.lexemes[-1].prop = (subject.name if subject else head.name).casefold()


def read_group_value(cursor: Cursor, group: Group, token: Token) -> None:
    """Read one value inside `name:(…)`; `token` has been taken."""
    span = (token.start, token.end)
    raw = RawValue(token.text, token.kind == "quoted", span, True)
    if token.kind == "word" and _is_no_value(cursor, token, raw):
        return
    if group.known is None:
        check_form("words", raw, cursor.notes)
        cursor.unreadable(*span)
        return
    value = None
    if group.known.kind in ("text", "open"):
        value = read_value(group.known, group.op, raw, cursor.properties, cursor.notes)
    if value is not None and not isinstance(value, AnyValue):
        cursor.operand(Restriction(group.known.name, group.op, value, span), *span)
        return
    listed = not raw.quoted and token.text.rstrip("'").endswith((",", ";"))
    typed = token.text.rstrip(",;") if listed else token.text
    node = meant(group.known, group.op, typed, cursor.guess, span)
    if node is None:
        cursor.unreadable(*span)
        return
    cursor.operand(node, *span)
    if listed and _another_follows(cursor):
        cursor.emit_or(token.end, token.end)


def _is_no_value(cursor: Cursor, token: Token, raw: RawValue) -> bool:
    """Whether the word is something else than a value, which is noted: a restriction, a call, or a lone comma."""
    span = (token.start, token.end)
    begins = token.text[0] in words.OPERATOR_CHARACTERS
    if (begins or words.NAME_AND_OPERATOR.match(token.text)) and not words.URL.match(token.text):
        cursor.notes.add("VALUE_GROUP_INVALID", span, "Only values stand inside name:(…).")
        cursor.unreadable(*span)
    elif cursor.opens():
        end = cursor.skip_group()
        cursor.notes.add("PAREN_IN_VALUE", (token.start, end), "A parenthesis touches an unquoted value; quote it.")
        cursor.unreadable(token.start, end)
    elif not token.text.strip(",;"):
        check_form("words", raw, cursor.notes)
        if _another_follows(cursor) and cursor.lexemes[-1].kind == "operand":
            cursor.emit_or(*span)
    else:
        return False
    return True


def _another_follows(cursor: Cursor) -> bool:
    """Whether a value comes next in a list."""
    following = cursor.peek()
    return following is not None and following.kind in ("word", "quoted") and not starts_restriction(cursor)
