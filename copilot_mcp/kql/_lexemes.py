"""What the structure is built of: operators, parentheses and finished operands, and a cursor over tokens."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from . import _words as words
from ._repair import Guess
from ._tokens import Token
from .diagnostics import Notes
from .properties import Properties, Property
from .tree import And, Node, Not, Operator, Or, Restriction

Kind: TypeAlias = Literal["and", "or", "not", "sign", "open", "close", "operand"]


@dataclass(slots=True)
class Lexeme:
    """One piece of structure.

    Attributes:
        node: of an operand, what it means; None when that could not be read, or when it is left out.
        prop: the property of an operand, or of the value group that an `open` begins, folded.
    """

    kind: Kind
    start: int
    end: int
    text: str = ""
    node: Node | None = None
    prop: str | None = None

    @property
    def leaves_out(self) -> bool:
        """Whether it is a NOT or a minus."""
        return self.kind == "not" or (self.kind == "sign" and self.text == "-")


@dataclass(frozen=True, slots=True)
class Group:
    """The value group that words are read in; `known` is None when the property is not known."""

    known: Property | None
    op: Operator
    name: str


@dataclass(slots=True)
class Cursor:
    """Tokens, the place among them, and what was made of those before it."""

    text: str
    tokens: list[Token]
    properties: Properties
    notes: Notes
    guess: Guess
    inner: Callable[[str], Node | None]
    position: int = 0
    lexemes: list[Lexeme] = field(default_factory=list)
    groups: list[Group | None] = field(default_factory=list)

    @property
    def group(self) -> Group | None:
        """The value group around the current place."""
        return self.groups[-1] if self.groups else None

    def peek(self, ahead: int = 0) -> Token | None:
        """The token `ahead` of the next one, None past the end."""
        index = self.position + ahead
        return self.tokens[index] if index < len(self.tokens) else None

    def opens(self, ahead: int = 0) -> bool:
        """Whether a parenthesis opens there that touches what stands before it."""
        token = self.peek(ahead)
        return token is not None and token.kind == "open" and token.glued

    def emit(self, kind: Kind, start: int, end: int, text: str = "") -> None:
        """Add an operator or a parenthesis."""
        self.lexemes.append(Lexeme(kind, start, end, text))

    def emit_or(self, start: int, end: int, text: str = "") -> None:
        """Add an OR; among the values of name<>(…), which is an error, AND was meant."""
        self.emit("and" if self.group is not None and self.group.op == "<>" else "or", start, end, text)

    def operand(self, node: Node | None, start: int, end: int, prop: str | None = None) -> None:
        """Add an operand."""
        self.lexemes.append(Lexeme("operand", start, end, "", node, prop))

    def unreadable(self, start: int, end: int) -> None:
        """Add an operand whose meaning cannot be guessed."""
        self.notes.repairable = False
        self.operand(None, start, end)

    def between(self, start: int, end: int) -> str:
        """The source between two places, every kind of white space as a plain space."""
        return "".join(" " if words.is_space(character) else character for character in self.text[start:end])

    def skip_group(self) -> int:
        """Skip the parentheses that open here, and words and calls that touch them; return where they end."""
        depth, end = 0, 0
        while (token := self.peek()) is not None:
            if end and depth == 0 and not (token.glued and token.kind in ("word", "open")):
                break
            self.position += 1
            depth += (token.kind == "open") - (token.kind == "close")
            end = token.end
        return len(self.text) if depth else end


def starts_restriction(cursor: Cursor, ahead: int = 0) -> bool:
    """Whether the word there begins `name op`, with or without white space before the operator."""
    token = cursor.peek(ahead)
    if token is None or token.kind != "word":
        return False
    if words.NAME_AND_OPERATOR.match(token.text):
        return True
    return words.NAME.fullmatch(token.text) is not None and operator_follows(cursor, ahead + 1)


def operator_follows(cursor: Cursor, ahead: int = 0) -> bool:
    """Whether the word there begins with an operator that lacks its name."""
    token = cursor.peek(ahead)
    if token is None or token.kind != "word" or token.glued or token.text[0] not in words.OPERATOR_CHARACTERS:
        return False
    return operator_run(token.text) not in ("!", "!!")


def operator_run(text: str) -> str:
    """The operator characters that `text` begins with."""
    end = 0
    while end < len(text) and text[end] in words.OPERATOR_CHARACTERS:
        end += 1
    return text[:end]


def foreign_follows(cursor: Cursor, ahead: int = 0) -> bool:
    """Whether the word there is an operator word of another language, without a dash before it."""
    token = cursor.peek(ahead)
    return (
        token is not None and token.kind == "word" and not token.glued and token.text.casefold() in words.FOREIGN_WORDS
    )


def dashed_follows(cursor: Cursor, name: str) -> bool:
    """Whether an operator word of PowerShell comes next, such as `-eq`, and `name` is that of a property."""
    token = cursor.peek()
    if token is None or token.kind != "word" or token.text[0] != "-" or words.foreign_word(token.text) is None:
        return False
    name = name.removeprefix("$_.")
    return cursor.properties.find(name) is not None or cursor.properties.nearest(name) is not None


def is_bare_word(cursor: Cursor, ahead: int = 0) -> bool:
    """Whether the token there is an unsigned search word, no operator and no part of a restriction."""
    token = cursor.peek(ahead)
    if token is None or token.kind != "word" or cursor.opens(ahead + 1):
        return False
    text = token.text
    if text in words.PROXIMITY_WORDS or text in words.C_STYLE_WORDS or text.casefold() in ("and", "or", "not"):
        return False
    if text[0] in "+-[{" or text[0] in words.OPERATOR_CHARACTERS or words.URL.match(text):
        return False
    if starts_restriction(cursor, ahead):
        return False
    return not (cursor.properties.find(text) and not cursor.properties.external and foreign_follows(cursor, ahead + 1))


def neighbour(cursor: Cursor, operators: tuple[str, ...]) -> tuple[Property, Restriction, bool] | None:
    """The restriction before an operator that has just been read, by which a lone value or bound is completed.

    And whether that restriction leaves out what it names.
    """
    if len(cursor.lexemes) < 2 or cursor.lexemes[-1].kind not in operators:
        return None
    node = cursor.lexemes[-2].node
    left_out = isinstance(node, Not) or (len(cursor.lexemes) > 2 and cursor.lexemes[-3].leaves_out)
    node = node.item if isinstance(node, Not) else node
    if isinstance(node, (And, Or)):
        node = node.items[0]
    if not isinstance(node, Restriction):
        return None
    known = cursor.properties.find(node.property)
    return None if known is None else (known, node, left_out)
