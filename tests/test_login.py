"""`copilot-mcp login` in process: which method, what is shown while it waits, and what it never does."""

import re
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from click.testing import CliRunner, Result

from copilot_mcp.auth.broker import broker_flags, require_broker
from copilot_mcp.cli import app
from copilot_mcp.cli._surroundings import Surroundings, look_around
from copilot_mcp.cli._waiting import keep_company, spoken
from copilot_mcp.cli.login import Login, scopes_of
from copilot_mcp.errors import SettingsError
from copilot_mcp.simulator import Simulator, Tenant

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def nothing(path: str) -> bool:
    return False


def found(program: str) -> str:
    return f"/usr/bin/{program}"


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"CODESPACES": "true", "DISPLAY": ":0"}, "linux", Surroundings("a codespace", False)),
        ({"REMOTE_CONTAINERS": "true"}, "linux", Surroundings("a container", False)),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "linux", Surroundings("a container", False)),
        ({"SSH_CONNECTION": "1 2 3 4", "DISPLAY": ":10"}, "linux", Surroundings("an SSH session", False)),
        ({"SSH_TTY": "/dev/pts/0"}, "darwin", Surroundings("an SSH session", False)),
        (
            {"WSL_DISTRO_NAME": "Debian"},
            "linux",
            Surroundings("the Windows Subsystem for Linux", True, ("/usr/bin/wslview",)),
        ),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", Surroundings("a desktop", True, ("/usr/bin/xdg-open",))),
        ({}, "linux", Surroundings("a machine without a display", False)),
        ({}, "darwin", Surroundings("a Mac", True, ("open",))),
        ({}, "win32", Surroundings("a Windows desktop", True, ("rundll32", "url.dll,FileProtocolHandler"))),
    ],
)
def test_the_place_is_told_by_what_it_sets(environment: dict[str, str], platform: str, expected: Surroundings) -> None:
    assert look_around(environment, platform, nothing, found) == expected


def test_a_container_is_told_by_its_marker_and_a_desktop_without_opener_opens_nothing() -> None:
    assert look_around({}, "linux", lambda path: path == "/.dockerenv", found).name == "a container"
    assert look_around({"DISPLAY": ":0"}, "linux", nothing, lambda program: None).opener is None
    assert look_around().name


def test_the_code_can_be_read_aloud() -> None:
    assert spoken("BX7-q0") == "Bravo X-ray seven dash Quebec zero"


@pytest.mark.anyio
@pytest.mark.parametrize("terminal", [True, False])
async def test_company_counts_down_on_a_terminal_and_gives_the_hint_once(terminal: bool) -> None:
    seconds, said, lines = 0.0, [], []

    async def sleep(pause: float) -> None:
        nonlocal seconds
        seconds += pause

    await keep_company(
        NOON + timedelta(seconds=120.5),
        now=lambda: NOON + timedelta(seconds=seconds),
        sleep=sleep,
        say=said.append,
        rewrite=lines.append if terminal else None,
        otherwise="use `copilot-mcp login --browser`",
    )
    assert [text[:31] for text in said] == ['If the browser said "blocked", ']
    assert "`copilot-mcp login --browser`" in said[0]
    assert seconds == 120.5
    if terminal:
        assert lines[:2] == ["Waiting for you: 2:00 left.", "Waiting for you: 1:59 left."]
        assert (lines[90], lines[-1]) == ("", "")
    else:
        assert lines == []


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    def invoked(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["login", *arguments], prog_name="copilot-mcp")

    return invoked


@pytest.fixture
def tenant(company: Tenant) -> Iterator[Simulator]:
    """A tenant on a socket where Adele approves every sign-in at once."""
    with Simulator(company, auto_approve="adele") as simulator:
        simulator.start()
        yield simulator


def test_device_code_is_shown_with_method_code_minutes_and_spelling(run: Any, tenant: Simulator) -> None:
    result = run("--simulate-url", tenant.url)
    assert result.exit_code == 0, result.output
    (code,) = re.findall(r"enter the code ([A-Z]{9}) within 15 minutes", result.stderr)
    assert f"Read aloud, the code is: {spoken(code)}." in result.stderr
    assert "Signing in by device code: its page opens on any device" in result.stderr
    assert result.stdout.startswith("Signed in as Adele Vance")
    assert "left." not in result.stderr


def test_only_the_permissions_of_the_named_tool_are_asked_for(run: Any, tenant: Simulator) -> None:
    result = run("--simulate-url", tenant.url, "--tool", "copilot_retrieve")
    assert result.exit_code == 0, result.output
    (asked,) = [each["request"] for each in tenant.exchanges if each["operation"] == "devicecode"]
    assert "Mail.Read" not in asked["scope"]
    assert "Not granted" not in result.stdout
    assert scopes_of(("copilot_retrieve", "copilot_chat")) == scopes_of(())
    with pytest.raises(SettingsError, match="There are copilot_chat, copilot_retrieve"):
        scopes_of(("build_filter",))


def test_consent_for_less_names_what_is_missing_and_the_page(run: Any, tenant: Simulator) -> None:
    missing = (
        "ChannelMessage.Read.All",
        "Chat.Read",
        "Mail.Read",
        "OnlineMeetingTranscript.Read.All",
        "People.Read.All",
    )
    tenant.faults.add("fewer_scopes", value=["Files.Read.All", "Sites.Read.All", "ExternalItem.Read.All"])
    result = run("--simulate-url", tenant.url)
    assert result.exit_code == 0, result.output
    assert f"Not granted: {', '.join(missing)}; copilot_chat needs them" in result.stdout
    assert "An administrator approves them at https://login.copilot-mcp.test/" in result.stdout


def test_declined_sign_in_ends_with_its_sentence(run: Any, company: Tenant) -> None:
    with Simulator(company) as simulator:
        simulator.start()
        simulator.faults.add("entra_error", value=65004)
        result = run("--simulate-url", simulator.url)
    assert result.exit_code == 1
    assert "Consent was declined, so nothing was granted." in result.stderr
    assert "`--tool copilot_retrieve` asks for the permissions of one tool alone" in result.stderr


@pytest.mark.parametrize("number", [50076, 50173])
def test_code_that_is_answered_with_a_wish_for_another_sign_in_ends_with_its_sentence(
    run: Any, company: Tenant, number: int
) -> None:
    with Simulator(company) as simulator:
        simulator.start()
        simulator.faults.add("entra_error", value=number)
        result = run("--simulate-url", simulator.url)
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert f"(AADSTS{number}, correlation id " in result.stderr
    assert "Traceback" not in result.output


def visit(tenant: Simulator, result: dict[str, Any]) -> Callable[[str], None]:
    """A browser that follows the address shown, in a thread of its own."""

    def go(address: str) -> None:
        with httpx.Client(trust_env=False, timeout=10) as client:
            page = client.get(address)
            result["page"] = page.status_code
            form = {"user": "adele", "decision": "approve", "consent": "yes"}
            form |= dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
            answer = client.post(f"{tenant.url}/signin", data=form).text if "<form" in page.text else page.text
            (redirect,) = re.findall(r'action="(http://localhost:\d+)"', answer)
            members = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer))
            result["back"] = client.post(redirect, data=members).status_code

    return go


def test_browser_sign_in_works_at_a_simulated_tenant_and_opens_only_what_was_asked(
    company: Tenant, tmp_path: Path
) -> None:
    from copilot_mcp.cli._services import open_credential
    from copilot_mcp.cli._simulated import JoinedTenant, simulated_settings
    from copilot_mcp.settings import Settings

    seen = tmp_path / "seen"
    opener = (sys.executable, "-P", "-c", f"import sys; open({str(seen)!r}, 'w').write(sys.argv[1])")
    visited: dict[str, Any] = {}

    async def main(simulator: Simulator) -> str:
        from copilot_mcp.auth import open_http

        joined = JoinedTenant(simulator.url, "adele", signs_in=False)
        async with open_http(await joined.open()) as http, anyio.create_task_group() as tasks:
            credential = open_credential(simulated_settings(Settings()), http)

            async def browse() -> None:
                while not seen.exists() or not seen.read_text():
                    await anyio.sleep(0.01)
                await anyio.to_thread.run_sync(visit(simulator, visited), seen.read_text())

            tasks.start_soon(browse)
            login = Login(("Mail.Read",), "browser", True, Surroundings("a desktop", True, opener))
            return (await login.run(credential, joined.address)).username

    with Simulator(company) as simulator:
        simulator.start()
        assert anyio.run(main, simulator) == "adele@contoso.example"
        assert seen.read_text().startswith(f"{simulator.url}/")
    assert visited == {"page": 200, "back": 200}
    assert threading.active_count() < 20


@pytest.mark.anyio
async def test_a_place_where_no_browser_comes_back_is_said_before_anything_is_asked() -> None:
    login = Login(("Mail.Read",), "browser", True, Surroundings("a container", False))
    credential: Any = None
    with pytest.raises(SettingsError, match="This is a container: a browser cannot come back to it"):
        await login.run(credential, None)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("opener", "sentence"),
    [(None, "This is a box, with no browser to open"), (("/no/such/opener",), "The browser could not be opened")],
)
async def test_a_browser_that_is_not_there_is_not_opened(
    opener: Any, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    login = Login(("Mail.Read",), None, True, Surroundings("a box", True, opener))
    await login._open("https://microsoft.com/devicelogin")
    assert sentence in capsys.readouterr().err


@pytest.mark.anyio
async def test_browser_program_is_not_given_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COPILOT_MCP_TOKEN", "COPILOT_MCP_SECRET", "COPILOT_MCP_PROFILE"):
        monkeypatch.setenv(name, "given")
    seen = tmp_path / "seen"
    program = f"import os; open({str(seen)!r}, 'w').write(' '.join(n for n in os.environ if n[:11] == 'COPILOT_MCP'))"
    login = Login(("Mail.Read",), None, True, Surroundings("a desktop", True, (sys.executable, "-P", "-c", program)))
    await login._open("https://microsoft.com/devicelogin")
    names = seen.read_text().split()
    assert "COPILOT_MCP_PROFILE" in names
    assert {"COPILOT_MCP_TOKEN", "COPILOT_MCP_SECRET"}.isdisjoint(names)


def test_a_broker_that_is_not_there_is_said(run: Any) -> None:
    result = run("--broker", "--simulate-url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    with pytest.raises(SettingsError, match="pymsalruntime is not installed"):
        require_broker("linux")
    with pytest.raises(SettingsError, match="no sign-in broker on sunos"):
        require_broker("sunos")
    assert [broker_flags(platform) for platform in ("win32", "darwin", "linux", "sunos")] == [
        {"enable_broker_on_windows": True},
        {"enable_broker_on_mac": True},
        {"enable_broker_on_linux": True},
        {},
    ]


def test_broker_without_its_library_ends_with_the_sentence(run: Any, tenant: Simulator) -> None:
    result = run("--broker", "--simulate-url", tenant.url)
    assert (result.exit_code, "pip install 'msal[broker]'" in result.stderr) == (1, True)
    assert [each["operation"] for each in tenant.exchanges] == []
