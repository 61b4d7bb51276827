"""Chat models: what goes out, what is read."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from copilot_mcp.graph import ChatBody, CopilotConversation, SearchSensitivityLabelInfo

PROMPT = "Who keeps the keys of the observatory?"
Payload = Callable[[str], Any]


def test_full_body_goes_out_in_graphs_names() -> None:
    body = {
        "message": {"text": PROMPT},
        "locationHint": {
            "timeZone": "Europe/Paris",
            "latitude": 48.5,
            "longitude": 2.25,
            "countryOrRegion": "FR",
            "countryOrRegionConfidence": 0.5,
        },
        "additionalContext": [{"text": "The hall is locked.", "description": "note"}],
        "contextualResources": {
            "files": [{"uri": "https://lumen.sharepoint.com/a.docx"}],
            "webContext": {"isWebEnabled": False},
        },
    }
    assert ChatBody.model_validate(body).payload() == body


def test_nulls_and_empties_stay_at_home() -> None:
    body = ChatBody.model_validate(
        {
            "message": {"text": "Hi"},
            "locationHint": {"timeZone": "Etc/UTC", "countryOrRegion": "", "latitude": 0},
            "additionalContext": [],
            "contextualResources": {"files": [], "webContext": None},
        }
    )
    assert body.payload() == {"message": {"text": "Hi"}, "locationHint": {"timeZone": "Etc/UTC", "latitude": 0.0}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"message": {"text": "  \n"}, "locationHint": {"timeZone": "Etc/UTC"}},
        {"message": {"text": "Hi"}},
        {"message": {"text": "Hi"}, "locationHint": {"timeZone": "Etc/UTC"}, "responseOptions": {}},
        {"message": {"text": "Hi"}, "locationHint": {"timeZone": "Etc/UTC", "latitude": float("nan")}},
        {"message": {"text": "Hi"}, "locationHint": {"timeZone": "Etc/UTC", "longitude": 181}},
    ],
)
def test_what_graph_would_refuse_is_refused_here(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChatBody.model_validate(wrong)


def test_validation_errors_do_not_quote_the_prompt() -> None:
    with pytest.raises(ValidationError) as caught:
        ChatBody.model_validate({"message": {"text": "secret plan", "x": "secret plan"}, "locationHint": {}})
    assert "secret plan" not in str(caught.value)


def test_created_conversation_reads_status_as_state(payload: Payload) -> None:
    conversation = CopilotConversation.model_validate(payload("conversation-created.json"))
    assert conversation == CopilotConversation(
        id="5b0c7c1e-0d52-4c6b-9a3e-2f6f0d9d8a11", created_date_time="2026-03-02T08:15:04.1203345Z", state="active"
    )
    assert (conversation.answer(PROMPT), conversation.disengaged, conversation.is_final(PROMPT)) == (None, False, False)


def test_answer_is_the_last_message(payload: Payload) -> None:
    conversation = CopilotConversation.model_validate(payload("chat-answer.json"))
    answer = conversation.answer(PROMPT)
    assert answer is not None
    assert (answer.id, answer.adaptive_cards, len(answer.attributions)) == ("m-answer", [], 4)
    assert answer.sensitivity_label == SearchSensitivityLabelInfo(
        sensitivity_label_id="b2c0-not-a-guid",
        display_name="Internal\\Staff only",
        tooltip="For staff.",
        priority=3,
        color="#317100",
        is_encrypted=False,
    )
    assert conversation.messages[0].sensitivity_label is None
    assert conversation.is_final(PROMPT)
    assert conversation.model_extra == {}


def test_echo_alone_is_no_answer() -> None:
    conversation = CopilotConversation.model_validate({"id": "c", "messages": [{"text": f"{PROMPT} "}]})
    assert (conversation.answer(PROMPT), conversation.is_final(PROMPT)) == (None, False)


def test_first_snapshot_without_echo_is_an_unfinished_answer() -> None:
    conversation = CopilotConversation.model_validate({"id": "c", "messages": [{"text": "Ines"}]})
    answer = conversation.answer(PROMPT)
    assert answer is not None
    assert (answer.text, conversation.is_final(PROMPT)) == ("Ines", False)


@pytest.mark.parametrize(
    ("texts", "answer"),
    [
        (("Ines.", PROMPT), "Ines."),
        ((PROMPT, "Ines.", ""), "Ines."),
        ((PROMPT, " ", "Ines."), "Ines."),
        ((PROMPT, ""), ""),
        ((PROMPT, PROMPT), PROMPT),
        ((PROMPT, "Part A.", "Part B."), "Part A.\n\nPart B."),
        (("Who keeps keys?", "Part A.", "Part B."), "Part A.\n\nPart B."),
        ((PROMPT, "Part A.", "Part A. And B."), "Part A. And B."),
    ],
)
def test_answer_is_what_comes_beside_the_echo(texts: tuple[str, ...], answer: str) -> None:
    messages = [{"text": text} if text else {} for text in texts]
    read = CopilotConversation.model_validate({"id": "c", "messages": messages}).answer(PROMPT)
    assert read is not None and read.text == answer


def test_parts_of_an_answer_keep_their_sources_and_the_strictest_label() -> None:
    def part(text: str, *titles: str, priority: int) -> dict[str, Any]:
        sources = [{"attributionType": "citation", "providerDisplayName": title} for title in titles]
        card = {"type": "AdaptiveCard", "id": text[:1]}
        label = {"displayName": f"Label {priority}", "priority": priority}
        return {"text": text, "attributions": sources, "adaptiveCards": [card], "sensitivityLabel": label}

    parts = [
        part("A[^1^] B[^2^]", "a", "b", priority=3),
        part("C[^1^] `[^1^]`", "c", priority=1),
        part("D[^1^]", priority=2),
        part("", "e", priority=0),
    ]
    read = CopilotConversation.model_validate({"messages": [{"text": PROMPT}, *parts]}).answer(PROMPT)
    assert read is not None
    assert read.text == "A[^1^] B[^2^]\n\nC[^3^] `[^1^]`\n\nD[^4^]"
    assert [source.provider_display_name for source in read.attributions] == ["a", "b", "c", "e"]
    assert [card["id"] for card in read.adaptive_cards] == ["A", "C", "D", ""]
    assert read.sensitivity_label is not None and read.sensitivity_label.display_name == "Label 3"


@pytest.mark.parametrize(
    ("title", "turns", "final"),
    [("The title", 1, True), ("Intermediate Conversation Update", 1, False), ("The title", 0, False)],
)
def test_reworded_echo_is_final_only_when_the_turn_is_counted(title: str, turns: int, final: bool) -> None:
    messages = [{"text": "Who keeps keys?"}, {"text": "Ines."}]
    conversation = CopilotConversation.model_validate({"displayName": title, "turnCount": turns, "messages": messages})
    assert conversation.is_final(PROMPT) is final


def test_unknown_members_are_kept_and_odd_ones_cost_only_themselves() -> None:
    conversation = CopilotConversation.model_validate(
        {
            "id": "c",
            "agentId": None,
            "@odata.context": "https://internal-host.example",
            "state": "somethingNew",
            "turnCount": "many",
            "createdDateTime": None,
            "newMember": [1],
            "messages": [
                None,
                {"text": "Hello", "attributions": "none", "adaptiveCards": None, "sensitivityLabel": []},
            ],
        }
    )
    assert conversation.model_dump(exclude_defaults=True) == {
        "id": "c",
        "state": "somethingNew",
        "newMember": [1],
        "messages": [{"text": "Hello"}],
    }


def test_disengaged_conversation_says_so() -> None:
    assert CopilotConversation.model_validate({"state": "disengagedForRai"}).disengaged


@pytest.mark.parametrize("key", ["tooltip", "toolTip"])
def test_both_spellings_of_the_tooltip_are_read(key: str) -> None:
    label = SearchSensitivityLabelInfo.model_validate({key: "For staff.", "displayName": None})
    assert label.model_dump(exclude_none=True, by_alias=True) == {"tooltip": "For staff."}


def test_what_is_no_object_is_no_conversation() -> None:
    with pytest.raises(ValidationError):
        CopilotConversation.model_validate([1])


def test_documented_chat_examples_are_read(examples: dict[str, Any]) -> None:
    read = {}
    for entry in examples.values():
        if entry["operation"] in ("chat", "chat.stream"):
            body = ChatBody.model_validate(entry["request"]["body"])
            assert body.payload() == entry["request"]["body"]
        if entry["operation"] == "chat":
            conversation = CopilotConversation.model_validate(entry["response"]["body"])
            unknown = [set(message.model_extra or {}) for message in conversation.messages]
            read[entry["id"]] = (conversation.is_final(body.message.text), conversation.turn_count, *unknown)
    odata = {"@odata.type"}
    assert read == {f"ex04{number}": (True, number, odata, odata) for number in range(1, 5)}


def test_documented_creation_is_read(examples: dict[str, Any]) -> None:
    conversation = CopilotConversation.model_validate(examples["ex040"]["response"]["body"])
    assert (conversation.state, conversation.turn_count, conversation.model_extra) == ("active", 0, {})
