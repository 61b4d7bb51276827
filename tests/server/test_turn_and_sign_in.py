"""A chat turn whose token is refused: nobody signs in for it behind the person's back, and it is never sent again."""

from typing import Any

import pytest

from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio


def facts(result: Any) -> dict[str, Any]:
    assert result.is_error, result
    return dict((result.meta or {})["copilot-mcp/error"])


@pytest.mark.parametrize(("number", "kind"), [(50173, "session_revoked"), (65001, "consent_required")])
async def test_turn_that_was_refused_is_not_sent_again_by_a_sign_in(
    open_client: Any, simulator: Simulator, person: Any, number: int, kind: str
) -> None:
    client = await open_client(asks=True)
    asked = {"message": "How long is parental leave?"}
    begun = await client.call_tool("copilot_chat", asked)
    asked["conversationId"] = begun.structured_content["conversationId"]
    simulator.faults.add("unauthorized", operation="chatOverStream")
    simulator.faults.add("entra_error", operation="token", value=number)
    before = simulator.turns_recorded
    simulator.clear_trace()
    refused = facts(await client.call_tool("copilot_chat", asked))
    assert (refused["kind"], len(person.asked)) == (kind, 1)
    assert (simulator.received["chatOverStream"], simulator.turns_recorded) == (1, before)
    simulator.faults.clear()
    again = await client.call_tool("copilot_chat", asked)
    assert not again.is_error
    assert simulator.received["chatOverStream"] == 2


@pytest.mark.parametrize(
    ("spec", "read"),
    [
        ("stream_error,status=401", 1),
        ("wrapped_refusal@chatOverStream,status=401", 1),
        ("unauthorized@chatOverStream,times=always", 0),
    ],
)
async def test_turn_that_was_sent_leads_to_no_sign_in_and_no_second_turn(
    open_client: Any, simulator: Simulator, person: Any, spec: str, read: int
) -> None:
    client = await open_client(asks=True)
    asked = {"message": "How long is parental leave?"}
    begun = await client.call_tool("copilot_chat", asked)
    asked["conversationId"] = begun.structured_content["conversationId"]
    simulator.faults.add_spec(spec)
    simulator.clear_trace()
    told = facts(await client.call_tool("copilot_chat", asked))
    assert (told["kind"] == "back_end_refused") is bool(read)
    statuses = [entry["status"] for entry in simulator.trace if entry["operation"] == "chatOverStream"]
    assert (len(person.asked), len([status for status in statuses if status != 401])) == (1, read)
