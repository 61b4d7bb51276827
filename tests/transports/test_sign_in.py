"""Signing in over stdio, as a host runs it: standard output stays the protocol's, and nothing secret is printed."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator.secrets_issued import SECRET_MARKS

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}},
}
CALL = {"name": "copilot_retrieve", "arguments": {"queryString": "parental leave", "dataSource": "sharePoint"}}


class Host:
    """Speaks JSON-RPC by hand, so that every byte of standard output is seen."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.written = b""

    def ask(self, number: int, method: str, params: Any) -> dict[str, Any]:
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        while True:
            line = self.process.popen.stdout.readline()
            self.written += line
            message: dict[str, Any] = json.loads(line)
            assert message["jsonrpc"] == "2.0"
            if message.get("id") == number:
                return message

    def _send(self, message: dict[str, Any]) -> None:
        self.process.popen.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.popen.stdin.flush()

    def greet(self) -> None:
        self.ask(1, "initialize", HELLO["params"])
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def end(self) -> str:
        self.process.popen.stdin.close()
        rest = self.process.popen.stdout.read()
        assert [json.loads(line)["jsonrpc"] for line in rest.splitlines()] == ["2.0"] * len(rest.splitlines())
        assert self.process.popen.wait(20) == 0
        text: str = self.process.finished_text()
        for mark in SECRET_MARKS:
            assert mark not in text
            assert mark.encode() not in self.written + rest
        return text


@pytest.mark.shows("L1")
def test_sign_in_from_inside_the_host_keeps_stdout_pure(start: Callable[..., Any], tenant_url: str) -> None:
    host = Host(start("serve", "--simulate-url", tenant_url, "--signed-out", "--log-level", "debug"))
    host.greet()
    assert len(host.ask(2, "tools/list", {})["result"]["tools"]) == 3
    first = host.ask(3, "tools/call", CALL)["result"]
    told = first["_meta"]["copilot-mcp/error"]
    assert told["kind"] == "sign_in_pending"
    approval = {"user_code": told["userCode"], "user": "adele"}
    assert httpx.post(f"{tenant_url}/simulator/approve", json=approval, trust_env=False).status_code == 200
    deadline = time.monotonic() + 20
    number = 4
    while (result := host.ask(number, "tools/call", CALL)["result"]).get("isError"):
        assert result["_meta"]["copilot-mcp/error"]["userCode"] == told["userCode"]
        assert time.monotonic() < deadline
        number += 1
    errors = host.end()
    assert re.search(rf"enter the code {told['userCode']} within 1\d minutes", errors)
    assert "parental" not in errors


def test_token_from_the_environment_that_cannot_serve_ends_the_start(start: Callable[..., Any]) -> None:
    process = start("serve", COPILOT_MCP_TOKEN="eyJ.SECRETMARK.x")
    assert process.popen.wait(30) == 1
    assert process.popen.stdout.read() == b""
    text = process.finished_text()
    assert "The environment variable COPILOT_MCP_TOKEN gives no access token" in text
    assert "SECRETMARK" not in text
