"""The tenant's own addresses take no value that breaks them, or what they control, later on."""

from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator

from .test_bad_bodies import UNWRITABLE

pytestmark = pytest.mark.anyio

NO_OBJECT = "the body must be a JSON object of at most 10,000 bytes"
ADDRESSES = ("/simulator", "/simulator/trace", "/simulator/counts", "/simulator/faults", "/simulator/identity")


async def refused(client: httpx.AsyncClient, path: str, body: Any) -> str:
    """What the refusal says; every address answers as before."""
    sent = {"content": body} if isinstance(body, str | bytes) else {"json": body}
    answer = await client.post(path, **sent)
    assert answer.status_code == 400, answer.text
    assert [(await client.get(each)).status_code for each in ADDRESSES] == [200] * len(ADDRESSES)
    assert (await client.get("/simulator/faults")).json() == []
    message: str = answer.json()["error"]
    return message


@pytest.mark.parametrize("path", ["/simulator/approve", "/simulator/faults", "/simulator/identity"])
async def test_a_body_that_is_no_small_object_is_said_to_be_none(login: httpx.AsyncClient, path: str) -> None:
    for body in ("", "{", "[]", "null", '"x"', b"\xff", '{"x": "%s"}' % ("x" * 10_000)):
        assert await refused(login, path, body) == NO_OBJECT
    for value in UNWRITABLE.values():
        content = f'{{"name": "not_an_object", "value": {value}}}'.encode(errors="surrogatepass")
        assert await refused(login, path, content) == NO_OBJECT


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "a fault has a name, or a spec, which is text"),
        ({"name": 5}, "a fault has a name, or a spec, which is text"),
        ({"spec": ["slow"]}, "a fault has a name, or a spec, which is text"),
        ({"name": "slow", "operation": ["chat"]}, "operation and user must be text"),
        ({"name": "slow", "user": 0}, "operation and user must be text"),
        ({"name": "outage", "value": "soon"}, "value must be a number of seconds"),
        ({"name": "outage", "value": True}, "value must be a number of seconds"),
        ({"name": "keys_flood", "value": True}, "value must be a number from 0 to 100000"),
        ({"name": "keys_flood", "value": -1}, "value must be a number from 0 to 100000"),
        ({"name": "keys_flood", "value": 10**12}, "value must be a number from 0 to 100000"),
        ({"name": "fewer_scopes", "value": [1]}, "value must be a list of text"),
        ({"name": "fewer_scopes", "value": "Mail.Read"}, "value must be a list of text"),
        ({"name": "claims_challenge", "value": 5}, "value must be printable ASCII text"),
        ({"name": "claims_challenge", "value": "a\r\nSet-Cookie: b"}, "value must be printable ASCII text"),
        ({"name": "claims_challenge", "value": "日本"}, "value must be printable ASCII text"),
    ],
)
async def test_a_fault_that_could_not_be_carried_out_is_refused(
    login: httpx.AsyncClient, body: dict[str, Any], words: str
) -> None:
    assert await refused(login, "/simulator/faults", body) == words


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", [["\udfff"]]])
def test_a_fault_of_python_takes_no_value_that_json_lacks(simulator: Simulator, value: Any) -> None:
    with pytest.raises(ValueError, match="value must be JSON, nested no deeper than 100 levels"):
        simulator.faults.add("not_an_object", value=value)


def test_a_line_takes_what_is_no_json_as_text(simulator: Simulator) -> None:
    assert simulator.faults.add_spec("not_an_object,value=NaN").value == "NaN"
    assert simulator.faults.add_spec(f"not_an_object,value={'[' * 5_000}").value == "[" * 5_000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"do": ["block"]}, "do must be one of block, "),
        ({"do": "block", "user": 5}, "user must be text"),
        ({"do": "block", "number": "53003"}, "number must be a whole number"),
        ({"do": "block", "number": True}, "number must be a whole number"),
        ({"do": "block", "flows": "device"}, "flows must be a list of text"),
        ({"do": "block", "flows": [[]]}, "flows must be a list of text"),
        ({"do": "block", "shown": []}, "shown must be text"),
        ({"do": "block", "claims": "x"}, "claims must be an object"),
        ({"do": "challenge"}, "user is missing; challenge takes user, claims, "),
        ({"do": "challenge", "user": None}, "user is missing; challenge takes user, claims, "),
        ({"do": "challenge", "user": "adele", "header": 5}, "header must be text"),
        ({"do": "challenge", "user": "adele", "header": "a\r\nb"}, "header must be printable ASCII text"),
        ({"do": "challenge", "user": "adele", "header": "日本"}, "header must be printable ASCII text"),
        ({"do": "challenge", "user": "adele", "sources": "sharePoint"}, "sources must be a list of text"),
        ({"do": "challenge", "user": "adele", "endless": 1}, "endless must be true or false"),
        ({"do": "set_consent", "user": "adele", "scopes": "Mail.Read", "state": "user"}, "scopes must be a list"),
        ({"do": "set_consent", "user": "adele", "scopes": [], "state": 5}, "state must be text"),
        ({"do": "token_life", "seconds": "60"}, "seconds must be a number of seconds within ten years"),
        ({"do": "token_life", "seconds": 10**400}, "seconds must be a number of seconds within ten years"),
        ({"do": "outage", "seconds": 10**400}, "seconds must be a number of seconds within ten years"),
        ({"do": "outage", "seconds": True}, "seconds must be a number of seconds within ten years"),
        ({"do": "require_sign_in_every", "seconds": []}, "seconds must be a number of seconds within ten years"),
        ({"do": "rotate_key", "keep_old": "no"}, "keep_old must be true or false"),
    ],
)
async def test_a_change_of_sign_in_with_a_wrong_type_is_refused_and_changes_nothing(
    login: httpx.AsyncClient, body: dict[str, Any], words: str
) -> None:
    before = (await login.get("/simulator/identity")).json()

    assert words in await refused(login, "/simulator/identity", body)

    assert (await login.get("/simulator/identity")).json() == before


async def test_null_is_as_if_a_member_were_left_out(login: httpx.AsyncClient) -> None:
    answer = await login.post("/simulator/identity", json={"do": "block", "user": None, "claims": None})

    assert answer.json()["policies"] == [{"number": 53003, "flows": ["device", "browser", "refresh"], "user": None}]


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("OPTIONS", "/simulator", 405, "GET"),
        ("POST", "/simulator/trace", 405, "GET"),
        ("GET", "/simulator/approve", 405, "POST"),
        ("TRACE", "/simulator/faults", 405, "GET, POST, DELETE"),
        ("PUT", "/simulator/identity", 405, "GET, POST"),
        ("GET", "/simulator/nothing", 404, None),
        ("POST", "/simulator/trace/more", 404, None),
    ],
)
async def test_another_method_or_address_is_refused_in_their_form(
    login: httpx.AsyncClient, method: str, path: str, status: int, allowed: str | None
) -> None:
    answer = await login.request(method, path)

    assert (answer.status_code, answer.headers.get("allow")) == (status, allowed)
    assert list(answer.json()) == ["error"]
    assert isinstance(answer.json()["error"], str)
