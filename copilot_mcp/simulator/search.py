"""Ranked full-text search over the passages of a tenant, in an SQLite FTS5 table held in memory.

A passage is ranked by the words of the question it holds (rare words weigh more) and by BM25 with the title
weighted; both together give a relevance between 0 and 1. Documents that a person may not read never enter the
ranking: the caller says which documents are in scope.
"""

import hashlib
import math
import sqlite3
import threading
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass

from copilot_mcp.simulator.passages import Passage, split_passages
from copilot_mcp.simulator.tenant import Document
from copilot_mcp.simulator.words import query_terms

__all__ = ["Extract", "Hit", "Index", "shuffled"]

EXTRACTS_PER_HIT = 3
_MIN_COVERAGE = 0.2
_SHARE_OF_BEST = 0.45
_BM25 = "bm25(passages, 4.0, 2.0, 1.0)"


@dataclass(frozen=True, slots=True)
class Extract:
    """A passage that answers the question, with its relevance between 0 and 1."""

    passage: Passage
    relevance: float


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


class Index:
    """The passages of some documents, ready to be searched from any thread."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = tuple(documents)
        self._passages: list[tuple[int, Passage]] = []
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
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
        for rowid, relevance in ranked:
            number, passage = self._passages[rowid]
            extracts = by_document.setdefault(number, [])
            if len(extracts) < EXTRACTS_PER_HIT:
                extracts.append(Extract(passage, relevance))
        hits = [Hit(number, self._documents[number], tuple(found)) for number, found in by_document.items()]
        return hits[: max(0, limit)]

    def _ranked(self, terms: Sequence[str], scope: Collection[int]) -> list[tuple[int, float]]:
        """Rows in scope with their relevance, best first."""
        if not terms or not scope:
            return []
        with self._lock:
            holding = [self._rows_with(term) for term in terms]
            bm25 = self._bm25(terms)
        rows = [row for row in bm25 if self._passages[row][0] in scope]
        weights = [self._weight(len(found)) for found in holding]
        coverage = {row: self._coverage(row, holding, weights) for row in rows}
        floor = max(_MIN_COVERAGE, _SHARE_OF_BEST * max(coverage.values(), default=0.0))
        best = max((bm25[row] for row in rows), default=0.0) or 1.0
        scores = {
            row: round(min(0.99, 0.3 + 0.45 * coverage[row] + 0.24 * bm25[row] / best), 6)
            for row in rows
            if coverage[row] >= floor
        }
        return sorted(scores.items(), key=lambda each: (-each[1], each[0]))

    def _rows_with(self, term: str) -> set[int]:
        with closing(
            self._database.execute("SELECT rowid FROM passages WHERE passages MATCH ?", (f'"{term}"',))
        ) as all_:
            return {row for (row,) in all_}

    def _bm25(self, terms: Sequence[str]) -> dict[int, float]:
        """Positive BM25 by row; SQLite gives it negative, the best lowest."""
        match = " OR ".join(f'"{term}"' for term in terms)
        query = f"SELECT rowid, -{_BM25} FROM passages WHERE passages MATCH ?"
        with closing(self._database.execute(query, (match,))) as found:
            return {row: max(0.0, score) for row, score in found}

    def _weight(self, frequency: int) -> float:
        """Inverse document frequency. A word nobody uses weighs like a rare one: it asks for something not here."""
        return math.log(1 + (len(self._passages) + 1) / (max(frequency, 1) + 0.5))

    @staticmethod
    def _coverage(row: int, holding: Sequence[set[int]], weights: Sequence[float]) -> float:
        held = sum(weight for rows, weight in zip(holding, weights, strict=True) if row in rows)
        return held / sum(weights)


def shuffled(hits: Sequence[Hit], question: str) -> list[Hit]:
    """The hits in an order that follows from the question alone: the real service promises none."""
    return sorted(hits, key=lambda hit: hashlib.sha256(f"{question}\n{hit.document.url}".encode()).digest())
