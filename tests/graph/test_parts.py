"""Several messages as one answer: each mark leads to a source of its own message, and numbers do not meet."""

import time
from typing import Any

import pytest

from copilot_mcp.graph import Citation, CopilotConversation, CopilotConversationResponseMessage, to_markdown
from copilot_mcp.graph.text import EXTERNAL_NOTE, GUESSED_NOTE, UNPLACED_NOTE

PROMPT = "Who keeps the keys?"


def part(text: str, *names: str, card: str = "", tags: tuple[str, ...] = ()) -> dict[str, Any]:
    """A message with citations, and annotations, of these names."""
    kinds = [*(("annotation", each) for each in tags), *(("citation", each) for each in names)]
    return {
        "text": text,
        "attributions": [
            {
                "attributionType": kind,
                "providerDisplayName": name if kind == "citation" else "",
                "seeMoreWebUrl": f"https://x.test/{name}",
            }
            for kind, name in kinds
        ],
        "adaptiveCards": [{"type": "AdaptiveCard", "body": [{"text": card}]}] if card else [],
    }


def answer(*parts: dict[str, Any]) -> CopilotConversationResponseMessage:
    read = CopilotConversation.model_validate({"messages": [{"text": PROMPT}, *parts]}).answer(PROMPT)
    assert read is not None
    return read


def listed(citations: tuple[Citation, ...]) -> list[tuple[int | None, str]]:
    return [(each.number, each.url.removeprefix("https://x.test/")) for each in citations]


@pytest.mark.parametrize(
    ("parts", "shown", "sources", "notes"),
    [
        pytest.param(
            [part("X[^1^].", "a"), part("Y[^1^].", "b", card="Y [1](https://x.test/b).")],
            "X [1](a).\n\nY [2](b).",
            [(1, "a"), (2, "b")],
            (GUESSED_NOTE,),
            id="card of the second",
        ),
        pytest.param(
            [
                part("X[^1^] [1](https://x.test/own).", "a", card="X [1](https://x.test/a) [1](https://x.test/own)."),
                part("Y[^1^].", "b", card="Y [1](https://x.test/b)."),
            ],
            "X [1](a) [1](own).\n\nY [2](b).",
            [(1, "a"), (2, "b")],
            (),
            id="cards of both",
        ),
        pytest.param(
            [part("X[^1^], W[^2^].", "a"), part("Y[^1^], V[^2^]", "b"), part("Z[^1^]", "c")],
            "X [1](a), W[^2^].\n\nY [3](b), V[^4^]\n\nZ [5](c)",
            [(1, "a"), (3, "b"), (5, "c")],
            (GUESSED_NOTE,),
            id="markers without a source",
        ),
        pytest.param(
            [part("X[^1^]", "a", card="X [1](https://x.test/card)"), part("Y[^1^]", "b")],
            "X [1](card)\n\nY [3](b)",
            [(2, "a"), (1, "card"), (3, "b")],
            (GUESSED_NOTE, UNPLACED_NOTE),
            id="source that only the card knows",
        ),
        pytest.param(
            [
                part("<P>X</P>, <P>Y</P>", tags=("a",)),
                part("<P>Z</P>[^external^][^9^](b)", tags=("b", "c")),
                part("<P>Al</P>", tags=("d",)),
                part("Then <P>Al</P>", tags=("e",)),
            ],
            "X, Y\n\nZ[external] [^9^](b)\n\n[Al](d)\n\nThen [Al](e)",
            [(None, "a"), (None, "b"), (None, "c"), (None, "d"), (None, "e")],
            (GUESSED_NOTE, UNPLACED_NOTE, EXTERNAL_NOTE),
            id="entities",
        ),
        pytest.param(
            [part("X[^1^]"), part("Y[^2^]", "a", "b")],
            "X [1](a)\n\nY [2](b)",
            [(1, "a"), (2, "b")],
            (GUESSED_NOTE,),
            id="sources of one alone",
        ),
        pytest.param(
            [part("X[^1^]", "a"), part("", "b"), part("Y[^1^]")],
            "X [1](a)\n\nY[^3^]",
            [(1, "a"), (2, "b")],
            (GUESSED_NOTE, UNPLACED_NOTE),
            id="no text, no sources",
        ),
        pytest.param(
            [part("X[^1^]", "a"), part("[y[^1^]](https://x.test/own) ![^1^] `[^1^]`", "b")],
            "X [1](a)\n\n[y[2]](own) ! [2](b) `[^1^]`",
            [(1, "a"), (2, "b")],
            (GUESSED_NOTE,),
            id="places where no link stands",
        ),
    ],
)
def test_each_message_is_read_against_its_own_sources(
    parts: list[dict[str, Any]], shown: str, sources: list[tuple[int | None, str]], notes: tuple[str, ...]
) -> None:
    text = to_markdown(answer(*parts))
    assert text.markdown.replace("https://x.test/", "") == shown
    assert (listed(text.citations), text.notes) == (sources, notes)


@pytest.mark.parametrize(
    ("parts", "shown", "sources"),
    [
        ([part("Part[^1^]", "a"), part("Part[^1^] whole.", "a")], "Part [1](a) whole.", [(1, "a")]),
        ([part("P[^1^]", "a"), part("P[^1^] q[^2^]", "a", "b"), part("P[^1^] q[^2^] r", "b", "a")],
         "P [1](b) q [2](a) r", [(1, "b"), (2, "a")]),
        ([part("P[^1^]", "a", card="P [1](https://x.test/a)"), part("P[^1^] q")], "P [1](a) q", [(1, "a")]),
        ([part("P[^1^]", "lost"), part("P[^1^] q", "a")], "P [1](a) q", [(1, "a"), (2, "lost")]),
        ([part("O[^1^]", "o"), part("P[^1^]", "a"), part("P[^1^] q", "a")],
         "O [1](o)\n\nP [2](a) q", [(1, "o"), (2, "a")]),
    ],
)  # fmt: skip
def test_a_message_that_goes_on_from_the_one_before_replaces_it(
    parts: list[dict[str, Any]], shown: str, sources: list[tuple[int, str]]
) -> None:
    text = to_markdown(answer(*parts))
    assert text.markdown.replace("https://x.test/", "") == shown
    assert listed(text.citations) == sources


def test_a_text_put_in_place_of_several_is_not_read_against_their_cards() -> None:
    joined = answer(part("X[^1^].", "a"), part("Y[^1^].", "b", card="Y [1](https://x.test/b)."))
    assert joined.text == "X[^1^].\n\nY[^2^]."
    text = to_markdown(joined.model_copy(update={"text": f"{joined.text} And so on."}))
    assert text.markdown.replace("https://x.test/", "") == "X [1](a).\n\nY [2](b). And so on."
    assert text.notes == (GUESSED_NOTE,)


def test_many_messages_take_no_quadratic_time() -> None:
    began = time.process_time()
    growing = to_markdown(answer(*(part("a", str(number)) for number in range(1_500))))
    apart = to_markdown(answer(*(part(f"{number:04} [^1^]", str(number)) for number in range(1_500))))
    assert [growing.markdown, len(growing.citations)] == ["a", 1_500]
    assert apart.markdown.endswith("1499  [1500](https://x.test/1499)")
    assert time.process_time() - began < 5
