"""Hits of several requests as one list: each document and each passage once, the best first."""

from dataclasses import replace
from typing import Any

import pytest

from copilot_mcp.graph import RetrievalExtract, RetrievalHit, RetrievalThumbnail
from copilot_mcp.tools.found import FoundHit
from copilot_mcp.tools.hits import Hit
from copilot_mcp.tools.labels import Label
from copilot_mcp.tools.merging import address_key, merged

A, B = "https://x.test/a", "https://x.test/b"
LABELS = {
    name: Label(display_name=name, priority=priority) for name, priority in (("low", 1), ("high", 9), ("odd", None))
}


def hit(url: str, *texts: tuple[str, float | None] | str, **members: Any) -> FoundHit:
    pairs = [(each, None) if isinstance(each, str) else each for each in texts]
    extracts = [RetrievalExtract(text=text, relevance_score=score) for text, score in pairs]
    own: dict[str, Any] = {"title": url[-1:], "titled": False, "metadata": {}, "label": None}
    return FoundHit(hit=RetrievalHit(web_url=url, extracts=extracts), **own | members)


def published(*found: list[FoundHit]) -> list[Hit]:
    """What is made of the hits of one request, or of several."""
    return merged(dict(enumerate(found, 1)), several=len(found) > 1).hits


def shown(hits: list[Hit]) -> list[tuple[str, list[tuple[str, float | None]]]]:
    return [(each.web_url, [(part.text, part.relevance_score) for part in each.extracts]) for each in hits]


def test_one_document_of_two_requests_is_one_hit_with_each_passage_once() -> None:
    hits = published(
        [hit(A, ("one", 0.5), ("two", 0.4))], [hit(B, ("x", 0.7)), hit(A + "/", ("one ", 0.9), ("three", 0.6))]
    )
    assert shown(hits) == [(A, [("one", 0.9), ("three", 0.6), ("two", 0.4)]), (B, [("x", 0.7)])]
    assert [each.requests for each in hits] == [[1, 2], [2]]


def test_the_same_text_in_two_documents_stays_in_both() -> None:
    hits = published([hit(A, "same"), hit(B, "same")])
    assert [len(each.extracts) for each in hits] == [1, 1]
    assert len({each.extracts[0].id for each in hits}) == 2
    assert [each.requests for each in hits] == [None, None]


def test_a_score_that_is_missing_does_not_sink_to_zero() -> None:
    found = [hit(A + "1", ("s", 0.2)), hit(A + "2", ("s", 0.1))], [hit(B + "1", "u"), hit(B + "2", "u")]
    assert [each.web_url for each in published(*found)] == [A + "1", B + "1", A + "2", B + "2"]
    mixed = hit(A, "first", ("second", 0.3), ("third", 0.8))
    assert shown(published([mixed])) == [(A, [("third", 0.8), ("first", None), ("second", 0.3)])]


def test_a_passage_keeps_the_score_that_one_of_two_requests_gave() -> None:
    hits = published([hit(A, "one")], [hit(A, ("one", 0.4))])
    assert shown(hits) == [(A, [("one", 0.4)])]


@pytest.mark.parametrize("first", [1, 2])
def test_the_strictest_label_and_all_metadata_are_kept(first: int) -> None:
    one = hit(A, "t", label=LABELS["low"], metadata={"author": "X"})
    two = hit(A, "t", label=LABELS["high"], metadata={"AUTHOR": "X", "size": "1"})
    three = hit(A, "t", label=LABELS["odd"])
    found = {1: [one], 2: [two, three]} if first == 1 else {1: [two, three], 2: [one]}
    everything = merged(found, several=True)
    (only,) = everything.hits
    assert (only.label, everything.labels) == ("high", {only.id: LABELS["high"]})
    assert only.resource_metadata == {"author" if first == 1 else "AUTHOR": "X", "size": "1"}


def test_a_title_comes_from_metadata_before_the_address_and_is_said_once() -> None:
    plain, titled = hit(A, "t"), hit(A, "t", metadata={"title": "The plan"}, title="The plan", titled=True)
    (only,) = published([plain], [titled])
    assert (only.title, only.resource_metadata) == ("The plan", None)


def test_pictures_and_pages_are_joined() -> None:
    def pictured(page: int) -> FoundHit:
        extract = RetrievalExtract(text="t", page_numbers=[page])
        picture = RetrievalThumbnail(page_number=page, content="QQ==")
        found = hit(A, pictures=[picture])
        return replace(found, hit=found.hit.model_copy(update={"extracts": [extract]}))

    (only,) = published([pictured(2)], [pictured(1), pictured(2)])
    assert [each.page_number for each in only.thumbnails or ()] == [2, 1]
    assert only.extracts[0].page_numbers == [1, 2]


def test_a_document_that_one_request_found_inside_its_filter_is_not_marked() -> None:
    outside = hit(A, "t", outside=True)
    assert [each.outside_filter for each in published([outside], [hit(A, "t")])] == [None]
    assert [each.outside_filter for each in published([outside])] == [True]


def test_ids_follow_address_and_text_whatever_else_comes_back() -> None:
    (alone,) = published([hit(A, "one", "two")])
    found = [hit(B, "zero")], [hit("HTTPS://X.test/a/", ("two ", 0.4), ("one", 0.9))]
    again = next(each for each in published(*found) if each.extracts[0].text == "one")
    assert again.id == alone.id
    assert [each.id for each in again.extracts] == [each.id for each in alone.extracts]
    assert len({alone.id, *(each.id for each in alone.extracts)}) == 3


def test_hits_without_an_address_are_told_apart_by_their_passages() -> None:
    hits = published([hit("", "one"), hit("", "two")], [hit("", "one")])
    assert [(each.extracts[0].text, each.requests) for each in hits] == [("one", [1, 2]), ("two", [1])]
    assert published([hit("", "two")])[0].id == hits[1].id
    assert len(published([hit("", title="C"), hit("", title="D")])) == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://x.test/a b/", "HTTPS://X.TEST/a%20b", True),
        ("https://x.test/sp?id=1", "https://x.test/sp?id=2", False),
        ("https://x.test/A", "https://x.test/a", False),
        ("https://x.test/C# guide.docx", "https://x.test/C# salaries.docx", False),
        ("https://x.test/app/#/ticket/1", "https://x.test/app/#/ticket/2", False),
        ("https://x.test/a#part", "https://x.test/a", False),
        ("https://[bad/a", "https://[bad/a", True),
    ],
)
def test_addresses_are_compared_by_what_they_name(one: str, other: str, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same
