"""Fixtures that every test may use: tenant -> services -> server -> client, each built on the one before."""

import asyncio
import inspect
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Generator, Iterator, Set
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from click.testing import CliRunner
from mcp import Client
from mcp.server import MCPServer

from copilot_mcp.auth import SignInAttempt
from copilot_mcp.auth.file_lock import LockTimeoutError, locked
from copilot_mcp.cli._services import GraphServices
from copilot_mcp.cli._simulated import simulated_settings
from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings
from copilot_mcp.simulator import Simulator, Tenant, load_company
from copilot_mcp.simulator.secrets_issued import SECRET_MARKS

KEYRING_PASSWORD = "the login password"
SNAPSHOTS = Path(__file__).parent / "snapshots"
LOCKS = ("*.lock", "*.refresh", "*.prompt")
FAULT_LIMIT_S = 60.0
"""Seconds of the wall clock in which a test of a fault ends, whatever the fault does."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "shows(*numbers): shows faults or threats of tests/auth/test_fault_list.py, or its rows say which"
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="Rewrite the snapshots instead of comparing with them.")
    parser.addoption("--matrix", action="store_true", help="Print what every fault did to every tool.")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite runs on every core; a part of it, or a benchmark, in this process, where it can be watched."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return (os.cpu_count() or 1) if whole else 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of the fault matrix, put together from what its cases recorded, in whatever process they ran."""
    if not config.getoption("--matrix"):
        return
    found = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "matrix"
    ]
    rows = {(era, row): spec for era, row, _, spec, _, _ in sorted(found)}
    columns = {column: name for _, _, column, _, name, _ in sorted(found, key=lambda value: value[2])}
    cells = {(era, row, column): cell for era, row, column, _, _, cell in found}
    terminalreporter.section("fault matrix")
    terminalreporter.write_line(" | ".join(f"{name:18}" for name in (f"{'era    fault':32}", *columns.values())))
    for (era, row), spec in rows.items():
        line = [cells.get((era, row, column), "-") for column in columns]
        terminalreporter.write_line(" | ".join(f"{cell:18}" for cell in (f"{era:6} {spec:25}", *line)).rstrip())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """No test may print or log a secret of a simulated tenant: each bears one of a few marks."""
    report = yield
    printed = report.capstdout + report.capstderr + report.caplog
    if any(mark in printed for mark in SECRET_MARKS):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} printed or logged a secret ({call.when})"
    return report


def _refuse_secrets(printed: str | bytes | None, marks: Collection[str] = SECRET_MARKS) -> None:
    text = printed.decode("utf-8", "replace") if isinstance(printed, bytes) else printed or ""
    assert not any(mark in text for mark in marks), "a secret was printed"


@pytest.fixture(scope="session", autouse=True)
def _what_a_test_captures_itself_is_searched_too(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test takes out of the capture, a command prints into a runner, a process into its pipes, a refusal of
    ours would say to whoever prints it, and a tool answers to the model, is in no report.

    Each is wrapped at its class, so that no test can forget to ask for it.
    """
    invoke, read_out = CliRunner.invoke, pytest.CaptureFixture.readouterr
    communicate, leave, call = subprocess.Popen.communicate, pytest.RaisesExc.__exit__, Client.call_tool

    def searched_invoke(self: CliRunner, *args: Any, **options: Any) -> Any:
        result = invoke(self, *args, **options)
        _refuse_secrets(result.output + result.stdout + result.stderr)
        return result

    def searched_read_out(self: pytest.CaptureFixture[Any]) -> Any:
        captured = read_out(self)
        _refuse_secrets(f"{captured.out}{captured.err}")
        return captured

    def searched_communicate(self: subprocess.Popen[Any], *args: Any, **options: Any) -> Any:
        printed = communicate(self, *args, **options)
        for text in printed:
            _refuse_secrets(text)
        return printed

    def searched_leave(self: pytest.RaisesExc[Any], kind: Any, error: Any, trace: Any) -> bool:
        expected = leave(self, kind, error, trace)
        _refuse_secrets("".join(_said_by(error)), (*SECRET_MARKS, "SECRETMARK"))
        return expected

    async def searched_call(self: Client, *args: Any, **options: Any) -> Any:
        result = await call(self, *args, **options)
        _refuse_secrets(repr(result), (*SECRET_MARKS, "SECRETMARK"))
        return result

    with pytest.MonkeyPatch.context() as patch:
        if not all("benchmarks" in item.path.parts for item in request.session.items):  # the search would be measured
            patch.setattr(Client, "call_tool", searched_call)
        patch.setattr(CliRunner, "invoke", searched_invoke)
        patch.setattr(pytest.CaptureFixture, "readouterr", searched_read_out)
        patch.setattr(subprocess.Popen, "communicate", searched_communicate)
        patch.setattr(pytest.RaisesExc, "__exit__", searched_leave)
        yield


def _said_by(error: BaseException | None) -> Iterator[str]:
    """What a traceback of one of our errors would say, and what is kept in it and in what it came from."""
    current = error if isinstance(error, CopilotMcpError) else None
    for _ in range(10):
        if current is None:
            return
        yield f"{current!s} {current!r} {vars(current)!r}"
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


@pytest.fixture(autouse=True)
def _a_fault_leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """What every test that shows a fault is held to: bounded time, and no thread, task, lock or temporary file more.

    It is set up before the fixtures of the test and looks when they have gone, so that the pooled threads of anyio,
    which live as long as their event loop, count too.
    """
    if request.node.get_closest_marker("shows") is None:
        yield
        return
    directory: Path | None = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    threads, started = set(threading.enumerate()), time.monotonic()
    if inspect.iscoroutinefunction(request.node.obj):
        request.node.obj = _without_orphans(request.node.obj)
    yield
    assert time.monotonic() - started < FAULT_LIMIT_S
    assert list(_left_behind(threads, directory)) == []


def _left_behind(threads: Set[threading.Thread], directory: Path | None, limit_s: float = 5.0) -> Iterator[str]:
    """The threads that are new and do not end, and what lies in a folder half written or still locked."""
    for thread in set(threading.enumerate()) - threads:
        thread.join(limit_s)
        if thread.is_alive():
            yield f"{thread.name} runs"
    if directory is not None:
        yield from (f"{path.name} is half written" for path in directory.rglob("*.tmp"))
        for path in (path for kind in LOCKS for path in directory.rglob(kind)):
            if path.is_file() and not path.is_symlink():
                try:
                    with locked(path, 0):
                        pass
                except LockTimeoutError:
                    yield f"{path.name} is locked"


@pytest.fixture
def left_behind() -> Callable[..., Iterator[str]]:
    """Tells what stays of a test: `left_behind(set(threading.enumerate()), tmp_path)`."""
    return _left_behind


def _without_orphans(test: Callable[..., Any]) -> Callable[..., Any]:
    """The test, and then the question whether it has left a task to its event loop."""

    @wraps(test)
    async def watched(**arguments: Any) -> None:
        tasks = asyncio.all_tasks()
        await test(**arguments)
        assert await _orphans(tasks) == set()

    return watched


async def _orphans(before: Set[asyncio.Task[Any]], limit_s: float = 5.0) -> set[asyncio.Task[Any]]:
    """The tasks that are new and stay for `limit_s` seconds.

    Those that are being cancelled may wait for a thread of theirs; those in which the loop closes the generator of an
    answer cut off end by themselves, and those of the SDK with the client that the test has opened.
    """
    ends = time.monotonic() + limit_s
    while True:
        new = {task for task in asyncio.all_tasks() - before if not task.get_name().startswith("mcp.")}
        if not new or time.monotonic() > ends:
            return new
        await asyncio.sleep(0.001)


@pytest.fixture
def orphans() -> Callable[..., Awaitable[set[asyncio.Task[Any]]]]:
    """Tells the tasks that are new and stay: `await orphans(asyncio.all_tasks())`."""
    return _orphans


@pytest.fixture
def check_snapshot(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with the file of that name: `check_snapshot("help.txt", text)`."""

    def compare(name: str, text: str) -> None:
        path = SNAPSHOTS / name
        if request.config.getoption("--update"):
            path.write_text(text, "utf-8", newline="\n")
        assert text == path.read_text("utf-8")

    return compare


class InProcessTenant:
    """A simulated tenant reached without a socket; approves as `user`, or leaves the person signed out."""

    def __init__(self, simulator: Simulator, user: str = "adele", *, signs_in: bool = True) -> None:
        self.simulator = simulator
        self.user = user
        self.signs_in = signs_in
        self.address = None

    async def open(self) -> httpx.AsyncBaseTransport:
        return httpx.ASGITransport(self.simulator.app)

    async def approve(self, attempt: SignInAttempt) -> None:
        self.simulator.approve(attempt.user_code, self.user)

    async def aclose(self) -> None:
        return None


@pytest.fixture
def anyio_backend() -> str:
    """asyncio alone: the SDK's servers and uvicorn run on nothing else."""
    return "asyncio"


@pytest.fixture(scope="session")
def company() -> Tenant:
    """The built-in company."""
    return load_company()


@pytest.fixture
def simulator(company: Tenant) -> Iterator[Simulator]:
    """A tenant of its own for each test, in process."""
    with Simulator(company) as running:
        yield running


@pytest.fixture
def settings() -> Settings:
    """The settings of the simulated tenant, with a time zone that is the same everywhere."""
    return simulated_settings(Settings(time_zone="Etc/UTC"))


@pytest.fixture
def in_process() -> type[InProcessTenant]:
    """Makes a tenant that is reached without a socket: `in_process(simulator, "megan")`."""
    return InProcessTenant


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    """Both live protocol eras."""
    return str(request.param)


async def at_once(seconds: float) -> None:
    """A sleep between two tries that takes no time."""
    await anyio.lowlevel.checkpoint()


@pytest.fixture
async def connect(simulator: Simulator, settings: Settings, era: str) -> AsyncIterator[Callable[..., Any]]:
    """Opens MCP clients of our server, in memory: `await connect(user="megan", chat="sync")`."""
    async with AsyncExitStack() as stack:

        async def opened(user: str = "adele", *, signs_in: bool = True, **changed: Any) -> Client:
            chosen = replace(settings, **changed)
            tenant = InProcessTenant(simulator, user, signs_in=signs_in)
            services = await stack.enter_async_context(GraphServices(chosen, tenant, sleep=at_once))
            server: MCPServer[Any] = build_server(services, chosen, person=services.person)
            client: Client = await stack.enter_async_context(Client(server, mode=era))
            return client

        yield opened


@pytest.fixture
async def client(connect: Callable[..., Any]) -> Client:
    """An MCP client signed in as Adele."""
    connected: Client = await connect()
    return connected


@dataclass
class Keyring:
    """GNOME Keyring in a D-Bus session of its own. `files` is where it writes; `bus` and `daemon` are process ids."""

    address: str
    environment: dict[str, str]
    files: Path
    bus: int
    daemon: int = 0

    def begin(self) -> None:
        """Bring the daemon up with its login keyring unlocked, as signing in to a desktop does."""
        from jeepney import MatchRule
        from jeepney.bus_messages import message_bus

        appears = MatchRule(
            type="signal", sender="org.freedesktop.DBus", interface="org.freedesktop.DBus", member="NameOwnerChanged"
        )
        appears.add_arg_condition(0, "org.freedesktop.secrets")
        with self.connection() as connection, connection.filter(appears) as signals:
            connection.send_and_get_reply(message_bus.AddMatch(appears), timeout=5)
            subprocess.run(
                ["gnome-keyring-daemon", "--unlock", "--components=secrets"],
                input=KEYRING_PASSWORD,
                env=self.environment,
                text=True,
                check=True,
                capture_output=True,
                timeout=20,
            )
            connection.recv_until_filtered(signals, timeout=20)
            question = message_bus.GetConnectionUnixProcessID("org.freedesktop.secrets")
            self.daemon = int(connection.send_and_get_reply(question, timeout=5).body[0])

    def connection(self) -> Any:
        """A connection to this session's bus."""
        from jeepney.io.blocking import open_dbus_connection

        return open_dbus_connection(self.address)

    def lock(self) -> None:
        """Lock the login keyring."""
        import secretstorage

        with self.connection() as connection:
            secretstorage.get_collection_by_alias(connection, "default").lock()

    def unlock(self) -> None:
        """Unlock it, as its prompt does when the person has typed the password."""
        import secretstorage
        from secretstorage.util import DBusAddressWrapper, format_secret, open_session

        with self.connection() as connection:
            collection = secretstorage.get_collection_by_alias(connection, "default")
            session = open_session(connection)
            secret = format_secret(session, KEYRING_PASSWORD.encode(), "text/plain")
            service = DBusAddressWrapper(
                "/org/freedesktop/secrets", "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface", connection
            )
            service.call("UnlockWithMasterPassword", "o(oayays)", collection.collection_path, secret)

    def stop(self, process: int) -> None:
        """Let one of the two hang, until `resume`."""
        os.kill(process, signal.SIGSTOP)

    def resume(self, process: int) -> None:
        """Let it go on."""
        os.kill(process, signal.SIGCONT)


@pytest.fixture(scope="module")
def keyring() -> Iterator[Keyring]:
    """A real Secret Service, unlocked; no variable of this process names it."""
    needed = ("dbus-daemon", "gnome-keyring-daemon")
    if missing := [name for name in needed if shutil.which(name) is None]:
        pytest.skip(f"no {' and no '.join(missing)}: on Debian, `apt-get install dbus gnome-keyring`")
    # A short path: the name of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="keyring-", ignore_cleanup_errors=True) as home:
        run = Path(home, "run")
        run.mkdir(mode=0o700)
        # Without data folders the bus knows no service that it would start by itself.
        environment = {"PATH": os.environ["PATH"], "HOME": home, "XDG_RUNTIME_DIR": str(run), "XDG_DATA_DIRS": home}
        with subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:path={run}/bus"],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as bus:
            try:
                assert bus.stdout is not None
                environment["DBUS_SESSION_BUS_ADDRESS"] = address = bus.stdout.readline().strip()
                running = Keyring(address, environment, Path(home, ".local/share/keyrings"), bus.pid)
                running.begin()
                yield running
                os.kill(running.daemon, signal.SIGTERM)
            finally:
                bus.terminate()


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Secret Service, whatever this machine has."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")
