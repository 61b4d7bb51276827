"""Ranking over text that answers, nearly answers and does not answer."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from copilot_mcp.simulator.search import Index, shuffled
from copilot_mcp.simulator.tenant import Document
from copilot_mcp.simulator.words import query_terms, stems, words_of

MODIFIED = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = {
    "VPN access": "To set up the corporate VPN, open the network menu and choose the profile. Use two factors.",
    "Parental leave": "Sixteen weeks of parental leave at full pay.\n\n"
    + "Planning helps. " * 30
    + "\n\n"
    + "Leave. " * 70,
    "Canteen": "Soup on Mondays. The canteen is closed in August.",
    "Travel": "Book trains first. Travelling by air needs approval.",
}


@pytest.fixture
def index() -> Iterator[Index]:
    """Four documents."""
    documents = [Document(f"https://x/{title}.docx", title, text, MODIFIED) for title, text in TEXTS.items()]
    made = Index(documents)
    yield made
    made.close()


def titles(index: Index, question: str, scope: set[int] | None = None) -> list[str]:
    found = index.search(question, {0, 1, 2, 3} if scope is None else scope)
    return [hit.document.title for hit in found]


def test_a_natural_question_finds_its_document_first(index: Index) -> None:
    assert titles(index, "How do I set up the corporate VPN on my laptop?")[0] == "VPN access"


def test_words_are_compared_by_their_stems_and_without_accents(index: Index) -> None:
    assert titles(index, "approvals for travelled trips") == ["Travel"]
    assert titles(index, "Cánteen") == ["Canteen"]


def test_a_question_about_something_else_finds_nothing(index: Index) -> None:
    assert titles(index, "quantum chromodynamics") == []
    assert titles(index, "?!") == []


def test_documents_out_of_scope_are_never_found(index: Index) -> None:
    assert titles(index, "corporate VPN", {1, 2, 3}) == []
    assert titles(index, "corporate VPN", set()) == []


def test_relevance_falls_with_rank_and_stays_between_0_and_1(index: Index) -> None:
    (hit,) = index.search("parental leave planning", {0, 1, 2, 3})

    scores = [extract.relevance for extract in hit.extracts]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)
    assert 1 < len(scores) <= 3
    assert hit.relevance == scores[0]


def test_the_limit_counts_documents(index: Index) -> None:
    assert len(index.search("soup vpn leave trains", {0, 1, 2, 3}, limit=2)) == 2
    assert index.search("soup vpn leave trains", {0, 1, 2, 3}, limit=0) == []


def test_a_word_nobody_writes_as_one_is_tried_as_two(index: Index) -> None:
    assert titles(index, "How to setup corporate VPN?") == ["VPN access"]
    assert titles(index, "setupp") == []


def test_search_syntax_in_a_question_is_only_words(index: Index) -> None:
    assert titles(index, 'vpn" OR title:* NEAR(corporate -"') == ["VPN access"]


def test_the_order_of_an_answer_follows_from_the_question_alone(index: Index) -> None:
    hits = index.search("soup vpn leave trains", {0, 1, 2, 3})

    orders = {tuple(hit.number for hit in shuffled(hits, f"question {n}")) for n in range(20)}
    assert len(orders) > 1
    assert shuffled(hits, "same") == shuffled(list(reversed(hits)), "same")


def test_a_closed_index_says_so(index: Index) -> None:
    index.close()

    with pytest.raises(sqlite3.ProgrammingError):
        index.search("vpn", {0})


def test_the_passages_of_a_document_come_in_reading_order(index: Index) -> None:
    assert [each.ordinal for each in index.passages(1)] == list(range(len(index.passages(1))))
    assert index.passage_count == sum(len(index.passages(number)) for number in range(4))


def test_stop_words_go_unless_nothing_else_is_left() -> None:
    assert query_terms("What is the notice period in Europe?") == ["notice", "period", "europe"]
    assert query_terms("who is it") == ["who", "is", "it"]
    assert len(query_terms(" ".join(f"w{n}" for n in range(99)))) == 24


def test_stems_meet_across_forms() -> None:
    assert stems("planning plans planned") == stems("plan")
    assert stems("policies") == stems("policy")
    assert stems("parental") == stems("parent")
    assert stems("bus class") == {"bus", "class"}
    assert words_of("Crème_brûlée, 2!") == ["creme", "brulee", "2"]
