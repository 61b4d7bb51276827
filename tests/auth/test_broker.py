"""The broker: refused where MSAL would open a browser instead, bounded, and left behind at once.

No broker runs here. In its place stands a `pymsalruntime` of a few lines, which MSAL loads as it loads Microsoft's.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from copilot_mcp.auth.broker import require_broker
from copilot_mcp.cli import app
from copilot_mcp.errors import SettingsError
from copilot_mcp.simulator import Simulator, Tenant

RUNTIME = """
import json, os, threading, time

class LogLevel:
    TRACE, DEBUG, FATAL = 1, 2, 6

def register_logging_callback(callback):
    pass

class CallbackData:
    def __init__(self, is_interactive=False):
        self.signal = threading.Event()

    def complete(self, result):
        self.result = result
        self.signal.set()

class MSALRuntimeAuthParameters:
    def __init__(self, client_id, authority):
        pass

    def set_additional_parameter(self, name, value):
        pass

    set_redirect_uri = set_requested_scopes = set_decoded_claims = lambda self, value: None

class Refusal:
    def get_context(self):
        return os.environ["BROKER_SAYS"]

    get_status = get_error_code = get_tag = lambda self: 1

class Result:
    def get_telemetry_data(self):
        return {}

    def get_error(self):
        return Refusal()

class Person:
    def __init__(self, gives):
        self.get_client_info = lambda: gives["client_info"]
        self.get_account_id = lambda: "1"

class Success:
    def __init__(self, gives):
        self.get_id_token = lambda: json.dumps(gives["claims"])
        self.get_raw_id_token = lambda: gives["id_token"]
        self.get_account = lambda: Person(gives)
        self.get_access_token = lambda: gives["access_token"]
        self.get_access_token_expiry_time = lambda: int(time.time()) + 3600
        self.get_granted_scopes = lambda: gives["scopes"]
        self.is_pop_authorization = self.get_error = lambda: None
        self.get_telemetry_data = dict

def get_console_window():
    return 1

def signin_interactively(window, parameters, correlation_id, login_hint, callback):
    print("the broker's window is open", file=__import__("sys").stderr, flush=True)
    if os.environ.get("BROKER_SAYS"):
        callback(Result())
    elif os.environ.get("BROKER_GIVES"):
        callback(Success(json.loads(os.environ["BROKER_GIVES"])))
"""

WAITS_BRIEFLY = """
import json, sys
import anyio
from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, MemoryCache, open_http
from copilot_mcp.auth.broker import sign_in_with_broker
from copilot_mcp.errors import AuthenticationError

async def main():
    cloud = CLOUDS["simulated"]
    async with open_http(LoopbackTransport(sys.argv[1])) as http:
        cache = MemoryCache()
        credential = Credential(cloud, cloud.tenant_id, cloud.client_id, cache, http)
        try:
            await sign_in_with_broker(credential._entra, credential._store, ["Mail.Read"], timeout_s=0.2)
        except AuthenticationError as error:
            print(json.dumps([error.kind, cache.read()]))

anyio.run(main)
"""


@pytest.fixture
def tenant(company: Tenant) -> Iterator[Simulator]:
    """A tenant on a socket."""
    with Simulator(company) as simulator:
        simulator.start()
        yield simulator


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python with this text as its `pymsalruntime`; what still runs at the end is ended by its id."""
    running: list[subprocess.Popen[str]] = []

    def run(runtime: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        (tmp_path / "pymsalruntime.py").write_text(runtime, "utf-8")
        paths = [str(tmp_path), *(entry for entry in sys.path if entry)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "HOME": str(tmp_path)} | variables
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running.append(subprocess.Popen([sys.executable, "-P", *arguments], env=environment, text=True, **pipes))
        return running[-1]

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


CLIENT = "22222222-2222-4222-8222-222222222222"
LOGIN = ("-m", "copilot_mcp", "login", "--broker", "--simulate-url")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts this text in the place of `pymsalruntime`, for this process."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(text: str) -> None:
        (tmp_path / "pymsalruntime.py").write_text(text, "utf-8")
        importlib.invalidate_caches()

    yield put
    for name in ("pymsalruntime", "msal.broker"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("runtime", "why"),
    [
        ("", "ImportError"),
        ("raise RuntimeError('an old system')", "RuntimeError"),
        ("raise OSError('a library of another architecture')", "OSError"),
    ],
)
def test_broker_that_cannot_start_is_refused_before_anything_is_asked(
    library: Any, tenant: Simulator, runtime: str, why: str
) -> None:
    library(runtime)
    result = CliRunner().invoke(app, ["login", "--broker", "--simulate-url", tenant.url], prog_name="copilot-mcp")
    assert (result.exit_code, result.stdout, tenant.exchanges) == (1, "", [])
    assert (
        f"Error: The sign-in broker of this system cannot be started ({why}), so no sign-in was begun and nothing was "
        "opened. Use `copilot-mcp login`, with or without `--browser`." in result.stderr
    )


FALLS_BACK = (
    RUNTIME.replace("class LogLevel", "import sys\nclass LogLevel")
    + """
import msal.application
def broken(enable_pii_log):
    raise RuntimeError
msal.application._init_broker = broken
"""
)
"""A runtime that loads and then does not start, which MSAL takes for a reason to open a browser."""


def test_browser_that_msal_would_open_instead_is_refused(start: Any, tenant: Simulator) -> None:
    process = start(FALLS_BACK, *LOGIN, tenant.url, BROWSER="false")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert "cannot be started (MSAL falls back to a browser), so no sign-in was begun and nothing was opened" in errors
    assert [entry["operation"] for entry in tenant.exchanges if entry["operation"] == "token"] == []


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("The window was closed", "The sign-in broker was closed or refused. On Linux, Microsoft's identity broker"),
        ("AADSTS53003: a policy", "A Conditional Access policy of your organisation blocks this sign-in."),
    ],
)
def test_refusal_of_the_broker_ends_with_its_sentence(start: Any, tenant: Simulator, says: str, sentence: str) -> None:
    process = start(RUNTIME, *LOGIN, tenant.url, BROKER_SAYS=says)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert sentence in errors
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signal to one process")
def test_interrupted_login_does_not_wait_for_the_brokers_window(start: Any, tenant: Simulator) -> None:
    process = start(RUNTIME, *LOGIN, tenant.url)
    while "window is open" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, time.monotonic() - begun < 20) == (130, "", True)
    assert "Cancelled; nobody was signed in." in errors


def test_broker_that_never_finishes_ends_in_time_and_stores_nothing(start: Any, tenant: Simulator) -> None:
    output, errors = (process := start(RUNTIME, "-c", WAITS_BRIEFLY, tenant.url)).communicate(timeout=60)
    assert (process.returncode, json.loads(output)) == (0, ["sign_in_expired", {}]), errors


@pytest.mark.anyio
async def test_person_whom_the_broker_signs_in_has_a_token(
    library: Any, credential: Any, entra: Any, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(RUNTIME)
    claims = {"aud": CLIENT, "sub": alice.oid, "oid": alice.oid, "tid": alice.tenant, "name": alice.name}
    gives = {
        "claims": claims,
        "id_token": alice.id_token(),
        "client_info": alice.client_info(),
        "access_token": "access-SECRETMARK",
        "scopes": ["https://graph.microsoft.com/Mail.Read"],
    }
    monkeypatch.setenv("BROKER_GIVES", json.dumps(gives))
    try:
        account = await credential.broker_sign_in(["Mail.Read"])
    finally:
        vars(sys.modules["msal"]).pop("broker", None)  # where `import` has left it
    assert (account.name, account.scopes) == ("Alice Adams", ("Mail.Read",))
    assert await credential.token(["Mail.Read"]) == "access-SECRETMARK"
    assert entra.log == ["discovery"]


def test_mac_without_apple_silicon_has_no_broker() -> None:
    with pytest.raises(SettingsError, match=r"no sign-in broker on a Mac without Apple silicon \(x86_64\)"):
        require_broker("darwin", "x86_64")
    with pytest.raises(SettingsError, match="pymsalruntime is not installed"):
        require_broker("darwin", "arm64")
