"""Huge and deep input: a diagnostic, no recursion error, and steps in proportion to the length.

Steps are counted calls, of Python and of built-in functions, so the machine's speed plays no part.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType

import pytest

from copilot_mcp.kql import Properties, parse

NOW = datetime(2025, 6, 18, 12, tzinfo=UTC)
# Each grows by repetition: what stands before, what is repeated, what stands after for each repetition, and the end.
SHAPES = {
    "parentheses": ("", "(", ")", ""),
    "open parentheses": ("", "(", "", "FileType:pdf"),
    "closed parentheses": ("FileType:pdf", ")", "", ""),
    "a quoted value": ('Title:"', "x", "", '"'),
    "an open quote": ('Title:"', "word ", "", ""),
    "quotes": ("", '"', "", ""),
    "quotes inside words": ("", 'a"', "", ""),
    "escaped quotes": ("", '\\"', "", ""),
    "typographic quotes": ("", "\u201ca\u201d ", "", ""),
    "ANDs alone": ("", "AND ", "", ""),
    "NOTs": ("", "NOT ", "", "FileType:pdf"),
    "minus signs": ("", "-", "", "x"),
    "restrictions": ("", "FileType:pdf AND Title:a OR ", "", "Title:b"),
    "bounds": ("", "LastModifiedTime>=2024-01-01 ", "", ""),
    "neighbours": ("", 'Author:"A" ', "", ""),
    "single quotes": ("", "Author:'a ", "", ""),
    "words": ("Author:", "a ", "", ""),
    "a list": ("FileType in (", "pdf,", "", ")"),
    "a value group": ("Title:(", "a ", "", ")"),
    "commas": ("FileType:", "a,", "", ""),
    "foreign words": ("", "eq ", "", ""),
    "calls": ("", "contains(", "", ""),
    "JSON": ("", '{"Author":"a"},', "", ""),
    "dots": ("LastModifiedTime:", ".", "", ""),
    "digits": ("Size:", "1", "", ""),
    "dashes": ("", "\u2013", "", ""),
    "no-break spaces": ("", "\u00a0", "", "FileType:pdf"),
}
LENGTHS = [2_100, 4_200, 8_400]  # past what one restriction may have, short enough to be repaired
BEYOND = [66_000, 132_000]  # past what is repaired and past what is told in full


def text_of(shape: str, length: int) -> str:
    before, repeated, after, end = SHAPES[shape]
    count = length // len(repeated + after)
    return before + repeated * count + end + after * count


def steps(text: str, properties: Properties) -> int:
    """How many calls reading `text` makes."""
    count = 0

    def step(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before: Callable[..., object] | None = sys.getprofile()
    sys.setprofile(step)
    try:
        parse(text, properties, now=NOW)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_length_takes_twice_the_steps(shape: str, site: Properties) -> None:
    short, middle, long = (steps(text_of(shape, length), site) for length in LENGTHS)
    assert middle <= 2.2 * short + 100
    assert long <= 2.2 * middle + 100


@pytest.mark.parametrize("shape", ["NOTs"])
def test_growth_is_even_past_every_limit(shape: str, site: Properties) -> None:
    short, long = (steps(text_of(shape, length), site) for length in BEYOND)
    assert long <= 2.2 * short + 100


HUGE = {
    "100,000 parentheses": (f"{'(' * 100_000}FileType:pdf{')' * 100_000}", "NESTING_TOO_DEEP"),
    "100,000 parentheses left open": ("(" * 100_000, "NESTING_TOO_DEEP"),
    "100,000 NOTs": (f"{'NOT ' * 100_000}FileType:pdf", "NESTING_TOO_DEEP"),
    "a quoted megabyte": (f'Title:"{"x" * 1_000_000}"', "RESTRICTION_TOO_LONG"),
    "an open quoted megabyte": (f'Title:"{"x" * 1_000_000}', "UNBALANCED_QUOTE"),
    "a million operators": ("AND " * 1_000_000, "DANGLING_OPERATOR"),
    "a million signs": (f"{'-' * 1_000_000}FileType:pdf", "DANGLING_SIGN"),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_input_gives_a_diagnostic(name: str, site: Properties) -> None:
    text, code = HUGE[name]
    parsed = parse(text, site, now=NOW)
    assert {(one.code, one.severity) for one in parsed.diagnostics} == {(code, "error"), ("FILTER_TOO_LONG", "warning")}
    assert parsed.tree is None
