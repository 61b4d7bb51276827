"""Front matter as people write it."""

from datetime import UTC, datetime

import pytest

from copilot_mcp.simulator.front_matter import parse_instant, split_front_matter


def test_pairs_lists_and_body_are_parted() -> None:
    lines = ["---", 'title: "Leave: a policy"', "Author: [Adele Vance, Lee Gu]", "tags:", "  - one", "  - two", "---"]
    text = "\r\n".join([*lines, "", "# Body", ""])

    front, body = split_front_matter(text)

    assert front == {"title": ("Leave: a policy",), "author": ("Adele Vance", "Lee Gu"), "tags": ("one", "two")}
    assert body == "# Body\n"


def test_lines_of_another_form_and_empty_values_are_left_out() -> None:
    front, body = split_front_matter("---\n# comment\n- stray\nempty:\nlist: []\nok: yes\n:::bad\n---\nText")

    assert front == {"ok": ("yes",)}
    assert body == "Text"


@pytest.mark.parametrize("text", ["", "No front matter", "---\ntitle: never closed\n", "--- \t-\nx"])
def test_text_without_front_matter_is_all_body(text: str) -> None:
    assert split_front_matter(text) == ({}, text)


def test_a_byte_order_mark_is_dropped() -> None:
    assert split_front_matter("\ufeff---\na: b\n---\nc") == ({"a": ("b",)}, "c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T16:40:00Z", datetime(2026, 3, 2, 16, 40, tzinfo=UTC)),
        ("2026-03-02T16:40:00+02:00", datetime(2026, 3, 2, 14, 40, tzinfo=UTC)),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("07/23/2026", datetime(2026, 7, 23, tzinfo=UTC)),
        ("13/23/2026", None),
        ("soon", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_dates_become_instants_in_utc(text: str, expected: datetime | None) -> None:
    assert parse_instant(text) == expected
