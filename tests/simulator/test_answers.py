"""Answers are worded from passages, and a conversation goes on."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from copilot_mcp.simulator.answers import Memory, Question, compose
from copilot_mcp.simulator.prose import Answer, Cite, External, Source, Tag, file_tag, person_tag
from copilot_mcp.simulator.search import Index
from copilot_mcp.simulator.sentences import best_statements, statements_of
from copilot_mcp.simulator.tenant import Document, Label, Tenant, User

MODIFIED = datetime(2026, 5, 4, tzinfo=UTC)
ANN = User("1", "ann", "Ann", "ann@x.example")
LOW, HIGH = Label("l", "1", "General", priority=1), Label("h", "2", "Secret", priority=9)
BADGE = (
    """# Badges

Lost badges are blocked at once. A new badge costs 15 euros.

## Returning

Return the badge on your last day. """
    + "The reception keeps it for a month. " * 6
    + """

## Colours

Red badges are for visitors. """
    + "Guards check the colour at the door. " * 6
)


def document(name: str, body: str, **more: Any) -> Document:
    facts: dict[str, Any] = {"author": ("Lee Gu",), "modified_by": "Ann", **more}
    return Document(f"https://x/{name}", name.split(".")[0], body, MODIFIED, **facts)


@pytest.fixture
def tenant() -> Tenant:
    """A few documents, one of them secret to Ann."""
    documents = (
        document("Badges.docx", BADGE, label=LOW),
        document("Zebra.docx", "Project Zebra is due in June.", readers=frozenset({"bob"}), label=HIGH),
        document("Menu.docx", "The canteen serves soup.", author=(), modified_by=""),
        document("ticket", "The heating of room 5 is cold.", connection="Desk", source="externalItem"),
        document("a/Plan.docx", "The plan for lifts says 2027.", label=HIGH, author=("Lee Gu", "Kim Po")),
        document("b/Plan.docx", "The plan for lifts says 2028, says the older plan.", label=LOW),
    )
    return Tenant("T", "about", (ANN,), documents)


@pytest.fixture
def index(tenant: Tenant) -> Iterator[Index]:
    """Its passages."""
    made = Index(tenant.documents)
    yield made
    made.close()


def ask(tenant: Tenant, index: Index, text: str, memory: Memory | None = None, web: bool = False) -> Answer:
    return compose(tenant, index, ANN, Question(text, web=web), memory or Memory())


def test_a_statement_is_cited_and_the_author_named(tenant: Tenant, index: Index) -> None:
    answer = ask(tenant, index, "What does a new badge cost?")

    assert answer.text.startswith("**<File>Badges.docx</File>** by <Person>Lee Gu</Person>:\n\n- ")
    assert "- A new badge costs 15 euros.[^1^]" in answer.text
    assert answer.sources == (Source("Badges", "https://x/Badges.docx"),)
    assert answer.label == LOW


def test_a_question_that_only_names_a_document_gets_its_beginning(tenant: Tenant, index: Index) -> None:
    answer = ask(tenant, index, "Tell me about badges")

    assert "- Lost badges are blocked at once.[^1^]\n- A new badge costs 15 euros.[^1^]\n" in answer.text


def test_what_a_person_may_not_read_is_as_if_it_were_not_there(tenant: Tenant, index: Index) -> None:
    answer = ask(tenant, index, "When is project Zebra due?")

    assert answer.text == "I found nothing about this in the files, drives and connectors that you can read."
    assert answer.attributions() == []


def test_a_connector_item_is_named_without_a_file(tenant: Tenant, index: Index) -> None:
    answer = ask(tenant, index, "Is the heating of the room cold?")

    assert answer.text == "**ticket** by <Person>Lee Gu</Person>:\n\n- The heating of room 5 is cold.[^1^]"


def test_files_of_one_name_are_told_apart_and_the_strictest_label_stands(tenant: Tenant, index: Index) -> None:
    answer = ask(tenant, index, "What does the plan for lifts say?")

    assert len(answer.sources) == 2
    assert "<File>a/Plan</File>" in answer.text
    assert answer.label == HIGH


def test_who_and_when_are_read_from_the_properties(tenant: Tenant, index: Index) -> None:
    memory = Memory()
    ask(tenant, index, "What does a new badge cost?", memory)
    wrote = ask(tenant, index, "Who wrote it?", memory)
    nobody = ask(tenant, index, "When was the soup menu updated?")
    two = ask(tenant, index, "Who are the authors of the lifts plan, who wrote it?")

    assert wrote.text == (
        "<File>Badges.docx</File> was written by <Person>Lee Gu</Person>; "
        "it was last changed on 2026-05-04 by <Person>Ann</Person>.[^1^]"
    )
    assert nobody.text == "<File>Menu.docx</File> names no author; it was last changed on 2026-05-04.[^1^]"
    assert "written by <Person>Lee Gu</Person> and <Person>Kim Po</Person>;" in two.text


def test_more_is_what_was_not_said_yet_until_nothing_is_left(tenant: Tenant, index: Index) -> None:
    memory = Memory()
    said = [ask(tenant, index, "What does a new badge cost?", memory).text]
    for _ in range(9):
        said.append(ask(tenant, index, "What else does it say?", memory).text)

    nothing = "I found nothing more about this in the files, drives and connectors that you can read."
    told = said[: said.index(nothing)]
    assert said[-1] == nothing
    assert len(set(told)) == len(told)


def test_a_new_topic_leaves_the_old_one(tenant: Tenant, index: Index) -> None:
    memory = Memory()
    ask(tenant, index, "What does a new badge cost?", memory)

    answer = ask(tenant, index, "What does the canteen serve?", memory)

    assert answer.sources == (Source("Menu", "https://x/Menu.docx"),)
    assert memory.topic == "What does the canteen serve?"


def test_a_follow_up_with_words_of_its_own_looks_further(tenant: Tenant, index: Index) -> None:
    memory = Memory()
    ask(tenant, index, "What does a new badge cost?", memory)

    answer = ask(tenant, index, "and what about the heating of room 5?", memory)

    assert Source("ticket", "https://x/ticket") in answer.sources


def test_a_copy_of_a_document_adds_nothing() -> None:
    copies = tuple(document(f"{name}.docx", "Lifts are checked twice a year.") for name in ("One", "Two"))
    tenant = Tenant("T", "about", (ANN,), copies)
    index = Index(copies)

    answer = compose(tenant, index, ANN, Question("How often are lifts checked?", web=False), Memory())

    index.close()
    assert answer.text.count("Lifts are checked twice a year.") == 1
    assert len(answer.sources) == 1


def test_the_web_is_said_and_cited_when_it_is_on(tenant: Tenant, index: Index) -> None:
    answer = ask(tenant, index, "What does the canteen serve?", web=True)

    assert [source.url for source in answer.sources][1:] == [
        "https://www.example.com/search?q=What+does+the+canteen+serve%3F"
    ]


def test_attributions_follow_the_text_annotations_first() -> None:
    lee, plan = person_tag("Lee Gu"), file_tag("A b.docx", "https://x/A b.docx")
    segments = ("See ", plan, " by ", lee, Cite(2), " and ", lee, Cite(1), " or ", External())
    answer = Answer(segments, (Source("One", "https://x/1"), Source("Two", "https://x/2")))

    found = [(each["attributionType"], each["seeMoreWebUrl"].split("?")[0]) for each in answer.attributions()]

    assert answer.text == (
        "See <File>A b.docx</File> by <Person>Lee Gu</Person>[^2^] and <Person>Lee Gu</Person>[^1^] or [^external^]"
    )
    assert found == [
        ("annotation", "https://x/A%20b.docx"),
        ("annotation", "https://www.office.com/search"),
        ("citation", "https://x/1"),
        ("citation", "https://x/2"),
    ]
    by = f"[Lee Gu]({lee.url})"
    linked = f"See [A b.docx]({plan.url}) by {by} [2](https://x/2) and {by} [1](https://x/1) or "
    assert answer.card()["body"][0]["text"] == linked
    assert Tag("File", "x", "y") in Answer((Tag("File", "x", "y"), "two words ")).atoms()


def test_statements_are_sentences_items_and_rows_with_their_columns() -> None:
    text = (
        "A heading\n\nFirst sentence. Second one with a [link](https://x) and <b>tag</b>.[^1^]\n"
        "- an item\n2. another item\n\n| Who | Weeks |\n|:--|--:|\n| Carer | 16 |\n| | 8 |\n\n"
        "```\ncode\n```\n> quoted \\*words\\* stand.\n\n> [!NOTE]\n\n| lonely | row |\n"
    )

    assert statements_of(text) == [
        "First sentence.",
        "Second one with a link and tag.",
        "an item",
        "another item",
        "Who: Carer; Weeks: 16",
        "Weeks: 8",
        "quoted *words* stand.",
        "lonely, row",
    ]


def test_a_very_long_statement_is_shortened_at_a_word() -> None:
    (statement,) = statements_of("word " * 200 + "end.")

    assert statement.endswith("word …")
    assert len(statement) <= 322


def test_statements_that_share_nothing_are_not_chosen() -> None:
    assert best_statements([("", "Nothing here fits.")], "budget", 3) == []
    assert best_statements([], "budget", 3) == []


def test_asked_for_a_number_digits_count_more() -> None:
    passages = [("", "Parents take leave in peace. Leave lasts 16 weeks. The office is blue.")]

    assert best_statements(passages, "How long is leave?", 1) == ["Leave lasts 16 weeks.", "The office is blue."]
