"""Bodies that Python can read and nobody can write: each is refused in the form of the service it was sent to."""

import json
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator.json_values import MAX_DEPTH, read_value, writable

from .conftest import CLIENT_ID

TURN = '{"message": {"text": "Leave"}, "locationHint": {"timeZone": "Europe/Berlin"}, "@odata.note": MARK}'
RETRIEVAL = '{"queryString": "leave", "dataSource": "sharePoint", "@odata.note": MARK}'
UNWRITABLE = {
    "half of a pair": r'"\ud800"',
    "half of a pair in a name": r'{"\udc00": 1}',
    "half of a pair deep inside": r'[{"a": ["\ud800 leave"]}]',
    "half of a pair in bytes": '"\ud800"',
    "no number": "NaN",
    "infinite": "-Infinity",
    "too large": "1e999",
    "too many digits": "9" * 5_000,
    "too deep": "[" * 200 + "]" * 200,
    "far too deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", UNWRITABLE.values(), ids=UNWRITABLE)
def test_a_value_that_could_not_be_written_is_not_read(text: str) -> None:
    for content in (text, text.encode(errors="surrogatepass")):
        with pytest.raises(ValueError):
            read_value(content)


def test_what_is_read_can_be_written() -> None:
    deep = "[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1)
    for text in (r'{"a": ["\u0000", "\ud83d\ude00", 1.5, null, true]}', "1" * 400, deep, "[]"):
        assert json.dumps(read_value(text), ensure_ascii=False, allow_nan=False).encode()
    assert not writable(json.loads(f"[{deep}]"))


@pytest.mark.anyio
@pytest.mark.parametrize("text", UNWRITABLE.values(), ids=UNWRITABLE)
async def test_graph_refuses_such_a_body_with_its_400(graph: httpx.AsyncClient, text: str) -> None:
    conversation = (await graph.post("/beta/copilot/conversations", json={})).json()["id"]
    for path, body in {
        "/v1.0/copilot/retrieval": RETRIEVAL,
        "/v1.0/$batch": '{"requests": [], "@odata.note": MARK}',
        "/beta/copilot/conversations": '{"@odata.note": MARK}',
        f"/beta/copilot/conversations/{conversation}/chat": TURN,
        f"/beta/copilot/conversations/{conversation}/chatOverStream": TURN,
    }.items():
        answer = await graph.post(path, content=body.replace("MARK", text).encode(errors="surrogatepass"))
        error = answer.json()["error"]
        facts = (answer.status_code, error["code"], error["message"], answer.headers["content-type"])
        assert facts == (400, "BadRequest", "Unable to read the JSON request payload.", "application/json")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("queryString", "\ud800 leave"),
        ("filterExpression", 'Title:"\ud800"'),
        ("\ud800", 1),
        ("resourceMetadata", ["\ud800"]),
    ],
)
async def test_half_of_a_pair_is_refused_and_leaves_the_trace_readable(
    graph: httpx.AsyncClient, login: httpx.AsyncClient, member: str, value: Any
) -> None:
    body = {"queryString": "leave", "dataSource": "sharePoint", member: value}

    answer = await graph.post("/v1.0/copilot/retrieval", content=json.dumps(body))

    assert answer.status_code == 400
    assert (await login.get("/simulator/trace")).json()[-1]["status"] == 400


@pytest.mark.anyio
async def test_a_nul_is_text_like_any_other(graph: httpx.AsyncClient, login: httpx.AsyncClient) -> None:
    body = {"queryString": 'leave\x00" OR x', "dataSource": "sharePoint", "filterExpression": "Title:\x00"}

    answer = await graph.post("/v1.0/copilot/retrieval", json=body)

    assert answer.status_code == 200
    assert (await login.get("/simulator/trace")).json()[-1]["filter"] == "Title:\x00"


@pytest.mark.anyio
@pytest.mark.parametrize("text", [text for text in UNWRITABLE.values() if text.isascii()])
async def test_entra_refuses_such_claims_with_its_400(login: httpx.AsyncClient, text: str) -> None:
    form = {"client_id": CLIENT_ID, "scope": ".default", "claims": f'{{"access_token": {{"x": {text}}}}}'}

    answer = await login.post("/organizations/oauth2/v2.0/devicecode", data=form)

    told = answer.json()
    assert (answer.status_code, told["error"], told["error_codes"]) == (400, "invalid_request", [900144])
    assert (await login.get("/simulator/trace")).json()[-1]["status"] == 400


@pytest.mark.anyio
@pytest.mark.parametrize("media_type", ["text/plain", "", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_media_type_is_refused(graph: httpx.AsyncClient, media_type: str) -> None:
    body = b'{"queryString": "leave", "dataSource": "sharePoint"}'
    answer = await graph.post("/v1.0/copilot/retrieval", content=body, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UnsupportedMediaType")
