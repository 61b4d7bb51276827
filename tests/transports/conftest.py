"""Real processes: our server as a host starts it, and the simulated tenant on a socket."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TextIO

import pytest

from copilot_mcp.simulator import Simulator, Tenant
from copilot_mcp.simulator.secrets_issued import SECRET_MARKS

TIMEOUT_S = 30


@dataclass
class Process:
    """A child process whose standard error is collected as it comes."""

    popen: subprocess.Popen[bytes]
    errors: list[str] = field(default_factory=list)
    seen: threading.Condition = field(default_factory=threading.Condition)
    ended: bool = False

    def collect(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            with self.seen:
                self.errors.append(line.decode())
                self.seen.notify_all()
        with self.seen:
            self.ended = True
            self.seen.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match of `pattern` in standard error."""
        with self.seen:
            self.seen.wait_for(lambda: self.ended or re.search(pattern, self.text), TIMEOUT_S)
            found = re.search(pattern, self.text)
        assert found, self.text
        return found

    def finished_text(self) -> str:
        """All of standard error, of a process that has ended."""
        with self.seen:
            assert self.seen.wait_for(lambda: self.ended, TIMEOUT_S)
        return self.text

    @property
    def text(self) -> str:
        return "".join(self.errors)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """This process's environment without our variables, and with a home of its own."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COPILOT_MCP_")}
    return kept | {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "LOCALAPPDATA": str(home)}


@pytest.fixture(scope="module")
def launch(environment: dict[str, str]) -> Iterator[Callable[..., Process]]:
    """Starts Python with the given arguments; what still runs at the end is ended by its id."""
    started: list[tuple[Process, threading.Thread]] = []

    def run(*arguments: str, **variables: str) -> Process:
        popen = subprocess.Popen(
            [sys.executable, "-P", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment | variables,
        )
        process = Process(popen)
        reader = threading.Thread(target=process.collect)
        reader.start()
        started.append((process, reader))
        return process

    yield run
    printed = []
    for process, reader in started:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.wait(TIMEOUT_S)
        reader.join(TIMEOUT_S)
        output = process.popen.stdout
        unread = output.read().decode() if output is not None and not output.closed else ""
        printed.append(process.text + unread)
        for stream in (process.popen.stdin, process.popen.stdout, process.popen.stderr):
            if stream is not None:
                stream.close()
    assert not any(mark in text for text in printed for mark in SECRET_MARKS), "a server printed a secret"


@pytest.fixture(scope="module")
def start(launch: Callable[..., Process]) -> Callable[..., Process]:
    """Starts `copilot-mcp` with the given arguments."""
    return partial(launch, "-m", "copilot_mcp")


@pytest.fixture
def errors(tmp_path: Path) -> Iterator[TextIO]:
    """Where the SDK's client writes the standard error of the server that it starts; no secret may be in it."""
    path = tmp_path / "errors"
    with open(path, "w", encoding="utf-8") as file:
        yield file
    assert [mark for mark in SECRET_MARKS if mark in path.read_text("utf-8")] == []


@pytest.fixture(scope="module")
def tenant_url(company: Tenant) -> Iterator[str]:
    """The built-in company on a loopback port."""
    with Simulator(company) as simulator:
        yield simulator.start()
