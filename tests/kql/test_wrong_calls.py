"""Wrong calls as models, administrators and lawyers write them, and where their first suggestions lead."""

import json
from datetime import datetime
from pathlib import Path

from copilot_mcp.kql import parse, properties_for

WRONG_CALLS = Path(__file__).parent.parent / "data" / "kql" / "wrong_calls.json"
ROUNDS = 2
SHARE_THAT_MUST_ARRIVE = 0.95


def followed(expression: str, data_source: str, now: datetime) -> str | None:
    """The canonical text after following the first suggestion of an error or a warning, None when it is not valid."""
    properties = properties_for(data_source)
    for _ in range(ROUNDS):
        found = parse(expression, properties, now=now).diagnostics
        offers = (one.suggestion for one in found if one.severity != "information" and one.suggestion)
        expression = next(offers, expression)
    return parse(expression, properties, now=now).canonical


def test_following_the_first_suggestion_leads_to_what_was_meant(now: datetime) -> None:
    calls = json.loads(WRONG_CALLS.read_text("utf-8"))
    assert len({call["expression"] for call in calls}) == 120
    assert {call["who"] for call in calls} == {"model", "admin", "lawyer"}
    astray = [
        f"{call['id']}: {call['expression']} became {reached}, meant was {call['meant']}"
        for call in calls
        if (reached := followed(call["expression"], call["data_source"], now)) != call["meant"]
    ]
    assert len(calls) - len(astray) >= SHARE_THAT_MUST_ARRIVE * len(calls), "\n".join(astray)


def test_what_was_meant_is_canonical_and_not_what_was_typed() -> None:
    for call in json.loads(WRONG_CALLS.read_text("utf-8")):
        assert parse(call["meant"], properties_for(call["data_source"])).canonical == call["meant"]
        assert call["expression"] != call["meant"]
