"""Text that others wrote reads the same after us, and nothing in it acts any more."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from copilot_mcp.quoting import Quoter, bracketed, fact, quoted

DATA = Path(__file__).parents[1] / "data" / "quoting"
POISONED: list[dict[str, Any]] = json.loads((DATA / "poisoned.json").read_text("utf-8"))
CLEAN = {path.stem: path.read_text("utf-8") for path in sorted((DATA / "clean").glob("*.md"))}
Look = Callable[[str], list[str]]

ALPHABET = (
    "` `` ``` ~~~ ![ [ ] ]( ]: ( ) < > <b> </b> <!-- --> <details> <| </ \\ | |-| & &#8238; &lt; # x \" ' @ { } = * "
    "- 1. javascript:x https://a.example https://b.example/ contoso.com "
    "\u200b \u202e \u200d \ufe0f \U000e0041 \u0430 \u3164 \x1b[ \x1b]8;; \x07"
)
PIECES = [*ALPHABET.split(" "), "<img src=x>", "\n", "\n\n", " ", "    ", "\t", "\r", "- ", "> "]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def made(case: dict[str, Any]) -> tuple[str, list[str]]:
    quoter = Quoter()
    return getattr(quoter, case["kind"])(case["text"]), quoter.notes()


@pytest.mark.parametrize("case", POISONED, ids=lambda case: case["name"])
def test_a_poisoned_text_reads_the_same_and_does_nothing(case: dict[str, Any], acting: Look, hidden: Look) -> None:
    text, notes = made(case)
    assert (text, notes) == (case["expected"], case["notes"])
    place = 0
    for part in case["seen"]:
        place = text.index(part, place)
    assert hidden(text) == []
    assert acting(text) == acting(quoted(text)) == acting(f"1. x\n{quoted(text, '   ')}") == []


def test_the_corpus_is_as_large_as_promised_and_its_names_are_unique() -> None:
    assert len(POISONED) >= 100
    assert len({case["name"] for case in POISONED}) == len(POISONED)


def test_nearly_every_poisoned_passage_hides_something_or_acts_before(acting: Look, hidden: Look) -> None:
    tame = {
        case["name"]
        for case in POISONED
        if case["kind"] == "passage" and case["notes"] and not hidden(case["text"]) and not acting(case["text"])
    }
    assert tame == {
        # letters and marks that are drawn as nothing
        "Hangul fillers as blank words",
        "grapheme joiners in a row",
        "ignorable unassigned characters",
        "lone joiners around blanks",
        "one selector behind every ideograph",
        "variation selectors carry bytes behind a letter",
        "variation selectors carry bytes behind one emoji",
        # the witness knows no hosts
        "a bare address of Cyrillic letters",
        "a host of full-width letters",
        "a host of Cyrillic letters",
        "a link by HTML",
        "an address with backslashes",
        "an address without a scheme",
        "bare words that name another host",
        "words that name another host",
        "words that name another host by reference",
        # only a model is misled
        "a comment without an end",
        "a fake result of a tool",
        "a fake system message",
        "a link definition as a comment",
    }


@pytest.mark.parametrize("name", CLEAN)
def test_ordinary_text_passes_byte_for_byte(name: str) -> None:
    for text in (CLEAN[name], CLEAN[name].replace("\n", "\r\n"), *CLEAN[name].split("\n\n")):
        quoter = Quoter()
        assert (quoter.passage(text), quoter.notes()) == (text, [])


@pytest.mark.parametrize("line", CLEAN["languages"].splitlines())
def test_ordinary_lines_pass_byte_for_byte(line: str) -> None:
    line = line.replace("\t", " ")
    assert Quoter().line(line) == line


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
@example(text="[//]: # (x)\n\n    <img src=x>")
@example(text="- `\n<img src=x>\n`")
@example(text="[a\\](javascript:x)")
@example(text="<<!---->!---->-->")
def test_nothing_acts_in_whatever_is_made_of_any_text(text: str, acting: Look, hidden: Look) -> None:
    passage = Quoter().passage(text)
    assert hidden(passage) == []
    assert acting(passage) == acting(quoted(passage)) == acting(f"1. x\n{quoted(passage, '   ')}") == []


@settings(max_examples=60, deadline=None)
@given(title=TEXTS, value=TEXTS, url=TEXTS)
@example(title="a `", value="` <img src=x>", url="b")
def test_lines_beside_one_another_do_nothing_together(
    title: str, value: str, url: str, acting: Look, hidden: Look
) -> None:
    quoter = Quoter()
    line = f"1. {quoter.line(title)} {bracketed(quoter.address(url))} (author: {fact(quoter.line(value))})"
    assert "\n" not in line
    assert hidden(line) == []
    assert acting(line) == []


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(st.one_of(TEXTS, st.sampled_from(["plain", "two words", "", " ", "a ", "two\nlines", "a  b"]))))
@example(lines=["two\nlines", "plain"])
def test_lines_that_are_kept_are_those_that_would_come_out_the_same(lines: list[str]) -> None:
    quoter = Quoter()
    kept = quoter.keeps(lines)
    same = [quoter.line(each) for each in lines] == lines and quoter.notes() == []
    assert same or not kept
    if all(re.fullmatch(r"(?:[a-z]+(?: [a-z]+)*)?", each) for each in lines) and lines:
        assert kept


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
@example(text="<!--> `")
def test_what_was_made_inert_is_not_changed_again(text: str) -> None:
    line = Quoter().line(text)
    assert Quoter().line(line) == line
    address = Quoter().address(text)
    assert Quoter().address(address) == address


@pytest.mark.parametrize(
    "text",
    [
        "![" * 20_000,
        "![a" * 9_000 + "]" * 9_000,
        "[a" * 5_000 + "](b)" * 5_000,
        "<!-- " * 4_000,
        "`` ` " * 8_000,
        "<a " * 5_000,
        "&#" * 20_000,
        "[a]:\n" * 4_000,
        "\x1b]8;;x" * 8_000,
        "\x9b" * 40_000,
        "a\u200b" * 20_000,
        "https://" + "\u0430" * 40_000,
        "> " * 20_000 + "![a](b)",
        "|a" * 9_000 + "\n" + "|-" * 9_000 + "\n|<b",
    ],
    ids=lambda text: ascii(text[:6]),
)
def test_text_made_to_waste_time_is_inert_all_the_same(text: str, acting: Look) -> None:
    # Each took minutes when it was parsed as it is; the suite's own limit would show it.
    assert acting(Quoter().passage(text)[:300]) == []


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a <!--> b", "a  b"),
        ("a <!---> b", "a  b"),
        ("a <!-- b --> c <!-- d", "a  c &lt;!-- d"),
        ("[x](http://[a)", "[x]\\(http://[a)"),
        ("[https://[b](https://a.example)", "[https://[b](https://a.example)"),
        ("[https://a.example [b](http://[x])", "[https://a.example [b]\\(http://[x])"),
        ("https://a\u0430" + "b" * 70 + ".example", "https://a%D0%B0" + "b" * 70 + ".example"),
        ("see https://a.example\u3002\u7136\u540e", "see https://a.example\u3002\u7136\u540e"),
    ],
)
def test_odd_comments_and_addresses_are_read_as_browsers_read_them(text: str, made: str) -> None:
    assert Quoter().passage(text) == made


LINKS = "See [1](https://x.test/a), says Ada.\n\n" * 1_000
DEEPLY = "[" * 90 + "x" + "]" * 90
CODE = "```html\n<div onclick=x>\n```"


def test_a_long_answer_keeps_its_links_and_its_code() -> None:
    text = f"{LINKS}![plan](https://x.test/p)\n\n{CODE}\n\n{LINKS}`<b x>` ends it."
    quoter = Quoter()
    assert quoter.passage(text) == text.replace("![plan](https://x.test/p)", "{image: plan; x.test}")
    assert quoter.notes() == ["In the quoted text: 1 image shown as plain text."]


def test_a_short_answer_with_deep_brackets_keeps_its_links() -> None:
    text = "[1](https://x.test/a) " + "[" * 25 + "x" + "]" * 25 + " ![plan](https://x.test/p) `<b x>`"
    quoter = Quoter()
    assert quoter.passage(text) == text.replace("![plan](https://x.test/p)", "{image: plan; x.test}")
    assert quoter.notes() == ["In the quoted text: 1 image shown as plain text."]


@pytest.mark.parametrize(
    "laborious", [f"{DEEPLY} `<b x>` <b x>", "`<b x>` [a](https://x.test/b) " * 4_000 + "<b x>"], ids=["deep", "long"]
)
def test_only_the_block_that_is_too_laborious_counts_as_prose(laborious: str) -> None:
    quoter = Quoter()
    made = quoter.passage(f"{LINKS}{laborious} [2](https://x.test/b) [3](javascript:x)\n\n{CODE}\n\n{LINKS}")
    assert (made[: len(LINKS)], made[-len(LINKS) :]) == (LINKS, LINKS)
    assert made.endswith(f" &lt;b x> [2]\\(https://x.test/b) [3]\\(javascript:x)\n\n{CODE}\n\n{LINKS}")
    many = laborious.count("](")
    tags = laborious.count("<b x>")
    assert quoter.notes() == [
        f"In the quoted text: {tags} HTML tags, 1 misleading link and {many + 1} unchecked link{'s' if many else ''} "
        "shown as plain text."
    ]


def test_links_that_are_taken_apart_unread_are_not_called_misleading() -> None:
    # Without the comment the code is no code any more but HTML in a list, so the whole is prose.
    quoter = Quoter()
    passage = quoter.passage("- x\n\n[//]: # (c)\n\n    <img src=x>\n\n[1](https://x.test/a) [2](javascript:x)")
    assert passage == ("- x\n\n[//]\\: # (c)\n\n    &lt;img src=x>\n\n[1]\\(https://x.test/a) [2]\\(javascript:x)")
    assert quoter.notes() == [
        "In the quoted text: 1 HTML tag, 1 misleading link and 2 unchecked links shown as plain text."
    ]


@pytest.mark.parametrize("code", ["![i](https://x.test/i)", f"{DEEPLY} ![i](https://x.test/i)"], ids=["image", "deep"])
def test_code_that_is_none_any_more_counts_as_prose(code: str, acting: Look) -> None:
    passage = Quoter().passage(f"- x\n\n[//]: # (c)\n\n    {code}")
    assert passage.endswith("{image: i; x.test}")
    assert acting(passage) == []


@pytest.mark.parametrize(
    "definition", ["[www.contoso.com]: https://evil.example", "[r]: https://x.test/r\n\n[www.contoso.com][r]"]
)
def test_no_definition_makes_links_of_what_was_not_read(definition: str, acting: Look) -> None:
    deep = f"{DEEPLY} [www.contoso.com] [x][www.contoso.com] `<b x>` <b x>"
    text = f"{deep}\n\n{definition}\n\n" + "x\n\n" * 5_000 + deep
    passage = Quoter().passage(text)
    assert acting(passage) == []
    assert "evil.example" not in MarkdownIt("commonmark").render(passage).replace("https://evil.example\n", "")
    assert passage.count("\\[www.contoso.com]") >= 2


def test_what_stands_beyond_the_last_line_that_is_parsed_is_prose(acting: Look) -> None:
    many = "x\n\n" * 4_995
    quoter = Quoter()
    made = quoter.passage(f"{many}{CODE}\n\n{CODE}\n\n{CODE}\n\n[1](https://x.test/a)")
    escaped = CODE.replace("<", "&lt;")
    assert made == f"{many}{CODE}\n\n{CODE}\n\n{escaped}\n\n[1]\\(https://x.test/a)"
    assert quoter.notes() == ["In the quoted text: 1 HTML tag and 1 unchecked link shown as plain text."]
    assert acting(made) == []


@pytest.mark.parametrize(
    "text",
    [
        "[https://contoso.com `](https://contoso.com)` ](https://evil.example)",
        "[https://contoso.com `[` x](https://evil.example)",
    ],
)
def test_brackets_in_code_do_not_hide_where_a_link_leads(text: str) -> None:
    quoter = Quoter()
    assert quoter.passage(text) == text.replace("](https://evil", "]\\(https://evil")
    assert quoter.notes() == ["In the quoted text: 1 misleading link shown as plain text."]


def test_counts_of_several_texts_make_one_note() -> None:
    quoter = Quoter()
    quoter.passage("a\u200b <!-- x --> ![i](https://evil.example/i)")
    quoter.line("<b>x</b>\u200b")
    quoter.address("javascript:x")
    assert quoter.notes() == [
        "In the quoted text: 2 invisible characters and 1 hidden comment removed; "
        "1 image, 2 HTML tags and 1 misleading link shown as plain text."
    ]


@pytest.mark.parametrize(
    ("url", "shown"), [("https://a.example/b c", "<https://a.example/b c>"), ("b", "b"), ("file%3A//x", "file%3A//x")]
)
def test_only_web_addresses_stand_in_brackets(url: str, shown: str) -> None:
    assert bracketed(url) == shown


def test_every_line_of_a_quotation_is_marked() -> None:
    assert quoted("a\n\n  b", "   ") == "   > a\n   >\n   >   b"


@pytest.mark.parametrize(
    "text",
    [
        "[score]: https://evil.example",
        "- [score]: https://evil.example",
        "> [score]:\n> https://evil.example",
        "   [sc\\\\ore]: https://evil.example\n[score]: <https://evil.example> 'x'",
    ],
)
def test_a_passage_defines_no_link_for_the_words_around_it(text: str) -> None:
    passage = quoted(Quoter().passage(text))
    assert "https://evil.example" in passage
    ours = MarkdownIt("commonmark").parse(f"[score] and [contoso.example][score]\n{passage}")[1].children or []
    assert [child.type for child in ours] == ["text"]


def test_code_that_looks_like_a_definition_is_quoted_as_it_is() -> None:
    assert quoted("```\n[a]: b\n```\n\nx [a]: b") == "> ```\n> [a]: b\n> ```\n>\n> x [a]: b"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Ada Byron", "Ada Byron"),
        ("Ada; label Public", '"Ada; label Public"'),
        ('Ada") (complete', '"Ada\') (complete"'),
        ("", '""'),
        ("John Doe;Jane Doe", '"John Doe;Jane Doe"'),
    ],
)
def test_a_value_that_could_pass_for_our_words_stands_in_quotation_marks(value: str, shown: str) -> None:
    assert fact(value) == shown


def test_only_letters_of_a_joining_script_keep_their_joiners() -> None:
    text = "\u0645\u06cc\u200c\u062e Auf\u200clage \u0915\u094d\u200d\u0937 x\u200d"
    assert re.findall("[\u200c\u200d]", Quoter().passage(text)) == ["\u200c", "\u200d"]


# One of each category and block that emoji variation sequences have as a base, and those that stand alone in theirs.
BASES = "©®‼⁉™\u2139↔↩⌚⏏Ⓜ▪▶◻☀♥✈❤➡⤴⬅⭐〰〽㊗㊙🀄🅰🈂🌍🏋👁🕊🗺🛡\U0001fa75\U0001f6dc"


@pytest.mark.parametrize("selector", ["\ufe0e", "\ufe0f"])
def test_every_emoji_keeps_its_selector(selector: str) -> None:
    text = " ".join([*(f"{base}{selector}" for base in BASES), *(f"{key}{selector}\u20e3" for key in "0123456789#*")])
    quoter = Quoter()
    assert (quoter.passage(text), quoter.line(text), quoter.notes()) == (text, text, [])


def test_newer_emoji_are_joined() -> None:
    text = "\U0001fac8\u200d♂\ufe0f \U0001f9d1\U0001f3fd\u200d\U0001fa70 \U0001f6dc\u200d\U0001faea"
    assert Quoter().passage(text) == text


@pytest.mark.parametrize("base", [*"aZé1#*п₂", "\u2113"])
def test_a_selector_behind_what_is_no_emoji_is_removed(base: str) -> None:
    quoter = Quoter()
    assert quoter.passage(f"{base}\ufe0fx") == f"{base}x"
    assert quoter.notes() == ["In the quoted text: 1 invisible character removed."]
