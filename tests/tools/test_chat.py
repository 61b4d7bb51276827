"""copilot_chat, end to end in memory: what is sent, what comes back, and every way it fails."""

from collections.abc import Callable
from typing import Any

import pytest
from mcp import Client

from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

QUESTION = "How many weeks of parental leave do we get?"


def turns(simulator: Simulator) -> list[dict[str, Any]]:
    """Every chat request the tenant received."""
    return [entry for entry in simulator.exchanges if entry["operation"] in ("chat", "chatOverStream")]


def sent(simulator: Simulator) -> dict[str, Any]:
    """The body of the only chat request."""
    (turn,) = turns(simulator)
    body: dict[str, Any] = turn["request"]
    return body


async def ask(client: Client, **arguments: Any) -> tuple[str, dict[str, Any]]:
    arguments.setdefault("message", QUESTION)
    result = await client.call_tool("copilot_chat", arguments)
    text = result.content[0].text
    assert not result.is_error, text
    return text, dict(result.structured_content or {})


async def refused(client: Client, **arguments: Any) -> tuple[str, dict[str, Any]]:
    arguments.setdefault("message", QUESTION)
    result = await client.call_tool("copilot_chat", arguments)
    assert result.is_error
    assert result.structured_content is None
    return result.content[0].text, dict((result.meta or {})["copilot-mcp/error"])


async def test_both_halves_hold_the_answer_its_sources_and_the_conversation(client: Client) -> None:
    text, result = await ask(client)
    assert result["complete"] is True
    assert result["state"] == "active"
    assert result["turnCount"] == 1
    assert result["webEnabled"] is False
    assert result["timeZone"] == "Etc/UTC"
    assert result["tenant"] == "simulated tenant"
    assert result["citations"]
    for fact in (
        *(f"> {line}".rstrip() for line in result["answer"].strip().split("\n") if line),
        result["conversationId"],
        "turn 1",
        "web search off",
        "time zone Etc/UTC",
        "simulated tenant",
        *(citation["url"] for citation in result["citations"]),
    ):
        assert fact in text


async def test_a_follow_up_goes_on_in_the_same_conversation(client: Client, simulator: Simulator) -> None:
    _, first = await ask(client)
    _, second = await ask(client, message="And who wrote it?", conversationId=first["conversationId"])
    assert second["conversationId"] == first["conversationId"]
    assert second["turnCount"] == 2
    assert len(turns(simulator)) == 2


@pytest.mark.parametrize("chat", ["stream", "sync"])
async def test_one_call_is_one_turn_by_the_operation_that_was_chosen(
    connect: Callable[..., Any], simulator: Simulator, chat: str
) -> None:
    _, result = await ask(await connect(chat=chat))
    operation = "chatOverStream" if chat == "stream" else "chat"
    assert [entry["operation"] for entry in turns(simulator)] == [operation]
    assert result["complete"] is True


async def test_the_text_so_far_arrives_as_progress_with_a_rising_number(client: Client) -> None:
    seen: list[tuple[float, str]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, message or ""))

    result = await client.call_tool("copilot_chat", {"message": QUESTION}, progress_callback=on_progress)
    assert not result.is_error
    assert [number for number, _ in seen] == [float(count) for count in range(1, len(seen) + 1)]
    assert seen[0][1]


async def test_the_web_is_off_unless_the_call_says_so(client: Client, simulator: Simulator) -> None:
    await ask(client)
    assert sent(simulator)["contextualResources"] == {"webContext": {"isWebEnabled": False}}


@pytest.mark.parametrize("value", ["yes", "on", 1])
async def test_what_is_not_true_does_not_switch_the_web_on(client: Client, simulator: Simulator, value: Any) -> None:
    text, _ = await refused(client, contextualResources={"webContext": {"isWebEnabled": value}})
    assert text.startswith("`contextualResources.webContext.isWebEnabled` must be true or false. Nothing was sent.")
    assert turns(simulator) == []


async def test_the_web_is_on_where_the_call_says_so(client: Client, simulator: Simulator) -> None:
    text, result = await ask(client, contextualResources={"webContext": {"isWebEnabled": True}})
    assert sent(simulator)["contextualResources"] == {"webContext": {"isWebEnabled": True}}
    assert result["webEnabled"] is True
    assert "web search on" in text


async def test_web_never_refuses_a_call_that_wants_it(connect: Callable[..., Any], simulator: Simulator) -> None:
    client = await connect(web="never")
    text, facts = await refused(client, contextualResources={"webContext": {"isWebEnabled": True}})
    assert facts == {"kind": "invalid_arguments"}
    assert "This server never lets Copilot search the web (--web never). Nothing was sent." in text
    assert turns(simulator) == []
    _, result = await ask(client, contextualResources={"webContext": {"isWebEnabled": False}})
    assert sent(simulator)["contextualResources"] == {"webContext": {"isWebEnabled": False}}
    assert result["webEnabled"] is False


async def test_the_web_switch_holds_for_one_turn(client: Client, simulator: Simulator) -> None:
    _, first = await ask(client, contextualResources={"webContext": {"isWebEnabled": True}})
    _, second = await ask(client, message="And who wrote it?", conversationId=first["conversationId"])
    switches = [turn["request"]["contextualResources"]["webContext"]["isWebEnabled"] for turn in turns(simulator)]
    assert switches == [True, False]
    assert [first["webEnabled"], second["webEnabled"]] == [True, False]


async def test_a_sharing_link_is_sent_as_the_files_address_and_says_so(client: Client, simulator: Simulator) -> None:
    file = "https://contoso.sharepoint.com/sites/HR/Shared%20Documents/Leave%20policy.docx"
    link = "https://contoso.sharepoint.com/:w:/r/sites/HR/Shared%20Documents/Leave%20policy.docx?d=w01&csf=1&e=4xYz"
    text, result = await ask(client, contextualResources={"files": [{"uri": link}, {"uri": file}]})
    assert sent(simulator)["contextualResources"]["files"] == [{"uri": file}, {"uri": file}]
    assert result["notes"][0] == f"A file link was read as {file}"
    assert result["notes"][0] in text


async def test_every_argument_reaches_graph_in_its_own_form(client: Client, simulator: Simulator) -> None:
    file = "https://contoso.sharepoint.com/sites/HR/Shared Documents/Leave policy.docx"
    await ask(
        client,
        message='{"text": "What does it say?"}',
        additionalContext=[{"text": "We are in Toronto.", "description": "place"}],
        locationHint={"timeZone": "America/Toronto", "countryOrRegion": "Canada"},
        contextualResources={"files": [{"uri": file}]},
    )
    assert sent(simulator) == {
        "message": {"text": "What does it say?"},
        "additionalContext": [{"text": "We are in Toronto.", "description": "place"}],
        "locationHint": {"timeZone": "America/Toronto", "countryOrRegion": "Canada"},
        "contextualResources": {"files": [{"uri": file}], "webContext": {"isWebEnabled": False}},
    }


async def test_two_people_get_answers_from_what_they_may_read(connect: Callable[..., Any]) -> None:
    question = "What is the settlement position in the Fabrikam matter?"
    _, adele = await ask(await connect(user="adele"), message=question)
    _, megan = await ask(await connect(user="megan"), message=question)
    assert any("/sites/Legal/" in citation["url"] for citation in adele["citations"])
    assert not any("/sites/Legal/" in citation["url"] for citation in megan["citations"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"message": {"text": "  "}}, "`message.text` is blank"),
        ({"message": ""}, "`message.text` is empty"),
        ({"message": {}}, "`message.text` is missing"),
        (
            {"locationHint": "W. Europe Standard Time"},
            "`locationHint.timeZone` is not an IANA time zone name; that is a Windows name, write Europe/Berlin.",
        ),
        ({"locationHint": {"timeZone": "Europe/Berln"}}, "did you mean Europe/Berlin?"),
        ({"locationHint": {"timeZone": "qqqqqq"}}, "write one such as Europe/Berlin."),
        (
            {"contextualResources": {"files": ["http://contoso.example/a.docx"]}},
            "`contextualResources.files[0].uri` must be an absolute https address of SharePoint or OneDrive",
        ),
        (
            {"contextualResources": {"files": ["https://contoso.sharepoint.com/:w:/s/HR/EaBcDeFg?e=4xYz"]}},
            "`contextualResources.files[0].uri` is a sharing link, which does not say where the file lies; in "
            "SharePoint or OneDrive open the Details of the file or folder and copy its path there.",
        ),
        (
            {
                "contextualResources": {
                    "files": [{"uri": "https://contoso.sharepoint.com/a.docx"}, {"uri": "https://x.example/b"}]
                }
            },
            "`contextualResources.files[1].uri` is not on a SharePoint or OneDrive host",
        ),
        ({"conversationID": "x"}, "`conversationID` is not an argument; did you mean `conversationId`?"),
        ({"isWebEnabled": True}, "it belongs at `contextualResources.webContext.isWebEnabled`."),
        ({"conversationId": "a/b"}, "conversationId is not the id of a conversation."),
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_sent(
    client: Client, simulator: Simulator, arguments: dict[str, Any], sentence: str
) -> None:
    text, facts = await refused(client, **arguments)
    assert sentence in text
    assert facts["kind"] == "invalid_arguments"
    assert turns(simulator) == []


EMPTIES: dict[str, Any] = {
    "conversationId": "",
    "pendingTurn": " ",
    "additionalContext": [],
    "locationHint": {"timeZone": "", "latitude": None},
    "contextualResources": {"files": [], "webContext": {"isWebEnabled": False}},
}


async def test_empty_members_say_no_more_than_none(client: Client, simulator: Simulator) -> None:
    await ask(client)
    plain = sent(simulator)
    simulator.clear_trace()
    await ask(client, **EMPTIES)
    assert sent(simulator) == plain


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"message": ""}, "`message.text` is empty"),
        ({"message": {"text": ""}}, "`message.text` is empty"),
        ({"contextualResources": {"files": [""]}}, "`contextualResources.files[0].uri` is"),
        ({"additionalContext": [{"text": ""}]}, "`additionalContext[0].text` is empty"),
    ],
)
async def test_an_empty_entry_is_refused(client: Client, arguments: dict[str, Any], sentence: str) -> None:
    text, _ = await refused(client, **EMPTIES | arguments)
    assert sentence in text


async def test_a_conversation_of_somebody_else_is_gone(connect: Callable[..., Any], simulator: Simulator) -> None:
    _, megans = await ask(await connect(user="megan"))
    text, facts = await refused(await connect(user="adele"), conversationId=megans["conversationId"])
    assert facts["kind"] == "conversation_gone"
    assert facts["status"] == 404
    assert "leave the conversation id out" in text


@pytest.mark.parametrize(
    ("fault", "options", "kind", "status"),
    [
        ("forbidden", {}, "forbidden", 403),
        ("no_licence", {}, "licence", 403),
        ("wrapped_refusal", {}, "licence", 500),
        ("throttled", {"retry_after": "7"}, "throttled", 429),
        ("server_error", {}, "service", 500),
        ("unavailable", {"retry_after": "3"}, "service", 503),
        ("gateway_timeout", {}, "timeout", 504),
        ("html", {}, "captive_portal", 200),
    ],
)
@pytest.mark.parametrize("chat", ["stream", "sync"])
async def test_a_fault_is_said_and_the_turn_is_not_sent_again(
    connect: Callable[..., Any],
    simulator: Simulator,
    fault: str,
    options: dict[str, str],
    kind: str,
    status: int,
    chat: str,
) -> None:
    client = await connect(chat=chat)
    simulator.faults.add(fault, operation="turns", times=None, **options)
    text, facts = await refused(client)
    assert (facts["kind"], facts.get("status")) == (kind, status)
    assert "The conversation is " in text
    assert len(turns(simulator)) == 1
    if "retry_after" in options:
        assert facts["retryAfterSeconds"] == float(options["retry_after"])
        assert f"Next try in {options['retry_after']} s." in text


async def test_a_body_cut_in_the_middle_is_said(connect: Callable[..., Any], simulator: Simulator) -> None:
    simulator.faults.add("cut_body", operation="chat")
    text, facts = await refused(await connect(chat="sync"))
    assert facts["kind"] == "service"
    assert "The conversation is " in text
    assert len(turns(simulator)) == 1


async def test_a_cut_stream_gives_what_had_arrived_and_says_so(client: Client, simulator: Simulator) -> None:
    simulator.faults.add("cut_stream")
    text, result = await ask(client)
    assert result["complete"] is False
    assert result["answer"]
    assert "The stream was cut before its end" in text
    assert "incomplete" in text
    assert len(turns(simulator)) == 1


async def test_a_closed_conversation_is_said(client: Client, simulator: Simulator) -> None:
    simulator.faults.add("disengaged")
    result = await client.call_tool("copilot_chat", {"message": QUESTION})
    assert "The responsible-AI filter" in result.content[0].text
    assert "without conversationId" in result.content[0].text


@pytest.mark.parametrize("chat", ["stream", "sync"])
async def test_a_follow_up_in_a_closed_conversation_says_that_it_is_closed(
    connect: Callable[..., Any], simulator: Simulator, chat: str
) -> None:
    client = await connect(chat=chat)
    simulator.faults.add("disengaged")
    _, closed = await ask(client)
    text, facts = await refused(client, conversationId=closed["conversationId"])
    assert (facts["kind"], facts["status"]) == ("disengaged", 403)
    assert "Start a new one" in text and "administrator" not in text


async def test_no_answer_is_said(client: Client, simulator: Simulator) -> None:
    simulator.faults.add("empty_answer")
    text, facts = await refused(client)
    assert facts["kind"] == "no_answer"
    assert "gave no answer" in text


async def test_a_final_event_without_text_takes_no_answer_away(client: Client, simulator: Simulator) -> None:
    _, plain = await ask(client)
    simulator.faults.add("empty_final")
    _, emptied = await ask(client)
    assert (emptied["answer"], emptied["complete"]) == (plain["answer"], False)
    assert emptied["notes"][-1].startswith("The last event held no text: this is what had arrived before it")


@pytest.mark.parametrize("fault", ["deltas", "rewrites", "crlf", "line_breaks"])
async def test_odd_streams_give_the_same_answer(client: Client, simulator: Simulator, fault: str) -> None:
    _, plain = await ask(client)
    simulator.faults.add(fault)
    _, odd = await ask(client)
    assert odd["complete"] is True
    assert odd["answer"] == plain["answer"]


async def test_an_error_inside_the_stream_is_an_error(client: Client, simulator: Simulator) -> None:
    simulator.faults.add("stream_error")
    text, _ = await refused(client)
    assert "The conversation is " in text
    assert len(turns(simulator)) == 1


async def test_a_token_refused_before_the_turn_is_renewed_and_the_turn_is_one(
    client: Client, simulator: Simulator
) -> None:
    simulator.faults.add("unauthorized", operation="conversations")
    _, result = await ask(client)
    assert result["turnCount"] == 1
    assert (simulator.received["conversations"], simulator.received["chatOverStream"]) == (2, 1)


async def test_a_token_refused_for_the_turn_is_renewed_and_the_turn_not_sent_again(
    client: Client, simulator: Simulator
) -> None:
    simulator.faults.add("unauthorized", operation="turns")
    text, facts = await refused(client)
    assert facts["kind"] == "token_renewed"
    assert "Ask again" in text
    assert (simulator.received["chatOverStream"], simulator.turns_recorded) == (1, 0)
    _, result = await ask(client)
    assert result["turnCount"] == 1


async def test_signed_out_begins_a_sign_in_and_says_how_to_go_on(connect: Callable[..., Any]) -> None:
    client = await connect(signs_in=False)
    text, facts = await refused(client)
    assert facts["kind"] == "sign_in_pending"
    assert facts["userCode"] in text
    assert "Call this tool again when they are done" in text
    assert "`copilot-mcp login` in a terminal would not reach this process" in text
    assert len((await client.list_tools()).tools) == 3
