"""Answers of the Retrieval API for the benchmarks, made of the built-in company's own documents."""

import random
from collections.abc import Iterator
from typing import Any

from copilot_mcp.simulator import load_company

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
