"""Search words and phrases, and lone values and bounds that were meant as part of the restriction before."""

from . import _words as words
from ._foreign import take_value
from ._lexemes import Cursor, is_bare_word, neighbour, operator_run
from ._repair import joined_values, meant
from ._shapes import strip_quotes
from ._text_values import check_stars
from ._tokens import Token
from .properties import Property
from .tree import And, AnyValue, Node, Not, Or, RangeValue, Restriction, Term, TextValue, conjunction, disjunction

_QUOTES = f'"{words.SINGLE_QUOTES}'
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
    before = neighbour(cursor, ("and", "or"))
    if cursor.notes.allow_free_text or before is None or not _takes_another(*before, cursor.lexemes[-1].kind):
        return False
    known, first, left_out = before
    end = token.end
    while token.kind == "word" and is_bare_word(cursor):
        end = cursor.tokens[cursor.position].end
        cursor.position += 1
    node = meant(known, first.op, cursor.between(token.start, end), cursor.guess, (token.start, end))
    if node is None:
        return False
    if left_out or first.op == "<>":  # who leaves out one or another means both
        cursor.lexemes[-1].kind = "and"
        node = Not(node) if left_out else node
    cursor.notes.add("FREE_TEXT", (token.start, end), "A value after OR needs its property again.")
    cursor.operand(node, token.start, end)
    return True


def _takes_another(known: Property, first: Restriction, left_out: bool, operator: str) -> bool:
    """Whether a lone value after the operator goes on with the restriction: AND does, where two are left out."""
    if first.op in words.ORDERING or isinstance(first.value, (AnyValue, RangeValue)):
        return False
    return operator == "or" or ((left_out or first.op == "<>") and known.match in ("extension", "guid"))


def single_quoted_term(cursor: Cursor, text: str, span: tuple[int, int]) -> None:
    """Add a search phrase that was typed between single quotes; left out where free text is not allowed."""
    if not cursor.notes.allow_free_text:
        meant_as_value = another_value(cursor, Token("quoted", text, *span, False))
        if not meant_as_value and not _joins_previous(cursor, text, span):
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
    if not cursor.notes.allow_free_text and _joins_previous(cursor, f'"{text}"' if phrase else text, span):
        cursor.notes.add("FREE_TEXT", span, "A second value has no property; write the property again.")
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
    """Whether a value was meant as another of the restriction before: both are quoted, or a comma is between them."""
    last = cursor.lexemes[-1] if cursor.lexemes else None
    node = last.node if last is not None else None
    inner = node.item if isinstance(node, Not) else node
    first = inner.items[0] if isinstance(inner, (And, Or)) else inner
    if last is None or inner is None or not isinstance(first, Restriction) or not isinstance(first.value, TextValue):
        return False
    known = cursor.properties.find(first.property)
    ends = cursor.text[last.end - 1]
    if known is None or not (ends in ",;" or (ends in _QUOTES and text[0] in _QUOTES)):
        return False
    more = meant(known, first.op, text, cursor.guess, span)
    if more is None:
        cursor.notes.repairable = cursor.notes.repairable and ends not in ",;"
        return False
    together = joined_values(first.op, [inner, more])
    last.node, last.end = Not(together) if isinstance(node, Not) else together, span[1]
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
