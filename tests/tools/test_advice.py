"""Hints to whoever asks: a question that is no sentence, and an answer that holds nothing."""

from typing import Any

import pytest

from copilot_mcp.graph import RetrievalBody
from copilot_mcp.tools.advice import causes_of_nothing, keyword_hint


@pytest.mark.parametrize(
    "query",
    [
        "vacation policy",
        "leave",
        "parental leave weeks",
        "VPN, setup, Windows",
        "VPN OR firewall",
        "invoices; contracts; the lease; renewals; penalties; notice; deposits; repairs; heating; keys",
        "Urlaubsantrag Formular",
        "onboarding checklist new hires",
    ],
)
def test_a_list_of_keywords_gets_a_hint(query: str) -> None:
    assert "looks like a list of keywords" in (keyword_hint(query) or "")


@pytest.mark.parametrize(
    "query",
    [
        "How many weeks of parental leave do we get?",
        "VPN?",
        "Show me the travel policy",
        "What changed in the lease, the deposit, and the notice period",
        "VPN drops after update every morning since Tuesday",
        "Wie beantrage ich Urlaub",
        "Quelles sont les règles du télétravail",
        "¿Cuántos días de vacaciones tenemos al año?",
        "Hvor mange uger barselsorlov får vi",
        "育児休暇は何週間ですか",
        "Сколько дней отпуска",
        "12345",
        "Contoso Fabrikam Northwind Tailspin Litware Proseware Adatum Wingtip Lucerne",
    ],
)
def test_a_sentence_and_what_cannot_be_judged_get_none(query: str) -> None:
    assert keyword_hint(query) is None


def causes(**members: Any) -> str:
    body = RetrievalBody.model_validate({"queryString": "x", "dataSource": "sharePoint", **members})
    return causes_of_nothing(body)


def test_only_causes_that_could_apply_are_named() -> None:
    assert causes() == (
        "No hits. That does not prove that nothing exists. It may be that nothing relevant is indexed; the person may "
        "not read it; it is a picture, a chart, or a table outside doc, docx and pptx, which are not searched; "
        "retrieval is not enabled for this tenant or this app registration: then every question finds nothing."
    )


@pytest.mark.parametrize(
    ("members", "said", "unsaid"),
    [
        ({}, ["is not enabled for this tenant"], ["filter", "connector", "licence", "container"]),
        ({"filterExpression": "Author:x"}, ["the filter leaves nothing: try without it;"], ["by its words"]),
        ({"filterExpression": 'NOT FileType:"xlsx"'}, ["the filter leaves nothing: try without it;"], ["by its words"]),
        (
            {"filterExpression": 'FileType:pdf OR FileExtension:"md" OR FileType=TXT'},
            ["words that stand in the file (md, txt is found by its words alone)"],
            ["pdf is"],
        ),
        ({"dataSource": "oneDriveBusiness"}, ["no Microsoft 365 Copilot licence", "own OneDrive"], ["connector"]),
        ({"dataSource": "externalItem"}, ["connector has not indexed it"], ["was searched", "licence"]),
        (
            {
                "dataSource": "externalItem",
                "dataSourceConfiguration": {
                    "externalItem": {"connections": [{"connectionId": "A"}, {"connectionId": "B"}]}
                },
            },
            ["only A, B was searched: leave `dataSourceConfiguration` out"],
            ["picture"],
        ),
        (
            {
                "dataSource": "sharePointEmbedded",
                "dataSourceConfiguration": {"sharePointEmbedded": {"containerTypeId": "A"}},
            },
            ["container type has no index yet"],
            ["was searched"],
        ),
    ],
)
def test_causes_follow_the_request(members: dict[str, Any], said: list[str], unsaid: list[str]) -> None:
    note = causes(**members)
    assert [part for part in said if part not in note] == []
    assert [part for part in unsaid if part in note] == []
