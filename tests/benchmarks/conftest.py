"""Shared by the benchmarks: a raw stdio client, and one way to print a comparison."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
BARE = [sys.executable, str(HERE / "bare_server.py")]
OURS = [sys.executable, "-P", "-m", "copilot_mcp", "serve"]


class RawServer:
    """A server process and the bare minimum of a client: one JSON line out, one matching line in."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COPILOT_MCP_")}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._next = 0

    def initialize(self) -> None:
        """The handshake of the legacy era."""
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "benchmark", "version": "0"},
        }
        self.request("initialize", params)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def request(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        on_message: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Send one request and wait for its result; `on_message` is given what comes before it."""
        self._next += 1
        self._send({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params or {}})
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == self._next:
                result: dict[str, Any] = message["result"]
                return result
            if on_message is not None:
                on_message(message)
        raise AssertionError("the server ended")

    def resident_kib(self) -> int:
        """Resident memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """Close the input and wait for the end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


@pytest.fixture
def spawn() -> Iterator[Callable[[Sequence[str]], RawServer]]:
    """Starts servers and ends each that is still there."""
    started: list[RawServer] = []

    def start(command: Sequence[str]) -> RawServer:
        started.append(RawServer(command))
        return started[-1]

    yield start
    for server in started:
        if server.process.returncode is None:
            server.close()


@pytest.fixture
def compare(capsys: pytest.CaptureFixture[str]) -> Callable[..., float]:
    """Prints both sides' medians and their ratio beside the bound it is meant to keep.

    Where the figures are `rounds`, each of which measured both sides one after the other, the ratio is the median of
    the rounds' own: a machine that is slow for a while is slow for both.
    """

    def show(
        title: str, ours: Sequence[float], theirs: Sequence[float], *, unit: str, bound: float, rounds: bool = False
    ) -> float:
        ratio = of_medians = statistics.median(ours) / statistics.median(theirs)
        if rounds:
            ratio = statistics.median(our / their for our, their in zip(ours, theirs, strict=True))
        with capsys.disabled():
            print(f"\n{title}")  # noqa: T201 - a benchmark's product is what it prints
            for name, figures in (("ours", ours), ("yardstick", theirs)):
                spread = f"{min(figures):.3f} to {max(figures):.3f}"
                print(f"  {name:10} median {statistics.median(figures):10.3f} {unit}  ({spread}, n={len(figures)})")  # noqa: T201
            apart = f" (of the two medians: {of_medians:.3f})" if rounds else ""
            print(f"  ratio {ratio:.3f}, meant to be at most {bound:.2f}{apart}")  # noqa: T201
        return ratio

    return show


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Prints figures that have a fixed bound."""

    def print_figures(title: str, figures: Sequence[float], unit: str, bound: float) -> None:
        spread = f"{min(figures):,.1f} to {max(figures):,.1f}, n={len(figures)}"
        with capsys.disabled():
            print(f"\n{title}")  # noqa: T201 - a benchmark's product is what it prints
            print(f"  median {statistics.median(figures):,.1f} {unit}  ({spread}), at most {bound:,.0f}")  # noqa: T201

    return print_figures


@pytest.fixture
def ours() -> list[str]:
    """Our server, without a tenant."""
    return OURS


@pytest.fixture
def bare() -> list[str]:
    """The SDK's server alone."""
    return BARE
