"""How commands end, and what they print, where the output is closed, full or dumb, and after Ctrl-C."""

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import anyio
import click
import pytest
from click.testing import CliRunner

from copilot_mcp.cli import app
from copilot_mcp.cli._running import run_to_end
from copilot_mcp.cli._terminal import is_dumb, is_terminal, refuses_colour
from copilot_mcp.simulator import Simulator, Tenant

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
PROGRAM = [sys.executable, "-P", "-m", "copilot_mcp"]
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither these redirections nor these signals")


@pytest.fixture
def begin() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Begins a command in a process group of its own; ended at the end whatever happens."""
    begun: list[subprocess.Popen[str]] = []

    def started(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        process = subprocess.Popen([*PROGRAM, *arguments], text=True, start_new_session=True, **pipes)
        begun.append(process)
        return process

    yield started
    for process in begun:
        process.kill()
        process.communicate()


def redirected(redirection: str, *arguments: str) -> tuple[int, str, str]:
    """Status, output and errors of a command that a shell starts."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *PROGRAM, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    return ended.returncode, ended.stdout, ended.stderr


@posix
@pytest.mark.parametrize("redirection", [">&-", "<&- >&-"])
@pytest.mark.parametrize(
    "arguments",
    [("demo",), ("doctor", "--simulate"), ("filter", "check", "FileType=docx"), ("status", "--json", "--simulate")],
    ids=" ".join,
)
def test_closed_standard_output_is_said_in_a_sentence(arguments: tuple[str, ...], redirection: str) -> None:
    told = "Error: The output cannot be written: standard output is closed.\n"
    assert redirected(redirection, *arguments) == (1, "", told)


@posix
def test_closed_standard_input_and_errors_do_no_harm() -> None:
    status, output, errors = redirected("<&- 2>&-", "filter", "check", "FileType=docx")
    assert (status, errors) == (0, "")
    assert output.startswith("valid")
    assert redirected(">&- 2>&-", "filter", "codes") == (1, "", "")


@posix
def test_demo_whose_reader_goes_away_ends_in_silence(begin: Callable[..., Any]) -> None:
    process = begin("demo")
    process.stdout.readline()
    process.stdout.close()
    assert (process.wait(60), process.stderr.read()) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_demo_on_a_full_disk_blames_no_step() -> None:
    full = "Error: The output cannot be written: No space left on device.\n"
    assert redirected(">/dev/full", "demo") == (1, "", full)


@posix
@pytest.mark.parametrize("step", ["1. ", "2. ", "3. "])
def test_interrupted_demo_ends_with_130_and_no_word(begin: Callable[..., Any], step: str) -> None:
    process = begin("demo")
    assert any(line.startswith(step) for line in process.stdout)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")


@posix
@pytest.mark.parametrize(
    ("arguments", "ready"),
    [
        (("simulate", "--port", "0"), "Join it"),
        (("serve", "--simulate", "--transport", "http", "--port", "0"), "For your MCP host"),
    ],
)
def test_a_server_stopped_on_purpose_ends_with_0(
    begin: Callable[..., Any], arguments: tuple[str, ...], ready: str
) -> None:
    process = begin(*arguments, stderr=subprocess.STDOUT)
    assert any(line.startswith(ready) for line in process.stdout)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Aborted" not in output
    assert "Traceback" not in output


WHILE_IMPORTING = """
import sys

class Interrupted:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == module:
            raise KeyboardInterrupt

module = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupted)
from copilot_mcp.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["copilot_mcp.cli", "click", "copilot_mcp.cli.filter", "copilot_mcp.kql.codes"])
def test_ctrl_c_while_a_command_is_imported_ends_with_130_and_no_word(module: str) -> None:
    command = [sys.executable, "-P", "-c", WHILE_IMPORTING, module, "filter", "codes"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_nothing_is_imported_before_ctrl_c_is_seen_to() -> None:
    program = "import sys; before = set(sys.modules); import copilot_mcp.__main__; print(*set(sys.modules) - before)"
    ended = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert sorted(ended.stdout.split()) == ["copilot_mcp", "copilot_mcp.__main__"]
    assert PROJECT["scripts"] == {"copilot-mcp": "copilot_mcp.__main__:main"}


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
@pytest.mark.parametrize(
    "arguments",
    [("filter", "check", "a b = c"), ("filter", "codes"), ("doctor", "--simulate"), ("demo", "xylophone?")],
    ids=" ".join,
)
def test_colour_is_left_out_where_nobody_wants_it(arguments: tuple[str, ...], variables: dict[str, str]) -> None:
    wanted: dict[str, str | None] = {"NO_COLOR": None, "TERM": "xterm"}
    coloured = CliRunner().invoke(app, arguments, env=wanted, color=True)
    plain = CliRunner().invoke(app, arguments, env=wanted | variables, color=True)
    assert ("\033[" in coloured.stdout, "\033[" in plain.stdout) == (True, False)


@posix
def test_login_fits_a_narrow_terminal_and_is_cancelled_on_a_line_of_its_own(company: Tenant) -> None:
    import pty

    theirs, ours = pty.openpty()
    with Simulator(company) as simulator:
        command = [*PROGRAM, "login", "--simulate-url", simulator.start()]
        environment = os.environ | {"COLUMNS": "40", "TERM": "xterm"}
        with subprocess.Popen(command, stderr=ours, stdin=ours, stdout=subprocess.DEVNULL, env=environment) as process:
            os.close(ours)
            shown = b""
            while b" left." not in shown:
                shown += os.read(theirs, 4096)
            process.send_signal(signal.SIGINT)
            with suppress(OSError):  # so a terminal ends on Linux
                while more := os.read(theirs, 4096):
                    shown += more
        os.close(theirs)
    lines = [click.unstyle(line.rpartition("\r")[2]) for line in shown.decode().replace("\r\n", "\n").split("\n")]
    assert process.returncode == 130
    assert [line for line in lines if len(line) > 40 and "http://" not in line] == []
    assert " ".join(lines).startswith("This is a simulated tenant, not Microsoft 365. Signing in by device code:")
    assert lines[-3:] == ["", "Cancelled; nobody was signed in.", ""]


def test_a_stream_that_is_not_there_is_no_terminal() -> None:
    closed = StringIO()
    closed.close()
    assert [is_terminal(each) for each in (None, closed, StringIO())] == [False, False, False]
    assert [refuses_colour(each) for each in ({}, {"NO_COLOR": ""}, {"NO_COLOR": "0"}, {"TERM": "dumb"})] == [
        False,
        False,
        True,
        True,
    ]
    assert (is_dumb({"TERM": "xterm"}), is_dumb({"TERM": "dumb"})) == (False, True)


@posix
def test_ctrl_c_cancels_in_order_and_what_comes_of_it_is_the_interruption() -> None:
    ended = []

    async def waits(failing: bool) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep_forever()
        finally:
            ended.append(failing)
            if failing:
                raise ValueError("an error that the cancelling caused")

    for failing in (False, True):
        with pytest.raises(KeyboardInterrupt):
            run_to_end(waits, failing)
    assert ended == [False, True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_not_interrupted_ends_as_it_does() -> None:
    async def gives(value: int) -> int:
        if not value:
            raise ValueError("none")
        return value

    assert run_to_end(gives, 3) == 3
    with pytest.raises(ValueError, match="none"):
        run_to_end(gives, 0)

    async def in_a_thread() -> int:  # which gets no signals
        return await anyio.to_thread.run_sync(run_to_end, gives, 4)

    assert anyio.run(in_a_thread) == 4
