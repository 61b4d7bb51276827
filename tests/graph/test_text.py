"""Marks and attributions become Markdown; nothing is lost and every guess is said."""

from collections.abc import Callable
from typing import Any

import pytest

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


def test_two_markers_of_one_source_share_its_citation() -> None:
    source = ("citation", "One", "https://x.test/1")
    text = to_markdown(message("A[^1^], b[^2^]", source, card="A [1](https://x.test/1), b [2](https://x.test/1)"))
    assert text.markdown == "A [1](https://x.test/1), b [2](https://x.test/1)"
    assert (text.citations, text.notes) == ((citation("One", "https://x.test/1", 1),), ())


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


def test_external_marker_is_explained() -> None:
    text = to_markdown(message("January 1st[^external^]."))
    assert (text.markdown, text.notes) == ("January 1st[external].", (EXTERNAL_NOTE,))


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
    assert text.citations == (citation(url, url, None, placed=False), citation("One", url, 2, placed=False))


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


@pytest.mark.parametrize("behind", ["(https://x.test)", "[x]", ": https://x.test"])
def test_the_external_mark_never_becomes_a_link(behind: str) -> None:
    assert to_markdown(message(f"So[^external^]{behind}")).markdown == f"So[external]\\{behind}"


def test_sources_named_twice_are_kept_twice() -> None:
    source = ("citation", "One", "https://x.test/1")
    text = to_markdown(message("A[^1^]", source, source))
    assert text.citations == (
        citation("One", "https://x.test/1", 1),
        citation("One", "https://x.test/1", 2, placed=False),
    )
    assert text.notes == (GUESSED_NOTE, UNPLACED_NOTE)


def test_a_kind_of_attribution_nobody_knows_is_kept_as_a_citation() -> None:
    text = to_markdown(message("A", ("footnote", "One", "https://x.test/1")))
    assert text.citations == (Citation(1, "One", "https://x.test/1", "footnote", "", False),)


def test_addresses_with_parentheses_are_read_from_the_card() -> None:
    answer = message("Yes[^1^]", card="Yes [1](https://x.test/a_(b)_c)")
    assert to_markdown(answer).citations[0].url == "https://x.test/a_(b)_c"


@pytest.mark.parametrize("body", [1, 3.5, True, "[1](https://x.test/a)", {}, [1, None, [], {"text": 1}]])
def test_a_card_without_a_readable_body_costs_nothing_of_the_answer(body: Any) -> None:
    answer = message("Yes[^1^]", ("citation", "One", "https://x.test/1"))
    answer = answer.model_copy(update={"adaptive_cards": [{"type": "AdaptiveCard", "body": body}]})
    assert to_markdown(answer).markdown == "Yes [1](https://x.test/1)"


def test_unclosed_card_link_is_no_link() -> None:
    assert to_markdown(message("Yes[^1^]", card="Yes [1](https://x.test/a")).markdown == "Yes[^1^]"


def test_hostile_text_takes_no_quadratic_time() -> None:
    text = "<A>" * 3000 + "`" * 3000 + "` `` " * 3000
    assert to_markdown(message(text)).citations == ()


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
