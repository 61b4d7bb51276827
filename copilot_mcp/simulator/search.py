"""Ranked full-text search over the passages of a tenant, in an SQLite FTS5 table held in memory.

A passage is ranked by the words of the question it holds (rare words weigh more) and by BM25 with the title
weighted; both together give a relevance between 0 and 1. Documents that a person may not read never enter the
ranking: the caller says which documents are in scope.
"""

import hashlib
import sqlite3
import threading
import weakref
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import log

from copilot_mcp.simulator.passages import Passage, split_passages
from copilot_mcp.simulator.tenant import Document
from copilot_mcp.simulator.words import query_terms

__all__ = ["Extract", "Hit", "Index", "shuffled"]

EXTRACTS_PER_HIT = 3
_MIN_COVERAGE = 0.2
_SHARE_OF_BEST = 0.45
_UNKNOWN_WORD = 0.6
_MIN_COMPOUND_CHARACTERS = 5
_BM25 = "bm25(passages, 4.0, 2.0, 1.0)"


@dataclass(frozen=True, slots=True)
class Extract:
    """A passage that answers the question, with its relevance between 0 and 1.

    `coverage` is the share of the question's words that it holds, weighed by how rare they are.
    """

    passage: Passage
    relevance: float
    coverage: float = 1.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A document and its best passages, the best first. `number` is its place in the tenant's documents."""

    number: int
    document: Document
    extracts: tuple[Extract, ...]

    @property
    def relevance(self) -> float:
        """That of the best extract."""
        return self.extracts[0].relevance

    @property
    def coverage(self) -> float:
        """How much of the question the extracts hold, at best."""
        return max(each.coverage for each in self.extracts)


class Index:
    """The passages of some documents, ready to be searched from any thread."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = tuple(documents)
        self._passages: list[tuple[int, Passage]] = []
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        # closed also when nobody says so: Python 3.13 warns of a database that is left open
        weakref.finalize(self, self._database.close)
        self._database.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(title, heading, body,"
            " content='', tokenize='porter unicode61 remove_diacritics 2')"
        )
        for number, document in enumerate(self._documents):
            self._passages += [(number, passage) for passage in split_passages(document.body)]
        self._database.executemany(
            "INSERT INTO passages(rowid, title, heading, body) VALUES (?, ?, ?, ?)", self._rows()
        )

    def _rows(self) -> list[tuple[int, str, str, str]]:
        rows = []
        for rowid, (number, passage) in enumerate(self._passages):
            document = self._documents[number]
            stem = document.filename.rsplit(".", 1)[0]
            title = document.title if stem.casefold() == document.title.casefold() else f"{document.title} {stem}"
            rows.append((rowid, title, passage.heading, passage.text))
        return rows

    def close(self) -> None:
        """Free the table. Searching afterwards raises `sqlite3.ProgrammingError`."""
        with self._lock:
            self._database.close()

    @property
    def passage_count(self) -> int:
        """How many passages can be found."""
        return len(self._passages)

    def passages(self, number: int) -> list[Passage]:
        """All passages of one document, in reading order."""
        return [passage for of, passage in self._passages if of == number]

    def search(self, question: str, scope: Collection[int], *, limit: int = 25) -> list[Hit]:
        """The documents among `scope` that answer the question, best first, each with one to three extracts.

        Passages that hold too few of the question's words are left out, so that a question about something the
        tenant knows nothing of finds nothing.
        """
        ranked = self._ranked(query_terms(question), scope)
        by_document: dict[int, list[Extract]] = {}
        for rowid, relevance, coverage in ranked:
            number, passage = self._passages[rowid]
            extracts = by_document.setdefault(number, [])
            if len(extracts) < EXTRACTS_PER_HIT:
                extracts.append(Extract(passage, relevance, coverage))
        hits = [Hit(number, self._documents[number], tuple(found)) for number, found in by_document.items()]
        return hits[: max(0, limit)]

    def _ranked(self, terms: Sequence[str], scope: Collection[int]) -> list[tuple[int, float, float]]:
        """Rows in scope with their relevance and coverage, best first."""
        if not terms or not scope:
            return []
        with self._lock:
            holding, phrases = self._holding(terms)
            bm25 = self._bm25(phrases)
        rows = [row for row in bm25 if self._passages[row][0] in scope]
        weights = [self._weight(len(found)) for found in holding]
        coverage = {row: self._coverage(row, holding, weights) for row in rows}
        floor = max(_MIN_COVERAGE, _SHARE_OF_BEST * max(coverage.values(), default=0.0))
        best = max((bm25[row] for row in rows), default=0.0) or 1.0
        scores = [
            (row, round(min(0.99, 0.3 + 0.45 * coverage[row] + 0.24 * bm25[row] / best), 6), coverage[row])
            for row in rows
            if coverage[row] >= floor
        ]
        return sorted(scores, key=lambda each: (-each[1], each[0]))

    def _holding(self, terms: Sequence[str]) -> tuple[list[set[int]], list[str]]:
        """The rows that hold each term, and the terms as they are searched for."""
        holding: list[set[int]] = []
        phrases: list[str] = []
        for term in terms:
            rows, phrase = self._rows_with(term), term
            if not rows and len(term) >= _MIN_COMPOUND_CHARACTERS:
                rows, phrase = self._rows_with_parts(term)
            holding.append(rows)
            phrases.append(phrase)
        return holding, phrases

    def _rows_with_parts(self, term: str) -> tuple[set[int], str]:
        """A word nobody writes as one may stand as two: "setup" finds "set up"."""
        splits = [f"{term[:place]} {term[place:]}" for place in range(2, len(term) - 1)]
        found = [(self._rows_with(split), split) for split in splits]
        return max(found, key=lambda each: len(each[0]))

    def _rows_with(self, words: str) -> set[int]:
        query = "SELECT rowid FROM passages WHERE passages MATCH ?"
        with closing(self._database.execute(query, (f'"{words}"',))) as found:
            return {row for (row,) in found}

    def _bm25(self, phrases: Sequence[str]) -> dict[int, float]:
        """Positive BM25 by row; SQLite gives it negative, the best lowest."""
        match = " OR ".join(f'"{phrase}"' for phrase in phrases)
        query = f"SELECT rowid, -{_BM25} FROM passages WHERE passages MATCH ?"
        with closing(self._database.execute(query, (match,))) as found:
            return {row: max(0.0, score) for row, score in found}

    def _weight(self, frequency: int) -> float:
        """Inverse document frequency. A word nobody uses counts too: it asks for something that is not here."""
        rarity = log(1 + (len(self._passages) + 1) / (max(frequency, 1) + 0.5))
        return rarity if frequency else _UNKNOWN_WORD * rarity

    @staticmethod
    def _coverage(row: int, holding: Sequence[set[int]], weights: Sequence[float]) -> float:
        held = sum(weight for rows, weight in zip(holding, weights, strict=True) if row in rows)
        return held / sum(weights)


def shuffled(hits: Sequence[Hit], question: str) -> list[Hit]:
    """The hits in an order that follows from the question alone: the real service promises none."""
    return sorted(hits, key=lambda hit: hashlib.sha256(f"{question}\n{hit.document.url}".encode()).digest())
