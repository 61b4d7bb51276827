"""A host that has closed its end of standard error: nobody hears what is said there, and no call fails of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

TIMEOUT_S = 30
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
QUESTION = {"queryString": "parental leave", "dataSource": "sharePoint"}
CLIENT_ID = "11111111-1111-4111-8111-111111111111"


@contextmanager
def deaf_host(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`copilot-mcp serve` whose standard error is a pipe that nobody reads."""
    unread, written = os.pipe()
    os.close(unread)
    command = [sys.executable, "-P", "-m", "copilot_mcp", "serve", *arguments]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=written, env=environment)
    os.close(written)
    try:
        yield server
    finally:
        server.kill()
        server.communicate(timeout=TIMEOUT_S)


def ask(server: subprocess.Popen[bytes], number: int, method: str, params: dict[str, Any]) -> Any:
    assert server.stdin is not None and server.stdout is not None
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    server.stdin.write(json.dumps(message).encode() + b"\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())["result"]


@pytest.mark.skipif(os.name == "nt", reason="a pipe that nobody reads is another matter there")
def test_calls_are_answered_though_nobody_reads_standard_error(environment: dict[str, str]) -> None:
    with deaf_host(environment, "--simulate", "--signed-out") as server:
        ask(server, 1, "initialize", HELLO)
        results = [
            ask(server, number, "tools/call", {"name": "copilot_retrieve", "arguments": QUESTION}) for number in (2, 3)
        ]
    assert ["BrokenPipe" in result["content"][0]["text"] for result in results] == [False, False]
    assert ["/devicelogin" in result["content"][0]["text"] for result in results] == [True, True]


@pytest.mark.skipif(os.name == "nt", reason="a pipe that nobody reads is another matter there")
def test_server_that_warns_at_its_start_starts_though_nobody_reads_it(environment: dict[str, str]) -> None:
    with deaf_host(environment, "--cache", "plain", "--client-id", CLIENT_ID, "--tenant", "common") as server:
        assert ask(server, 1, "initialize", HELLO)["serverInfo"]["name"] == "copilot-mcp"
