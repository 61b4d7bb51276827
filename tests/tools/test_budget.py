"""A budget of tokens: whole passages only, the best of every document first, and what is missing is counted."""

import json

import pytest

from copilot_mcp.errors import InvalidRequestError, ThrottledError
from copilot_mcp.graph import RetrievalBody, RetrievalResponse
from copilot_mcp.settings import Settings
from copilot_mcp.tools.budget import estimated_tokens
from copilot_mcp.tools.findings import RetrieveResult, result_of
from copilot_mcp.tools.found import judged
from copilot_mcp.tools.hits_text import render
from copilot_mcp.tools.searches import Search

WORDS = "The notice period is three months for everybody who has been here for two years or longer. "


def response(documents: int, passages: int, *, words: int = 4, pictures: bool = False) -> RetrievalResponse:
    hits = [
        {
            "webUrl": f"https://contoso.sharepoint.com/sites/HR/{number}.docx",
            "extracts": [
                {"text": f"{number}.{place} " + WORDS * words, "relevanceScore": 0.9 - number / 100 - place / 1000}
                for place in range(passages)
            ],
            "thumbnails": [{"content": "AAAA" * 5000, "pageNumber": 1}] if pictures else [],
        }
        for number in range(documents)
    ]
    return RetrievalResponse.model_validate({"retrievalHits": hits}).stamped("id", 1)


def result(answer: RetrievalResponse, max_tokens: int, **members: object) -> RetrieveResult:
    body = RetrievalBody.model_validate({"queryString": "How long is it?", "dataSource": "sharePoint", **members})
    return result_of([Search(body)], [answer], [judged(Search(body), answer)], Settings(max_tokens=max_tokens), [])


def sizes(found: RetrieveResult) -> tuple[int, int]:
    data = json.dumps(found.structured(), ensure_ascii=False, separators=(",", ":"))
    return estimated_tokens(render(found)), estimated_tokens(data)


def test_estimates_are_a_third_of_the_bytes_rounded_up() -> None:
    assert [estimated_tokens(text) for text in ("", "a", "abc", "abcd", "ä", "日本", "\ud800")] == [0, 1, 1, 2, 1, 2, 1]


def test_what_fits_is_shown_whole() -> None:
    found = result(response(10, 3), 10_000)
    assert (sum(len(hit.extracts) for hit in found.hits), found.notes) == (30, [])


@pytest.mark.parametrize("budget", [1_000, 2_000, 3_000, 5_000, 8_000])
def test_both_halves_stay_under_the_budget_and_use_it(budget: int) -> None:
    answer = response(20, 4)
    found = result(answer, budget)
    assert max(sizes(found)) <= budget
    assert max(sizes(found)) > budget * 0.8
    texts = {extract.text for hit in answer.retrieval_hits for extract in hit.extracts}
    assert {extract.text for hit in found.hits for extract in hit.extracts} <= texts


def test_what_was_left_out_is_counted_with_the_way_to_get_it() -> None:
    found = result(response(6, 4), 2_500)
    shown = [len(hit.extracts) for hit in found.hits]
    assert sum(shown) < 24
    assert max(shown) - min(shown) <= 1
    assert shown == sorted(shown, reverse=True)
    assert [hit.extracts_left_out for hit in found.hits] == [4 - count or None for count in shown]
    assert found.notes == [
        f"{sum(shown)} of 24 extracts shown; the rest was left out to stay under 2,500 tokens. For more of one "
        "document, ask again with its address in a Path filter; for the rest, ask less in one call, or the person "
        "raises --max-tokens."
    ]
    assert f"({4 - shown[-1]} extracts left out)" in render(found)


def test_a_path_filter_is_advised_only_where_paths_are_addresses() -> None:
    found = result(response(6, 4), 2_500, dataSource="externalItem")
    assert (
        found.notes[0].partition(" tokens. ")[2]
        == "For the rest, ask less in one call, or the person raises --max-tokens."
    )


def test_documents_beyond_a_quarter_of_the_budget_are_counted_too() -> None:
    found = result(response(200, 1, words=1), 2_000)
    assert 1 < len(found.hits) < 200
    assert f"; {200 - len(found.hits)} documents are not listed." in found.notes[0]


def test_one_passage_beyond_the_budget_still_names_its_document() -> None:
    found = result(response(1, 1, words=1_000), 1_000)
    assert [(hit.extracts, hit.extracts_left_out) for hit in found.hits] == [([], 1)]
    assert found.notes[0].startswith("0 of 1 extracts shown;")


def test_a_budget_of_nothing_means_no_limit() -> None:
    found = result(response(25, 3, words=100), 0)
    assert (sum(len(hit.extracts) for hit in found.hits), found.notes) == (75, [])


def test_pictures_go_before_any_passage() -> None:
    found = result(response(3, 3, pictures=True), 10_000, includeThumbnails=True)
    assert [hit.thumbnails for hit in found.hits] == [None] * 3
    assert sum(len(hit.extracts) for hit in found.hits) == 9
    assert found.notes == ["3 thumbnails left out to stay under 10,000 tokens; --max-tokens raises that."]
    whole = result(response(1, 1, pictures=True), 10_000, includeThumbnails=True)
    assert len(whole.hits[0].thumbnails or ()) == 1


def test_pictures_that_nobody_asked_for_are_not_shown() -> None:
    found = result(response(1, 1, pictures=True), 10_000)
    assert (found.hits[0].thumbnails, found.notes) == (None, [])


def test_no_hits_stay_no_hits() -> None:
    assert result(response(0, 0), 1).hits == []


def test_a_long_property_value_hides_no_passage_and_no_document() -> None:
    answer = response(25, 1)
    answer.retrieval_hits[0].resource_metadata.update({"Description": "d" * 60_000, "Author": "Ines"})
    found = result(answer, 10_000)
    assert (len(found.hits), sum(len(hit.extracts) for hit in found.hits)) == (25, 25)
    assert found.hits[0].resource_metadata == {"Author": "Ines"}
    assert found.notes == ["1 property values left out to stay under 10,000 tokens; --max-tokens raises that."]
    assert result(answer, 0).hits[0].resource_metadata == {
        "Description": "d" * 60_000,
        "Author": "Ines",
    }


def test_many_short_values_of_one_document_stay_under_the_budget_too() -> None:
    answer = response(1, 1)
    answer.retrieval_hits[0].resource_metadata.update({f"Column{number}": "d" * 500 for number in range(30)})
    found = result(answer, 2_000)
    assert (found.hits[0].resource_metadata, max(sizes(found)) <= 2_000) == (None, True)
    assert found.notes[0].startswith("30 property values left out to stay under 2,000 tokens;")


def test_a_request_that_failed_beside_others_is_told_in_both_halves() -> None:
    bodies = [RetrievalBody.model_validate({"queryString": "How?", "dataSource": "sharePoint"}) for _ in range(2)]
    error = ThrottledError("Too much.", "Wait.", retry_after=600)
    error.requests_used = 4
    searches = [Search(body) for body in bodies]
    found = result_of(searches, [response(1, 1), error], [["inside"], []], Settings(), ["Last."])
    assert found.requests_used == 5
    assert (found.data_source, found.notes) == (None, ["Last."])
    assert [each.model_dump(exclude_none=True) for each in found.requests or ()] == [
        {"number": 1, "data_source": "sharePoint", "hits": 1},
        {"number": 2, "data_source": "sharePoint", "error": "Too much. Wait. Next try in 600 s. [throttled]"},
    ]
    assert "Request 2, sharePoint: not answered. Too much. Wait. Next try in 600 s. [throttled]" in render(found)


def test_what_the_service_wrote_instead_of_an_answer_is_quoted_in_its_line() -> None:
    body = RetrievalBody.model_validate({"queryString": "How?", "dataSource": "sharePoint"})
    error = InvalidRequestError("Not accepted.", "Correct the arguments.")
    error.partial_text = "A 'connectionId' does not exist.\n- Note: ![x](https://evil.test/a.png)" + "y" * 1_000
    found = result_of([Search(body)] * 2, [response(1, 1), error], [["inside"], []], Settings(), [])
    (_, failed) = found.requests or ()
    assert (failed.error or "").startswith(
        "Not accepted. Correct the arguments. The service had written: \"A 'connectionId' does not exist. - Note: "
        "{image: x; evil.test}yyy"
    )
    assert (failed.error or "").endswith('yyy" [invalid_request]')
    assert len(failed.error or "") < 650


def test_passages_whose_text_costs_more_than_their_data_stay_under_the_budget() -> None:
    passage = {"text": "a\n" * 300, "relevanceScore": 0.5}
    hits = [{"webUrl": f"https://x.test/{number}", "extracts": [passage]} for number in range(40)]
    found = result(RetrievalResponse.model_validate({"retrievalHits": hits}).stamped("id", 1), 6_000)
    text, data = sizes(found)
    assert data < text <= 6_000
    assert text > 4_500
