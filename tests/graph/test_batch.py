"""Several retrievals in one round trip: each keeps its own result."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import httpx
import pytest

from copilot_mcp.errors import (
    AuthenticationError,
    AuthenticationRequiredError,
    CopilotMcpError,
    InvalidRequestError,
    ServiceUnavailableError,
    ThrottledError,
)
from copilot_mcp.graph import RetrievalBody, RetrievalResponse

pytestmark = pytest.mark.anyio

Item = dict[str, Any]


def body(query: str, source: str = "sharePoint", *, thumbnails: bool | None = None) -> RetrievalBody:
    return RetrievalBody.model_validate({"queryString": query, "dataSource": source, "includeThumbnails": thumbnails})


def hit(query: str) -> Item:
    return {"retrievalHits": [{"webUrl": f"https://x.test/{query}"}]}


def answered(item: Item, status: int = 200, content: Any = None, **headers: str) -> Item:
    content = hit(item["body"]["queryString"]) if content is None else content
    return {"id": item["id"], "status": status, "headers": headers, "body": content}


def batch(answer: Callable[[Item], Item | None]) -> Callable[[httpx.Request], httpx.Response]:
    """Answers each item by itself, last one first; an item answered None is left out."""

    def handler(request: httpx.Request) -> httpx.Response:
        items = [answer(item) for item in json.loads(request.content)["requests"]]
        kept = [item for item in reversed(items) if item is not None]
        return httpx.Response(200, json={"responses": kept}, headers={"request-id": "envelope"})

    return handler


def shown(results: list[RetrievalResponse | CopilotMcpError]) -> list[Any]:
    return [
        result.retrieval_hits[0].web_url.rpartition("/")[2] if isinstance(result, RetrievalResponse) else result.kind
        for result in results
    ]


async def test_answers_are_joined_by_id_in_any_order(wire: Any) -> None:
    async with wire.open(batch(lambda item: {**answered(item), "id": item["id"].upper()})) as graph:
        results = await graph.retrieve_many([body("a"), body("b", "externalItem")])
    assert shown(results) == ["a", "b"]
    assert [(one.requests_used, one.request_id) for one in results if isinstance(one, RetrievalResponse)] == [
        (1, "envelope"),
        (1, "envelope"),
    ]
    assert wire.paths == ["/v1.0/$batch"]
    assert wire.bodies() == [
        {
            "requests": [
                {
                    "id": "1",
                    "method": "POST",
                    "url": "/copilot/retrieval",
                    "headers": {"Content-Type": "application/json"},
                    "body": {"queryString": "a", "dataSource": "sharePoint"},
                },
                {
                    "id": "2",
                    "method": "POST",
                    "url": "/copilot/retrieval",
                    "headers": {"Content-Type": "application/json"},
                    "body": {"queryString": "b", "dataSource": "externalItem"},
                },
            ]
        }
    ]
    assert wire.tokens.asked == [(("ExternalItem.Read.All", "Files.Read.All", "Sites.Read.All"), None)]


async def test_more_than_twenty_go_in_several_batches(wire: Any) -> None:
    queries = [f"q{number}" for number in range(43)]
    async with wire.open(batch(answered)) as graph:
        results = await graph.retrieve_many([body(query) for query in queries])
    assert shown(results) == queries
    assert [len(envelope["requests"]) for envelope in wire.bodies()] == [20, 20, 3]


async def test_beta_items_go_in_a_beta_batch(wire: Any) -> None:
    async with wire.open(batch(answered)) as graph:
        results = await graph.retrieve_many([body("a", thumbnails=True), body("b"), body("c", thumbnails=True)])
    assert (shown(results), wire.paths) == (["a", "b", "c"], ["/v1.0/$batch", "/beta/$batch"])


async def test_nothing_to_retrieve_sends_nothing(wire: Any) -> None:
    async with wire.open(batch(answered)) as graph:
        assert await graph.retrieve_many([]) == []
    assert wire.requests == []


async def test_one_refusal_does_not_cost_the_others(wire: Any) -> None:
    def answer(item: Item) -> Item:
        refused = {"error": {"code": "", "message": "", "innerError": {"request-id": "item"}}}
        return answered(item, 400, refused) if item["body"]["queryString"] == "b" else answered(item)

    async with wire.open(batch(answer)) as graph:
        results = await graph.retrieve_many([body("a"), body("b"), body("c")])
    assert shown(results) == ["a", "invalid_request", "c"]
    error = results[1]
    assert isinstance(error, InvalidRequestError)
    assert (error.status, error.request_id, error.requests_used, len(wire.requests)) == (400, "item", 1, 1)


async def test_each_passing_failure_is_sent_again_alone_after_its_own_wait(wire: Any) -> None:
    seen: dict[str, int] = {}

    def answer(item: Item) -> Item:
        query = item["body"]["queryString"]
        seen[query] = seen.get(query, 0) + 1
        if query == "b" and seen[query] == 1:
            return answered(item, 429, {"error": {}}, **{"retry-AFTER": "4"})
        if query == "c" and seen[query] <= 2:
            return answered(item, 503, {"error": {}}, **{"Retry-After": "9"})
        return answered(item, 500, {"error": {}}) if query == "d" else answered(item)

    async with wire.open(batch(answer)) as graph:
        results = await graph.retrieve_many([body(query) for query in "abcd"])
    assert shown(results) == ["a", "b", "c", "service"]
    assert [result.requests_used for result in results] == [1, 2, 3, 1]
    assert wire.slept == [4.0, 5.0, 9.0]
    assert [[item["id"] for item in envelope["requests"]] for envelope in wire.bodies()] == [
        ["1", "2", "3", "4"],
        ["2"],
        ["3"],
        ["3"],
    ]


async def test_failures_with_the_same_wait_share_an_envelope(wire: Any) -> None:
    seen: list[str] = []

    def answer(item: Item) -> Item:
        seen.append(item["id"])
        passing = {"1": 502, "2": 504, "3": 429}.get(item["id"], 200) if seen.count(item["id"]) == 1 else 200
        return answered(item, passing, None if passing == 200 else {"error": {}})

    async with wire.open(batch(answer)) as graph:
        results = await graph.retrieve_many([body(query) for query in "abcd"])
    assert (shown(results), wire.slept) == (["a", "b", "c", "d"], [0.5])
    assert [[item["id"] for item in envelope["requests"]] for envelope in wire.bodies()] == [
        ["1", "2", "3", "4"],
        ["1", "2", "3"],
    ]


async def test_one_long_wait_is_given_back_while_another_item_is_sent_again(wire: Any) -> None:
    seen: list[str] = []

    def answer(item: Item) -> Item:
        seen.append(item["id"])
        wait = {"1": "600", "2": "2"}.get(item["id"])
        return (
            answered(item, 429, {"error": {}}, **{"Retry-After": wait}) if wait and len(seen) <= 3 else answered(item)
        )

    async with wire.open(batch(answer)) as graph:
        results = await graph.retrieve_many([body(query) for query in "abc"])
    assert (shown(results), wire.slept, seen) == (["throttled", "b", "c"], [2.0], ["1", "2", "3", "2"])
    assert isinstance(results[0], ThrottledError)
    assert results[0].retry_after == 600.0


async def test_an_ungranted_permission_costs_only_its_own_source(wire: Any) -> None:
    class Sparing:
        asked: ClassVar[list[tuple[str, ...]]] = []

        async def token(self, scopes: Sequence[str], *, rejected: str | None = None) -> str:
            self.asked.append(tuple(scopes))
            if "ExternalItem.Read.All" in scopes:
                raise AuthenticationError("Not granted.", kind="consent_required")
            return "token"

    wire.tokens = Sparing()
    async with wire.open(batch(answered)) as graph:
        results = await graph.retrieve_many([body("a"), body("b", "externalItem"), body("c", "oneDriveBusiness")])
    assert shown(results) == ["a", "consent_required", "c"]
    assert Sparing.asked[0] == ("ExternalItem.Read.All", "Files.Read.All", "Sites.Read.All")
    assert [[item["id"] for item in envelope["requests"]] for envelope in wire.bodies()] == [["1", "3"]]


async def test_a_sign_in_that_ends_during_a_wait_does_not_cost_what_has_come(wire: Any) -> None:
    class Ending:
        calls = 0

        async def token(self, scopes: Sequence[str], *, rejected: str | None = None) -> str:
            self.calls += 1
            if self.calls > 1:
                raise AuthenticationRequiredError("Signed out.")
            return "token"

    def answer(item: Item) -> Item:
        busy = item["id"] == "2"
        return answered(item, 429, {"error": {}}, **{"Retry-After": "1"}) if busy else answered(item)

    wire.tokens = Ending()
    async with wire.open(batch(answer)) as graph:
        results = await graph.retrieve_many([body("a"), body("b")])
    assert shown(results) == ["a", "signed_out"]


@pytest.mark.parametrize(
    ("headers", "slept", "sends"),
    [({}, [0.5, 1.0, 2.0], 4), ({"Retry-After": "0"}, [0.5, 1.0, 2.0], 4), ({"Retry-After": "60"}, [], 1)],
)
async def test_repetitions_are_bounded(wire: Any, headers: dict[str, str], slept: list[float], sends: int) -> None:
    async with wire.open(batch(lambda item: answered(item, 429, {"error": {}}, **headers))) as graph:
        (error,) = await graph.retrieve_many([body("a")])
    assert isinstance(error, ThrottledError)
    asked = float(headers["Retry-After"]) if headers else None
    assert (error.requests_used, error.retry_after, wire.slept) == (sends, asked, slept)


async def test_item_left_out_or_unreadable_is_an_error_of_its_own(wire: Any) -> None:
    def answer(item: Item) -> Item | None:
        query = item["body"]["queryString"]
        return {"a": answered(item), "b": None, "c": answered(item, 200, {"value": []})}[query]

    async with wire.open(batch(answer)) as graph:
        results = await graph.retrieve_many([body("a"), body("b"), body("c")])
    assert shown(results) == ["a", "service", "service"]
    assert [str(result).partition(".")[0] for result in results[1:]] == [
        "Microsoft Graph left this request out of its batch answer",
        "Microsoft Graph gave an answer that cannot be read (200)",
    ]


async def test_item_body_in_base64_is_read(wire: Any) -> None:
    deep = base64.b64encode(b'{"a":' * 100 + b"1" + b"}" * 100).decode()
    encoded = {"a": base64.b64encode(json.dumps(hit("a")).encode()).decode(), "b": "not base64", "c": deep}
    encoded["d"] = (
        base64.urlsafe_b64encode(json.dumps(hit("d") | {"x": "\u00ff\u00fe?>"}).encode()).decode().rstrip("=")
    )
    encoded["e"] = json.dumps(hit("e"))
    async with wire.open(batch(lambda item: answered(item, 200, encoded[item["body"]["queryString"]]))) as graph:
        results = await graph.retrieve_many([body(query) for query in encoded])
    assert shown(results) == ["a", "service", "service", "d", "e"]


async def test_item_status_as_text_is_read(wire: Any) -> None:
    async with wire.open(batch(lambda item: answered(item) | {"status": "200"})) as graph:
        assert shown(await graph.retrieve_many([body("a"), body("b")])) == ["a", "b"]


@pytest.mark.parametrize("responses", [None, "none", [5, {"id": "1"}, {"id": "1", "status": "fine"}]])
async def test_odd_envelope_is_an_error_of_every_item(wire: Any, replies: Any, responses: Any) -> None:
    async with wire.open(replies(httpx.Response(200, json={"responses": responses}))) as graph:
        assert shown(await graph.retrieve_many([body("a")])) == ["service"]


async def test_failed_envelope_is_given_to_its_items_only(wire: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if len(wire.requests) == 1:
            return httpx.Response(400, json={"error": {"code": "badBatch"}})
        return batch(answered)(request)

    async with wire.open(handler) as graph:
        results = await graph.retrieve_many([body(f"q{number}") for number in range(22)])
    assert shown(results) == ["invalid_request"] * 20 + ["q20", "q21"]
    assert results[0].requests_used == 1


async def test_unreachable_service_is_an_error_of_every_item(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.ConnectError("x"))) as graph:
        results = await graph.retrieve_many([body("a"), body("b")])
    assert [(type(one), one.requests_used) for one in results] == [(ServiceUnavailableError, 0)] * 2
    assert len(wire.requests) == 4


async def test_first_of_two_answers_with_one_id_counts(wire: Any, replies: Any) -> None:
    twice = [{"id": "1", "status": 200, "body": hit("first")}, {"id": "1", "status": 200, "body": hit("second")}]
    async with wire.open(replies(httpx.Response(200, json={"responses": twice}))) as graph:
        assert shown(await graph.retrieve_many([body("a")])) == ["first"]


async def test_an_answer_counts_before_a_refusal_with_its_id(wire: Any, replies: Any) -> None:
    both = [{"id": "1", "status": 429, "body": None}, {"id": "1", "status": 200, "body": hit("a")}]
    for responses in (both, both[::-1]):
        async with wire.open(replies(httpx.Response(200, json={"responses": responses}))) as graph:
            (result,) = await graph.retrieve_many([body("a")])
        assert (shown([result]), result.requests_used) == (["a"], 1)


async def test_documented_batches_are_read(wire: Any, replies: Any, examples: dict[str, Any]) -> None:
    for name in ("ex003", "ex021", "ex022"):
        entry = examples[name]
        bodies = [RetrievalBody.model_validate(item["body"]) for item in entry["request"]["body"]["requests"]]
        async with wire.open(replies(httpx.Response(200, json=entry["response"]["body"]))) as graph:
            results = await graph.retrieve_many(bodies)
        expected = {item["id"]: len(item["body"]["retrievalHits"]) for item in entry["response"]["body"]["responses"]}
        found = [len(one.retrieval_hits) for one in results if isinstance(one, RetrievalResponse)]
        assert found == [expected["1"], expected["2"]]
        assert wire.bodies()[-1] == entry["request"]["body"]


async def test_what_would_pass_the_time_of_a_call_is_not_waited_for(wire: Any) -> None:
    async with wire.open(batch(lambda item: answered(item, 429, {"error": {}}, **{"Retry-After": "20"}))) as graph:
        (error,) = await graph.retrieve_many([body("a")])
    assert isinstance(error, ThrottledError)
    assert (error.requests_used, error.retry_after, wire.slept) == (3, 20.0, [20.0, 20.0])


async def test_time_of_a_call_bounds_what_is_sent_again(wire: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if len(wire.requests) > 1:
            return httpx.Response(503, headers={"Retry-After": "5"})
        wire.seconds += 34
        return batch(lambda item: answered(item, 429, {"error": {}}, **{"Retry-After": "20"}))(request)

    async with wire.open(handler) as graph:
        results = await graph.retrieve_many([body("a"), body("b")])
    assert (shown(results), wire.slept, wire.seconds) == (["service", "service"], [20.0], 54.0)


async def test_what_there_is_no_time_for_is_not_sent(wire: Any) -> None:
    """An item that is due after the time is over keeps its refusal, and one that was never sent says so."""

    def answer(item: Item) -> Item:
        wait = {"a": "1", "b": "15"}.get(item["body"]["queryString"])
        return answered(item, 429, {"error": {}}, **{"Retry-After": wait}) if wait else answered(item)

    def handler(request: httpx.Request) -> httpx.Response:
        wire.seconds += 0 if len(wire.requests) == 1 else 60
        return batch(answer)(request)

    async with wire.open(handler) as graph:
        results = await graph.retrieve_many([body(query) for query in ("a", "b", *"cdefghijklmnopqrstuv")])
    assert shown(results) == ["throttled", "throttled", *"cdefghijklmnopqrst", "timeout", "timeout"]
    assert [result.requests_used for result in results] == [2, *[1] * 19, 0, 0]
    assert len(wire.requests) == 2
    assert str(results[-1]) == (
        "This request was not sent: the others took all the time of the call. Ask again, fewer at a time."
    )


async def test_headers_that_are_no_object_cost_no_other_item(wire: Any) -> None:
    def answer(item: Item) -> Item:
        odd: dict[str, Any] = {"a": [1], "b": "x", "c": None}
        return {**answered(item), "headers": odd[item["body"]["queryString"]]}

    async with wire.open(batch(answer)) as graph:
        assert shown(await graph.retrieve_many([body("a"), body("b"), body("c")])) == ["a", "b", "c"]


async def test_error_beside_hits_is_an_error_as_for_one_request(wire: Any) -> None:
    def answer(item: Item) -> Item:
        error = {"error": {"code": "tooManyRequests"}} if item["body"]["queryString"] == "b" else {"error": None}
        return answered(item, content={**hit("a"), **error})

    async with wire.open(batch(answer)) as graph:
        results = await graph.retrieve_many([body("a"), body("b")])
    assert shown(results) == ["a", "throttled"]
    async with wire.open(lambda _: httpx.Response(200, json={**hit("a"), "error": {"code": "tooManyRequests"}})) as one:
        with pytest.raises(ThrottledError) as caught:
            await one.retrieve(body("b"))
    assert str(caught.value) == str(results[1])
