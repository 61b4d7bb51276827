"""Marks and attributions become Markdown; nothing is lost and every guess is said."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_mcp.graph import (
    Citation,
    CopilotConversation,
    CopilotConversationResponseMessage,
    StreamReader,
    to_markdown,
)
from copilot_mcp.graph.text import EXTERNAL_NOTE, GUESSED_NOTE, UNPLACED_NOTE

Payload = Callable[[str], Any]
FILE = "https://lumen.sharepoint.com/sites/Observatory/Shared%20Documents/Key-Register.docx"
SITE = "https://lumen.sharepoint.com/sites/Observatory/SitePages/Visits.aspx"
PERSON = "https://www.office.com/search?q=Ines+Okafor&EntityRepresentationId=not-a-guid"
EXPECTED = (
    f"[Ines Okafor]({PERSON}) keeps the keys, says [Key-Register.docx]({FILE}?EntityRepresentationId=1c9)"
    f" [1]({FILE}).\n\n"
    f"- Night visits need a note on the board [2]({SITE})\n- The café key hangs in the hall 🔑 [1]({FILE})"
)


def citation(title: str, url: str, number: int | None, placed: bool = True, origin: str = "") -> Citation:
    return Citation(number, title, url, "annotation" if number is None else "citation", origin, placed)


ALL_PLACED = (
    citation("Ines Okafor", PERSON, None, origin="model"),
    citation("Key-Register.docx", f"{FILE}?EntityRepresentationId=1c9", None, origin="model"),
    citation("Key register", FILE, 1, origin="grounding"),
    citation("Visits", SITE, 2, origin="grounding"),
)


def message(
    text: str, *attributions: tuple[str, str, str], card: str | None = None
) -> CopilotConversationResponseMessage:
    """A message whose attributions are (type, title, url)."""
    kinds = ("attributionType", "providerDisplayName", "seeMoreWebUrl")
    return CopilotConversationResponseMessage.model_validate(
        {
            "text": text,
            "attributions": [dict(zip(kinds, one, strict=True)) for one in attributions],
            "adaptiveCards": [] if card is None else [{"type": "AdaptiveCard", "body": [{"text": card}, "odd", {}]}],
        }
    )


def test_without_a_card_order_places_the_links_and_says_so(payload: Payload) -> None:
    answer = CopilotConversation.model_validate(payload("chat-answer.json")).messages[-1]
    text = to_markdown(answer)
    assert (text.markdown, text.citations, text.notes) == (EXPECTED, ALL_PLACED, (GUESSED_NOTE,))


def test_with_a_card_the_links_are_known(stream_bytes: bytes) -> None:
    reader = StreamReader()
    events = reader.feed(stream_bytes) + reader.close()
    text = to_markdown(CopilotConversation.model_validate(events[-1]).messages[-1])
    assert (text.markdown, text.citations, text.notes) == (EXPECTED, ALL_PLACED, ())


def test_the_card_wins_over_the_order() -> None:
    answer = message(
        "<File>A</File> [^1^] and [^2^]",
        ("annotation", "", "https://x.test/other"),
        ("annotation", "", "https://x.test/a"),
        ("citation", "One", "https://x.test/1"),
        ("citation", "Two", "https://x.test/2"),
        card="[A](https://x.test/a)  [1](https://x.test/2) and  [2](https://x.test/1)",
    )
    text = to_markdown(answer)
    assert text.markdown == "[A](https://x.test/a)  [1](https://x.test/2) and  [2](https://x.test/1)"
    assert text.citations == (
        citation("https://x.test/other", "https://x.test/other", None, placed=False),
        citation("A", "https://x.test/a", None),
        citation("One", "https://x.test/1", 2),
        citation("Two", "https://x.test/2", 1),
    )
    assert text.notes == (UNPLACED_NOTE,)


def test_an_address_only_the_card_knows_is_kept() -> None:
    text = to_markdown(message("Yes[^1^], <File>A</File>", card="Yes [1](https://x.test/1), [A](https://x.test/a)"))
    assert text.markdown == "Yes [1](https://x.test/1), [A](https://x.test/a)"
    assert text.citations == (
        citation("https://x.test/1", "https://x.test/1", 1),
        citation("A", "https://x.test/a", None),
    )


def test_a_source_of_two_markers_is_listed_under_both_numbers() -> None:
    source = ("citation", "One", "https://x.test/1")
    text = to_markdown(message("A[^1^], b[^2^]", source, card="A [1](https://x.test/1), b [2](https://x.test/1)"))
    assert text.markdown == "A [1](https://x.test/1), b [2](https://x.test/1)"
    both = (citation("One", "https://x.test/1", 1), citation("One", "https://x.test/1", 2))
    assert (text.citations, text.notes) == (both, ())


def test_links_of_the_text_itself_are_not_taken_for_marks() -> None:
    answer = message(
        "See [1](https://x.test/own) and[^1^]",
        ("citation", "One", "https://x.test/1"),
        card="See [1](https://x.test/own) and [1](https://x.test/1)",
    )
    assert to_markdown(answer).markdown == "See [1](https://x.test/own) and [1](https://x.test/1)"


def test_same_mark_with_two_addresses_follows_the_card_each_time() -> None:
    answer = message(
        "<Person>Al</Person> met <Person>Al</Person>", card="[Al](https://x.test/1) met [Al](https://x.test/2)"
    )
    assert to_markdown(answer).markdown == "[Al](https://x.test/1) met [Al](https://x.test/2)"


def test_card_with_other_links_than_marks_is_not_believed() -> None:
    answer = message(
        "Al[^1^] met[^1^]",
        ("citation", "One", "https://x.test/1"),
        card="[1](https://x.test/a) [1](https://x.test/b) [1](https://x.test/c) [1](broken\n) [1](javascript:x)",
    )
    text = to_markdown(answer)
    assert (text.markdown, text.notes) == (
        "Al [1](https://x.test/1) met [1](https://x.test/1)",
        (GUESSED_NOTE,),
    )


def test_marker_without_a_citation_stays_plain() -> None:
    text = to_markdown(message("So it is[^1^][^3^][^0^].", ("citation", "One", "https://x.test/1")))
    assert text.markdown == "So it is [1](https://x.test/1)[^3^][^0^]."


@pytest.mark.parametrize("address", ["", "msteams://teams.test/l/message", "https://c\u043entoso.test/"])
def test_a_source_that_cannot_be_linked_keeps_its_number(address: str) -> None:
    addresses = {"Doc1": "https://x.test/1", "Doc2": address, "Doc3": "https://x.test/3"}
    text = to_markdown(message("A[^1^] B[^2^] C[^3^]", *(("citation", *each) for each in addresses.items())))
    assert text.markdown == "A [1](https://x.test/1) B[^2^] C [3](https://x.test/3)"
    assert [(each.number, each.title, each.placed) for each in text.citations] == [
        (1, "Doc1", True),
        (2, "Doc2", False),
        (3, "Doc3", True),
    ]
    assert text.notes == (GUESSED_NOTE,)


A, B, C = (f"https://x.test/{name}" for name in "abc")
THREE = (("citation", "A", A), ("citation", "B", B), ("citation", "C", C))


@pytest.mark.parametrize(
    ("text", "sources", "card", "numbers", "links"),
    [
        ("x[^1^]. y[^2^].", THREE[:2], f"[2]({A})", {2: A, 1: B}, "x [1](b). y [2](a)."),
        ("x[^1^]. y[^2^].", THREE[:2], f"[1]({B})", {2: A, 1: B}, "x [1](b). y [2](a)."),
        ("x[^1^] y[^2^] z[^3^]", THREE, f"[1]({C})", {3: A, 2: B, 1: C}, "x [1](c) y [2](b) z [3](a)"),
        ("x[^1^] y[^2^]", THREE, f"[2]({C})", {1: A, 3: B, 2: C}, "x [1](a) y [2](c)"),
        ("x[^1^] y[^2^]", THREE[:2], "[1](https://x.test/card)", {3: A, 2: B, 1: "https://x.test/card"},
         "x [1](card) y [2](b)"),
        ("x[^5^] y[^4^] z[^1^]", THREE, f"[5]({A})", {5: A, 1: B, 3: C}, "x [5](a) y[^4^] z [1](b)"),
    ],
)  # fmt: skip
def test_what_the_card_leaves_open_is_filled_from_what_it_did_not_claim(
    text: str, sources: tuple[tuple[str, str, str], ...], card: str, numbers: dict[int, str], links: str
) -> None:
    answer = to_markdown(message(text, *sources, card=card))
    assert answer.markdown.replace("https://x.test/", "") == links
    assert {each.number: each.url for each in answer.citations} == numbers
    assert len(answer.citations) == len(numbers)


ADDRESSES = st.sampled_from([A, B, C, "https://x.test/card", "msteams://x", ""])


@given(
    marks=st.lists(st.integers(0, 6), max_size=6),
    sources=st.lists(st.tuples(st.sampled_from(["citation", "annotation", "odd"]), st.just(""), ADDRESSES), max_size=5),
    card=st.lists(st.tuples(st.integers(0, 6), ADDRESSES), max_size=6),
)
def test_the_numbers_in_the_text_are_those_of_the_list(
    marks: list[int], sources: list[tuple[str, str, str]], card: list[tuple[int, str]]
) -> None:
    text = "".join(f"x[^{number}^]" for number in marks)
    answer = to_markdown(message(text, *sources, card=" ".join(f"[{number}]({url})" for number, url in card)))
    links = {(int(number), url) for number, url in re.findall(r"\[(\d+)\]\((.*?)\)", answer.markdown)}
    listed = [(each.number, each.url) for each in answer.citations if each.number is not None]
    assert links == {(number, url) for number, url in listed if (number, url) in links}
    assert links == {(each.number, each.url) for each in answer.citations if each.placed}
    assert len(listed) == len(set(listed))
    plain = {int(number) for number in re.findall(r"\[\^(\d+)\^\]", answer.markdown)}
    assert not plain & {number for number, url in listed if url.startswith("https")}
    assert {url for kind, _, url in sources if kind != "odd" or url} <= {each.url for each in answer.citations}
    numbers = [number for number, _ in listed]
    assert all(numbers.count(number) == 1 or len({u for n, u in card if n == number}) > 1 for number in numbers)


def test_citation_without_a_marker_gets_a_free_number() -> None:
    answer = message("So it is[^2^].", ("citation", "One", "https://x.test/1"), ("citation", "Two", "https://x.test/2"))
    text = to_markdown(answer)
    assert text.citations == (
        citation("One", "https://x.test/1", 1, placed=False),
        citation("Two", "https://x.test/2", 2),
    )
    assert text.notes == (GUESSED_NOTE, UNPLACED_NOTE)


def test_unequal_counts_are_matched_by_name_or_left_alone() -> None:
    answer = message(
        "<Person>Ines Okafor</Person>, <File>Plan.docx</File>, <Event>Stand-up</Event>",
        ("annotation", "", "https://x.test/search?q=Ines+Okafor"),
        ("annotation", "", "https://x.test/files/Plan.docx?action=view"),
    )
    text = to_markdown(answer)
    assert text.markdown == (
        "[Ines Okafor](https://x.test/search?q=Ines+Okafor), "
        "[Plan.docx](https://x.test/files/Plan.docx?action=view), Stand-up"
    )
    assert text.notes == (GUESSED_NOTE,)


def test_tags_without_attributions_leave_their_text() -> None:
    text = to_markdown(message("<Person>Al</Person> and <Person>Al</Person>; <NewKind>thing</NewKind>"))
    assert (text.markdown, text.citations, text.notes) == ("Al and Al; thing", (), ())


def test_nested_tags_do_not_leak() -> None:
    answer = message("<Event><Person>Al</Person> day</Event>", ("annotation", "", "https://x.test/e"))
    assert to_markdown(answer).markdown == "[Al day](https://x.test/e)"


@pytest.mark.parametrize(
    "code",
    [
        "```\n<File>A</File>[^1^]\n```\n",
        "~~~~ xml\n<File>A</File>\n~~~\n[^1^]\n~~~~\n",
        "```\n<File>A</File>[^1^]",
        "`<File>A</File>[^1^]`",
        "``a ` <File>A</File>[^1^]``",
        "- step\n\n  ```xml\n  <File>A</File>[^1^]\n  ```\n",
        "1. ```\n   <File>A</File>[^1^]\n   ```\n",
        "> ```\n> <File>A</File>[^1^]\n> ```\n",
        "    <File>A</File>[^1^]\n",
    ],
)
def test_code_is_left_alone(code: str) -> None:
    answer = message(f"Before[^1^]\n\n{code}", ("citation", "One", "https://x.test/1"))
    assert to_markdown(answer).markdown == f"Before [1](https://x.test/1)\n\n{code}"


@pytest.mark.parametrize(
    "text",
    [
        "a ` b <File>A</File>",
        "`` a ` <File>A</File> \n\n ``",
        "\\` <File>A</File> `",
        "``` a`b <File>A</File>\n<File>A</File>",
        "- ```\n  x\n  ```\n<File>A</File>",
        "- x\n  ```\n<File>A</File>\n  ```",
        "| ` | <File>A</File> | ` |\n|---|---|---|",
    ],
)
def test_what_only_looks_like_code_is_none(text: str) -> None:
    assert to_markdown(message(text)).markdown == text.replace("<File>A</File>", "A")


def test_the_first_line_of_an_open_fence_is_code() -> None:
    assert to_markdown(message("``` inline <File>A</File>")).markdown == "``` inline <File>A</File>"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "",
        "data:text/html,x",
        "http://[broken",
        "https:x.test",
        "https://contoso.sharepoint.com@x.test/",
        "https://c\u043entoso.test/",
        "https://x.test/%E2%80%AEfdp.exe",
    ],
)
def test_only_web_addresses_become_links(url: str) -> None:
    answer = message("<File>A</File>[^1^]", ("annotation", "", url), ("citation", "One", url))
    text = to_markdown(answer)
    assert text.markdown == "A[^1^]"
    assert text.citations == (citation(url, url, None, placed=False), citation("One", url, 1, placed=False))


def test_addresses_and_names_cannot_break_out_of_the_link() -> None:
    answer = message("<File>[x](y) | z</File>", ("annotation", "", 'https://x.test/a b)(c|<d>\n"é'))
    assert to_markdown(answer).markdown == "[\\[x\\](y) | z](https://x.test/a%20b%29%28c%7C%3Cd%3E%0A%22é)"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x](https://evil.test)", "[x\\](https://evil.test)](https://x.test/a)"),
        ("x\\](https://evil.test)", "[x\\](https://evil.test)](https://x.test/a)"),
        ("x\\\\](https://evil.test)", "[x\\\\\\](https://evil.test)](https://x.test/a)"),
        ("x\\", "[x\\\\](https://x.test/a)"),
    ],
)
def test_backslashes_do_not_free_a_bracket(name: str, shown: str) -> None:
    answer = message(f"<File>{name}</File>", ("annotation", "", "https://x.test/a"))
    assert to_markdown(answer).markdown == shown


def test_sources_named_twice_are_kept_twice() -> None:
    source = ("citation", "One", "https://x.test/1")
    text = to_markdown(message("A[^1^]", source, source))
    assert text.citations == (
        citation("One", "https://x.test/1", 1),
        citation("One", "https://x.test/1", 2, placed=False),
    )
    assert text.notes == (GUESSED_NOTE, UNPLACED_NOTE)


@pytest.mark.parametrize("kind", ["unknownFutureValue", "footnote", ""])
def test_a_kind_of_attribution_nobody_knows_does_not_count_and_is_kept(kind: str) -> None:
    strangers = [(kind, "Odd", "https://x.test/odd"), (kind, "Odder", ""), (kind, "", "")]
    text = to_markdown(message("A[^1^].", *strangers, ("citation", "Right", "https://x.test/right")))
    assert text.markdown == "A [1](https://x.test/right)."
    assert text.citations == (
        citation("Right", "https://x.test/right", 1),
        Citation(None, "Odd", "https://x.test/odd", kind, "", False),
        Citation(None, "Odder", "", kind, "", False),
    )
    assert text.notes == (GUESSED_NOTE, UNPLACED_NOTE)


def test_the_card_may_name_a_source_of_a_kind_nobody_knows() -> None:
    source = ("footnote", "Odd", "https://x.test/odd")
    text = to_markdown(message("A[^1^].", source, card="A [1](https://x.test/odd)."))
    assert text.citations == (Citation(1, "Odd", "https://x.test/odd", "footnote", "", True),)


def test_addresses_with_parentheses_are_read_from_the_card() -> None:
    answer = message("Yes[^1^]", card="Yes [1](https://x.test/a_(b)_c)")
    assert to_markdown(answer).citations[0].url == "https://x.test/a_(b)_c"


@pytest.mark.parametrize("body", [1, 3.5, True, "[1](https://x.test/a)", {}, [1, None, [], {"text": 1}]])
def test_a_card_without_a_readable_body_costs_nothing_of_the_answer(body: Any) -> None:
    answer = message("Yes[^1^]", ("citation", "One", "https://x.test/1"))
    answer = answer.model_copy(update={"adaptive_cards": [{"type": "AdaptiveCard", "body": body}]})
    assert to_markdown(answer).markdown == "Yes [1](https://x.test/1)"


def nested(depth: int) -> Any:
    """A text block in so many containers."""
    element: Any = {"type": "TextBlock", "text": "A [1](https://x.test/2)"}
    for _ in range(depth):
        element = {"type": "Container", "items": [element]}
    return element


CARD_BLOCK = nested(0)


@pytest.mark.parametrize(
    "element",
    [
        nested(1),
        nested(5_000),
        {"type": "ColumnSet", "columns": [{"type": "Column", "items": [{"type": "Image"}, CARD_BLOCK]}, {"width": 1}]},
        {"type": "Table", "rows": [{"type": "TableRow", "cells": [{"type": "TableCell", "items": [CARD_BLOCK]}]}]},
        {
            "type": "Container",
            "items": [CARD_BLOCK],
            "fallback": {"type": "TextBlock", "text": "[1](https://x.test/1)"},
        },
    ],
    ids=["container", "deep", "columns", "table", "fallback"],
)
def test_the_card_is_read_inside_its_containers(element: Any) -> None:
    answer = message("A[^1^]", ("citation", "One", "https://x.test/1"), ("citation", "Two", "https://x.test/2"))
    text = to_markdown(answer.model_copy(update={"adaptive_cards": [{"type": "AdaptiveCard", "body": [element]}]}))
    assert text.markdown == "A [1](https://x.test/2)"
    assert text.citations[1] == citation("Two", "https://x.test/2", 1)
    assert text.notes == (UNPLACED_NOTE,)


def test_the_blocks_of_a_card_are_read_in_order() -> None:
    blocks = [{"items": [{"text": "[1](https://x.test/1)"}]}, {"text": "[1](https://x.test/2)"}]
    answer = message("A[^1^] B[^1^]").model_copy(update={"adaptive_cards": [{"body": blocks}]})
    assert to_markdown(answer).markdown == "A [1](https://x.test/1) B [1](https://x.test/2)"


def test_unclosed_card_link_is_no_link() -> None:
    assert to_markdown(message("Yes[^1^]", card="Yes [1](https://x.test/a")).markdown == "Yes[^1^]"


def test_hostile_text_takes_no_quadratic_time() -> None:
    text = "<A>" * 3000 + "`" * 3000 + "` `` " * 3000
    assert to_markdown(message(text)).citations == ()


def test_unclosed_links_take_no_time_that_grows_with_text_and_card() -> None:
    text = "Look[^1^] " + "[1](" * 50_000
    card = f"[1]({A}) " + "[1](" * 50_000
    began = time.process_time()
    answer = to_markdown(message(text, card=card))
    assert answer.citations == (citation(A, A, 1),)
    assert answer.markdown.startswith(f"Look [1]({A}) [1]([1](")
    assert time.process_time() - began < 3


def test_one_label_of_many_kinds_is_looked_up_once() -> None:
    kinds = [f"<K{chr(65 + number // 26)}{chr(97 + number % 26)}>a</K{chr(65 + number // 26)}{chr(97 + number % 26)}>"
             for number in range(600)]  # fmt: skip
    card = "".join(f"[a](https://x.test/{number}) " for number in range(10_000))
    began = time.process_time()
    assert to_markdown(message(" ".join(kinds), card=card)).markdown == " ".join("a" for _ in kinds)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("card", "url"),
    [
        (f"(see [1]({A}))", A),
        (f"[1] [see [1]({A})", A),
        (f"[1](https://x.test/( \n[1]({A})", A),
        (f"[1](https://x.test/[1]({A})", A),
        (f"[1](https://x.test/[1]({A}))", A),
        (f"](x) [1]({A}) )", A),
        ("[1](https://x.test/(a(b)))", "https://x.test/(a(b))"),
        (f"[1]({A}{'a' * 4096}) [1]({B})", B),
    ],
)
def test_a_link_of_the_card_is_found_among_loose_brackets(card: str, url: str) -> None:
    assert to_markdown(message("Yes[^1^]", card=card)).citations == (citation(url, url, 1),)


def test_many_marks_and_sources_take_no_quadratic_time() -> None:
    text = " ".join(f"!<A>name {number}</A>[^{number}^]" for number in range(9_000))
    kinds = [("annotation", "", f"https://x.test/name/{number}") for number in range(3_000)]
    cited = [("citation", "", f"https://x.test/{number}") for number in range(9_000)]
    answer = to_markdown(message(text, *kinds, *cited, card=f"{text} [1](https://x.test/9)"))
    assert [each.number for each in answer.citations[:3]] == [None, None, None]
    assert sum(each.placed for each in answer.citations if each.kind == "citation") == 8_999


# Per documented answer: number and place of each attribution in order, and what is said about them.
PLACED, UNPLACED = True, False
DOCUMENTED: dict[int, tuple[list[tuple[int | None, bool]], tuple[str, ...]]] = {
    41: ([(None, PLACED), (None, PLACED), (1, PLACED)], (GUESSED_NOTE,)),  # its marker comes twice
    42: ([(None, PLACED), (1, UNPLACED)], (GUESSED_NOTE, UNPLACED_NOTE)),  # a citation without a marker
    43: ([], ()),
    44: ([], ()),  # tags without attributions
    45: ([(None, PLACED), (None, PLACED), (1, PLACED)], ()),  # from here on with a card
    46: ([(None, PLACED), (1, UNPLACED)], (UNPLACED_NOTE,)),
    47: ([(None, PLACED)], ()),
    48: ([], (EXTERNAL_NOTE,)),
}


@pytest.mark.parametrize("number", DOCUMENTED)
def test_documented_answers_keep_every_attribution_in_its_place(examples: dict[str, Any], number: int) -> None:
    response = examples[f"ex0{number}"]["response"]
    reader = StreamReader()
    body = response["body"] or (reader.feed(response["body_text"].encode()) + reader.close())[-1]
    answer = CopilotConversation.model_validate(body).messages[-1]
    text = to_markdown(answer)
    assert ([(one.number, one.placed) for one in text.citations], text.notes) == DOCUMENTED[number]
    assert [(one.kind, one.url) for one in text.citations] == [
        (one.attribution_type, one.see_more_web_url) for one in answer.attributions
    ]
    assert all(one.title for one in text.citations)
    assert all(f"]({one.url})" in text.markdown for one in text.citations if one.placed)
    assert "</" not in text.markdown
    assert "[^" not in text.markdown
    assert answer.sensitivity_label is None
    if number in (45, 47):  # the card is what the text should become
        assert text.markdown == answer.adaptive_cards[0]["body"][0]["text"]
