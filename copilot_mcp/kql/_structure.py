"""Fourth pass: operators, parentheses and implied operators to one tree.

NOT and signs bind tightest, then AND, then OR; things that merely stand beside each other are joined last.
The first structural error is noted; reading goes on only to find out what was meant.
"""

from dataclasses import dataclass, field

from . import _words as words
from ._lexemes import Lexeme
from .diagnostics import Notes
from .tree import Node, Not, Restriction, conjunction, disjunction


class TooDeepError(Exception):
    """Parentheses and NOTs are nested past the bound."""


@dataclass(slots=True)
class Operand:
    """One operand; `bare` is the folded property of a restriction without sign, NOT or parentheses."""

    node: Node | None
    bare: str | None
    signed: bool


@dataclass(slots=True)
class Chain:
    """Operands joined by explicit operators: OR of ANDs."""

    alternatives: list[list[Operand]] = field(default_factory=list)

    @property
    def first(self) -> Operand:
        """The operand it begins with."""
        return self.alternatives[0][0]

    @property
    def last(self) -> Operand:
        """The operand it ends with."""
        return self.alternatives[-1][-1]

    @property
    def single(self) -> bool:
        """Whether it is one operand without any operator."""
        return len(self.alternatives) == 1 and len(self.alternatives[0]) == 1

    def node(self) -> Node | None:
        """Its tree, None when nothing in it could be read."""
        joined = [_joined([operand.node for operand in part], True) for part in self.alternatives]
        return _joined(joined, False)


def _joined(nodes: list[Node | None], by_and: bool) -> Node | None:
    kept = [node for node in nodes if node is not None]
    if len(kept) < 2:
        return kept[0] if kept else None
    return conjunction(kept) if by_and else disjunction(kept)


class Structure:
    """Reads lexemes into a tree."""

    def __init__(self, lexemes: list[Lexeme], length: int, notes: Notes) -> None:
        self._lexemes = lexemes
        self._length = length
        self._notes = notes
        self._position = 0
        self._stopped = False

    def read(self) -> Node | None:
        """The tree, None when nothing could be read."""
        if not self._lexemes:
            return None
        self._check_parentheses()
        return self._level(0, False)

    def _check_parentheses(self) -> None:
        opened: list[Lexeme] = []
        for lexeme in self._lexemes:
            if lexeme.kind == "open":
                opened.append(lexeme)
            elif lexeme.kind == "close" and not opened:
                self._notes.add("UNBALANCED_PAREN", (lexeme.start, lexeme.end), "This parenthesis was never opened.")
                return
            elif lexeme.kind == "close":
                opened.pop()
        if opened:
            self._notes.add("UNBALANCED_PAREN", (opened[-1].start, opened[-1].end), "This parenthesis is never closed.")

    def _error(self, code: str, lexeme: Lexeme, message: str) -> None:
        if not self._stopped:
            self._notes.add(code, (lexeme.start, lexeme.end), message)
        self._stopped = True

    def _peek(self) -> Lexeme | None:
        return self._lexemes[self._position] if self._position < len(self._lexemes) else None

    def _level(self, depth: int, group: bool) -> Node | None:
        chains: list[Chain] = []
        first = self._position
        while (lexeme := self._peek()) is not None:
            if lexeme.kind == "close":
                if depth:
                    break
                self._position += 1
                continue
            chain = self._chain(depth, group)
            if chain.alternatives[0]:
                chains.append(chain)
        span = self._span(first)
        chains, ambiguous = self._merge_ambiguous(chains, span, group)
        return self._join(chains, span, group, ambiguous)

    def _span(self, first: int) -> tuple[int, int]:
        last = max(self._position - 1, first)
        start = self._lexemes[first].start if first < len(self._lexemes) else self._length
        end = self._lexemes[last].end if last < len(self._lexemes) else self._length
        return start, max(start, end)

    def _chain(self, depth: int, group: bool) -> Chain:
        chain = Chain([[]])
        self._binary_operators("An operator lacks what should stand before it; remove it.", "DANGLING_OPERATOR")
        while True:
            operand = self._unary(depth, group)
            if operand is not None:
                chain.alternatives[-1].append(operand)
            lexeme = self._peek()
            if lexeme is None or lexeme.kind not in ("and", "or"):
                break
            self._position += 1
            self._binary_operators("Two operators stand in a row; keep one.", "DOUBLED_OPERATOR")
            following = self._peek()
            if following is None or following.kind == "close":
                self._error("DANGLING_OPERATOR", lexeme, f"{lexeme.text or 'OR'} lacks what should stand after it.")
                break
            if lexeme.kind == "or" and chain.alternatives[-1]:
                chain.alternatives.append([])
        if not chain.alternatives[-1] and len(chain.alternatives) > 1:
            chain.alternatives.pop()
        return chain

    def _binary_operators(self, message: str, code: str) -> None:
        """Skip operators where an operand is due."""
        while (lexeme := self._peek()) is not None and lexeme.kind in ("and", "or"):
            self._error(code, lexeme, message)
            self._position += 1

    def _unary(self, depth: int, group: bool) -> Operand | None:
        """An operand with the NOTs and signs before it, None when there is none."""
        prefixes: list[Lexeme] = []
        while (lexeme := self._peek()) is not None and lexeme.kind in ("not", "sign"):
            prefixes.append(lexeme)
            self._position += 1
            if lexeme.kind == "sign":
                message = f"The sign {lexeme.text} is better written as a word: NOT or AND."
                self._notes.add("SIGN_OPERATOR", (lexeme.start, lexeme.end), message)
        depth += len(prefixes)
        if depth > words.MAX_DEPTH:
            raise TooDeepError
        if lexeme is None or lexeme.kind in ("close", "and", "or"):
            if prefixes:
                self._error("DANGLING_OPERATOR", prefixes[-1], f"{prefixes[-1].text} lacks what should stand after it.")
            return None
        self._position += 1
        node, bare = lexeme.node, lexeme.prop
        if lexeme.kind == "open":
            node = self._parenthesised(lexeme, depth, group)
        for prefix in reversed(prefixes):
            if node is not None and not (prefix.kind == "sign" and prefix.text == "+"):
                node = Not(node)
        return Operand(node, None if prefixes else bare, bool(prefixes) and prefixes[0].kind == "sign")

    def _parenthesised(self, opened: Lexeme, depth: int, group: bool) -> Node | None:
        if depth >= words.MAX_DEPTH:
            raise TooDeepError
        following = self._peek()
        if following is None or following.kind == "close":
            self._error("EMPTY_GROUP", opened, "The parentheses are empty; remove them.")
        node = self._level(depth + 1, group or opened.prop is not None)
        self._position += 1
        return node

    def _merge_ambiguous(self, chains: list[Chain], span: tuple[int, int], group: bool) -> tuple[list[Chain], bool]:
        """Join neighbours on one property where the level also has explicit operators: nothing says how they group."""
        if group or all(chain.single for chain in chains):
            return chains, False
        merged: list[Chain] = []
        ambiguous = False
        for chain in chains:
            before = merged[-1] if merged else None
            if before is None or chain.first.bare is None or before.last.bare != chain.first.bare:
                merged.append(chain)
                continue
            if not ambiguous:
                message = "Neighbours on one property without an operator, beside explicit ones: write every operator."
                self._notes.add("AMBIGUOUS_IMPLICIT", span, message)
            ambiguous = True
            left = before.alternatives[-1][-1]
            left.node = _joined([left.node, chain.first.node], False)
            before.alternatives[-1].extend(chain.alternatives[0][1:])
            before.alternatives.extend(chain.alternatives[1:])
        return merged, ambiguous

    def _join(self, chains: list[Chain], span: tuple[int, int], group: bool, ambiguous: bool) -> Node | None:
        explicit_or = any(len(chain.alternatives) > 1 for chain in chains)
        explicit_and = any(len(part) > 1 for chain in chains for part in chain.alternatives)
        entries, formed = self._grouped(chains, span, group)
        if (explicit_or or explicit_and) and (explicit_or or formed) and (explicit_and or len(entries) > 1):
            message = "Microsoft does not document whether AND or OR binds tighter; use parentheses."
            self._notes.add("MIXED_AND_OR", span, message)
        if len(entries) > 1 and not group and not all(signed for _, signed in entries[1:]):
            self._notes.add(
                "IMPLICIT_AND", span, "Restrictions without an operator between them are joined by AND; write it."
            )
        return _joined([node for node, _ in entries], True)

    def _grouped(
        self, chains: list[Chain], span: tuple[int, int], group: bool
    ) -> tuple[list[tuple[Node | None, bool]], bool]:
        """The entries of a level, bare restrictions on one property gathered at the first; and whether any were."""
        places: dict[str, int] = {}
        members: list[list[Chain]] = []
        for chain in chains:
            key = chain.first.bare if chain.single and not group else None
            if key is not None and key in places:
                members[places[key]].append(chain)
                continue
            if key is not None:
                places[key] = len(members)
            members.append([chain])
        formed = any(len(same) > 1 for same in members)
        if formed:
            self._notes.add(
                "IMPLICIT_OR", span, "Restrictions on one property without an operator are joined by OR; write it."
            )
        return [(self._member(same, span), same[0].first.signed) for same in members], formed

    def _member(self, same: list[Chain], span: tuple[int, int]) -> Node | None:
        nodes = [chain.node() for chain in same]
        if len(same) == 1:
            return nodes[0]
        ordered = any(isinstance(node, Restriction) and node.op in words.COMPARISONS for node in nodes)
        if ordered:
            message = (
                "Bounds on one property without an operator are joined by OR, which lets everything in; write AND."
            )
            self._notes.add("IMPLICIT_OR_RANGE", span, message)
        return _joined(nodes, ordered)
