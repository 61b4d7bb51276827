"""Values between single quotes, which do not quote here but show where a value was meant to end."""

from . import _words as words
from ._lexemes import Cursor, is_bare_word, starts_restriction

_LOOK_AHEAD = 64


def gather_single_quoted(cursor: Cursor, first: str) -> int | None:
    """Take the words up to the closing single quote, or the bare words that follow.

    Returns the end of the last word taken, None when the first word stands alone.
    """
    if len(first) > 1 and first.rstrip(",;")[-1:] in words.SINGLE_QUOTES:
        return None
    for ahead in range(_LOOK_AHEAD):
        token = cursor.peek(ahead)
        if token is None or token.kind != "word" or token.text[0] in words.SINGLE_QUOTES:
            break
        if starts_restriction(cursor, ahead):
            break
        if token.text.rstrip(",;")[-1:] in words.SINGLE_QUOTES:
            cursor.position += ahead + 1
            return token.end
    end = None
    while is_bare_word(cursor):
        end = cursor.tokens[cursor.position].end
        cursor.position += 1
    return end
