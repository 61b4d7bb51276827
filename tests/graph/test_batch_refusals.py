"""Items of a batch that refuse its token: it is renewed once for all of them, and only they are sent again."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import httpx
import pytest

from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError, CopilotMcpError, GraphError
from copilot_mcp.graph import RetrievalBody, RetrievalResponse

pytestmark = pytest.mark.anyio

Item = dict[str, Any]
Answer = Callable[[Item, str], tuple[int, dict[str, str]]]

FILES = ("Files.Read.All", "Sites.Read.All")
BOTH = ("ExternalItem.Read.All", *FILES)
CLAIMS = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
TEXT = json.dumps(CLAIMS)


def challenge(claims: Any = CLAIMS) -> dict[str, str]:
    packed = base64.b64encode(json.dumps(claims).encode()).decode()
    return {"www-AUTHENTICATE": f'Bearer realm="", error="insufficient_claims", claims="{packed}"'}


def body(query: str, source: str = "sharePoint") -> RetrievalBody:
    return RetrievalBody.model_validate({"queryString": query, "dataSource": source})


def batch(answer: Answer, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    """Answers each item by its body and the token of the envelope: with a status and the item's headers."""

    def handler(request: httpx.Request) -> httpx.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        responses = []
        for item in json.loads(request.content)["requests"]:
            status, own = answer(item["body"], token)
            query = item["body"]["queryString"]
            content: Any = {"retrievalHits": [{"webUrl": f"https://x.test/{query}"}]}
            content = content if status == 200 else {"error": {"code": "InvalidAuthenticationToken"}}
            responses.append({"id": item["id"], "status": status, "headers": own, "body": content})
        return httpx.Response(200, json={"responses": responses}, headers=headers)

    return handler


def shown(results: Sequence[RetrievalResponse | CopilotMcpError]) -> list[tuple[str, int]]:
    """What each retrieval brought or the kind of its error, and how many requests it took."""
    return [
        (
            one.retrieval_hits[0].web_url.rpartition("/")[2] if isinstance(one, RetrievalResponse) else one.kind,
            one.requests_used,
        )
        for one in results
    ]


def asked(wire: Any) -> list[list[str]]:
    """The questions of each envelope."""
    return [[item["body"]["queryString"] for item in envelope["requests"]] for envelope in wire.bodies()]


@pytest.mark.parametrize(
    ("status", "headers", "claims"),
    [(401, {}, None), (401, challenge(), TEXT), (403, challenge(), TEXT), (401, challenge("no object"), None)],
)
async def test_refused_items_alone_are_sent_again_with_one_new_token(
    wire: Any, status: int, headers: dict[str, str], claims: str | None
) -> None:
    def answer(item: Item, token: str) -> tuple[int, dict[str, str]]:
        return (status, headers) if token == "token-1" and item["queryString"] in "bd" else (200, {})

    async with wire.open(batch(answer)) as graph:
        results = await graph.retrieve_many([body("a"), body("b"), body("c", "externalItem"), body("d")])
    assert shown(results) == [("a", 1), ("b", 2), ("c", 1), ("d", 2)]
    assert asked(wire) == [["a", "b", "c", "d"], ["b", "d"]]
    assert (wire.tokens.asked, wire.tokens.claims) == ([(BOTH, None), (BOTH, "token-1")], [None, claims])
    assert wire.slept == []


async def test_a_challenge_among_plain_refusals_is_the_one_that_is_met(wire: Any) -> None:
    def answer(item: Item, token: str) -> tuple[int, dict[str, str]]:
        return (200, {}) if token == "token-2" else (401, challenge() if item["queryString"] == "b" else {})

    async with wire.open(batch(answer)) as graph:
        assert shown(await graph.retrieve_many([body("a"), body("b")])) == [("a", 2), ("b", 2)]
    assert wire.tokens.claims == [None, TEXT]


async def test_plain_refusal_and_then_a_challenge_are_each_answered_once(wire: Any) -> None:
    def answer(item: Item, token: str) -> tuple[int, dict[str, str]]:
        return {"token-1": (401, {}), "token-2": (403, challenge())}.get(token, (200, {}))

    async with wire.open(batch(answer)) as graph:
        assert shown(await graph.retrieve_many([body("a")])) == [("a", 3)]
    assert wire.tokens.claims == [None, None, TEXT]


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [(401, {}, "token_rejected"), (401, challenge(), "reauth_required"), (403, challenge(), "policy")],
)
async def test_second_refusal_is_the_error_of_a_single_retrieval(
    wire: Any, status: int, headers: dict[str, str], kind: str
) -> None:
    def answer(item: Item, token: str) -> tuple[int, dict[str, str]]:
        return (status, headers) if item["queryString"] == "b" else (200, {})

    async with wire.open(batch(answer)) as graph:
        first, error, last = await graph.retrieve_many([body("a"), body("b"), body("c")])
    assert shown([first, error, last]) == [("a", 1), (kind, 2), ("c", 1)]
    assert (len(wire.requests), len(wire.tokens.asked)) == (2, 2)

    refused = {"error": {"code": "InvalidAuthenticationToken"}}
    async with wire.open(lambda _: httpx.Response(status, headers=headers, json=refused)) as graph:
        with pytest.raises(GraphError) as single:
            await graph.retrieve(body("b"))
    assert (str(error), error.scopes) == (str(single.value), single.value.scopes)
    facts, alone = error.details(), single.value.details()
    assert facts == alone | {"requestId": facts["requestId"]}


async def test_refusals_without_end_cost_one_new_token_in_all_envelopes(wire: Any) -> None:
    async with wire.open(batch(lambda item, token: (401, challenge()))) as graph:
        results = await graph.retrieve_many([body(f"q{number}") for number in range(43)])
    assert shown(results) == [("reauth_required", 2)] * 20 + [("reauth_required", 1)] * 23
    assert [len(questions) for questions in asked(wire)] == [20, 20, 20, 3]
    assert [rejected for _, rejected in wire.tokens.asked if rejected] == ["token-1"] * 3
    assert wire.tokens.claims == [None, TEXT, None, None]


async def test_refused_envelope_and_refused_item_share_one_new_token(wire: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if len(wire.requests) == 1:
            return httpx.Response(401, json={})
        return batch(lambda item, token: (401, {}) if item["queryString"] == "b" else (200, {}))(request)

    async with wire.open(handler) as graph:
        assert shown(await graph.retrieve_many([body("a"), body("b")])) == [("a", 2), ("token_rejected", 2)]
    assert wire.tokens.asked == [(FILES, None), (FILES, "token-1")]


async def test_throttled_item_is_not_renewed_for_a_second_time(wire: Any) -> None:
    def answer(item: Item, token: str) -> tuple[int, dict[str, str]]:
        if item["queryString"] == "b":
            return (429, {"Retry-After": "2"}) if len(wire.requests) == 1 else (401, {})
        return (200, {}) if token == "token-2" else (401, {})

    async with wire.open(batch(answer)) as graph:
        results = await graph.retrieve_many([body("a"), body("b", "externalItem")])
    assert shown(results) == [("a", 2), ("token_rejected", 2)]
    assert (asked(wire), wire.slept) == ([["a", "b"], ["a"], ["b"]], [2.0])
    assert wire.tokens.asked == [(BOTH, None), (BOTH, "token-1"), (BOTH, "token-1")]


async def test_item_that_is_throttled_after_its_renewal_waits_and_is_answered(wire: Any) -> None:
    def answer(item: Item, token: str) -> tuple[int, dict[str, str]]:
        return [(401, {}), (503, {"Retry-After": "3"}), (200, {})][len(wire.requests) - 1]

    async with wire.open(batch(answer)) as graph:
        assert shown(await graph.retrieve_many([body("a")])) == [("a", 3)]
    assert wire.slept == [3.0]


async def test_renewal_that_fails_costs_only_the_refused_items(wire: Any) -> None:
    wire.tokens.fails = AuthenticationRequiredError("Conditions changed.", kind="reauth_required")
    async with wire.open(
        batch(lambda item, token: (401, challenge()) if item["queryString"] == "b" else (200, {}))
    ) as graph:
        results = await graph.retrieve_many([body("a"), body("b")])
    assert shown(results) == [("a", 1), ("reauth_required", 1)]
    assert isinstance(results[1], AuthenticationRequiredError)
    assert len(wire.requests) == 1


async def test_permission_that_the_renewal_lacks_costs_only_its_own_source(wire: Any) -> None:
    class Withdrawn:
        def __init__(self) -> None:
            self.asked: list[tuple[tuple[str, ...], str | None]] = []

        async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
            self.asked.append((tuple(scopes), rejected))
            if "ExternalItem.Read.All" in scopes and len(self.asked) > 1:
                raise AuthenticationError("Not granted.", kind="scopes_missing")
            return "token-1" if len(self.asked) == 1 else "token-2"

    wire.tokens = Withdrawn()
    async with wire.open(batch(lambda item, token: (401, {}) if token == "token-1" else (200, {}))) as graph:
        results = await graph.retrieve_many([body("a"), body("b", "externalItem"), body("c")])
    assert shown(results) == [("a", 2), ("scopes_missing", 1), ("c", 2)]
    assert asked(wire) == [["a", "b", "c"], ["a", "c"]]
    assert wire.tokens.asked == [(BOTH, None), (BOTH, "token-1"), (FILES, None), (BOTH[:1], None)]


async def test_renewal_that_takes_all_the_time_says_to_ask_again(wire: Any) -> None:
    class Slow:
        async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
            wire.seconds += 0 if rejected is None else 60
            return "token-1" if rejected is None else "token-2"

    wire.tokens = Slow()
    async with wire.open(batch(lambda item, token: (401 if item["queryString"] == "b" else 200, {}))) as graph:
        results = await graph.retrieve_many([body("a"), body("b")])
    assert (shown(results), len(wire.requests)) == ([("a", 1), ("timeout", 1)], 1)
    assert str(results[1]) == (
        "Microsoft Graph refused the token. The sign-in has been renewed, but this call had no time left for this "
        "request. Ask again."
    )


async def test_renewal_that_never_comes_costs_only_what_was_refused(wire: Any) -> None:
    class Hanging:
        async def token(self, scopes: Sequence[str], *, rejected: str | None = None, claims: str | None = None) -> str:
            if rejected is not None:
                await anyio.sleep_forever()
            wire.seconds += 54.9  # a tenth of a second is left of the call
            return "token-1"

    wire.tokens = Hanging()
    with anyio.fail_after(20):
        async with wire.open(batch(lambda item, token: (401 if item["queryString"] == "b" else 200, {}))) as graph:
            results = await graph.retrieve_many([body("a"), body("b")])
    assert shown(results) == [("a", 1), ("token_timeout", 1)]


async def test_wrong_clock_is_found_in_the_date_of_the_envelope(wire: Any) -> None:
    date = "Mon, 02 Mar 2026 08:20:00 GMT"
    async with wire.open(batch(lambda item, token: (401, {}), date=date)) as graph:
        (error,) = await graph.retrieve_many([body("a")])
    assert (error.kind, "20 minutes" in str(error)) == ("clock_skew", True)


@pytest.mark.parametrize("kind", ["consent_required", "admin_consent_required", "scopes_missing"])
async def test_missing_permission_costs_the_other_source_nothing(wire: Any, kind: str) -> None:
    class Half:
        """Gives tokens for files alone, as where nobody has approved the connectors."""

        async def token(self, scopes: Sequence[str], **members: Any) -> str:
            if "ExternalItem.Read.All" in scopes:
                raise AuthenticationError("Not granted.", kind=kind)
            return "t"

    wire.tokens = Half()
    async with wire.open(batch(lambda item, token: (200, {}))) as graph:
        results = await graph.retrieve_many([body("a"), body("b", "externalItem")])
    assert [one for one, _ in shown(results)] == ["a", kind]
