"""What an answered turn becomes, and what is said where there is no answer."""

import pytest

from copilot_mcp.errors import GraphError, ServiceUnavailableError
from copilot_mcp.graph import CopilotConversation
from copilot_mcp.graph.text import GUESSED_NOTE
from copilot_mcp.tools.answer import ChatResult, Source, Turn, render, result_of
from copilot_mcp.tools.labels import Label

TURN = Turn(conversation_id="c1", prompt="Why?", web_enabled=False, time_zone="Etc/UTC")


def conversation(*texts: str, state: str = "active", turns: int = 1) -> CopilotConversation:
    return CopilotConversation.model_validate(
        {"id": "c1", "state": state, "turnCount": turns, "messages": [{"text": text} for text in texts]}
    )


def test_a_closed_conversation_without_an_answer_is_an_error_of_its_own() -> None:
    with pytest.raises(GraphError, match="responsible-AI filter") as caught:
        result_of(TURN, conversation("Why?", state="disengagedForRai"), True)
    assert caught.value.kind == "disengaged"
    assert "without conversationId" in caught.value.hint


def test_a_closed_conversation_with_an_answer_keeps_it_and_says_so() -> None:
    result = result_of(TURN, conversation("Why?", "I cannot say.", state="disengagedForRai"), True)
    assert result.answer == "I cannot say."
    assert "it takes no further turns" in result.notes[0]


def test_a_stream_cut_before_an_answer_names_the_conversation_and_was_not_repeated() -> None:
    with pytest.raises(ServiceUnavailableError, match="it was not sent again") as caught:
        result_of(TURN, conversation("Why?"), False)
    assert "conversation c1" in caught.value.hint


def test_an_echo_alone_is_no_answer() -> None:
    with pytest.raises(GraphError, match="gave no answer") as caught:
        result_of(TURN, conversation("Why?"), True)
    assert caught.value.kind == "no_answer"


def test_an_answer_of_blanks_alone_is_none_even_where_blanks_had_arrived() -> None:
    with pytest.raises(GraphError, match="gave no answer"):
        result_of(TURN, conversation("Why?", " "), True, "\n")


def test_a_cut_stream_whose_last_event_was_empty_keeps_what_had_arrived() -> None:
    result = result_of(TURN, conversation(""), False, "Because of")
    assert (result.answer, result.complete) == ("Because of", False)
    assert result.notes[-1].startswith("The stream was cut before its end")


def test_members_without_a_value_are_left_out() -> None:
    result = result_of(TURN, conversation("Because.", state="", turns=0), True)
    assert result.structured() == {
        "answer": "Because.",
        "citations": [],
        "conversationId": "c1",
        "webEnabled": False,
        "timeZone": "Etc/UTC",
        "complete": True,
        "notes": [],
    }


def test_a_person_named_behind_an_exclamation_mark_stays_a_link() -> None:
    text = "Thanks!<Person>Bob Ross</Person> did it"
    source = {"attributionType": "annotation", "seeMoreWebUrl": "https://teams.test/bob"}
    asked = CopilotConversation.model_validate({"messages": [{"text": text, "attributions": [source]}]})
    result = result_of(TURN, asked, True)
    assert result.answer == "Thanks\\![Bob Ross](https://teams.test/bob) did it"
    assert result.notes == [GUESSED_NOTE]


def test_sources_are_listed_by_number_and_without_an_address_by_their_title() -> None:
    sources = [
        Source(number=3, title="", url="", kind="citation"),
        Source(number=None, title="Odd", url="", kind=""),
        Source(number=2, title="Doc2", url="", kind="citation"),
    ]
    result = result_of(TURN, conversation("A[^2^]"), True).model_copy(update={"citations": sources})
    assert "Sources:\n2. Doc2\n3. (without title and address)\n- Odd\n" in render(result)


def test_the_text_lists_sources_that_the_answer_does_not_link() -> None:
    sources = [
        Source(number=1, title="Plan", url="https://contoso.example/plan", kind="citation"),
        Source(number=None, title="Ada", url="https://contoso.example/ada", kind="annotation", placed=True),
        Source(number=None, title="", url="https://contoso.example/x", kind="annotation"),
    ]
    result = ChatResult(
        answer="Ask [Ada](https://contoso.example/ada).",
        citations=sources,
        conversation_id="c1",
        web_enabled=True,
        sensitivity_label=Label(display_name="Secret", tooltip="Do not send outside the company."),
        time_zone="Etc/UTC",
        complete=False,
        notes=["Cut."],
    )
    assert render(result) == (
        "> Ask [Ada](https://contoso.example/ada).\n\n"
        "Sources:\n1. Plan <https://contoso.example/plan>\n- <https://contoso.example/x> (annotation)\n\n"
        "- Note: Cut.\n\n"
        "(conversationId: c1; label Secret (Do not send outside the company.); web search on; time zone Etc/UTC; "
        "incomplete)"
    )
