"""Every fault of the tenant under every tool: the expected kind of answer, in time, one turn, no secret, no aftermath.

`pytest --matrix` prints the table with what came out. A cell is the kind of the error, `answer` or `incomplete`;
`in 10` is the wait in seconds that is passed on, `x4` the number of requests it took. A `-` says that the fault cannot
strike there, `~` repeats the cell before. build_filter has no column: no fault reaches it, as a test of its own shows.
"""

import asyncio
import json
import math
import re
import time
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
}
"""The operation that is struck: copilot_chat in its two forms and in the conversation it starts, then copilot_retrieve;
for good, but in the last column once only."""

STRIKES = 50
TIME_LIMIT_S = {"copilot_chat": 335.0, "copilot_retrieve": 125.0}
SECRET = re.compile(r"eyJ[\w-]{10,}|Bearer [\w-]{10,}")

EXPECTED = """
refused                    | offline            | ~       | ~           | ~                  | answer x2
slow,seconds=20            | answer             | ~       | ~           | ~                  | ~
slow,seconds=90            | timeout            | answer  | timeout     | timeout x2         | answer x2
unauthorized               | token_rejected     | ~       | ~           | token_rejected x2  | answer x2
forbidden                  | forbidden          | ~       | ~           | ~                  | ~
no_licence                 | licence            | ~       | ~           | ~                  | ~
not_found                  | conversation_gone  | ~       | not_enabled | ~                  | ~
conflict                   | conversation_busy  | ~       | service     | ~                  | ~
throttled                  | throttled in 10    | ~       | ~           | throttled in 10 x4 | answer x2
throttled,retry_after=600  | throttled in 600   | ~       | ~           | ~                  | ~
throttled_date             | throttled in 7     | ~       | ~           | throttled in 7 x4  | answer x2
throttled_decimal          | throttled in 3     | ~       | ~           | throttled in 3 x4  | answer x2
throttled_silent           | throttled          | ~       | ~           | throttled x4       | answer x2
throttled_garbage          | throttled          | ~       | ~           | throttled x4       | answer x2
throttled_negative         | throttled          | ~       | ~           | throttled x4       | answer x2
throttled_huge             | throttled in 86400 | ~       | ~           | ~                  | ~
server_error               | service            | ~       | ~           | ~                  | ~
bad_gateway                | service            | ~       | ~           | service x4         | answer x2
bad_gateway,form=html      | service            | ~       | ~           | service x4         | answer x2
bad_gateway,form=empty     | service            | ~       | ~           | service x4         | answer x2
unavailable                | service            | ~       | ~           | service x4         | answer x2
unavailable,retry_after=3  | service in 3       | ~       | ~           | service in 3 x4    | answer x2
unavailable,form=html      | service            | ~       | ~           | service x4         | answer x2
unavailable,form=empty     | service            | ~       | ~           | service x4         | answer x2
gateway_timeout            | timeout            | ~       | ~           | timeout x4         | answer x2
gateway_timeout,form=html  | timeout            | ~       | ~           | timeout x4         | answer x2
gateway_timeout,form=empty | timeout            | ~       | ~           | timeout x4         | answer x2
html                       | captive_portal     | ~       | ~           | ~                  | ~
html,status=502            | service            | ~       | ~           | service x4         | answer x2
empty                      | service            | ~       | ~           | service x4         | answer x2
empty,status=502           | service            | ~       | ~           | service x4         | answer x2
refusal                    | forbidden          | ~       | ~           | ~                  | ~
wrapped_refusal            | licence            | ~       | ~           | ~                  | ~
conversation_gone          | conversation_gone  | ~       | not_enabled | ~                  | ~
entra_down                 | service            | ~       | ~           | service x4         | answer x2
disengaged                 | answer             | ~       | -           | -                  | -
empty_answer               | no_answer          | ~       | -           | -                  | -
drop_filters               | -                  | -       | -           | answer             | ~
batch_reordered            | -                  | -       | -           | -                  | -
batch_missing              | -                  | -       | -           | -                  | -
batch_doubled              | -                  | -       | -           | -                  | -
batch_unknown_id           | -                  | -       | -           | -                  | -
batch_item_424             | -                  | -       | -           | -                  | -
batch_item_429             | -                  | -       | -           | -                  | -
unknown_members            | answer             | ~       | ~           | ~                  | ~
unknown_values             | answer             | ~       | ~           | ~                  | ~
null_labels                | answer             | ~       | ~           | ~                  | ~
missing_scores             | answer             | ~       | ~           | ~                  | ~
nan_scores                 | answer             | ~       | ~           | ~                  | ~
cut_stream                 | incomplete         | -       | -           | -                  | -
cut_event                  | incomplete         | -       | -           | -                  | -
reset_stream               | incomplete         | -       | -           | -                  | -
stream_error               | service            | -       | -           | -                  | -
disengaged_event           | answer             | -       | -           | -                  | -
no_final                   | incomplete         | -       | -           | -                  | -
empty_final                | incomplete         | -       | -           | -                  | -
deltas                     | answer             | -       | -           | -                  | -
rewrites                   | answer             | -       | -           | -                  | -
crlf                       | answer             | -       | -           | -                  | -
comments                   | answer             | -       | -           | -                  | -
no_blank_lines             | answer             | -       | -           | -                  | -
multi_line                 | answer             | -       | -           | -                  | -
data_lines                 | answer             | -       | -           | -                  | -
line_breaks                | answer             | -       | -           | -                  | -
whole_body                 | answer             | -       | -           | -                  | -
drop_connection            | service            | ~       | ~           | service x4         | answer x2
reset_after_headers        | service            | ~       | ~           | service x4         | answer x2
slow_first_byte            | service            | answer  | timeout     | timeout x2         | answer x2
trickle                    | service            | timeout | ~           | ~                  | ~
cut_body                   | service            | ~       | ~           | service x4         | answer x2
wrong_type                 | answer             | ~       | ~           | ~                  | ~
big_body                   | service            | ~       | ~           | ~                  | ~
gzip_bomb                  | service            | ~       | ~           | ~                  | ~
deep_json                  | service            | ~       | ~           | ~                  | ~
"""


def rows_of(table: str) -> dict[str, list[str]]:
    """The cells of each row, `~` resolved to what stands left of it."""
    rows: dict[str, list[str]] = {}
    for line in table.strip().splitlines():
        spec, *cells = (cell.strip() for cell in line.split("|"))
        rows[spec] = [next(left for left in reversed(cells[: place + 1]) if left != "~") for place in range(len(cells))]
    return rows


ROWS = rows_of(EXPECTED)
# The second era carries the same results, so there the first fault of each stage stands for the others.
FIRST_OF_STAGE = {FAULTS[spec.partition(",")[0]].stage: spec for spec in reversed(ROWS)}.values()
CASES = [(spec, column, "auto") for spec in ROWS for column in COLUMNS]
CASES += [(spec, column, "legacy") for spec in FIRST_OF_STAGE for column in COLUMNS]


class Call:
    """One call of a tool, what came of it and what it cost."""

    def __init__(self, bench: Any, column: str) -> None:
        self.bench = bench
        self.chat = "sync" if column in ("sync", "create") else "stream"
        self.operation = COLUMNS[column]
        self.tool = "copilot_retrieve" if self.operation == "retrieval" else "copilot_chat"
        self.arguments: dict[str, Any] = {"message": QUESTION}
        if self.tool == "copilot_retrieve":
            self.arguments = {"queryString": QUESTION, "dataSource": "sharePoint", "filterExpression": FILTER}

    async def run(self) -> "Call":
        client = await self.bench.client(self.chat)
        simulator, loop = self.bench.simulator, asyncio.get_running_loop()
        simulator.clear_trace()
        turns, began, really = simulator.turns_recorded, loop.time(), time.perf_counter()
        self.result = await client.call_tool(self.tool, self.arguments)
        self.took, self.really = loop.time() - began, time.perf_counter() - really
        self.turns = simulator.turns_recorded - turns
        self.received = simulator.received
        self.refused_tokens = sum(entry["status"] == 401 for entry in simulator.trace)
        return self

    @property
    def outcome(self) -> str:
        """The cell of the table."""
        if self.result.is_error:
            facts = (self.result.meta or {})["copilot-mcp/error"]
            wait, sent = facts.get("retryAfterSeconds"), self.received.get("retrieval", 1)
            cell = str(facts["kind"]) + ("" if wait is None else f" in {math.ceil(wait)}")
        else:
            found = self.result.structured_content
            sent = found.get("requestsUsed", 1)
            cell = "answer" if found.get("complete", True) else "incomplete"
        return f"{cell} x{sent}" if sent > 1 else cell


def can_strike(spec: str, column: str) -> bool:
    """Whether this fault can be asked for in the column's operation; one of a certain stage belongs to its own."""
    kind = FAULTS[spec.partition(",")[0]]
    own = {"turn": ("chat", "chatOverStream"), "stream": ("chatOverStream",), "filter": ("retrieval",), "batch": ()}
    return COLUMNS[column] in own.get(kind.stage, (COLUMNS[column],))


def ask_for(simulator: Simulator, spec: str, column: str) -> None:
    name, comma, options = spec.partition(",")
    times = 1 if column == "once" else STRIKES
    simulator.faults.add_spec(f"{name}@{COLUMNS[column]},times={times}{comma}{options}")


def test_every_fault_has_an_expectation() -> None:
    assert {spec.partition(",")[0] for spec in ROWS} == set(FAULTS) - set(ENTRA_FAULTS)
    assert {len(cells) for cells in ROWS.values()} == {len(COLUMNS)}


@pytest.mark.parametrize(("spec", "column", "era"), CASES)
async def test_a_fault_ends_as_expected_and_the_next_call_succeeds(
    benches: Any, logs: Any, capfd: Any, record_property: Any, spec: str, column: str, era: str
) -> None:
    bench, expected = benches[era], ROWS[spec][list(COLUMNS).index(column)]
    call = Call(bench, column)
    await bench.client(call.chat)  # signed in before anything goes wrong
    if not can_strike(spec, column):
        assert expected == "-"
        return
    ask_for(bench.simulator, spec, column)
    try:
        await call.run()
        struck = sum(fault.times or 0 for fault in bench.simulator.faults.waiting) not in (STRIKES, 1)
    finally:
        bench.simulator.faults.clear()
    place = (list(ROWS).index(spec), list(COLUMNS).index(column))
    record_property("matrix", (era, *place, spec, column, call.outcome))

    assert (call.outcome, struck) == (expected, True)
    assert call.took <= TIME_LIMIT_S[call.tool]
    assert call.really < 20  # seconds of a busy machine; nothing waits
    # A turn is sent once. One that was refused for its token has not been taken, and goes out with the next.
    turns = call.received.get("chat", 0) + call.received.get("chatOverStream", 0)
    assert turns - call.refused_tokens <= 1 and call.turns <= 1
    assert call.received.get("conversations", 0) - call.refused_tokens <= 1
    assert_nothing_leaks(call, bench.wire.secrets, logs.text + "".join(capfd.readouterr()))
    assert (await Call(bench, column).run()).outcome == "answer"


def assert_nothing_leaks(call: Call, secrets: set[str], said: str) -> None:
    """No secret anywhere; no prompt and no document text in what is logged or printed, nor in the words of an error,
    which may be followed by what the service had written, quoted."""
    answer = json.dumps(call.result.model_dump(mode="json", by_alias=True))
    assert [secret for secret in secrets if secret in answer + said] == []
    assert SECRET.search(answer + said) is None
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
    await Call(bench, "stream").run()
    events = bench.simulator.exchanges[-1]["response"]
    for at in range(1, len(events) + 1):
        bench.simulator.faults.add(name, at=at)
        call = await Call(bench, "stream").run()
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


@pytest.mark.parametrize(
    "name",
    [
        "refused",
        "entra_down",
        "unavailable",
        "html",
        "empty",
        "cut_body",
        "reset_after_headers",
        "big_body",
        "deep_json",
    ],
)
async def test_a_sign_in_service_in_trouble_is_said_and_the_next_call_signs_in(
    benches: Any, logs: Any, capfd: Any, name: str
) -> None:
    bench = benches["auto"]
    client = await bench.connect(chat="stream")
    bench.simulator.faults.add(name, operation="entra", times=None)
    failed = await client.call_tool("copilot_retrieve", {"queryString": QUESTION, "dataSource": "sharePoint"})
    bench.simulator.faults.clear()
    said = "".join(capfd.readouterr()) + logs.text + json.dumps(failed.model_dump(mode="json", by_alias=True))
    assert failed.is_error and "copilot-mcp failed inside" not in failed.content[0].text
    assert [secret for secret in bench.wire.secrets if secret in said] == []
    again = await client.call_tool("copilot_retrieve", {"queryString": QUESTION, "dataSource": "sharePoint"})
    assert not again.is_error
