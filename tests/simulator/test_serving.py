"""The tenant on a real socket."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator

CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
TURN = {"message": {"text": "VPN"}, "locationHint": {"timeZone": "Etc/UTC"}}
HEAVY = ("starlette", "uvicorn", "sqlite3", "cryptography", "jwt", "copilot_mcp.kql")


@pytest.fixture
def served() -> Iterator[Simulator]:
    """A tenant that listens and approves by itself."""
    with Simulator(auto_approve="adele") as simulator:
        simulator.start()
        yield simulator


@pytest.fixture
def client(served: Simulator) -> Iterator[httpx.Client]:
    """Signed in over the socket."""
    with httpx.Client(base_url=served.url) as opened:
        form = {"client_id": CLIENT_ID, "scope": ".default"}
        begun = opened.post("/organizations/oauth2/v2.0/devicecode", data=form).json()
        assert begun["verification_uri"] == f"{served.url}/devicelogin"
        grant = {"client_id": CLIENT_ID, "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}
        token = opened.post("/organizations/oauth2/v2.0/token", data=grant | {"device_code": begun["device_code"]})
        opened.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        yield opened


def retrieve(client: httpx.Client) -> httpx.Response:
    return client.post("/v1.0/copilot/retrieval", json={"queryString": "VPN", "dataSource": "sharePoint"})


def test_a_stream_comes_in_pieces(client: httpx.Client) -> None:
    conversation = client.post("/beta/copilot/conversations", json={}).json()["id"]
    path = f"/beta/copilot/conversations/{conversation}/chatOverStream"

    with client.stream("POST", path, json=TURN) as answer:
        pieces = list(answer.iter_raw())

    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers.get_list("date") == [answer.headers["date"]]
    assert len(pieces) > 1
    assert b"".join(pieces).count(b"data: ") > 5


def test_a_cut_body_and_a_dropped_connection_break_off(served: Simulator, client: httpx.Client) -> None:
    served.faults.add("cut_body")
    with pytest.raises(httpx.RemoteProtocolError):
        retrieve(client)
    served.faults.add("drop_connection")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        retrieve(client)

    assert retrieve(client).status_code == 200


def test_a_taken_port_is_said_and_a_stopped_tenant_can_start_again(served: Simulator) -> None:
    port = int(served.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match=f"cannot listen on port {port}"):
        Simulator(served.tenant).start(port)
    with pytest.raises(RuntimeError, match="already listening"):
        served.start()

    served.stop()
    served.stop()

    assert served.url == "http://127.0.0.1"
    assert served.start(port) == f"http://127.0.0.1:{port}"
    assert httpx.get(f"{served.url}/simulator").json()["simulated"] is True


def test_an_impossible_port_is_said(served: Simulator) -> None:
    with pytest.raises(OSError, match="cannot listen on port 70000"):
        Simulator(served.tenant).start(70_000)


def test_stopping_ends_a_stream_under_way(served: Simulator) -> None:
    with Simulator(served.tenant, pace=60, auto_approve="adele") as slow:
        url = slow.start()
        with httpx.Client(base_url=url) as client:
            headers = {"Authorization": f"Bearer {_token(client)}"}
            conversation = client.post("/beta/copilot/conversations", json={}, headers=headers).json()["id"]
            path = f"/beta/copilot/conversations/{conversation}/chatOverStream"
            with client.stream("POST", path, json=TURN, headers=headers) as answer:
                pieces = answer.iter_raw()
                next(pieces)
                busy = client.post(f"/beta/copilot/conversations/{conversation}/chat", json=TURN, headers=headers)
                slow.stop()
                with pytest.raises(httpx.RemoteProtocolError):
                    list(pieces)

    assert (busy.status_code, busy.json()["error"]["code"]) == (409, "Conflict")


def _token(client: httpx.Client) -> str:
    form = {"client_id": CLIENT_ID, "scope": ".default"}
    begun = client.post("/organizations/oauth2/v2.0/devicecode", data=form).json()
    grant = {"client_id": CLIENT_ID, "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}
    answer = client.post("/organizations/oauth2/v2.0/token", data=grant | {"device_code": begun["device_code"]})
    token: str = answer.json()["access_token"]
    return token


def test_importing_the_package_is_cheap() -> None:
    code = (
        "import sys, json; before = set(sys.modules); import copilot_mcp.simulator; "
        f"print(json.dumps([m for m in {HEAVY!r} if m in set(sys.modules) - before]))"
    )

    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True, timeout=30)

    loaded: Any = json.loads(done.stdout)
    assert loaded == []
