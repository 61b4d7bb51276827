"""Second pass: parentheses, quoted strings and words, with the places they came from."""

from dataclasses import dataclass
from typing import Literal

from . import _words as words


@dataclass(frozen=True, slots=True)
class Token:
    """`text` of a quoted string is what stands between the quotes; `glued` means that nothing stands before it."""

    kind: Literal["open", "close", "quoted", "word"]
    text: str
    start: int
    end: int
    glued: bool


def tokenize(text: str) -> list[Token]:
    """The tokens of a text whose quotes balance; an open quoted string runs to the end."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        character = text[position]
        if words.is_space(character):
            position += 1
            continue
        glued = bool(tokens) and tokens[-1].end == position
        if character in "()":
            end = position + 1
            tokens.append(Token("open" if character == "(" else "close", character, position, end, glued))
        elif character == '"':
            closing = text.find('"', position + 1)
            closing = len(text) if closing < 0 else closing
            end = min(closing + 1, len(text))
            tokens.append(Token("quoted", text[position + 1 : closing], position, end, glued))
        else:
            end = _end_of_word(text, position)
            tokens.append(Token("word", text[position:end], position, end, glued))
        position = end
    return tokens


def _end_of_word(text: str, position: int) -> int:
    while position < len(text) and text[position] not in '()"' and not words.is_space(text[position]):
        position += 1
    return position
