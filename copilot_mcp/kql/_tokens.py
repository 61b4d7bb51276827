"""Second pass: parentheses, quoted strings and words, with the places they came from."""

import re
from typing import Literal, NamedTuple, TypeAlias

from . import _words as words

Kind: TypeAlias = Literal["open", "close", "quoted", "word"]

_PARENTHESES: dict[str, Kind] = {"(": "open", ")": "close"}
_TOKEN = re.compile(rf'[()]|"([^"]*)"?|[^\s()"{"".join(words.INVISIBLE)}]+')


class Token(NamedTuple):
    """`text` of a quoted string is what stands between the quotes; `glued` means that nothing stands before it."""

    kind: Kind
    text: str
    start: int
    end: int
    glued: bool


def tokenize(text: str) -> list[Token]:
    """The tokens of a text whose quotes balance; an open quoted string runs to the end."""
    tokens: list[Token] = []
    before = -1
    for found in _TOKEN.finditer(text):
        start, end = found.span()
        whole = found[0]
        if whole[0] == '"':
            tokens.append(Token("quoted", found[1], start, end, start == before))
        else:
            tokens.append(Token(_PARENTHESES.get(whole, "word"), whole, start, end, start == before))
        before = end
    return tokens
