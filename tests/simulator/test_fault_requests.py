"""Faults asked for by name, by line and by call: for an operation, a person, a count, a chance."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import FAULTS, Fault, Faults, Simulator

RETRIEVAL = {"queryString": "VPN", "dataSource": "sharePoint"}
TURN = {"message": {"text": "VPN"}, "locationHint": {"timeZone": "Etc/UTC"}}


async def status_of(graph: httpx.AsyncClient) -> int:
    return (await graph.post("/v1.0/copilot/retrieval", json=RETRIEVAL)).status_code


def test_every_fault_says_what_it_does() -> None:
    assert [name for name, kind in FAULTS.items() if not kind.about or not kind.operation] == []


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("throttled", Fault("throttled", "graph")),
        ("throttled@retrieval, times=2 ,retry_after=7", Fault("throttled", "retrieval", 2, retry_after="7")),
        ("unavailable,times=always,form=empty", Fault("unavailable", "graph", None, form="empty")),
        ("slow,operation=token,seconds=2.5", Fault("slow", "token", seconds=2.5)),
        ("html@*,status=502", Fault("html", "*", status=502)),
        ("cut_event,at=-1,user=adele", Fault("cut_event", "chatOverStream", at=-1, user="adele")),
        ("big_body,probability=0.25,seed=9", Fault("big_body", "graph", probability=0.25, seed=9)),
    ],
)
def test_one_line_asks_for_a_fault(spec: str, fault: Fault) -> None:
    faults = Faults(["adele"])
    assert faults.add_spec(spec) == fault
    assert faults.waiting == (fault,)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("earthquake", "no such fault: earthquake; there are refused, slow, unauthorized, "),
        ("", "no such fault: ; there are "),
        ("slow@search", "no such operation: search; there are *, graph, entra, turns, authorize, batch, chat, "),
        ("slow@token,operation=keys", "the operation is named twice"),
        ("throttled,soon", "soon is no OPTION=VALUE"),
        ("throttled,", "an empty part is no OPTION=VALUE"),
        ("throttled,times=", "times= is no OPTION=VALUE"),
        ("throttled,times=often", "times=often: a number is needed"),
        ("throttled,times=0", "times is out of range: 1 or more, or always"),
        ("throttled,form=html", "form means nothing for throttled; it takes operation, times, user, probability, seed"),
        ("throttled,retry_after=\n", "retry_after= is no OPTION=VALUE"),
        ("throttled,retry_after=a\x00b", "retry_after is out of range: printable text"),
        ("html,status=99", "status is out of range: 200 to 599"),
        ("cut_event,at=0", "at is out of range: 1 or more, or negative to count from the end"),
        ("slow,seconds=-1", "seconds is out of range: 0 to 86400"),
        ("slow,seconds=nan", "seconds is out of range: 0 to 86400"),
        ("slow,probability=1.5", "probability is out of range: 0 to 1"),
        ("unavailable,form=xml", "form is out of range: json, html, empty"),
        ("slow,user=nobody", "no such user: nobody; there are adele"),
    ],
)
def test_a_line_that_makes_no_sense_says_why(spec: str, reason: str) -> None:
    faults = Faults(["adele"])
    with pytest.raises(ValueError, match=re.escape(reason)):
        faults.add_spec(spec)
    assert faults.waiting == ()


@pytest.mark.parametrize(
    "options", [{"times": "2"}, {"times": True}, {"probability": "often"}, {"retry_after": 7}, {"seed": 1.5}]
)
def test_values_of_the_wrong_type_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Faults().add("throttled", **options)


@pytest.mark.anyio
async def test_a_fault_for_one_person_leaves_the_others_alone(
    graph_of: Callable[..., Awaitable[httpx.AsyncClient]], simulator: Simulator
) -> None:
    adele, megan = await graph_of("adele"), await graph_of("megan")
    for stage in ("unavailable", "unknown_members", "refused"):
        simulator.faults.add(stage, operation="retrieval", user="megan")
    assert await status_of(adele) == 200
    assert len(simulator.faults.waiting) == 3
    with pytest.raises(ConnectionRefusedError):
        await status_of(megan)
    assert [await status_of(megan), await status_of(megan)] == [503, 200]
    assert simulator.faults.waiting == ()


@pytest.mark.anyio
async def test_a_request_without_a_token_is_nobodys(login: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("unavailable", user="adele")
    answer = await login.post("/v1.0/copilot/retrieval", json=RETRIEVAL)
    assert answer.status_code == 401


@pytest.mark.anyio
async def test_chance_is_the_same_each_time_and_uses_up_only_what_strikes(
    graph: httpx.AsyncClient, simulator: Simulator
) -> None:
    runs = []
    for _ in range(2):
        simulator.faults.add("unavailable", operation="retrieval", times=3, probability=0.5, seed=4)
        runs.append([await status_of(graph) for _ in range(12)])
        simulator.faults.clear()
    assert runs[0] == runs[1]
    assert runs[0].count(503) == 3
    assert 200 in runs[0][:6]


@pytest.mark.anyio
async def test_what_came_in_and_what_was_recorded_is_counted(
    graph: httpx.AsyncClient, login: httpx.AsyncClient, simulator: Simulator
) -> None:
    conversation = (await graph.post("/beta/copilot/conversations", json={})).json()["id"]
    path = f"/beta/copilot/conversations/{conversation}"
    simulator.faults.add("unavailable", operation="chat")
    simulator.faults.add("refused", operation="chat")
    simulator.clear_trace()
    with pytest.raises(ConnectionRefusedError):
        await graph.post(f"{path}/chat", json=TURN)
    for operation in ("chat", "chat", "chatOverStream"):
        await graph.post(f"{path}/{operation}", json=TURN)
    await graph.get("/v1.0/copilot/retrieval")
    counts = {"chat": 2, "chatOverStream": 1}
    assert (simulator.received, simulator.turns_recorded) == (counts, 2)
    told = await login.get("/simulator/counts")
    assert told.json() == {"received": counts, "turnsRecorded": 2}


@pytest.mark.anyio
async def test_a_call_asks_for_a_fault_by_its_line(login: httpx.AsyncClient) -> None:
    added = await login.post("/simulator/faults", json={"spec": "throttled@retrieval,times=always"})
    wrong = await login.post("/simulator/faults", json={"spec": "throttled,times=0"})
    assert [(each["name"], each["operation"], each["times"]) for each in added.json()] == [
        ("throttled", "retrieval", None)
    ]
    assert (wrong.status_code, wrong.json()) == (400, {"error": "times is out of range: 1 or more, or always"})
