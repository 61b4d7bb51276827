"""What a retrieval costs a model, beside the service's raw JSON; exact tokens by the o200k encoding."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bpe_openai import get_encoding

from copilot_mcp.graph import RetrievalBody, RetrievalResponse
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import load_company
from copilot_mcp.tools.budget import estimated_tokens
from copilot_mcp.tools.findings import RetrieveResult, result_of
from copilot_mcp.tools.found import judged
from copilot_mcp.tools.hits_text import render
from copilot_mcp.tools.searches import Search

ENCODING = get_encoding("o200k_base")
TEXT_TOKENS = 2_800
BUDGET = 2_000
EXTRACT_CHARACTERS = 274
LABELS = (
    {
        "sensitivityLabelId": "6f1f4d0e-5b43-4a1c-9a58-0d1d4a9c2f11",
        "displayName": "General",
        "toolTip": "Business data that is not meant for the public but may be shared with partners where needed.",
        "priority": 2,
        "color": "#317100",
    },
    {
        "sensitivityLabelId": "a2d4c1f7-83be-4c0d-b7f2-5a6e0c9d7b42",
        "displayName": "Confidential\\All Employees",
        "toolTip": "Confidential data that requires protection and that every employee may read and change.",
        "priority": 5,
        "color": "#FF8C00",
    },
)


def _passages(body: str) -> Iterator[str]:
    """Runs of whole sentences of prose, of about the length that the service's extracts have."""
    passage = ""
    prose = [line for line in body.splitlines() if line[:1].isalpha()]
    for word in " ".join(prose).split():
        passage = f"{passage} {word}".strip()
        if len(passage) >= EXTRACT_CHARACTERS and word.endswith("."):
            yield passage
            passage = ""


def ten_hits() -> dict[str, Any]:
    """Ten documents with three extracts, scores, title, author and label each: what an ordinary question brings."""
    chance = random.Random(7)
    hits = []
    for document in load_company().documents:
        passages = list(_passages(document.body))[:3]
        if document.connection or len(passages) < 3:
            continue
        extracts = [{"text": text, "relevanceScore": chance.uniform(0.4, 0.95)} for text in passages]
        metadata = {"title": document.title, "author": ";".join(document.author)}
        hits.append(
            {
                "webUrl": document.url,
                "extracts": extracts,
                "resourceType": "listItem",
                "resourceMetadata": metadata,
                "sensitivityLabel": LABELS[len(hits) % 4 == 3],
            }
        )
    return {"retrievalHits": hits[:10]}


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def tokens(text: str) -> int:
    return len(ENCODING.encode(text))


def shown(answers: list[dict[str, Any]], metadata: list[str], max_tokens: int = 10_000) -> tuple[RetrieveResult, str]:
    """The result of the answers, and its text."""
    body = RetrievalBody(query_string="What does it say?", data_source="sharePoint", resource_metadata=metadata)
    searches = [Search(body, asked_metadata=tuple(metadata))] * len(answers)
    responses = [RetrievalResponse.model_validate(answer).stamped("id", 1) for answer in answers]
    verdicts = [judged(*each) for each in zip(searches, responses, strict=True)]
    result = result_of(searches, responses, verdicts, Settings(max_tokens=max_tokens), [])
    return result, render(result)


def row(name: str, raw: str, text: str, data: str) -> str:
    return (
        f"{name:22} {len(raw.encode()):8,} {tokens(raw):7,} {tokens(text):8,} {tokens(data):8,} "
        f"{estimated_tokens(text) / tokens(text):9.2f} {estimated_tokens(data) / tokens(data):9.2f}"
    )


HEAD = f"{'':22} {'raw B':>8} {'raw':>7} {'text':>8} {'data':>8} {'est/text':>9} {'est/data':>9}"


def test_ten_hits_with_three_extracts_each(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ten_hits()
    result, text = shown([answer], ["title", "author"])
    raw, data = compact(answer), compact(result.structured())
    with capsys.disabled():
        print(f"\n{HEAD}\n{row('10 hits x 3 extracts', raw, text, data)}")  # noqa: T201 - what a benchmark is for
    assert 15_000 < len(raw.encode()) < 16_000
    assert tokens(text) <= TEXT_TOKENS
    assert tokens(data) <= tokens(raw)
    assert len(data.encode()) <= len(raw.encode())
    for hit in answer["retrievalHits"]:
        label, metadata = hit["sensitivityLabel"]["displayName"], hit["resourceMetadata"]
        facts = [hit["webUrl"], metadata["title"], metadata["author"], label]
        for extract in hit["extracts"]:
            facts.append(extract["text"])
            assert f"{extract['relevanceScore']:.2f}".removeprefix("0") in text
            assert str(extract["relevanceScore"]) in data
        assert [fact for fact in facts if fact not in text] == []
        assert [fact for fact in facts if json.dumps(fact, ensure_ascii=False) not in data] == []


def test_an_estimated_budget_holds_by_exact_counts(capsys: pytest.CaptureFixture[str]) -> None:
    result, text = shown([ten_hits()], ["title", "author"], BUDGET)
    data = compact(result.structured())
    count = sum(len(hit.extracts) for hit in result.hits)
    with capsys.disabled():
        print(f"\nbudget of {BUDGET:,}: {count} of 30 extracts, text {tokens(text):,}, data {tokens(data):,} tokens")  # noqa: T201 - see above
    assert max(tokens(text), tokens(data)) <= BUDGET
    assert max(estimated_tokens(text), estimated_tokens(data)) <= BUDGET


def test_every_documented_answer(capsys: pytest.CaptureFixture[str]) -> None:
    path = os.environ.get("COPILOT_MCP_EXAMPLES")
    if not path:
        pytest.skip("COPILOT_MCP_EXAMPLES names no file of documented examples")
    lines, total = [HEAD], [0, 0, 0]
    for entry in json.loads(Path(path).read_text("utf-8"))["examples"]:
        body = (entry.get("response") or {}).get("body")
        if not isinstance(body, dict):
            continue
        answers = [body] if "retrievalHits" in body else [each.get("body") or {} for each in body.get("responses", ())]
        answers = [answer for answer in answers if "retrievalHits" in answer]
        if not answers:
            continue
        result, text = shown(answers, ["title", "author"])
        raw, data = compact(body), compact(result.structured())
        lines.append(row(entry["id"], raw, text, data))
        total = [sum(pair) for pair in zip(total, map(tokens, (raw, text, data)), strict=True)]
        assert estimated_tokens(text) >= tokens(text)
        assert estimated_tokens(data) >= tokens(data)
        texts = {part["text"] for answer in answers for hit in answer["retrievalHits"] for part in hit["extracts"]}
        assert {part.text for hit in result.hits for part in hit.extracts} == texts
    lines.append(f"{'all':22} {'':8} {total[0]:7,} {total[1]:8,} {total[2]:8,}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201 - see above
    assert len(lines) > 20
