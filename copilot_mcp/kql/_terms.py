"""Search words and phrases, and lone values and bounds that were meant as part of the restriction before."""

from . import _words as words
from ._foreign import take_value
from ._lexemes import Cursor, is_bare_word, neighbour, operator_run
from ._repair import meant, strip_quotes
from ._text_values import check_stars
from ._tokens import Token
from .tree import And, Node, Not, Or, Restriction, Term, TextValue, conjunction, disjunction

_FREE_TEXT = "Search words do not belong in the filter; put them into queryString."


def lone_bound(cursor: Cursor, token: Token) -> None:
    """An operator without its property: `x>=1 AND <=5` means the property before."""
    run = operator_run(token.text)
    typed, end = token.text[len(run) :], token.end
    following = cursor.peek()
    if not typed and following is not None and following.kind != "close" and following.text not in words.BOOLEAN_WORDS:
        typed = take_value(cursor)
        end = cursor.tokens[cursor.position - 1].end
    before = neighbour(cursor, ("and", "or"))
    node = meant(before[0], run, typed, cursor.guess, (token.start, end)) if before else None
    if node is None:
        cursor.unreadable(token.start, end)
    else:
        cursor.operand(node, token.start, end)


def another_value(cursor: Cursor, token: Token) -> bool:
    """Whether a word or phrase after OR was meant as another value of the property before: `FileType:pdf OR docx`."""
    before = neighbour(cursor, ("or",))
    if cursor.notes.allow_free_text or before is None or not isinstance(before[1].value, TextValue):
        return False
    end = token.end
    while token.kind == "word" and is_bare_word(cursor):
        end = cursor.tokens[cursor.position].end
        cursor.position += 1
    node = meant(before[0], before[1].op, cursor.between(token.start, end), cursor.guess, (token.start, end))
    if node is None:
        return False
    cursor.notes.add("FREE_TEXT", (token.start, end), "A value after OR needs its property again.")
    cursor.operand(node, token.start, end)
    return True


def single_quoted_term(cursor: Cursor, text: str, span: tuple[int, int]) -> None:
    """Add a search phrase that was typed between single quotes; left out where free text is not allowed."""
    if not cursor.notes.allow_free_text:
        cursor.operand(None, *span)
        return
    try:
        cursor.operand(Term(strip_quotes(text).strip('"'), phrase=True), *span)
    except ValueError:
        cursor.unreadable(*span)


def term(cursor: Cursor, text: str, phrase: bool, span: tuple[int, int]) -> None:
    """Add a search word or phrase, or leave it out where free text is not allowed."""
    prefix = text.endswith("*")
    body = text[:-1] if prefix else text
    if text == "*" and not phrase:
        cursor.notes.add("LEADING_WILDCARD", span, "A star alone matches nothing; leave it out.")
        cursor.operand(None, *span)
        return
    fine = check_stars(body, prefix, span, cursor.notes)
    if phrase and not cursor.notes.allow_free_text and _joins_previous(cursor, text, span):
        cursor.notes.add("FREE_TEXT", span, "A second quoted value has no property; write the property again.")
        return
    cursor.notes.add("FREE_TEXT", span, _FREE_TEXT, _without_terms)
    if not fine or not cursor.notes.allow_free_text:
        cursor.operand(None, *span)
        return
    cursor.operand(_word_or_phrase(body, prefix, phrase, span), *span)


def _word_or_phrase(body: str, prefix: bool, phrase: bool, span: tuple[int, int]) -> Term:
    try:
        return Term(body, prefix, phrase, span)
    except ValueError:
        return Term(body, prefix, True, span)


def _joins_previous(cursor: Cursor, text: str, span: tuple[int, int]) -> bool:
    """Whether a quoted string right after a quoted restriction was meant as another of its values."""
    last = cursor.lexemes[-1] if cursor.lexemes else None
    node = last.node if last is not None else None
    first = node.items[0] if isinstance(node, Or) else node
    if last is None or node is None or not isinstance(first, Restriction) or not isinstance(first.value, TextValue):
        return False
    known = cursor.properties.find(first.property)
    if known is None or cursor.text[last.end - 1] != '"':
        return False
    more = meant(known, first.op, text, cursor.guess, span)
    if more is None:
        return False
    last.node, last.end = disjunction([node, more]), span[1]
    return True


def _without_terms(tree: Node) -> Node | None:
    """The tree without its search words, None when nothing else is in it."""
    if isinstance(tree, Restriction):
        return tree
    if isinstance(tree, Term):
        return None
    if isinstance(tree, Not):
        inner = _without_terms(tree.item)
        return None if inner is None else Not(inner)
    kept = [part for part in map(_without_terms, tree.items) if part is not None]
    if not kept:
        return None
    return conjunction(kept) if isinstance(tree, And) else disjunction(kept)
