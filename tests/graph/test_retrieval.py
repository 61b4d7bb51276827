"""Retrieval models: what goes out, what is read."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from copilot_mcp.graph import (
    CopilotConversation,
    RetrievalBody,
    RetrievalExtract,
    RetrievalHit,
    RetrievalResponse,
    RetrievalThumbnail,
    SearchSensitivityLabelInfo,
)

Payload = Callable[[str], Any]


def test_full_body_goes_out_in_graphs_names() -> None:
    body = {
        "queryString": "keys",
        "dataSource": "externalItem",
        "dataSourceConfiguration": {"externalItem": {"connections": [{"connectionId": "tickets"}]}},
        "filterExpression": 'Title:"Keys"',
        "resourceMetadata": ["title"],
        "maximumNumberOfResults": 5,
        "includeThumbnails": True,
    }
    assert RetrievalBody.model_validate(body).payload() == body
    plain = {name: value for name, value in body.items() if name != "includeThumbnails"}
    without = RetrievalBody.model_validate(plain | {"includeThumbnails": False})
    assert (without.payload(), without.needs_beta) == (plain, False)  # v1.0 does not know the member


def test_embedded_container_keeps_graphs_spelling() -> None:
    body = {
        "queryString": "keys",
        "dataSource": "sharePointEmbedded",
        "dataSourceConfiguration": {"sharePointEmbedded": {"containerTypeId": "type"}},
    }
    assert RetrievalBody.model_validate(body).payload() == body


def test_sloppy_spelling_of_samples_goes_out_as_documented() -> None:
    body = RetrievalBody.model_validate(
        {"queryString": "keys", "dataSource": "SharePoint", "maximumNumberOfResults": "10", "filterExpression": ""}
    )
    assert body.payload() == {"queryString": "keys", "dataSource": "sharePoint", "maximumNumberOfResults": 10}


@pytest.mark.parametrize(
    "wrong",
    [
        {"queryString": ""},
        {"queryString": " \t"},
        {"queryString": "x" * 1501},
        {"dataSource": "mail"},
        {"dataSource": 7},
        {"maximumNumberOfResults": 0},
        {"maximumNumberOfResults": 26},
        {"filterExpresion": "x"},
        {"dataSourceConfiguration": {"externalItem": {"connections": []}}},
    ],
)
def test_out_of_range_or_misspelt_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RetrievalBody.model_validate({"queryString": "keys", "dataSource": "sharePoint"} | wrong)


def test_limits_are_published_for_the_tools() -> None:
    properties = RetrievalBody.model_json_schema(by_alias=True)["properties"]
    results = properties["maximumNumberOfResults"]["anyOf"][0]
    assert properties["queryString"] == {
        "description": "One specific sentence.",
        "maxLength": 1500,
        "minLength": 1,
        "pattern": "\\S",
        "title": "Querystring",
        "type": "string",
    }
    assert results == {"maximum": 25, "minimum": 1, "type": "integer"}
    assert properties["dataSource"]["enum"] == ["sharePoint", "oneDriveBusiness", "externalItem", "sharePointEmbedded"]


@pytest.mark.parametrize(("thumbnails", "beta"), [(None, False), (False, False), (True, True)])
def test_only_thumbnails_need_beta(thumbnails: bool | None, beta: bool) -> None:
    body = RetrievalBody(query_string="keys", data_source="sharePoint", include_thumbnails=thumbnails)
    assert body.needs_beta is beta


def test_hits_are_read_whole(payload: Payload) -> None:
    label = SearchSensitivityLabelInfo(
        sensitivity_label_id="b2c0-not-a-guid",
        display_name="Internal\\Staff only",
        tooltip="For staff.",
        priority=3,
        color="#317100",
        is_encrypted=False,
    )
    folder = "https://lumen.sharepoint.com/sites/Observatory"
    assert RetrievalResponse.model_validate(payload("retrieval.json")).retrieval_hits == [
        RetrievalHit(
            web_url=f"{folder}/Shared%20Documents/Key-Register.docx",
            extracts=[
                RetrievalExtract(text="Ines Okafor keeps the keys."),
                RetrievalExtract(text="Spare keys are numbered.", relevance_score=0.71),
            ],
            resource_type="listItem",
            resource_metadata={"title": "Key register", "author": "Ines Okafor;Tom Reyes"},
            sensitivity_label=label,
        ),
        RetrievalHit(
            web_url=f"{folder}/Shared Documents/Night plan.pdf",
            extracts=[RetrievalExtract(text="Domes close at rain.", relevance_score=0.83)],
            resource_type="listItem",
            resource_metadata={"Title": "Night plan"},
            sensitivity_label=None,
        ),
    ]


def test_connector_hits_have_no_label_and_no_score(payload: Payload) -> None:
    hit = RetrievalResponse.model_validate(payload("retrieval-connector.json")).retrieval_hits[0]
    assert (hit.sensitivity_label, hit.extracts[0].relevance_score, hit.resource_type) == (None, None, "externalItem")


def test_metadata_is_found_without_regard_to_case(payload: Payload) -> None:
    hits = RetrievalResponse.model_validate(payload("retrieval.json")).retrieval_hits
    assert [hit.metadata("TITLE") for hit in hits] == ["Key register", "Night plan"]
    assert [hit.metadata("Author") for hit in hits] == ["Ines Okafor;Tom Reyes", None]


def test_thumbnails_are_normalised(payload: Payload) -> None:
    hit = RetrievalResponse.model_validate(payload("retrieval-thumbnails.json")).retrieval_hits[0]
    assert hit.extracts[0].page_numbers == [2]
    assert hit.thumbnails == [
        RetrievalThumbnail(content="/9j/4AAQSkZJ", media_type="image/jpeg", page_number=2),
        RetrievalThumbnail(content="iVBORw0KGgo=", media_type="image/png", page_number=3),
        RetrievalThumbnail(content="", media_type="image/png", page_number=4),
    ]


@pytest.mark.parametrize("content", [None, 7, "YmFzZTY0"])
def test_base64_that_merely_looks_odd_is_left_alone(content: Any) -> None:
    thumbnail = RetrievalThumbnail.model_validate({"content": content, "mediaType": 5})
    assert thumbnail.content == (content if isinstance(content, str) else "")


def test_metadata_values_become_strings() -> None:
    hit = RetrievalHit.model_validate({"resourceMetadata": {"a": ["x", None, "y"], "b": None, "c": True, "d": 3}})
    assert hit.resource_metadata == {"a": "x;y", "c": "true", "d": "3"}
    assert RetrievalHit.model_validate({"resourceMetadata": "none"}).resource_metadata == {}


def test_nested_metadata_is_json() -> None:
    hit = RetrievalHit.model_validate({"resourceMetadata": {"a": {"k": ["x", True]}}})
    assert hit.resource_metadata == {"a": '{"k": ["x", true]}'}


@pytest.mark.parametrize(
    "extracts", [["the text"], "the text", {"text": "the text"}, [{"text": "the text", "pageNumbers": "none"}]]
)
def test_a_passage_in_an_odd_form_is_read(extracts: Any) -> None:
    hit = RetrievalHit.model_validate({"extracts": extracts})
    assert [(each.text, each.page_numbers) for each in hit.extracts] == [("the text", [])]


def test_what_is_odd_costs_itself_alone() -> None:
    extract = RetrievalExtract.model_validate(
        {"text": "t", "pageNumbers": [1, None, "x", True, 3], "relevanceScore": []}
    )
    assert (extract.text, extract.page_numbers, extract.relevance_score) == ("t", [1, 3], None)
    label = SearchSensitivityLabelInfo.model_validate({"displayName": "Secret", "tooltip": [1], "toolTip": [2]})
    assert (label.display_name, label.tooltip) == ("Secret", None)
    conversation = CopilotConversation.model_validate({"id": "c", "state": {"a": 1}, "status": {"a": 1}})
    assert (conversation.id, conversation.state) == ("c", "")


def test_a_picture_without_its_last_equals_signs_is_one() -> None:
    assert RetrievalThumbnail.model_validate({"content": "iVBORw0KGgo"}).content == "iVBORw0KGgo="


def test_null_hits_are_no_hits_but_missing_hits_are_no_answer() -> None:
    assert RetrievalResponse.model_validate({"retrievalHits": None}).retrieval_hits == []
    with pytest.raises(ValidationError):
        RetrievalResponse.model_validate({"value": []})
    with pytest.raises(ValidationError):
        RetrievalResponse.model_validate({"retrievalHits": "none"})


def test_documented_retrievals_are_read_without_a_rest(examples: dict[str, Any]) -> None:
    read = 0
    for entry in examples.values():
        if entry["operation"] != "retrieval":
            continue
        documented = entry["request"]["body"]
        if "maximumNumberOfResults" in documented:
            documented = documented | {"maximumNumberOfResults": int(documented["maximumNumberOfResults"])}
        assert RetrievalBody.model_validate(entry["request"]["body"]).payload() == documented
        if entry["response"]["body"] is None:  # published as invalid JSON
            continue
        response = RetrievalResponse.model_validate(entry["response"]["body"])
        hits = response.retrieval_hits
        assert len(hits) == len(entry["response"]["body"]["retrievalHits"])
        assert [hit.model_extra for hit in hits] == [{}] * len(hits)
        assert [extract.model_extra for hit in hits for extract in hit.extracts if extract.model_extra] == []
        read += 1
    assert read == 23


def test_documented_thumbnails_are_read_once_the_published_json_is_repaired(examples: dict[str, Any]) -> None:
    text = re.sub(r",(\s*[\]}])", r"\1", examples["ex039"]["response"]["body_text"])
    hits = RetrievalResponse.model_validate(json.loads(text)).retrieval_hits
    thumbnails = [thumbnail for hit in hits for thumbnail in hit.thumbnails]
    assert {(one.content[:4], one.media_type) for one in thumbnails} == {("/9j/", "image/jpeg")}
