"""Claims challenges: which header is one, and what the transport does about it."""

import base64
import json
from typing import Any

import httpx
import pytest

from copilot_mcp.errors import AuthenticationRequiredError, PermissionDeniedError
from copilot_mcp.graph import RetrievalBody
from copilot_mcp.graph.challenges import claims_challenge
from copilot_mcp.graph.refusals import read_answer

CLAIMS = {"access_token": {"nbf": {"essential": True, "value": "1767225600"}}}
TEXT = json.dumps(CLAIMS)
# The filler makes the base64 hold a character of each alphabet and need padding.
FILLED = {"access_token": {"acrs": {"value": "???>>>~~~"}}}


def packed(document: Any, *, url_safe: bool = False, padded: bool = True) -> str:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    text = encode(json.dumps(document).encode()).decode()
    return text if padded else text.rstrip("=")


C = packed(CLAIMS)
BODY = RetrievalBody(query_string="leave", data_source="sharePoint")
HITS = httpx.Response(200, json={"retrievalHits": []})


@pytest.mark.parametrize(
    "header",
    [
        f'Bearer error="insufficient_claims", claims="{C}"',
        f'Bearer realm="", authorization_uri="https://evil.example/", CLAIMS="{C}" , Error="insufficient_claims"',
        f"bearer error=insufficient_claims,claims={C}",
        f'Negotiate, Basic realm="a, Bearer b=\\"c\\"", Bearer claims="{C}", error="insufficient_claims"',
        f'Bearer error="invalid_token", PoP nonce="x", Bearer error="insufficient_claims", claims="{C}"',
    ],
)
def test_challenge_is_found_in_every_spelling(header: str) -> None:
    assert claims_challenge({"www-authenticate": header}) == TEXT


@pytest.mark.parametrize("url_safe", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_challenge_may_be_url_safe_or_unpadded(url_safe: bool, padded: bool) -> None:
    claims = packed(FILLED, url_safe=url_safe, padded=padded)
    header = f'Bearer error="insufficient_claims", claims="{claims}"'
    assert claims_challenge({"www-authenticate": header}) == json.dumps(FILLED)


def test_challenge_is_found_among_several_header_lines() -> None:
    lines = [
        ("WWW-Authenticate", "Negotiate"),
        ("WWW-Authenticate", f'Bearer error="insufficient_claims", claims="{C}"'),
    ]
    assert claims_challenge(read_answer(401, httpx.Headers(lines), b"").headers) == TEXT


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        f'Bearer error="invalid_token", claims="{C}"',
        f'Basic error="insufficient_claims", claims="{C}"',
        'Bearer error="insufficient_claims"',
        'Bearer error="insufficient_claims", claims=""',
        'Bearer error="insufficient_claims", claims="!!!"',
        f'Bearer error="insufficient_claims", claims="{packed([1])}"',
        f'Bearer error="insufficient_claims", claims="{packed({"access_token": 1})}"',
        f'Bearer error="insufficient_claims", claims="{TEXT.replace(chr(34), chr(39))}"',
        f'Bearer error="insufficient_claims", claims="{base64.b64encode(b"[" * 6000).decode()}"',
        f'Bearer error="insufficient_claims", claims="{packed({"access_token": {"x": "y" * 9000}})}"',
        f'Bearer error="insufficient_claims", x="{"y" * 17_000}", claims="{C}"',
    ],
)
def test_everything_else_is_no_challenge(header: str) -> None:
    assert claims_challenge({"www-authenticate": header}) is None


def refused(status: int, claims: str = C) -> httpx.Response:
    challenge = f'Bearer error="insufficient_claims", claims="{claims}"'
    return httpx.Response(status, headers={"WWW-Authenticate": challenge}, json={})


@pytest.mark.anyio
@pytest.mark.parametrize("status", [401, 403])
async def test_challenge_is_handed_over_once_and_the_call_repeated(wire: Any, replies: Any, status: int) -> None:
    async with wire.open(replies(refused(status), HITS)) as graph:
        response = await graph.retrieve(BODY)
    scopes = ("Files.Read.All", "Sites.Read.All")
    assert wire.tokens.asked == [(scopes, None), (scopes, "token-1")]
    assert wire.tokens.claims == [None, TEXT]
    assert (response.requests_used, wire.slept) == (2, [])


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "kind"), [(401, "reauth_required"), (403, "policy")])
async def test_endless_challenges_end_after_one_repetition(wire: Any, replies: Any, status: int, kind: str) -> None:
    answers = [refused(status, packed({"access_token": {"n": {"value": str(n)}}})) for n in range(5)]
    async with wire.open(replies(*answers)) as graph:
        with pytest.raises(PermissionDeniedError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.kind, caught.value.requests_used, len(wire.tokens.asked)) == (kind, 2, 2)
    assert caught.value.scopes == ("Files.Read.All", "Sites.Read.All")


@pytest.mark.anyio
async def test_plain_rejection_and_then_a_challenge_are_each_answered_once(wire: Any, replies: Any) -> None:
    async with wire.open(replies(httpx.Response(401, json={}), refused(401), HITS)) as graph:
        assert (await graph.retrieve(BODY)).requests_used == 3
    assert wire.tokens.claims == [None, None, TEXT]


@pytest.mark.anyio
async def test_malformed_challenge_is_a_plain_rejection(wire: Any, replies: Any) -> None:
    async with wire.open(replies(refused(401, "!!!"), HITS)) as graph:
        await graph.retrieve(BODY)
    assert wire.tokens.claims == [None, None]


@pytest.mark.anyio
async def test_request_counts_also_where_no_new_token_can_be_had(wire: Any, replies: Any) -> None:
    wire.tokens.fails = AuthenticationRequiredError("Conditions changed.", kind="reauth_required")
    async with wire.open(replies(refused(401))) as graph:
        with pytest.raises(AuthenticationRequiredError) as caught:
            await graph.retrieve(BODY)
    assert (caught.value.requests_used, len(wire.requests)) == (1, 1)
