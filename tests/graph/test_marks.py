"""Marks next to what would join with them: names, brackets, links of the text's own."""

import time

import pytest
from markdown_it import MarkdownIt

from copilot_mcp.graph import Citation, CopilotConversationResponseMessage, to_markdown
from copilot_mcp.graph.text import EXTERNAL_NOTE, GUESSED_NOTE
from copilot_mcp.quoting import Quoter


def message(text: str, *attributions: tuple[str, str, str], card: str = "") -> CopilotConversationResponseMessage:
    """A message whose attributions are (type, title, url)."""
    kinds = ("attributionType", "providerDisplayName", "seeMoreWebUrl")
    return CopilotConversationResponseMessage.model_validate(
        {
            "text": text,
            "attributions": [dict(zip(kinds, one, strict=True)) for one in attributions],
            "adaptiveCards": [{"type": "AdaptiveCard", "body": [{"text": card}]}],
        }
    )


@pytest.mark.parametrize("name", ["Ines\nOkafor", "Ines  Okafor", " Ines Okafor "])
def test_a_name_of_several_lines_is_a_name(name: str) -> None:
    source = ("annotation", "", "https://x.test/i")
    linked = "by [Ines Okafor](https://x.test/i)."
    assert to_markdown(message(f"by <Person>{name}</Person>.", source)).markdown == linked
    for written in (name, "Ines Okafor"):
        text = to_markdown(message(f"by <Person>{name}</Person>.", card=f"by [{written}](https://x.test/i)."))
        assert (text.markdown, text.notes) == (linked, ())


def test_a_long_name_is_a_name() -> None:
    name = "n" * 5_000
    assert to_markdown(message(f"<Person>{name}</Person> and <B>")).markdown == f"{name} and <B>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Thanks!<Person>Bob</Person> did", "Thanks\\![Bob](https://x.test/b) did"),
        ("<Person>Bob</Person>!", "[Bob](https://x.test/b)!"),
        ("!<Person>Bob</Person>!<Person>Bob</Person>", "\\![Bob](https://x.test/b)\\![Bob](https://x.test/b)"),
        ("!!\\!<Person>Bob</Person>", "!!\\![Bob](https://x.test/b)"),
        ("\\\\!<Person>Bob</Person>", "\\\\\\![Bob](https://x.test/b)"),
        ("\\<Person>Bob</Person>", "\\[Bob](https://x.test/b)"),
        ("So! <Person>Bob</Person>", "So! [Bob](https://x.test/b)"),
        ("So![^1^]", "So! [1](https://x.test/1)"),
        ("So![^9^] and![^external^]", "So![^9^] and![external]"),
        ("`!`<Person>Bob</Person>", "`!`[Bob](https://x.test/b)"),
        ("| a!|<Person>Bob</Person> |\n|---|---|", "| a!|[Bob](https://x.test/b) |\n|---|---|"),
    ],
)
def test_a_link_behind_an_exclamation_mark_is_no_image(text: str, shown: str) -> None:
    answer = message(text, ("annotation", "", "https://x.test/b"), ("citation", "One", "https://x.test/1"))
    assert to_markdown(answer).markdown == shown
    rendered = MarkdownIt("commonmark").enable("table").render(shown)
    assert "<img" not in rendered
    assert rendered.count("!") == text.count("!")


def test_a_name_that_ends_in_an_exclamation_mark_makes_no_image_of_the_next() -> None:
    assert to_markdown(message("<Team>Go!</Team><P>Bob</P>", card="[Bob](https://x.test/b)")).markdown == (
        "Go\\![Bob](https://x.test/b)"
    )


def test_external_marker_is_explained() -> None:
    text = to_markdown(message("January 1st[^external^]."))
    assert (text.markdown, text.notes) == ("January 1st[external].", (EXTERNAL_NOTE,))


@pytest.mark.parametrize(
    ("behind", "shown"),
    [
        ("(https://x.test)", "\\(https://x.test)"),
        (": https://x.test", "\\: https://x.test"),
        ("[x]", " [x]"),
        ("[a](https://x.test/a)", " [a](https://x.test/a)"),
        ("[^1^].", " [1](https://x.test/1)."),
        ("[^9^].", " [^9^]."),
        ("[^external^].", " [external]."),
        ("<File>A</File>", " [A](https://x.test/f)"),
        ("<File></File>(x)", "\\(x)"),
    ],
)
def test_the_external_mark_never_becomes_a_link_and_costs_none(behind: str, shown: str) -> None:
    sources = [("citation", "One", "https://x.test/1")]
    sources += [("annotation", "", "https://x.test/f")] if "A" in behind else []
    answer = to_markdown(message(f"[external]: https://y.test\n\nSo[^external^]{behind}", *sources))
    assert answer.markdown == f"[external]: https://y.test\n\nSo[external]{shown}"
    made = MarkdownIt("commonmark").render(f"So[external]{shown}")
    assert "\\" not in made
    assert made.count("<a ") == shown.count("](")


@pytest.mark.parametrize(
    ("text", "shown", "placed"),
    [
        ("[x[^1^]](https://own.test)", "[x[1]](https://own.test)", False),
        ("[x[^9^]](https://own.test)", "[x[^9^]](https://own.test)", False),
        ("![x[^1^]](https://own.test)", "![x[1]](https://own.test)", False),
        ("[x[^1^]](https://own.test)[^1^]", "[x[1]](https://own.test) [1](https://x.test/1)", True),
        ("[^1^](https://own.test)", " [1](https://x.test/1)(https://own.test)", True),
        ("\\[x[^1^]](https://own.test)", "\\[x [1](https://x.test/1)](https://own.test)", True),
        ("[x\n\n[^1^]](https://own.test)", "[x\n\n [1](https://x.test/1)](https://own.test)", True),
        ("[x[^1^] `](` y](https://own.test)", "[x[1] `](` y](https://own.test)", False),
        ("`[`x[^1^]](https://own.test)", "`[`x [1](https://x.test/1)](https://own.test)", True),
        ("[x[^1^]](https://own.test", "[x [1](https://x.test/1)](https://own.test", True),
        ("[x[^1^]] (https://own.test)", "[x [1](https://x.test/1)] (https://own.test)", True),
    ],
)
def test_a_mark_among_the_words_of_a_link_is_plain_and_its_source_listed(text: str, shown: str, placed: bool) -> None:
    answer = to_markdown(message(text, ("citation", "One", "https://x.test/1")))
    assert answer.markdown == shown
    assert answer.citations == (Citation(1, "One", "https://x.test/1", "citation", "", placed),)


def test_a_name_among_the_words_of_a_link_does_not_end_it() -> None:
    text = "[the <File>Plan].docx</File> file](https://own.test)"
    answer = to_markdown(message(text, ("annotation", "", "https://x.test/p")))
    assert answer.markdown == "[the Plan\\].docx file](https://own.test)"
    assert answer.citations == (Citation(None, "Plan].docx", "https://x.test/p", "annotation", "", False),)
    assert answer.notes == (GUESSED_NOTE,)
    assert to_markdown(message(text)).markdown == "[the Plan\\].docx file](https://own.test)"


@pytest.mark.parametrize("words", ["x[^1^]", "the <File>Plan.docx</File> file"])
def test_an_honest_link_with_a_mark_in_it_is_not_taken_for_a_misleading_one(words: str) -> None:
    sources = (("citation", "One", "https://x.test/1"), ("annotation", "", "https://x.test/p"))
    markdown = to_markdown(message(f"[{words}](https://own.test)", *sources)).markdown
    quoter = Quoter()
    assert (quoter.passage(markdown), quoter.notes()) == (markdown, [])
    assert 'href="https://own.test"' in MarkdownIt("commonmark").render(markdown)


def test_tags_that_never_close_take_no_time_that_grows_with_them() -> None:
    text = "<A>" * 100_000 + "</B>" * 100_000
    began = time.process_time()
    assert to_markdown(message(text)).markdown == text
    assert time.process_time() - began < 5
