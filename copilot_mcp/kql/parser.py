"""Read a filter: tree, canonical text and diagnostics. Never an exception, and linear in the input.

Four passes: characters and quotes, tokens, operands, structure; then the checks on the tree. The first pass ends the
reading when it fails. What the later ones note is read on as it was probably meant, which gives the suggestion.
"""

from dataclasses import dataclass
from datetime import datetime

from ._date_repair import with_explicit_dates
from ._lexemes import Cursor
from ._reader import read
from ._repair import Guess
from ._scan import candidates, scan
from ._structure import Structure, TooDeepError
from ._tokens import tokenize
from .diagnostics import RANK, Diagnostic, Finding, Notes
from .lint import lint
from .printer import to_kql
from .properties import Properties
from .tree import Node

__all__ = ["Parsed", "parse"]

FILTER_LIMIT = 4_096
REPAIR_LIMIT = 20_480  # no KeyQL query may be longer, whatever an administrator allows
INPUT_LIMIT = 65_536
MAX_DIAGNOSTICS = 50
MAX_SUGGESTIONS = 10
_ROUNDS = 3

# Errors of the first pass after which the quotes still pair up, so that reading on finds more.
_READABLE = frozenset({"JUNK_AFTER_QUOTE", "STRAY_QUOTE"})
# Warnings that the canonical text alone settles.
_SPELLING = frozenset(
    {"SPACE_BEFORE_COMPARISON", "SPACE_AFTER_COMPARISON", "UNUSUAL_WHITESPACE", "IMPLICIT_OR", "IMPLICIT_AND"}
    | {"MIXED_AND_OR", "SIGN_OPERATOR", "VALUE_GROUP", "NON_CANONICAL_SPELLING", "UNQUOTED_TEXT"}
)
# What says something else than was meant, and so is not offered where the source does not say it without an error.
_MISLEADING = frozenset({"NEGATED_OR", "CONTRADICTION", "OR_WINDOW"})
# Told once for a filter, however often they occur.
_ONCE = frozenset(
    {"PROPERTY_UNVERIFIED", "NON_CANONICAL_SPELLING", "DATE_ONLY_BOUND", "UNUSUAL_WHITESPACE"} | {"UNQUOTED_TEXT"}
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What became of a text.

    Attributes:
        tree: None when the text is invalid.
        diagnostics: errors first, then by place; at most 50.
        canonical: the text to send, None when the text is invalid.
        omitted: how many more diagnostics there were.
    """

    tree: Node | None
    diagnostics: tuple[Diagnostic, ...]
    canonical: str | None
    omitted: int = 0

    @property
    def valid(self) -> bool:
        """Whether no diagnostic is an error."""
        return self.tree is not None


@dataclass(slots=True)
class _Reading:
    tree: Node | None
    notes: Notes
    characters_failed: bool = False


@dataclass(frozen=True, slots=True)
class _Language:
    properties: Properties
    allow_free_text: bool
    now: datetime | None

    def read(self, text: str, depth: int = 0) -> _Reading:
        """One reading of `text` with its notes; `depth` counts how often a guess at what was meant is read in turn."""
        notes = Notes(self.allow_free_text)
        if len(text) > FILTER_LIMIT:
            message = f"The filter has more than {FILTER_LIMIT:,} characters; split the request."
            notes.add("FILTER_TOO_LONG", (0, len(text)), message)
        scan(text, notes)
        characters_failed = notes.failed
        if any(one.severity == "error" and one.code not in _READABLE for one in notes.findings):
            return _Reading(None, notes, True)
        tokens = tokenize(text)
        if not tokens:
            notes.add("EMPTY_FILTER", (0, len(text)), "The filter is empty; leave filterExpression out.")
            return _Reading(None, notes)

        def inner(quoted: str) -> Node | None:
            return self.read(quoted, depth + 1).tree if depth == 0 else None

        cursor = Cursor(text, tokens, self.properties, notes, Guess(self.properties, self.now), inner)
        read(cursor)
        try:
            tree = Structure(cursor.lexemes, len(text), notes).read()
        except TooDeepError:
            notes.repairable = False
            notes.add("NESTING_TOO_DEEP", (0, len(text)), "Parentheses and NOTs are nested more than 100 levels deep.")
            return _Reading(None, notes, characters_failed)
        if tree is not None and not notes.failed:
            lint(tree, self.properties, notes)
        return _Reading(tree, notes, characters_failed)

    def repaired(self, text: str, rounds: int = _ROUNDS, characters: bool = True) -> str | None:
        """A text without errors that `text` probably meant, or None."""
        reading = self.read(text)
        if not reading.notes.failed:
            meant = reading.tree if _MISLEADING.isdisjoint(reading.notes.codes) else None
            return None if meant is None else to_kql(meant)
        if rounds == 0:
            return None
        if reading.characters_failed:
            tried = dict.fromkeys(candidates(text)) if characters else {}
            found = (self.repaired(other, rounds - 1, False) for other in tried if other != text)
            return next((other for other in found if other is not None), None)
        if not reading.notes.repairable or reading.tree is None:
            return None
        rewritten = _rewritten(reading)
        return None if rewritten == text else self.repaired(rewritten, rounds - 1, characters)

    def improved(self, tree: Node, canonical: str, finding: Finding, codes: set[str]) -> str | None:
        """The canonical text with the cause of one warning taken away, or None; `codes` are those of the text."""
        if finding.rewrite is None and finding.code in _SPELLING:
            return canonical  # the tree has no error, so its canonical text has none
        better = finding.rewrite(tree) if finding.rewrite else None
        if finding.code == "INTERVAL_COMPARISON" and self.now is not None:
            better = with_explicit_dates(tree, self.now)
        if better is None:
            return None
        text = to_kql(better)
        notes = self.read(text).notes
        return None if notes.failed or not _MISLEADING.isdisjoint(notes.codes - codes) else text


def _rewritten(reading: _Reading) -> str:
    """The canonical text of what was meant, with the errors that carry a rewrite settled by it."""
    tree = reading.tree
    assert tree is not None
    for finding in reading.notes.findings:
        if finding.severity == "error" and finding.rewrite is not None and finding.code == "RANGE_REVERSED":
            tree = finding.rewrite(tree) or tree
    return to_kql(tree)


def parse(text: str, properties: Properties, *, allow_free_text: bool = False, now: datetime | None = None) -> Parsed:
    """Read `text`.

    Args:
        text: the filter as it would be sent, not JSON-escaped.
        properties: from `properties_for`.
        allow_free_text: search words become terms with a warning; else they are errors.
        now: the clock, by which suggestions turn relative dates into absolute ones; nothing else depends on it.
    """
    language = _Language(properties, allow_free_text, now)
    reading = language.read(text)
    tree = None if reading.notes.failed else reading.tree
    found = _unique([one for one in reading.notes.findings if tree is not None or one.severity != "information"])
    if len(text) > INPUT_LIMIT:
        kept = [one for one in found if one.severity == "error"][:1]
        kept += [one for one in found if one.code == "FILTER_TOO_LONG"]
    else:
        kept = _first(found)
    omitted = len(found) - len(kept) + reading.notes.dropped
    if tree is None:
        whole = language.repaired(text) if len(text) <= REPAIR_LIMIT else None
        told = [_told(one, whole if one.severity == "error" else None) for one in kept[:MAX_SUGGESTIONS]]
        return Parsed(None, (*told, *map(_told, kept[MAX_SUGGESTIONS:])), None, omitted)
    canonical = to_kql(tree)
    improvable = kept[:MAX_SUGGESTIONS] if len(text) <= REPAIR_LIMIT else []
    told = [_told(one, language.improved(tree, canonical, one, reading.notes.codes)) for one in improvable]
    return Parsed(tree, (*told, *map(_told, kept[len(improvable) :])), canonical, omitted)


def _told(found: Finding, suggestion: str | None = None) -> Diagnostic:
    return Diagnostic(found.code, found.severity, found.message, found.start, found.end, suggestion)


def _unique(findings: list[Finding]) -> list[Finding]:
    """Errors first, then by place; nothing twice, and some codes once for the whole filter."""
    ordered = sorted(findings, key=lambda finding: (RANK[finding.severity], finding.start, finding.end))
    seen: set[tuple[str, int, int]] = set()
    kept = []
    for finding in ordered:
        key = (finding.code, -1, -1) if finding.code in _ONCE else (finding.code, finding.start, finding.end)
        if key not in seen:
            seen.add(key)
            kept.append(finding)
    return kept


def _first(findings: list[Finding]) -> list[Finding]:
    """At most 50, so chosen that every code is among them."""
    if len(findings) <= MAX_DIAGNOSTICS:
        return findings
    codes: set[str] = set()
    chosen: set[int] = set()
    for index, finding in enumerate(findings):
        if finding.code not in codes:
            codes.add(finding.code)
            chosen.add(index)
    for index in range(len(findings)):
        if len(chosen) >= MAX_DIAGNOSTICS:
            break
        chosen.add(index)
    return [findings[index] for index in sorted(chosen)]
