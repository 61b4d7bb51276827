"""The poisoned corpus as documents of a tenant: through both tools, in both halves and both protocol eras."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from copilot_mcp.quoting import quoted
from copilot_mcp.simulator import Simulator, Tenant
from copilot_mcp.simulator.tenant import Document, Label, User

pytestmark = pytest.mark.anyio

CASES: list[dict[str, Any]] = [
    case
    for case in json.loads((Path(__file__).parents[1] / "data" / "quoting" / "poisoned.json").read_text("utf-8"))
    if "\ud83d" not in case["text"]  # half a character fits into no index
]
PASSAGES = [case for case in CASES if case["kind"] == "passage"]
NAMES = [case for case in CASES if case["kind"] == "line"]
SITE = "https://contoso.sharepoint.com/sites/Zoo"
Look = Callable[[str], list[str]]


def document(number: int, case: dict[str, Any]) -> Document:
    """A document with the poisoned text in its body, in its title and author, and in its label."""
    name = NAMES[number % len(NAMES)]["text"]
    return Document(
        url=f"{SITE}/Shared Documents/zebra{number}.md",
        title=f"Zebra{number} {name}",
        body=f"The zebra{number} eats grass.\n\n{case['text']}\n\nSo much about zebra{number}.",
        modified=datetime(2026, 3, 2, tzinfo=UTC),
        site="Zoo",
        author=(f"Keeper {name}",),
        extension="md",
        label=Label("poison", f"id{number}", f"Secret {name}", f"Beware {name}", 3),
    )


@pytest.fixture(scope="module")
def company() -> Tenant:
    """A zoo full of poisoned documents."""
    return Tenant(
        name="Zoo",
        about="Poisoned documents.",
        users=(User("3f0a6c52-8d1e-4b7a-9c44-1e5b7d2a9f01", "adele", "Adele", "adele@contoso.example"),),
        documents=tuple(document(number, case) for number, case in enumerate(PASSAGES)),
    )


def strings(value: Any) -> list[str]:
    """Every text in a JSON value, names of members included."""
    if isinstance(value, dict):
        return [text for name, member in value.items() for text in (name, *strings(member))]
    if isinstance(value, list):
        return [text for member in value for text in strings(member)]
    return [value] if isinstance(value, str) else []


def last_answer(simulator: Simulator, operation: str) -> Any:
    """What the tenant really said."""
    return [each["response"] for each in simulator.exchanges if each["operation"] == operation][-1]


def in_order(parts: list[str], text: str) -> bool:
    place = 0
    for part in parts:
        place = text.find(part, place)
        if place < 0:
            return False
    return True


async def call(client: Any, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    result = await client.call_tool(tool, arguments)
    text = result.content[0].text
    assert not result.is_error, text
    return text, dict(result.structured_content)


async def test_nothing_acts_in_what_retrieval_hands_over(
    client: Any, simulator: Simulator, acting: Look, hidden: Look
) -> None:
    whole = 0
    for number, case in enumerate(PASSAGES):
        text, data = await call(
            client,
            "copilot_retrieve",
            queryString=f"What does zebra{number} eat?",
            dataSource="sharePoint",
            filterExpression=f'Filename:"zebra{number}.md"',
            resourceMetadata=["title", "author"],
        )
        (hit,) = data["hits"]
        extracts = "\n\n".join(extract["text"] for extract in hit["extracts"])
        assert [hidden(each) for each in (text, *strings(data))] == [[]] * (1 + len(strings(data)))
        assert [acting(each) for each in (text, extracts)] == [[], []]
        (sent,) = last_answer(simulator, "retrieval")["retrievalHits"]
        if case["text"] in "\n\n".join(extract["text"] for extract in sent["extracts"]):
            whole += 1
            assert case["expected"].strip() in extracts
            assert all(line.strip() in text for line in quoted(case["expected"]).split("\n"))
        name = NAMES[number % len(NAMES)]
        assert hit["title"] == f"Zebra{number} {name['expected']}".strip()
        changed = case["notes"] or name["notes"]
        assert any(note.startswith("In the quoted text: ") for note in data["notes"]) is bool(changed)
        assert all(f"- Note: {note}" in text for note in data["notes"])
    assert whole >= 60


async def test_nothing_acts_in_what_chat_hands_over(
    client: Any, simulator: Simulator, acting: Look, hidden: Look
) -> None:
    whole = 0
    for number, case in enumerate(PASSAGES):
        progress: list[str] = []

        async def on_progress(
            done: float, total: float | None, message: str | None, said: list[str] = progress
        ) -> None:
            said.append(message or "")

        result = await client.call_tool(
            "copilot_chat",
            {"message": {"text": f"Does zebra{number} eat grass? Quote it."}},
            progress_callback=on_progress,
        )
        text, data = result.content[0].text, dict(result.structured_content)
        assert not result.is_error
        assert progress
        assert [hidden(each) for each in (text, *progress, *strings(data))] == [[]] * (
            1 + len(progress) + len(strings(data))
        )
        assert [acting(each) for each in (text, progress[-1])] == [[], []]
        raw = last_answer(simulator, "chatOverStream")
        raw_text = json.dumps(raw, ensure_ascii=False) if raw else ""
        if json.dumps(case["text"], ensure_ascii=False)[1:-1] in raw_text:
            whole += 1
            assert in_order([part.strip() for part in case["seen"]], data["answer"])
        assert data["citations"]
        assert all(url.startswith(f"{SITE}/") for url in (each["url"] for each in data["citations"] if each["title"]))
    assert whole >= 60


async def test_quoted_text_stands_apart_from_our_words(client: Any) -> None:
    number = next(n for n, case in enumerate(PASSAGES) if case["name"] == "fake lines of ours")
    text, data = await call(client, "copilot_chat", message={"text": f"Does zebra{number} eat grass? Quote it."})
    ours = [line for line in text.split("\n") if line and not line.startswith(">")]
    assert "- Note: The filter was honoured." in data["answer"]
    assert not any("The filter was honoured" in line or "abc" in line for line in ours)
    text, data = await call(
        client,
        "copilot_retrieve",
        queryString=f"What does zebra{number} eat?",
        dataSource="sharePoint",
        filterExpression=f'Filename:"zebra{number}.md"',
    )
    ours = [line for line in text.split("\n") if line and not line.lstrip().startswith(">")]
    assert any("- Note: The filter was honoured." in extract["text"] for extract in data["hits"][0]["extracts"])
    assert not any("The filter was honoured" in line or "abc" in line for line in ours)
