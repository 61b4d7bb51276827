"""Every fault of the tenant under every tool: the expected kind of answer, in time, one turn, no secret, no aftermath.

What is expected stands in `expected.txt`; `pytest --matrix` prints the table with what came out. A cell is the kind of
the error, `answer` or `incomplete`; `in 10` is the wait in seconds that is passed on, `x4` the number of requests it
took, `2 calls` that the answer did not come within the first call's time and was fetched with its `pendingTurn`;
`1 of 2` are the requests of a call that were answered, the kind is that of the others. A `-` says that the fault cannot
strike there, `~` repeats the cell before. build_filter has no column: no fault reaches it, as a test of its own shows.
"""

import asyncio
import json
import math
import re
import time
from pathlib import Path
from typing import Any

import pytest

from copilot_mcp.simulator import FAULTS, Simulator
from copilot_mcp.simulator.entra_faults import ENTRA_FAULTS

pytestmark = pytest.mark.anyio

QUESTION = "How many weeks of parental leave do employees in Europe get?"
PASSAGE = "26 weeks"
FILTER = 'Path:"https://contoso.sharepoint.com/sites/Documents/"'
COLUMNS = {
    "stream": "chatOverStream",
    "sync": "chat",
    "create": "conversations",
    "retrieve": "retrieval",
    "once": "retrieval",
    "batch": "batch",
    "sign_in": "entra",
    "renew": "token",
}
"""The operation that is struck, for good: copilot_chat in its two forms and in the conversation it starts, then
copilot_retrieve; `once` only once, `batch` with `moreRequests`, `sign_in` while the person is signed in for the call,
`renew` while a token is renewed that Graph has refused."""

MET_BY_TOOLS = ("entra", "discovery", "devicecode", "token")
"""Operations of the sign-in service that a tool comes to; the others are those of a browser and of a hosted server."""

STRIKES = 50
POLLS = 5
"""A code is polled for until the person decides; so often fit into the time of a call."""

REFUSE_A_TOKEN = ("unauthorized", "claims_challenge")
TIME_LIMIT_S = 60.0
"""What hosts give a call."""

SECRET = re.compile(r"eyJ[\w-]{10,}|Bearer [\w-]{10,}")

EXPECTED = Path(__file__).with_name("expected.txt")


def rows_of(table: str) -> dict[str, list[str]]:
    """The cells of each row, `~` resolved to what stands left of it."""
    rows: dict[str, list[str]] = {}
    head, *lines = table.splitlines()
    assert [cell.strip() for cell in head.split("|")] == ["fault", *COLUMNS]
    for line in lines:
        spec, *cells = (cell.strip() for cell in line.split("|"))
        rows[spec] = [next(left for left in reversed(cells[: place + 1]) if left != "~") for place in range(len(cells))]
    return rows


ROWS = rows_of(EXPECTED.read_text("utf-8"))


def can_strike(spec: str, column: str) -> bool:
    """Whether this fault can be asked for in the column's operation; most belong to operations of their own."""
    name = spec.partition(",")[0]
    kind, operation = FAULTS[name], COLUMNS[column]
    if kind.stage in ("connect", "wait", "body"):
        return True
    if kind.stage in ("turn", "stream", "filter", "batch"):
        return operation in {"turn": ("chat", "chatOverStream"), "filter": ("retrieval",)}.get(
            kind.stage, (kind.operation,)
        )
    if name == "slow_down":  # the answer to a poll
        return column == "sign_in"
    if operation in MET_BY_TOOLS:
        return kind.operation in (MET_BY_TOOLS if column == "sign_in" else ("entra", "token"))
    return name == "claims_challenge" or name not in ENTRA_FAULTS


# The second era carries the same results, so there the first fault of each stage stands for the others; nothing of the
# sign-in service reaches a client in a way of its own.
FIRST_OF_STAGE = {FAULTS[spec.partition(",")[0]].stage: spec for spec in reversed(ROWS)}.values()
CASES = [(spec, column, "auto") for spec in ROWS for column in COLUMNS if can_strike(spec, column)]
CASES += [
    (spec, column, "legacy")
    for spec in FIRST_OF_STAGE
    for column in COLUMNS
    if can_strike(spec, column) and COLUMNS[column] not in MET_BY_TOOLS
]


class Call:
    """One call of a tool, what came of it and what it cost."""

    def __init__(self, bench: Any, column: str, client: Any) -> None:
        self.bench = bench
        self.client = client
        self.column = column
        self.tool = "copilot_chat" if column in ("stream", "sync", "create") else "copilot_retrieve"
        self.arguments: dict[str, Any] = {"message": QUESTION}
        if self.tool == "copilot_retrieve":
            self.arguments = {"queryString": QUESTION, "dataSource": "sharePoint", "filterExpression": FILTER}
        if column == "batch":
            self.arguments["moreRequests"] = [{"queryString": "Who renews VPN access?", "dataSource": "sharePoint"}]

    async def run(self) -> "Call":
        """Make the call, and further ones for what it owes."""
        simulator = self.bench.simulator
        simulator.clear_trace()
        turns, really = simulator.turns_recorded, time.perf_counter()
        self.results = [await self._call(self.arguments)]
        while pending := (self.result.structured_content or {}).get("pendingTurn"):
            assert len(self.results) < 10
            self.results.append(await self._call({"pendingTurn": pending}))
        self.really = time.perf_counter() - really
        self.turns = simulator.turns_recorded - turns
        self.received = simulator.received
        return self

    async def _call(self, arguments: dict[str, Any]) -> Any:
        began = asyncio.get_running_loop().time()
        result = await self.client.call_tool(self.tool, arguments)
        assert asyncio.get_running_loop().time() - began <= TIME_LIMIT_S
        return result

    @property
    def result(self) -> Any:
        """The last of its results."""
        return self.results[-1]

    @property
    def outcome(self) -> str:
        """The cell of the table."""
        found, sent = self.result.structured_content or {}, sum(self.received.get(name, 0) for name in RETRIEVALS)
        if self.result.is_error:
            cell = outcome_of((self.result.meta or {})["copilot-mcp/error"])
        else:
            sent = found.get("requestsUsed", 1) - (self.column == "batch")
            cell = "answer" if found.get("complete", True) else "incomplete"
        requests = found.get("requests", [])
        if failed := [each["error"] for each in requests if "error" in each]:
            kinds = sorted({error.rpartition("[")[2].rstrip("]") for error in failed})
            cell = f"{len(requests) - len(failed)} of {len(requests)}, {', '.join(kinds)}"
        if len(self.results) > 1:
            cell = f"{cell}, {len(self.results)} calls"
        return f"{cell} x{sent}" if sent > 1 else cell


RETRIEVALS = ("retrieval", "batch")


def outcome_of(facts: dict[str, Any]) -> str:
    """Kind and wait of an error."""
    wait = facts.get("retryAfterSeconds")
    return str(facts["kind"]) + ("" if wait is None else f" in {math.ceil(wait)}")


def ask_for(simulator: Simulator, spec: str, column: str) -> None:
    name, comma, options = spec.partition(",")
    own, operation = FAULTS[name].operation, COLUMNS[column]
    if operation in MET_BY_TOOLS and own in MET_BY_TOOLS and own != "entra":
        operation = own
    times = {"once": 1, "sign_in": POLLS}.get(column, STRIKES)
    simulator.faults.add_spec(f"{name}@{operation},times={times}{comma}{options}")


def left_of(simulator: Simulator) -> int:
    """How many requests the waiting faults would still spoil."""
    return sum(fault.times or 0 for fault in simulator.faults.waiting)


def test_every_fault_has_an_expectation_wherever_it_can_strike() -> None:
    assert {spec.partition(",")[0] for spec in ROWS} == {
        name for name, kind in FAULTS.items() if kind.operation not in ("authorize", "keys")
    }
    for spec, cells in ROWS.items():
        assert (spec, [cell == "-" for cell in cells]) == (spec, [not can_strike(spec, column) for column in COLUMNS])


@pytest.mark.parametrize(("spec", "column", "era"), CASES)
async def test_a_fault_ends_as_expected_and_the_next_call_succeeds(
    benches: Any, logs: Any, capfd: Any, record_property: Any, spec: str, column: str, era: str
) -> None:
    bench, expected = benches[era], ROWS[spec][list(COLUMNS).index(column)]
    bench.days += 1
    simulator, chat = bench.simulator, "sync" if column in ("sync", "create") else "stream"
    if column in ("sign_in", "renew"):
        client = await bench.connect(chat=chat)
        if column == "renew":
            await Call(bench, "retrieve", client).run()
            simulator.faults.add("unauthorized", operation="retrieval")
    else:
        client = await bench.client(chat)  # signed in before anything goes wrong
    call = Call(bench, column, client)
    ask_for(simulator, spec, column)
    asked = left_of(simulator)
    try:
        await call.run()
        struck = left_of(simulator) != asked - (column == "renew")
    finally:
        simulator.faults.clear()
    place = (list(ROWS).index(spec), list(COLUMNS).index(column))
    record_property("matrix", (era, *place, spec, column, call.outcome))

    assert (call.outcome, struck) == (expected, True)
    assert call.really < 20  # seconds of a busy machine; nothing waits
    assert call.received.get("chat", 0) + call.received.get("chatOverStream", 0) <= 1
    assert call.turns <= 1
    # Where the token was refused, the conversation is asked for once more with a new one; no turn ever is.
    assert call.received.get("conversations", 0) <= 1 + (spec in REFUSE_A_TOKEN)
    assert_nothing_leaks(call, bench.wire.secrets, logs.text + "".join(capfd.readouterr()))
    # A refusal of Entra is remembered for a while for the permissions it was about, so others are asked for.
    after = "stream" if column in ("sign_in", "renew") else column
    assert (await Call(bench, after, client).run()).outcome == "answer"


def assert_nothing_leaks(call: Call, secrets: set[str], said: str) -> None:
    """No secret anywhere; no prompt and no document text in what is logged or printed, nor in the words of an error,
    which may be followed by what the service had written, quoted."""
    answer = json.dumps([result.model_dump(mode="json", by_alias=True) for result in call.results])
    shown = answer + said
    assert [secret for secret in secrets if secret in shown] == []
    assert SECRET.search(shown) is None
    assert QUESTION not in said and PASSAGE not in said
    if call.result.is_error:
        assert call.result.structured_content is None
        words = call.result.content[0].text.partition("\n\nThe service had written:\n> ")[0]
        told = words + json.dumps(call.result.meta)
        assert QUESTION not in told and PASSAGE not in told


async def test_no_fault_reaches_the_filter_builder(benches: Any) -> None:
    bench = benches["auto"]
    client = await bench.client("stream")
    arguments = {"dataSource": "sharePoint", "expression": FILTER}
    ordinary = await client.call_tool("build_filter", arguments)
    bench.simulator.clear_trace()
    for name in FAULTS:
        bench.simulator.faults.add(name, operation="*", times=None)
        assert await client.call_tool("build_filter", arguments) == ordinary
    assert not ordinary.is_error
    assert (len(bench.simulator.faults.waiting), bench.simulator.received) == (len(FAULTS), {})
    bench.simulator.faults.clear()


@pytest.mark.parametrize("name", ["cut_stream", "cut_event", "reset_stream", "stream_error", "disengaged_event"])
async def test_a_stream_may_go_wrong_at_each_of_its_events(benches: Any, name: str) -> None:
    bench = benches["auto"]
    client = await bench.client("stream")
    await Call(bench, "stream", client).run()
    events = bench.simulator.exchanges[-1]["response"]
    for at in range(1, len(events) + 1):
        bench.simulator.faults.add(name, at=at)
        call = await Call(bench, "stream", client).run()
        whole = at - (name in ("cut_event", "stream_error"))  # events that came whole
        told = any(event["messages"] for event in events[:whole])
        expected = "answer" if whole == len(events) else "incomplete" if told else "service"
        if name == "stream_error":
            expected = "service"
        if name == "disengaged_event":
            expected = "answer"
            assert call.result.structured_content["state"] == "disengagedForRai"
            assert "closed this conversation" in call.result.content[0].text
        assert (at, call.outcome) == (at, expected)
        assert (call.turns, call.received) == (1, {"conversations": 1, "chatOverStream": 1})
    assert bench.simulator.faults.waiting == ()
