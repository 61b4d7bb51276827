"""Claims challenges end to end, in both eras: one silent renewal, else one sign-in, and no turn that is sent twice."""

import json
from typing import Any

import anyio
import pytest

from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

ASKED = {"message": "How many weeks of parental leave do we get?"}
QUESTION = {"queryString": "How many weeks of parental leave do we get?", "dataSource": "sharePoint"}
TICKETS = {"queryString": "What can I do when the VPN drops?", "dataSource": "externalItem"}
STEP_UP = {"acrs": {"essential": True, "value": "c1"}}
OPERATIONS = {"stream": "chatOverStream", "sync": "chat"}


def facts(result: Any) -> dict[str, Any]:
    assert result.is_error, result
    return dict((result.meta or {})["copilot-mcp/error"])


def answered(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content[0].text
    return dict(result.structured_content)


async def begun(client: Any) -> dict[str, Any]:
    """The arguments of a second turn, after a first one that was answered."""
    return ASKED | {"conversationId": answered(await client.call_tool("copilot_chat", ASKED))["conversationId"]}


def claims_of_sign_ins(simulator: Simulator) -> list[Any]:
    """What each approved device code was asked to bring besides the capability."""
    forms = [each["request"] for each in simulator.exchanges if each["operation"] == "token" and each["status"] == 200]
    asked = [json.loads(form["claims"])["access_token"] for form in forms if "device_code" in form["grant_type"]]
    return [{name: value for name, value in each.items() if name != "xms_cc"} for each in asked]


def graph_requests(simulator: Simulator) -> dict[str, int]:
    """What Graph received, by operation."""
    return {name: count for name, count in simulator.received.items() if name != "token"}


def items_sent(simulator: Simulator) -> list[list[str]]:
    """The data sources of each batch."""
    return [
        [item["body"]["dataSource"] for item in each["request"]["requests"]]
        for each in simulator.exchanges
        if each["operation"] == "batch"
    ]


@pytest.mark.parametrize("chat", OPERATIONS)
@pytest.mark.parametrize("status", [401, 403])
async def test_challenged_start_of_a_conversation_is_renewed_in_silence_and_the_turn_is_sent(
    connect: Any, simulator: Simulator, chat: str, status: int
) -> None:
    client = await connect(chat=chat)
    await begun(client)
    simulator.clear_trace()
    simulator.identity.challenge("adele", status=status)
    turns, refreshes = simulator.turns_recorded, simulator.identity.refreshes("adele")
    assert answered(await client.call_tool("copilot_chat", ASKED))["answer"]
    assert graph_requests(simulator) == {"conversations": 2, OPERATIONS[chat]: 1}
    assert (simulator.turns_recorded, simulator.identity.refreshes("adele")) == (turns + 1, refreshes + 1)


@pytest.mark.parametrize("chat", OPERATIONS)
@pytest.mark.parametrize("status", [401, 403])
async def test_challenged_turn_is_not_sent_again_and_asking_again_works(
    connect: Any, simulator: Simulator, chat: str, status: int
) -> None:
    client = await connect(chat=chat)
    asked = await begun(client)
    simulator.clear_trace()
    simulator.identity.challenge("adele", status=status)
    turns, refreshes = simulator.turns_recorded, simulator.identity.refreshes("adele")
    refused = await client.call_tool("copilot_chat", asked)
    assert (facts(refused)["kind"], facts(refused)["whoActs"]) == ("token_renewed", "user")
    assert refused.content[0].text.startswith(
        f"Microsoft Graph refused the token ({status}), so the question was not taken. The sign-in has been renewed. "
        "Ask again."
    )
    assert (graph_requests(simulator), simulator.turns_recorded) == ({OPERATIONS[chat]: 1}, turns)
    assert simulator.identity.refreshes("adele") == refreshes + 1

    assert answered(await client.call_tool("copilot_chat", asked))["answer"]
    assert (graph_requests(simulator), simulator.turns_recorded) == ({OPERATIONS[chat]: 2}, turns + 1)
    assert simulator.identity.refreshes("adele") == refreshes + 1


@pytest.mark.parametrize("chat", OPERATIONS)
async def test_endless_challenge_of_turns_costs_one_turn_and_one_refresh_a_call(
    connect: Any, simulator: Simulator, chat: str
) -> None:
    client = await connect(chat=chat)
    asked = await begun(client)
    simulator.clear_trace()
    simulator.identity.challenge("adele", endless=True)
    refreshes = simulator.identity.refreshes("adele")
    assert [facts(await client.call_tool("copilot_chat", asked))["kind"] for _ in range(2)] == ["token_renewed"] * 2
    assert graph_requests(simulator) == {OPERATIONS[chat]: 2}
    assert simulator.identity.refreshes("adele") == refreshes + 2
    simulator.identity.end_challenges()
    assert answered(await client.call_tool("copilot_chat", asked))["answer"]


async def test_start_that_needs_the_person_is_asked_for_once_where_the_host_opens_pages(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=True)
    await begun(client)
    simulator.clear_trace()
    simulator.identity.challenge("adele", needs_sign_in=True)
    turns = simulator.turns_recorded
    assert answered(await client.call_tool("copilot_chat", ASKED))["answer"]
    assert (len(person.asked), claims_of_sign_ins(simulator)) == (2, [STEP_UP])
    assert person.asked[1].message.startswith("The saved sign-in needs an additional verification.")
    assert (simulator.received["chatOverStream"], simulator.turns_recorded) == (1, turns + 1)
    assert answered(await client.call_tool("copilot_chat", ASKED))["answer"]
    assert len(person.asked) == 2


async def test_challenge_that_not_even_a_sign_in_meets_asks_for_one_and_no_more(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=True)
    await begun(client)
    simulator.clear_trace()
    simulator.identity.challenge("adele", endless=True)
    assert facts(await client.call_tool("copilot_chat", ASKED))["kind"] == "reauth_required"
    assert (len(person.asked), "chatOverStream" in simulator.received) == (2, False)
    simulator.identity.end_challenges()
    assert answered(await client.call_tool("copilot_chat", ASKED))["answer"]
    assert len(person.asked) == 2


async def test_each_challenge_that_needs_the_person_asks_in_the_call_that_meets_it(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=True)
    await begun(client)
    for number in (2, 3):
        wanted = {"access_token": {"acrs": {"essential": True, "value": f"c{number}"}}}
        simulator.identity.end_challenges()
        simulator.identity.challenge("adele", wanted, needs_sign_in=True)
        assert not (await client.call_tool("copilot_retrieve", QUESTION)).is_error
        assert len(person.asked) == number


async def test_start_that_needs_the_person_says_so_where_the_host_cannot_and_the_next_call_works(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=False)
    person.decide(facts(await client.call_tool("copilot_chat", ASKED))["userCode"])
    await until_answered(client, "copilot_chat", ASKED)
    simulator.clear_trace()
    simulator.identity.challenge("adele", needs_sign_in=True)
    turns = simulator.turns_recorded
    told = [await client.call_tool("copilot_chat", ASKED) for _ in range(2)]
    assert {(facts(each)["kind"], facts(each)["userCode"] in each.content[0].text) for each in told} == {
        ("sign_in_pending", True)
    }
    assert len({facts(each)["userCode"] for each in told}) == 1
    person.decide(facts(told[0])["userCode"])
    assert (await until_answered(client, "copilot_chat", ASKED))["answer"]
    assert claims_of_sign_ins(simulator) == [STEP_UP]
    assert (simulator.received["chatOverStream"], simulator.turns_recorded) == (1, turns + 1)


async def until_answered(client: Any, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The answer of a call that is made again until the sign-in under way is over."""
    with anyio.fail_after(10):
        while (result := await client.call_tool(tool, arguments)).is_error:
            assert facts(result)["kind"] == "sign_in_pending"
            await anyio.sleep(0.01)
    return answered(result)


@pytest.mark.parametrize("asks", [True, False])
async def test_turn_that_needs_the_person_is_left_and_the_next_call_signs_in_once(
    open_client: Any, simulator: Simulator, person: Any, asks: bool
) -> None:
    client = await open_client(asks=asks)
    if not asks:
        person.decide(facts(await client.call_tool("copilot_chat", ASKED))["userCode"])
        await until_answered(client, "copilot_chat", ASKED)
    asked = await begun(client)
    simulator.clear_trace()
    simulator.identity.challenge("adele", needs_sign_in=True)
    turns, pages = simulator.turns_recorded, len(person.asked)
    refused = facts(await client.call_tool("copilot_chat", asked))
    assert (refused["kind"], refused["whoActs"], len(person.asked)) == ("mfa_required", "user", pages)
    assert (simulator.received["chatOverStream"], simulator.turns_recorded) == (1, turns)

    if not asks:
        pending = facts(await client.call_tool("copilot_chat", asked))
        assert pending["kind"] == "sign_in_pending"
        person.decide(pending["userCode"])
    assert (await until_answered(client, "copilot_chat", asked))["answer"]
    assert (simulator.received["chatOverStream"], simulator.turns_recorded) == (2, turns + 1)
    assert (claims_of_sign_ins(simulator), len(person.asked)) == ([STEP_UP], pages + asks)


@pytest.mark.parametrize("status", [401, 403])
async def test_challenged_request_of_several_is_sent_again_alone(
    connect: Any, simulator: Simulator, status: int
) -> None:
    client = await connect()
    several = QUESTION | {"moreRequests": [TICKETS]}
    ordinary = answered(await client.call_tool("copilot_retrieve", several))
    simulator.clear_trace()
    simulator.identity.challenge("adele", sources=["sharePoint"], status=status)
    refreshes = simulator.identity.refreshes("adele")
    result = answered(await client.call_tool("copilot_retrieve", several))
    assert (result["hits"], result["requestsUsed"]) == (ordinary["hits"], 3)
    assert items_sent(simulator) == [["sharePoint", "externalItem"], ["sharePoint"]]
    assert simulator.identity.refreshes("adele") == refreshes + 1
    again = answered(await client.call_tool("copilot_retrieve", several))
    assert (again["requestsUsed"], simulator.identity.refreshes("adele")) == (2, refreshes + 1)


@pytest.mark.parametrize(("status", "kind"), [(401, "reauth_required"), (403, "policy")])
async def test_request_that_stays_challenged_costs_no_other_its_answer(
    connect: Any, simulator: Simulator, status: int, kind: str
) -> None:
    client = await connect()
    several = QUESTION | {"moreRequests": [TICKETS]}
    await client.call_tool("copilot_retrieve", several)
    simulator.clear_trace()
    simulator.identity.challenge("adele", sources=["externalItem"], status=status, endless=True)
    result = answered(await client.call_tool("copilot_retrieve", several))
    first, second = result["requests"]
    assert (first["hits"] > 0, second["error"].endswith(f"[{kind}]"), result["requestsUsed"]) == (True, True, 3)
    assert items_sent(simulator) == [["sharePoint", "externalItem"], ["externalItem"]]
    alone = facts(await client.call_tool("copilot_retrieve", TICKETS))
    assert alone["kind"] == kind


async def test_request_of_several_that_needs_the_person_is_answered_after_one_sign_in(
    open_client: Any, simulator: Simulator, person: Any
) -> None:
    client = await open_client(asks=True)
    several = QUESTION | {"moreRequests": [TICKETS]}
    ordinary = answered(await client.call_tool("copilot_retrieve", several))
    simulator.clear_trace()
    simulator.identity.challenge("adele", sources=["sharePoint"], needs_sign_in=True)
    partly = answered(await client.call_tool("copilot_retrieve", several))
    assert [each.get("hits") is not None for each in partly["requests"]] == [False, True]
    assert "[mfa_required]" in partly["requests"][0]["error"]
    said = "Request 1: call again for what was not answered; the person may then be asked to sign in."
    assert said in partly["notes"]
    assert (partly["requestsUsed"], len(person.asked)) == (2, 1)
    result = answered(await client.call_tool("copilot_retrieve", several))
    assert (result["hits"], result["requestsUsed"], len(person.asked)) == (ordinary["hits"], 2, 2)
    assert said not in result["notes"]
    assert claims_of_sign_ins(simulator) == [STEP_UP]


@pytest.mark.parametrize("asks", [True, False])
async def test_requests_that_all_need_the_person_are_answered_after_one_sign_in(
    open_client: Any, simulator: Simulator, person: Any, asks: bool
) -> None:
    client = await open_client(asks=asks)
    several = QUESTION | {"moreRequests": [TICKETS]}
    if not asks:
        person.decide(facts(await client.call_tool("copilot_retrieve", several))["userCode"])
    ordinary = await until_answered(client, "copilot_retrieve", several)
    simulator.clear_trace()
    simulator.identity.challenge("adele", needs_sign_in=True)
    if not asks:
        pending = facts(await client.call_tool("copilot_retrieve", several))
        assert pending["kind"] == "sign_in_pending"
        person.decide(pending["userCode"])
    result = await until_answered(client, "copilot_retrieve", several)
    assert (result["hits"], result["requestsUsed"]) == (ordinary["hits"], 2)
    assert items_sent(simulator) == [["sharePoint", "externalItem"]] * 2
    assert (claims_of_sign_ins(simulator), len(person.asked)) == ([STEP_UP], 2 * asks)
