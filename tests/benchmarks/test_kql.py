"""Reading, checking and printing a filter, beside luqum reading the same text; and how that grows with the length."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from luqum.parser import parser as lucene
from luqum.tree import AndOperation

from copilot_mcp.kql import parse, properties_for

ROUNDS = 31
REPEATS = 40
CANONICAL = (
    'Author:"Megan Bowen" AND (FileType:"docx" OR FileType:"pdf") AND NOT Title:"draft plan" '
    'AND ModifiedBy:"Adele Vance Jr."'
)
TYPED = (
    'author:"Megan Bowen" AND (filetype:docx OR filetype:pdf) AND NOT title:draft AND '
    'Path:"https://contoso.sharepoint.com/H"'
)
READ = (
    'Author:"Megan Bowen" AND (FileType:"docx" OR FileType:"pdf") AND NOT Title:"draft" AND '
    'Path:"https://contoso.sharepoint.com/H"'
)
CLAUSE = 'Title:"plan {:04}" AND '


def milliseconds(work: Callable[[], Any], repeats: int) -> float:
    """CPU time of one run of `work`, the mean of `repeats`."""
    started = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - started) * 1000 / repeats


@pytest.mark.parametrize(
    ("title", "text", "canonical", "bound"),
    [
        ("canonical text: parse, lint and print, beside luqum's parse", CANONICAL, CANONICAL, 1.0),
        ("as typed: the same, and a suggestion that is read in turn", TYPED, READ, 2.5),
    ],
    ids=["canonical", "typed"],
)
def test_reading_a_filter(compare: Callable[..., float], title: str, text: str, canonical: str, bound: float) -> None:
    assert len(text) == 120
    properties = properties_for("sharePoint")
    assert parse(text, properties).canonical == canonical
    assert isinstance(lucene.parse(text), AndOperation)
    figures: dict[str, list[float]] = {"ours": [], "luqum": []}
    for _ in range(ROUNDS):
        figures["ours"].append(milliseconds(lambda: parse(text, properties), REPEATS))
        figures["luqum"].append(milliseconds(lambda: lucene.parse(text), REPEATS))
    compare(title, figures["ours"], figures["luqum"], unit="ms CPU", bound=bound)


def filter_of(length: int) -> str:
    """A filter of exactly `length` characters; the last title takes up what is left."""
    text = "".join(CLAUSE.format(number) for number in range((length - 40) // len(CLAUSE.format(0))))
    return f'{text}Title:"{"x" * (length - len(text) - 8)}"'


def test_growth_with_the_length(compare: Callable[..., float]) -> None:
    properties = properties_for("sharePoint")
    sizes = {100: 400, 4_000: 10}
    figures: dict[int, list[float]] = {size: [] for size in sizes}
    for size in sizes:
        parsed = parse(filter_of(size), properties)
        assert (len(filter_of(size)), parsed.canonical) == (size, filter_of(size))
    for _ in range(ROUNDS):
        for size, repeats in sizes.items():
            text = filter_of(size)
            figures[size].append(milliseconds(lambda text=text: parse(text, properties), repeats) * 1000 / size)
    compare("4,000 characters beside 100", figures[4_000], figures[100], unit="us a character", bound=1.20)
