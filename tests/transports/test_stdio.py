"""Over stdio, as a host runs it: both eras, a pure standard output, and a clean end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from copilot_mcp.graph.transport import CONNECT_TIMEOUT_S
from copilot_mcp.simulator.secrets_issued import SECRET_MARKS

pytestmark = pytest.mark.anyio

LEGACY_HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}},
}


MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
}


def parameters(environment: dict[str, str], *arguments: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable, args=["-P", "-m", "copilot_mcp", "serve", *arguments], env=environment
    )


async def test_the_sdk_client_lists_calls_and_gets_progress(
    era: Any, environment: dict[str, str], tenant_url: str, errors: TextIO
) -> None:
    texts: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        texts.append(message or "")

    transport = stdio_client(parameters(environment, "--simulate-url", tenant_url), errlog=errors)
    async with Client(transport, mode=era) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool(
            "copilot_chat", {"message": "How do I set up the VPN?"}, progress_callback=on_progress
        )
    assert tools == ["copilot_chat", "copilot_retrieve", "build_filter"]
    assert not result.is_error
    assert texts
    assert (result.structured_content or {})["complete"] is True


async def test_listing_needs_no_network_no_account_and_no_tenant(
    era: Any, environment: dict[str, str], errors: TextIO
) -> None:
    unreachable = {**environment, "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    async with Client(stdio_client(parameters(unreachable), errlog=errors), mode=era) as client:
        assert len((await client.list_tools()).tools) == 3
        refused = await client.call_tool("copilot_retrieve", {"queryString": "x", "dataSource": "sharePoint"})
        free = await client.call_tool("build_filter", {"dataSource": "sharePoint", "expression": "FileType:pdf"})
    assert refused.is_error
    assert "COPILOT_MCP_CLIENT_ID" in refused.content[0].text
    assert not free.is_error


def talk(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()


def answers(process: subprocess.Popen[bytes], count: int) -> list[dict[str, Any]]:
    """The next `count` answers; every line of standard output has to be JSON-RPC and hold no secret."""
    found: list[dict[str, Any]] = []
    assert process.stdout is not None
    while len(found) < count:
        line = process.stdout.readline()
        assert not any(mark.encode() in line for mark in SECRET_MARKS)
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        if "id" in message:
            found.append(message)
    return found


def greet(process: subprocess.Popen[bytes], era: str) -> None:
    """Whatever opens a conversation; the modern era has none, every request speaks for itself."""
    if era == "legacy":
        talk(process, LEGACY_HELLO)
        answers(process, 1)
        talk(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})


def call(number: int, name: str, arguments: dict[str, Any], era: str) -> dict[str, Any]:
    """A raw `tools/call`."""
    params: dict[str, Any] = {"name": name, "arguments": arguments}
    if era != "legacy":
        params["_meta"] = MODERN_META
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


@pytest.mark.shows("L1")
def test_every_byte_on_stdout_is_json_rpc_while_signing_in_and_failing(start: Callable[..., Any], era: str) -> None:
    server = start("serve", "--simulate", "--log-level", "debug")
    greet(server.popen, era)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("copilot_retrieve", {"queryString": "parental leave", "dataSource": "sharePoint"}),
        ("copilot_retrieve", {"queryString": "", "dataSource": "nowhere"}),
        ("copilot_chat", {"message": "hello", "conversationId": "not-ours"}),
        ("no_such_tool", {}),
    ]
    for number, (name, arguments) in enumerate(calls, 2):
        talk(server.popen, call(number, name, arguments, era))
    server.popen.stdin.write(b"this is no JSON\n")
    server.popen.stdin.flush()
    found = {message["id"]: message for message in answers(server.popen, 5)}
    server.popen.stdin.close()
    rest = server.popen.stdout.read()
    assert [json.loads(line)["jsonrpc"] for line in rest.splitlines()] == ["2.0"] * len(rest.splitlines())
    assert server.popen.wait(20) == 0
    assert [bool(found[number]["result"].get("isError")) for number in (2, 3, 4, 5)] == [False, True, True, True]
    assert found[None]["error"]["code"] == -32700
    written = server.finished_text()
    assert "copilot_retrieve: ok in" in written
    for secret in ("parental leave", "Primary carer", "nowhere", "not-ours", "eyJ", "this is no JSON"):
        assert secret not in written


def test_no_line_is_passed_over_in_silence(start: Callable[..., Any], era: str) -> None:
    server = start("serve", "--simulate")
    wrong = b'\n\xff{}\n[]\n{"jsonrpc":"2.0","id":905,"method":"tools/list","params":[]}\n'
    server.popen.stdin.write(wrong)
    server.popen.stdin.flush()
    assert [(each["id"], each["error"]["code"]) for each in answers(server.popen, 4)] == [
        (None, -32700),
        (None, -32700),
        (None, -32600),
        (905, -32600),
    ]
    greet(server.popen, era)
    server.popen.stdin.write(wrong)
    server.popen.stdin.flush()
    assert len(answers(server.popen, 4)) == 4
    half = call(7, "build_filter", {"dataSource": "sharePoint", "all": [{"property": "Title"}]}, era)
    half["params"]["arguments"]["all"][0] |= {"operator": "equals", "values": ["VPN \ud83d"]}
    talk(server.popen, half)
    (answer,) = answers(server.popen, 1)
    assert answer["result"]["structuredContent"]["filterExpression"] == 'Title="VPN \ufffd"'
    server.popen.stdin.close()
    assert server.popen.wait(20) == 0
    assert server.finished_text().count(" is no message: answered with error -32") == 8


@pytest.mark.parametrize(
    "arguments", [["--as", "megan"], ["--time-zone", "Nowhere"], ["--simulate", "--documents", "no-such-folder"]]
)
def test_a_start_that_fails_leaves_stdout_empty(start: Callable[..., Any], arguments: list[str]) -> None:
    server = start("serve", *arguments)
    assert server.popen.stdout.read() == b""
    assert server.popen.wait(20) in (1, 2)
    assert "Error: " in server.finished_text()


def cpu_seconds(pid: int) -> float:
    """What a process has used: on a loaded machine the clock on the wall tells of the others."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return time.monotonic()
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_signed_out_is_answered_within_a_second_and_the_server_lives_on(start: Callable[..., Any], era: str) -> None:
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    server = start("serve", "--client-id", "00001111-aaaa-2222-bbbb-3333cccc4444", **nowhere)
    greet(server.popen, era)
    talk(server.popen, call(2, "build_filter", {"dataSource": "sharePoint", "expression": "FileType:pdf"}, era))
    answers(server.popen, 1)  # from here on the server is up
    for number, (name, arguments) in enumerate(
        [("copilot_retrieve", {"queryString": "x", "dataSource": "sharePoint"}), ("copilot_chat", {"message": "x"})], 3
    ):
        asked, used = time.monotonic(), cpu_seconds(server.popen.pid)
        talk(server.popen, call(number, name, arguments, era))
        (answer,) = answers(server.popen, 1)
        assert cpu_seconds(server.popen.pid) - used < 1
        assert time.monotonic() - asked < CONNECT_TIMEOUT_S  # nobody was waited for
        assert answer["result"]["isError"]
        assert answer["result"]["content"][0]["text"] == (
            "Nobody is signed in to Microsoft 365. A sign-in cannot be started: login.microsoftonline.com cannot be "
            "reached. Check the network and the proxy. The person can also run `copilot-mcp login` in a terminal. "
            "[offline]"
        )
    assert server.popen.poll() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_server_with_its_status(
    start: Callable[..., Any], number: int, status: int, era: str
) -> None:
    server = start("serve", "--simulate")
    greet(server.popen, era)
    talk(server.popen, call(2, "build_filter", {"dataSource": "sharePoint", "expression": "FileType:pdf"}, era))
    answers(server.popen, 1)
    server.popen.send_signal(number)
    assert server.popen.wait(10) == status
    assert server.popen.stdout.read() == b""


def test_closed_input_ends_the_server_with_status_0(start: Callable[..., Any]) -> None:
    server = start("serve")
    server.popen.stdin.close()
    assert server.popen.wait(30) == 0


@pytest.mark.skipif(os.name == "nt", reason="a pipe that nobody reads is another matter there")
def test_a_host_that_has_gone_leaves_a_sentence_and_no_traceback(environment: dict[str, str]) -> None:
    unread, written = os.pipe()
    os.close(unread)
    command = [sys.executable, "-P", "-m", "copilot_mcp", "serve", "--simulate"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=written, stderr=subprocess.PIPE, env=environment)
    os.close(written)
    _, said = server.communicate(json.dumps(LEGACY_HELLO).encode() + b"\n", timeout=30)
    assert (server.returncode, len(said.splitlines()), b"the host has gone" in said) == (1, 1, True)


def test_simulate_opens_no_stored_cache(start: Callable[..., Any], tmp_path: Path, era: str) -> None:
    stored = tmp_path / "copilot-mcp"
    stored.mkdir()
    stored.chmod(0o755)  # a cache folder like this is refused as soon as anything looks at it
    before = sorted(path.name for path in stored.iterdir())
    server = start("serve", "--simulate", XDG_DATA_HOME=str(tmp_path))
    greet(server.popen, era)
    asked = {"queryString": "parental leave", "dataSource": "sharePoint"}
    talk(server.popen, call(2, "copilot_retrieve", asked, era))
    result = answers(server.popen, 1)[0]["result"]
    assert not result.get("isError")
    assert sorted(path.name for path in stored.iterdir()) == before
    assert stored.stat().st_mode & 0o777 == 0o755
