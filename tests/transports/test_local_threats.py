"""Who else is on this machine: another user, a program we start, whoever lists the processes or reads our output."""

import base64
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot_mcp.auth import TokenCache
from copilot_mcp.cli.serve import host_configuration
from copilot_mcp.simulator import Simulator, Tenant
from copilot_mcp.simulator.secrets_issued import SECRET_MARK, SECRET_MARKS

SECRET = f"{SECRET_MARK}-of-the-http-server-and-of-nothing-else"
CLIENT_ID = "00001111-aaaa-2222-bbbb-3333cccc4444"
QUESTION = {"queryString": "parental leave", "dataSource": "sharePoint"}
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}},
}
CALL = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "copilot_retrieve", "arguments": QUESTION},
}

# Everything is imported, and asked once as root, before the rights are given up: this Python may be root's alone.
STRANGER = """
import http.client, json, os, sys
cache, pid, host = sys.argv[1:]

def status():
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("POST", "/mcp", body="{}")
    return connection.getresponse().status

def tried(act, *arguments):
    try:
        return str(act(*arguments))
    except OSError as error:
        return type(error).__name__

status()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(json.dumps({
    "user": os.geteuid(),
    "read": tried(open, cache),
    "write": tried(open, cache, "w"),
    "lock": tried(open, cache.replace(".json", ".lock")),
    "folder": tried(os.listdir, os.path.dirname(cache)),
    "plant": tried(open, os.path.join(os.path.dirname(cache), "planted"), "x"),
    "environment": tried(lambda: open(f"/proc/{pid}/environ").read()),
    "list": tried(lambda: open(f"/proc/{pid}/cmdline").read()),
    "without the secret": status(),
}))
"""

# A browser that says much, tells what it was given, and follows the address to the end.
BROWSER = """
import json, os, re, sys, urllib.parse, urllib.request
from pathlib import Path

print("Opening in existing browser session.", flush=True)
print("console.log: noise of a browser", file=sys.stderr, flush=True)
address, seen = sys.argv[1], Path(__file__).with_name("seen.json")
lists = {str(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in (os.getpid(), os.getppid())}
seen.write_text(json.dumps({"environment": dict(os.environ), "lists": lists}))
page = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=20).read().decode()
(back,) = re.findall(r'action="(http://localhost:\\d+)"', page)
members = re.findall(r'<input type="hidden" name="(\\w+)" value="([^"]*)">', page)
form = urllib.parse.urlencode(members).encode()
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(back, form, timeout=20).read()
"""

# The command as it is, on a desktop whatever this machine is.
LOGIN = """
import sys
from copilot_mcp.cli import app, login
from copilot_mcp.cli._surroundings import Surroundings

desktop = Surroundings("a desktop", browser_comes_back=True, opener=(sys.executable, sys.argv.pop(1)))
login.look_around = lambda: desktop
app(prog_name="copilot-mcp")
"""

TOKEN_COMMAND = """
import json, os, sys
from pathlib import Path

lists = {str(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in (os.getpid(), os.getppid())}
Path(sys.argv[1]).write_text(json.dumps({"environment": dict(os.environ), "lists": lists}))
print("Bearer " + Path(sys.argv[2]).read_text())
print(Path(sys.argv[2]).read_text(), file=sys.stderr)
"""

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/cmdline").exists(), reason="this system lists no processes in /proc"
)


@pytest.fixture
def auto_approving(company: Tenant) -> Iterator[str]:
    """A tenant on a socket where Adele approves every sign-in at once."""
    with Simulator(company, auto_approve="adele") as simulator:
        yield simulator.start()


def marks_in(*texts: str) -> list[str]:
    return [mark for text in texts for mark in (*SECRET_MARKS, "SECRETMARK") if mark in text]


def outside_token() -> str:
    """A token for Graph as its claims tell, marked, and without the permissions of any tool: no network is needed."""
    claims = {
        "aud": "https://graph.microsoft.com",
        "exp": 4_000_000_000,
        "scp": "Mail.Read",
        "tid": "11111111-1111-4111-8111-111111111111",
        "oid": "aaaaaaaa-0000-4000-8000-000000000001",
        "upn": "alice@contoso.example",
    }
    return f"eyJ0.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.SECRETMARK"


@needs_proc
@pytest.mark.shows("L2", "L4", "L9")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may become another user")
def test_another_user_gets_neither_the_saved_sign_in_nor_into_the_server(
    start: Callable[..., Any], launch: Callable[..., Any]
) -> None:
    given = {"COPILOT_MCP_SECRET": SECRET, "COPILOT_MCP_TOKEN": outside_token()}
    server = start("serve", "--transport", "http", "--port", "0", **given)
    address = str(server.wait_for(r"(http://127\.0\.0\.1:\d+)/mcp \(")[1])
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        masked = os.umask(0)
        try:
            cache = TokenCache(Path(home, "state", "file.json"))
            cache.update(lambda _: {"AppMetadata": {"mine": {"client_id": "app"}}})
        finally:
            os.umask(masked)
        stranger = launch("-c", STRANGER, str(cache.path), str(server.popen.pid), address.removeprefix("http://"))
        told = json.loads(stranger.popen.stdout.read())
        assert sorted(os.listdir(cache.path.parent)) == ["file.json", "file.lock"]
        assert cache.read()["AppMetadata"] == {"mine": {"client_id": "app"}}
    assert "serve" in (list_of_processes := told.pop("list"))
    refused = dict.fromkeys(("read", "write", "lock", "folder", "plant", "environment"), "PermissionError")
    assert told == {"user": 65534, **refused, "without the secret": 401}
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {SECRET}"}) as known:
        assert known.post(f"{address}/mcp", json={}).status_code not in (401, 403, 421)
    server.popen.terminate()
    server.popen.wait(30)
    assert marks_in(list_of_processes, server.finished_text()) == []


@needs_proc
@pytest.mark.shows("L1", "L9")
def test_browser_sign_in_writes_only_its_result_and_gives_no_secret_away(
    launch: Callable[..., Any], auto_approving: str, tmp_path: Path
) -> None:
    browser = tmp_path / "browser.py"
    browser.write_text(BROWSER)
    given = {"COPILOT_MCP_SECRET": SECRET, "COPILOT_MCP_TOKEN": outside_token(), "COPILOT_MCP_PROFILE": "work"}
    command = launch(
        "-c", LOGIN, str(browser), "login", "--browser", "--open", "--simulate-url", auto_approving, **given
    )
    written = command.popen.stdout.read().decode()
    errors = command.finished_text()
    assert command.popen.wait(30) == 0, errors
    first, *rest = written.splitlines()
    assert first.startswith("Signed in as Adele Vance <adele@contoso.example>")
    assert "browser" not in "\n".join(rest)
    assert "noise" not in errors
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert len(seen["lists"]) == 2
    assert seen["environment"]["COPILOT_MCP_PROFILE"] == "work"
    assert marks_in(written, errors, *seen["lists"].values(), *seen["environment"].values()) == []


@pytest.mark.shows("L1")
def test_broker_sign_in_writes_nothing_to_standard_output_where_there_is_no_broker(
    start: Callable[..., Any], tenant_url: str
) -> None:
    command = start("login", "--broker", "--simulate-url", tenant_url)
    assert command.popen.stdout.read() == b""
    assert command.popen.wait(30) == 1
    assert "pymsalruntime is not installed" in command.finished_text()


@needs_proc
@pytest.mark.shows("L1", "L9")
def test_token_command_gets_no_secret_of_ours_and_its_token_is_in_no_list(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    program, seen, token = (tmp_path / name for name in ("give.py", "seen.json", "token"))
    program.write_text(TOKEN_COMMAND)
    token.write_text(outside_token())
    server = start(
        "serve",
        "--log-level",
        "debug",
        "--token-command",
        f"{sys.executable} {program} {seen} {token}",
        COPILOT_MCP_SECRET=SECRET,
    )
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    for message in (HELLO, initialized, CALL):
        server.popen.stdin.write(json.dumps(message).encode() + b"\n")
    server.popen.stdin.flush()
    lines = [server.popen.stdout.readline()]
    while json.loads(lines[-1]).get("id") != 2:
        lines.append(server.popen.stdout.readline())
    own_list = Path(f"/proc/{server.popen.pid}/cmdline").read_text()
    server.popen.stdin.close()
    lines += server.popen.stdout.readlines()
    assert {json.loads(line)["jsonrpc"] for line in lines} == {"2.0"}
    assert server.popen.wait(30) == 0
    told = json.loads(seen.read_text())
    assert "COPILOT_MCP_SECRET" not in told["environment"]
    written, lists = b"".join(lines).decode(), told["lists"].values()
    assert marks_in(written, server.finished_text(), own_list, *lists, *told["environment"].values()) == []
    assert "scopes_missing" in written


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
@pytest.mark.shows("F28", "L1")
def test_login_that_is_interrupted_ends_at_once_and_signs_nobody_in(start: Callable[..., Any], tenant_url: str) -> None:
    command = start("login", "--simulate-url", tenant_url)
    code = command.wait_for(r"enter the code ([A-Z]{9}) within")[1]
    command.popen.send_signal(signal.SIGINT)
    assert command.popen.wait(10) == 130
    assert command.popen.stdout.read() == b""
    assert command.finished_text().endswith("\nCancelled; nobody was signed in.\n")
    approval = {"user_code": code, "user": "adele"}
    assert httpx.post(f"{tenant_url}/simulator/approve", json=approval, trust_env=False).status_code == 200


@pytest.mark.shows("L9")
def test_the_configuration_to_paste_names_a_secret_that_was_given_and_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COPILOT_MCP_SECRET", "abc")
    text = host_configuration("http://127.0.0.1:8765/mcp", "abc")
    assert "abc" not in text
    assert '"Authorization": "Bearer <the value of COPILOT_MCP_SECRET>"' in text
