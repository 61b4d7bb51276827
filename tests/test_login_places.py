"""`copilot-mcp login` in every kind of place: which method is chosen and said, and what is left where it is blocked."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from copilot_mcp.auth import CLOUDS, Credential, MemoryCache, TokenCache, open_http
from copilot_mcp.cli import app
from copilot_mcp.cli._surroundings import Surroundings, look_around
from copilot_mcp.cli.login import Login
from copilot_mcp.errors import AuthenticationError, SettingsError
from copilot_mcp.simulator import Simulator, Tenant

CLOUD = CLOUDS["simulated"]
CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"
MAIL = ("Mail.Read",)
OUTSIDE = (
    "so take a token from outside: `copilot-mcp serve` with `--token-command`, `--token-file` or COPILOT_MCP_TOKEN"
)
BROWSER = "use `copilot-mcp login --browser`"

PLACES: list[tuple[dict[str, str], str, str, bool]] = [
    ({"CODESPACES": "true"}, "linux", "a codespace", False),
    ({"REMOTE_CONTAINERS": "true"}, "linux", "a container", False),
    ({"container": "podman"}, "linux", "a container", False),
    ({"SSH_CONNECTION": "1 2 3 4"}, "linux", "an SSH session", False),
    ({"SSH_TTY": "/dev/pts/0", "WSL_DISTRO_NAME": "Debian"}, "linux", "an SSH session", False),
    ({"SSH_CLIENT": "1 2 3"}, "win32", "an SSH session", False),
    ({}, "linux", "a machine without a display", False),
    ({"WSL_DISTRO_NAME": "Debian"}, "linux", "the Windows Subsystem for Linux", True),
    ({"WSL_INTEROP": "/run/WSL/1_interop"}, "linux", "the Windows Subsystem for Linux", True),
    ({"DISPLAY": ":0"}, "linux", "a desktop", True),
    ({}, "darwin", "a Mac", True),
    ({}, "win32", "a Windows desktop", True),
]


def place(environment: dict[str, str], platform: str) -> Surroundings:
    return look_around(environment, platform, lambda path: False, lambda program: None)


@pytest.mark.anyio
@pytest.mark.parametrize(("environment", "platform", "name", "comes_back"), PLACES)
async def test_the_device_code_is_chosen_and_said_and_after_90_seconds_what_is_left(
    simulator: Simulator,
    in_process: Any,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    platform: str,
    name: str,
    comes_back: bool,
) -> None:
    around = place(environment, platform)
    assert (around.name, around.browser_comes_back) == (name, comes_back)
    async with open_http(await in_process(simulator).open()) as http:
        credential = Credential(CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", MemoryCache(), http)
        login = Login(MAIL, None, True, around)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(login.run, credential, None)
            said = ""
            with anyio.fail_after(10):
                while not (found := re.search(r"enter the code ([A-Z]{9})", said)):
                    await anyio.sleep(0.01)
                    said += capsys.readouterr().err
            simulator.approve(found[1], "adele")
            tasks.cancel_scope.cancel()
    assert f"Signing in by device code: its page opens on any device (this is {name})." in said
    left = BROWSER if comes_back else f"no browser can come back to {name}, {OUTSIDE}"
    assert around.without_device_codes == left
    expired = login.hint_after(AuthenticationError("The code ran out.", kind="sign_in_expired"))
    assert expired == ("" if comes_back else f" Here, {left}.")
    assert login.hint_after(AuthenticationError("The app is unknown.", kind="app_not_found")) == ""


@pytest.mark.anyio
@pytest.mark.parametrize(("environment", "platform", "name", "comes_back"), [each for each in PLACES if not each[3]])
async def test_a_browser_is_refused_where_it_cannot_come_back(
    environment: dict[str, str], platform: str, name: str, comes_back: bool
) -> None:
    nobody: Any = None
    with pytest.raises(SettingsError) as caught:
        await Login(MAIL, "browser", True, place(environment, platform)).run(nobody, None)
    assert caught.value.message == f"This is {name}: a browser cannot come back to it."
    assert caught.value.hint.endswith(f" blocked, no browser can come back to {name}, {OUTSIDE}.")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("CODESPACES", "true")

    def invoked(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["login", *arguments], prog_name="copilot-mcp")

    return invoked


def test_policy_against_device_codes_names_the_way_that_is_left_in_a_codespace(run: Any, company: Tenant) -> None:
    with Simulator(company) as simulator:
        simulator.start()
        simulator.faults.add("entra_error", value=53003)
        result = run("--simulate-url", simulator.url)
    assert result.exit_code == 1
    assert "(AADSTS53003, " in result.stderr
    assert f"Here, no browser can come back to a codespace, {OUTSIDE}." in result.stderr


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize("cache", ["auto", "plain"])
def test_login_leaves_a_saved_sign_in_alone_that_cannot_be_opened_now(run: Any, cache: str) -> None:
    path = TokenCache.of("default", "global", "organizations", CLIENT).path
    path.parent.mkdir(mode=0o700, parents=True)
    path.write_bytes(sealed := b"copilot-mcp sealed 1 key\n" + bytes(60))
    path.chmod(0o600)
    result = run("--client-id", CLIENT, "--cache", cache)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: A sign-in is saved in {path}, encrypted, and cannot be opened now: ")
    assert "nobody was asked to sign in" in result.stderr
    assert "`--profile NAME`" in result.stderr
    assert "`copilot-mcp logout`" in result.stderr
    assert path.read_bytes() == sealed
    logout = CliRunner().invoke(app, ["logout", "--client-id", CLIENT])
    assert (logout.exit_code, path.exists()) == (0, False)


def test_two_methods_at_once_are_refused() -> None:
    result = CliRunner().invoke(app, ["login", "--browser", "--broker", "--client-id", CLIENT])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--browser and --broker exclude each other." in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="the folder is made unusable as POSIX systems have it")
def test_login_whose_file_cannot_be_written_does_not_advise_what_was_just_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    result = CliRunner().invoke(app, ["login", "--client-id", CLIENT, "--cache", "plain"])
    assert result.exit_code == 1
    assert "cannot be written to" in result.stderr
    assert "Make it writable, or make room there. Or sign in inside the host: `copilot-mcp serve`" in result.stderr
    assert "--cache plain" not in result.stderr
