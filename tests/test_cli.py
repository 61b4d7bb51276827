"""The command line in process: what each command prints, and how it ends."""

import gc
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from click.testing import CliRunner, Result

from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, TokenCache, open_http
from copilot_mcp.cli import app
from copilot_mcp.cli._services import sign_in_scopes
from copilot_mcp.cli._simulated import JoinedTenant, StartedTenant, load_tenant
from copilot_mcp.cli.serve import host_configuration, start_up_secret
from copilot_mcp.errors import SettingsError
from copilot_mcp.simulator import Simulator, Tenant
from copilot_mcp.tools.consent import USES

CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"
SCOPES = ("Files.Read.All", "Sites.Read.All")

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, no variables of ours, no keyring, and a network that answers nothing."""
    for name, value in {"HOME": tmp_path, "XDG_DATA_HOME": tmp_path / "data", "LOCALAPPDATA": tmp_path}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return tmp_path


@pytest.fixture
def run(home: Path) -> Run:
    """Runs a command; its own logging configuration is undone by the next one."""

    def invoked(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(app, arguments, env=variables, prog_name="copilot-mcp")

    return invoked


@pytest.fixture
def tenant(company: Tenant) -> Iterator[Simulator]:
    """A tenant on a socket where Adele approves every sign-in at once."""
    with Simulator(company, auto_approve="adele") as simulator:
        simulator.start()
        yield simulator


@pytest.fixture
def signed_in(home: Path, tenant: Simulator) -> TokenCache:
    """A stored sign-in of the app `CLIENT`, as a real one would be found."""
    cache = TokenCache.of("default", "global", "organizations", CLIENT, plain=True)
    cloud = CLOUDS["simulated"]

    async def sign_in() -> None:
        async with open_http(LoopbackTransport(tenant.url)) as http:
            credential = Credential(cloud, cloud.tenant_id or "", cloud.client_id or "", cache, http)
            await credential.finish_sign_in(await credential.start_sign_in(SCOPES))

    anyio.run(sign_in)
    return cache


def test_version_and_an_unknown_command(run: Run) -> None:
    assert run("--version").output.startswith("copilot-mcp, version 0.")
    unknown = run("lgin")
    assert unknown.exit_code == 2
    assert "No such command 'lgin'. Did you mean 'login'?" in unknown.stderr


@pytest.mark.parametrize("command", ["login", "status", "logout"])
def test_a_missing_client_id_is_named(run: Run, command: str) -> None:
    result = run(command)
    assert result.exit_code == 1
    assert "--client-id (or COPILOT_MCP_CLIENT_ID) is missing" in result.stderr


def test_login_shows_page_and_code_and_says_what_is_kept(run: Run, tenant: Simulator) -> None:
    result = run("login", "--simulate-url", tenant.url)
    assert result.exit_code == 0, result.output
    assert f"open {tenant.url}/devicelogin" in result.stderr
    assert "enter the code " in result.stderr
    assert "simulated tenant" in result.stderr
    assert result.stdout.startswith("Signed in as Adele Vance <adele@contoso.example>")
    assert "kept in memory only" in result.stdout


@pytest.mark.parametrize(
    ("cache", "reason"),
    [
        ("auto", "there is no desktop session with a keyring (no D-Bus session bus)"),
        ("memory", "`--cache memory` keeps nothing after this command"),
    ],
)
def test_login_that_would_keep_nothing_says_so_before_it_asks_for_a_code(run: Run, cache: str, reason: str) -> None:
    result = run("login", "--client-id", CLIENT, "--cache", cache)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: A sign-in could not be kept: {reason}. Nobody was asked to sign in. ")
    assert "`copilot-mcp login --cache plain`" in result.stderr
    assert "sign in inside the host" in result.stderr


def test_login_without_a_network_says_so(run: Run) -> None:
    result = run("login", "--client-id", CLIENT, "--cache", "plain")
    assert result.exit_code == 1
    assert "login.microsoftonline.com" in result.stderr
    assert "Traceback" not in result.stderr


def test_login_to_an_unsafe_place_says_so_before_it_asks_for_a_code(run: Run, home: Path) -> None:
    place = home / "data" / "copilot-mcp"
    place.mkdir(parents=True)
    place.chmod(0o777)
    result = run("login", "--client-id", CLIENT, "--cache", "plain")
    assert result.exit_code == 1
    assert f"chmod 700 {place}" in result.stderr


@pytest.mark.parametrize("url", ["http://contoso.example", "nonsense", "http://127.0.0.1:99999", "http://[::1"])
def test_login_at_an_address_that_is_not_loopback_is_refused(run: Run, url: str) -> None:
    result = run("login", "--simulate-url", url)
    assert result.exit_code == 1
    assert f"--simulate-url {url} cannot be joined: a loopback address such as" in result.stderr
    assert "Traceback" not in result.stderr


def test_status_signed_out_ends_with_1_and_says_that_nothing_can_be_kept(run: Run) -> None:
    result = run("status", "--client-id", CLIENT)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"Cloud global, tenant organizations, client {CLIENT}, profile default.",
        "A sign-in of a running server cannot be seen from here, since it is in that server's memory. Call a tool in "
        "the host: it says how to sign in.",
        "Sign-ins are kept in memory only: there is no desktop session with a keyring (no D-Bus session bus). Install "
        "and unlock a keyring (GNOME Keyring or KWallet) in this desktop session.",
    ]


@pytest.mark.parametrize(
    ("cache", "reason", "remedy"),
    [
        (
            "plain",
            "a plain file was asked for (`--cache plain`)",
            "Leave `--cache plain` out where a keyring can be had, or use `--cache memory`",
        ),
        (
            "auto",
            "there is no desktop session with a keyring (no D-Bus session bus)",
            "Install and unlock a keyring (GNOME Keyring or KWallet) in this desktop session",
        ),
    ],
)
def test_status_shows_account_permissions_and_place(
    run: Run, signed_in: TokenCache, cache: str, reason: str, remedy: str
) -> None:
    result = run("status", "--log-level", "error", COPILOT_MCP_CLIENT_ID=CLIENT, COPILOT_MCP_CACHE=cache)
    assert result.exit_code == 0, result.output
    assert "Signed in as Adele Vance <adele@contoso.example>" in result.stdout
    warning = (
        f"WARNING: sign-ins are kept in {signed_in.path} (mode 0600), NOT encrypted: {reason}. Other programs of "
        f"yours, and whoever gets the disk or a backup, can read them. {remedy}."
    )
    assert warning in result.stdout.splitlines()
    assert "Not granted: " in result.stdout
    assert "copilot_chat needs them" in result.stdout


def test_status_as_json_of_a_saved_and_of_a_removed_sign_in(run: Run, signed_in: TokenCache) -> None:
    arguments = ("status", "--json", "--client-id", CLIENT, "--cache", "plain", "--log-level", "error")
    saved = run(*arguments)
    facts = json.loads(saved.stdout)
    head = {
        "simulated": False,
        "cloud": "global",
        "tenant": "organizations",
        "clientId": CLIENT,
        "profile": "default",
    }
    place = {
        "path": str(signed_in.path),
        "encrypted": False,
        "protectedBy": None,
        "reason": "a plain file was asked for (`--cache plain`)",
    }
    assert (saved.exit_code, facts["account"]["username"]) == (0, "adele@contoso.example")
    assert facts | {"account": None} == head | {
        "signedIn": True,
        "account": None,
        "granted": list(SCOPES),
        "missing": sorted(set(sign_in_scopes()) - set(SCOPES)),
        "closedTools": ["copilot_chat"],
        "closedUses": ["copilot_chat", "copilot_retrieve, connectors"],
        "cache": place,
        "outsideToken": None,
        "error": None,
    }
    run("logout", "--client-id", CLIENT)
    removed = run(*arguments)
    assert removed.exit_code == 1
    assert json.loads(removed.stdout) == facts | {
        "signedIn": False,
        "account": None,
        "granted": [],
        "missing": list(sign_in_scopes()),
        "closedTools": ["copilot_chat", "copilot_retrieve"],
        "closedUses": [str(use) for use in USES],
    }


def test_status_as_json_of_a_sign_in_that_cannot_be_told_names_the_error(run: Run, signed_in: TokenCache) -> None:
    arguments = ("status", "--json", "--client-id", CLIENT)
    signed_in.path.write_bytes(b"copilot-mcp sealed 1 key\n" + bytes(100))
    shut = run(*arguments)
    signed_in.path.parent.chmod(0o777)
    unsafe = run(*arguments)
    signed_in.path.parent.chmod(0o700)
    told = [json.loads(each.stdout) for each in (shut, unsafe)]
    assert [(each["signedIn"], each["error"]["kind"]) for each in told] == [
        (False, "cache_shut"),
        (False, "cache_unsafe"),
    ]
    assert (shut.exit_code, unsafe.exit_code) == (1, 1)
    assert "cannot be opened" in told[0]["error"]["message"]
    assert "chmod 700" in told[1]["error"]["hint"]


@pytest.mark.parametrize("command", ["login", "status", "logout", "serve"])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--tenant", "consumers"), "(--tenant or COPILOT_MCP_TENANT_ID) is for personal Microsoft accounts"),
        (("--tenant", "a/b"), "(--tenant or COPILOT_MCP_TENANT_ID) is neither a directory id nor a domain"),
        (("--tenant", "../x"), "(--tenant or COPILOT_MCP_TENANT_ID) is neither a directory id nor a domain"),
        (("--client-id", "a SECRET pasted"), "(--client-id or COPILOT_MCP_CLIENT_ID) does not have the form"),
    ],
)
def test_tenant_or_client_id_of_a_wrong_form_is_refused_and_not_shown(
    run: Run, home: Path, command: str, options: tuple[str, str], sentence: str
) -> None:
    result = run(command, "--client-id", CLIENT, *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert "SECRET" not in result.stderr
    assert list(home.iterdir()) == []


def test_tenant_common_is_warned_of(run: Run) -> None:
    result = run("status", "--client-id", CLIENT, "--tenant", "common")
    assert result.stderr.startswith("WARNING: tenant common also admits personal Microsoft accounts")


def test_profiles_are_kept_apart(run: Run, signed_in: TokenCache) -> None:
    other = run("status", "--client-id", CLIENT, "--cache", "plain", "--profile", "work")
    assert (other.exit_code, "profile work" in other.stdout, "Nobody is signed in." in other.stdout) == (1, True, True)
    run("logout", "--client-id", CLIENT, COPILOT_MCP_PROFILE="work")
    assert signed_in.path.exists()


@pytest.mark.parametrize("command", ["login", "status", "logout", "serve"])
@pytest.mark.parametrize("profile", ["../x", "CON", "a" * 300, "/etc/passwd", ""])
def test_unusable_profile_is_refused_before_anything_is_made(run: Run, home: Path, command: str, profile: str) -> None:
    result = run(command, "--client-id", CLIENT, "--profile", profile)
    assert result.exit_code == 1
    assert "The profile name (--profile or COPILOT_MCP_PROFILE) is not usable." in result.stderr
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cache", "plain"], "`--cache plain` asks for that; leave it out where a keyring can be had."),
        ([], "It is encrypted at its first use where that is possible; `copilot-mcp status` tells."),
    ],
)
def test_server_warns_of_a_plain_file_at_every_start_whatever_the_log_level(
    run: Run, signed_in: TokenCache, options: list[str], words: str
) -> None:
    result = run("serve", "--client-id", CLIENT, "--log-level", "error", *options)
    assert result.stderr.splitlines() == [
        f"WARNING: the sign-in in {signed_in.path} (mode 0600) is NOT encrypted. Other programs of yours, and whoever "
        f"gets the disk or a backup, can read it. {words}"
    ]


@pytest.mark.parametrize("options", [[], ["--cache", "memory"]])
def test_server_that_keeps_nothing_in_clear_does_not_warn(run: Run, options: list[str]) -> None:
    assert run("serve", "--client-id", CLIENT, *options).stderr == ""


def test_server_collects_no_garbage_while_it_starts_and_then_as_ever(run: Run, home: Path) -> None:
    before = gc.get_freeze_count()
    try:
        assert run("serve", "--client-id", CLIENT).exit_code == 0
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


def test_logout_forgets_the_sign_in(run: Run, signed_in: TokenCache) -> None:
    first, second = run("logout", "--client-id", CLIENT), run("logout", "--client-id", CLIENT)
    assert first.stdout.splitlines()[0] == "Signed out adele@contoso.example."
    assert second.stdout.splitlines()[0] == "Nobody was signed in."
    assert not signed_in.path.exists()


def test_status_and_logout_need_no_network_and_so_no_proxy(run: Run, signed_in: TokenCache) -> None:
    wrong = {name: "nonsense://proxy" for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")}
    status, logout = (run(command, "--client-id", CLIENT, **wrong) for command in ("status", "logout"))
    assert (status.exit_code, logout.exit_code) == (0, 0)
    assert "Signed in as" in status.stdout
    assert logout.stdout.startswith("Signed out ")
    assert not signed_in.path.exists()


def test_logout_removes_what_cannot_be_read(run: Run, signed_in: TokenCache) -> None:
    signed_in.path.write_bytes(b"copilot-mcp sealed 1 key\n" + bytes(100))
    shut = run("logout", "--client-id", CLIENT)
    assert shut.stdout.startswith(
        f"A sign-in is saved in {signed_in.path}, encrypted, but it cannot be opened: there is"
    )
    assert "That file is removed. Its key is still in the key store" in shut.stdout
    assert not signed_in.path.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--documents", "."], "--documents (or COPILOT_MCP_DOCUMENTS) needs --simulate. Add that, or leave"),
        (["--as", "megan", "--signed-out"], "--as (or COPILOT_MCP_AS) needs --simulate or --simulate-url."),
        (["--signed-out"], "--signed-out (or COPILOT_MCP_SIGNED_OUT) needs --simulate or --simulate-url."),
        (["--simulate", "--simulate-url", "http://127.0.0.1:1"], "joins one that runs already. Leave one of the two"),
        (["--simulate", "--host", "0.0.0.0", "--port", "1"], "--host and --port would be ignored: the transport is"),
        (["--simulate", "--transport", "stdio", "--port", "1"], "--port would be ignored: the transport is stdio."),
        (["--simulate-url", "http://127.0.0.1:1", "--documents", "."], "does not go with --simulate-url"),
        (["--time-zone", "W. Europe Standard Time"], "write Europe/Berlin"),
        (["--transport", "http", "--host", "0.0.0.0", "--simulate"], "--host 0.0.0.0 is not a loopback address."),
        (["--transport", "http", "--host", "contoso.example"], "--host contoso.example is not a loopback address."),
        (["--port", "70000"], "70000 is not in the range"),
        (["--documents", "no/such/folder", "--simulate"], "does not exist"),
    ],
)
def test_options_of_serve_that_cannot_be_are_refused(run: Run, arguments: list[str], sentence: str) -> None:
    result = run("serve", *arguments)
    assert result.exit_code in (1, 2)
    assert sentence in " ".join(result.stderr.split())


def test_a_port_that_is_taken_is_named(run: Run, tenant: Simulator) -> None:
    port = tenant.url.rsplit(":", 1)[1]
    served = run("serve", "--transport", "http", "--port", port, "--simulate")
    simulated = run("simulate", "--port", port)
    assert (served.exit_code, simulated.exit_code) == (1, 1)
    assert f"Port {port} on 127.0.0.1 cannot be used" in served.stderr
    assert f"Port {port} cannot be used" in simulated.stderr


def test_the_secret_comes_from_the_environment_or_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COPILOT_MCP_SECRET", raising=False)
    assert start_up_secret(fictional=True) is None
    assert len(start_up_secret(fictional=False) or "") == 43
    monkeypatch.setenv("COPILOT_MCP_SECRET", "x" * 32)
    assert start_up_secret(fictional=True) == "x" * 32
    monkeypatch.setenv("COPILOT_MCP_SECRET", "short")
    with pytest.raises(SettingsError, match="fewer than 32 characters"):
        start_up_secret(fictional=False)


def test_the_configuration_to_paste_is_json() -> None:
    text = host_configuration("http://127.0.0.1:8765/mcp", "abc")
    entry = json.loads(text.split("\n", 1)[1])["mcpServers"]["copilot-mcp"]
    assert entry == {
        "type": "http",
        "url": "http://127.0.0.1:8765/mcp",
        "headers": {"Authorization": "Bearer abc"},
    }
    assert "headers" not in host_configuration("http://127.0.0.1:8765/mcp", None)


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no Markdown, text or HTML file"):
        load_tenant(tmp_path)


def test_a_folder_of_documents_becomes_a_tenant(tmp_path: Path) -> None:
    (tmp_path / "HR").mkdir()
    (tmp_path / "HR" / "leave.md").write_text("# Leave\n\nSixteen weeks.\n", "utf-8")
    (document,) = load_tenant(tmp_path).documents
    assert document.title == "Leave"


@pytest.mark.anyio
async def test_a_started_tenant_refuses_a_user_it_does_not_know() -> None:
    local = StartedTenant(None, "nobody", signs_in=True)
    with pytest.raises(SettingsError, match="Known are adele, megan"):
        await local.open()
    await local.aclose()


@pytest.mark.anyio
async def test_joining_names_what_is_missing(company: Tenant) -> None:
    with Simulator(company, key="the-key") as simulator:
        url = simulator.start()
        await JoinedTenant(f"{url}#the-key", "adele", signs_in=True).open()
        for address, user, sentence in (
            (f"{url}#the-key", "nobody", "Known are adele, megan"),
            (url, "adele", "asks for its start-up key"),
            (f"{url}/#wrong", "adele", "asks for its start-up key"),
            (f"{url}/elsewhere#the-key", "adele", "does not answer as a simulated tenant"),
        ):
            with pytest.raises(SettingsError, match=sentence):
                await JoinedTenant(address, user, signs_in=True).open()
    attempt: Any = type("Attempt", (), {"user_code": "NONE"})
    with pytest.raises(SettingsError, match="does not answer as a simulated tenant"):
        await JoinedTenant(url, "adele", signs_in=True).approve(attempt)


@pytest.mark.anyio
async def test_nobody_else_can_sign_in_to_a_started_tenant_with_own_documents(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Leave\n\nSixteen weeks.\n", "utf-8")
    local = StartedTenant(tmp_path, "adele", signs_in=True)
    async with await local.open() as transport, httpx.AsyncClient(transport=transport) as http:
        form = {"client_id": CLOUDS["simulated"].client_id, "scope": "Files.Read.All Sites.Read.All"}
        flow = (
            await http.post("https://login.copilot-mcp.test/organizations/oauth2/v2.0/devicecode", data=form)
        ).json()
        approval = {"user_code": flow["user_code"], "user": "adele"}
        answer = await http.post("https://login.copilot-mcp.test/simulator/approve", json=approval)
    await local.aclose()
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("earthquake", "earthquake: no such fault: earthquake; there are refused, slow, "),
        ("throttled,times=0", "throttled,times=0: times is out of range: 1 or more, or always."),
        ("slow,user=nobody", "slow,user=nobody: no such user: nobody; there are adele, "),
    ],
)
def test_simulate_refuses_a_fault_it_does_not_know_and_lists_what_there_is(run: Run, spec: str, reason: str) -> None:
    result = run("simulate", "--fault", spec)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_simulate_says_how_it_will_misbehave(home: Path) -> None:
    faults = ["--fault", "throttled@retrieval,times=2", "--fault", "trickle", "--fault", "html,times=always"]
    command = [sys.executable, "-P", "-m", "copilot_mcp", "simulate", "--port", "0", *faults]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = list(itertools.takewhile(lambda line: not line.startswith("People"), process.stdout))
        process.terminate()
    (ids,) = re.findall(r"^Client id (\S+), .*; tenant id (\S+)\.$", "".join(said), re.MULTILINE)
    assert ids == (CLOUDS["simulated"].client_id, CLOUDS["simulated"].tenant_id)
    assert [line.partition(": ")[2] for line in said if line.startswith("Fault")] == [
        "throttled in retrieval, 2 times: 429 with Retry-After in seconds, or what `retry_after` says\n",
        "trickle in graph, once: one byte of the body every `seconds` (1)\n",
        "html in graph, always: an HTML page with `status`, 200 when not said\n",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("arguments", [["filter", "codes"], ["--help"]])
def test_output_that_cannot_be_written_is_said_in_a_sentence(home: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-P", "-m", "copilot_mcp", *arguments]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
    assert (ended.returncode, ended.stderr.decode()) == (
        1,
        "Error: The output cannot be written: No space left on device.\n",
    )
