"""What reading a long stream costs, beside parsing each event's JSON alone."""

import json
import time
from collections.abc import Callable, Iterator

from copilot_mcp.graph.stream import StreamReader

EVENTS = 755
ANSWER_CHARACTERS = 6_300
CHUNK_BYTES = 4_096
ROUNDS = 25
WORDS = "The quarterly plan names four owners, two risks and one date that everybody has agreed to keep. "


def events() -> Iterator[str]:
    """Snapshots that grow as captured ones do: the text once, and once more as an adaptive card."""
    answer = (WORDS * (ANSWER_CHARACTERS // len(WORDS) + 1))[:ANSWER_CHARACTERS]
    for number in range(1, EVENTS + 1):
        text = answer[: ANSWER_CHARACTERS * number // EVENTS]
        card = {"type": "AdaptiveCard", "version": "1.0", "body": [{"type": "TextBlock", "text": text, "wrap": True}]}
        message = {"id": "m1", "text": text, "adaptiveCards": [card], "attributions": []}
        conversation = {
            "id": "c1",
            "createdDateTime": "2026-01-05T09:00:00.0000000Z",
            "displayName": "Intermediate Conversation Update",
            "state": "active",
            "turnCount": 0,
            "messages": [message],
        }
        yield json.dumps(conversation)


def test_stream_reader(compare: Callable[..., float]) -> None:
    texts = list(events())
    stream = "".join(f"data: {text}\nid:{number}\n\n" for number, text in enumerate(texts, 1)).encode()
    ours, yardstick = [], []
    for _ in range(ROUNDS):
        started = time.process_time()
        for text in texts:
            json.loads(text)
        yardstick.append((time.process_time() - started) * 1000)
        reader, count = StreamReader(), 0
        started = time.process_time()
        for position in range(0, len(stream), CHUNK_BYTES):
            count += len(reader.feed(stream[position : position + CHUNK_BYTES]))
        count += len(reader.close())
        ours.append((time.process_time() - started) * 1000)
        assert (count, reader.cut, reader.skipped) == (EVENTS, False, 0)
    title = f"stream reader, {EVENTS} events, {len(stream):,} bytes"
    compare(title, ours, yardstick, unit="ms CPU", bound=2.0, rounds=True)
