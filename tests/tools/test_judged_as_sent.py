"""Hits are held against the filter as the service wrote them, and shown with nothing in them that acts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from copilot_mcp.simulator import Tenant
from copilot_mcp.simulator.tenant import Document, User

pytestmark = pytest.mark.anyio

TITLES = {
    "Costs <!-- draft --> 2026": "Costs  2026",
    "Con\u00adtract": "Contract",
    "![plan](https://images.example/a.png)": "{image: plan; images.example}",
    "Leave\u200b plan": "Leave plan",
}


@pytest.fixture(scope="module")
def company() -> Tenant:
    """Documents whose titles cannot be shown as they are."""
    return Tenant(
        name="Press",
        about="Odd titles.",
        users=(User("3f0a6c52-8d1e-4b7a-9c44-1e5b7d2a9f01", "adele", "Adele", "adele@contoso.example"),),
        documents=tuple(
            Document(
                url=f"https://contoso.sharepoint.com/sites/Press/Shared Documents/giraffe{number}.md",
                title=title,
                body="The giraffe eats leaves.",
                modified=datetime(2026, 3, 2, tzinfo=UTC),
                site="Press",
                extension="md",
            )
            for number, title in enumerate(TITLES)
        ),
    )


@pytest.mark.parametrize(("title", "shown"), TITLES.items())
async def test_a_hit_inside_is_not_withheld_for_how_it_is_shown(client: Any, title: str, shown: str) -> None:
    result = await client.call_tool(
        "copilot_retrieve",
        {
            "queryString": "What does the giraffe eat?",
            "dataSource": "sharePoint",
            "filterExpression": f'Title="{title}"',
            "resourceMetadata": ["title"],
        },
    )
    assert not result.is_error, result.content[0].text
    data = result.structured_content
    assert ([hit["title"] for hit in data["hits"]], data["filterHonoured"]) == ([shown], "yes")
