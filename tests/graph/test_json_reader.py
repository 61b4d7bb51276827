"""JSON from outside: read within limits, and as JSON has it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from copilot_mcp.graph.json_reader import DEPTH_CAP, MEMBERS_CAP, JsonLimitError, read_json

VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_what_python_writes_is_read_back(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode("utf-8-sig")) == value


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_null(name: str) -> None:
    assert read_json(f'{{"relevanceScore": [{name}, 0.5]}}'.encode()) == {"relevanceScore": [None, 0.5]}


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_bounded(opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> bytes:
        return (opening * depth + "1" + closing * depth).encode()

    assert read_json(nested(DEPTH_CAP)) is not None
    for depth in (DEPTH_CAP + 1, 900, 100_000):
        with pytest.raises(JsonLimitError):
            read_json(nested(depth))


def test_members_are_bounded_and_commas_of_a_text_are_none() -> None:
    assert len(read_json(b"[" + b"0," * MEMBERS_CAP + b"0]")) == MEMBERS_CAP + 1
    with pytest.raises(JsonLimitError):
        read_json(b"[" + b"{}," * (MEMBERS_CAP + 1) + b"0]")
    text = ',\\"' * 2 * MEMBERS_CAP
    assert read_json(f'["{text}"]'.encode()) == [text.replace("\\", "")]


@pytest.mark.parametrize("content", [b"", b"{", b"nul", b'{"a": 1} {}', b"[" + b"9" * 5_000 + b"]", b"\xff\xfe{"])
def test_anything_else_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"[A-Z]"):
        read_json(content)


def test_half_a_character_costs_that_character() -> None:
    assert read_json(rb'{"text": "cut \ud83d", "whole \uD83D\uDE00": ["\ude00 x", 1, null]}') == {
        "text": "cut \ufffd",
        "whole \U0001f600": ["\ufffd x", 1, None],
    }


def test_invalid_bytes_cost_a_character() -> None:
    assert read_json(b'{"text": "a\xffb"}') == {"text": "a\ufffdb"}
