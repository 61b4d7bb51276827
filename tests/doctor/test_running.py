"""Checks run side by side; one that fails or hangs is told of and stops nobody."""

import threading

import anyio
import pytest

from copilot_mcp.auth import in_daemon_thread
from copilot_mcp.doctor import Finding, Section, Verdict, shown_address, worst
from copilot_mcp.doctor.running import Probe, run_probes

pytestmark = pytest.mark.anyio
LINE = Finding(Section.MACHINE, "python", Verdict.OK, "Fine.")


async def test_a_check_that_hangs_or_fails_leaves_the_others_their_findings() -> None:
    async def hang() -> list[Finding]:
        await anyio.sleep_forever()
        raise AssertionError

    async def fail() -> list[Finding]:
        raise RuntimeError("SECRETMARK")

    async def work() -> list[Finding]:
        return [LINE]

    found = await run_probes(
        [
            Probe(Section.NETWORK, "slow", "The slow thing", hang, 0.01),
            Probe(Section.SIGN_IN, "broken", "The broken thing", fail),
            Probe(Section.MACHINE, "good", "The good thing", work),
        ]
    )
    assert [(each.topic, each.verdict) for each in found] == [
        ("slow", Verdict.WARNING),
        ("broken", Verdict.WARNING),
        ("python", Verdict.OK),
    ]
    assert found[0].what == "The slow thing could not be checked within 0.01 seconds."
    assert found[1].what == "The broken thing could not be checked (RuntimeError)."
    assert "SECRETMARK" not in repr(found)


async def test_checks_run_at_the_same_time() -> None:
    first, second = anyio.Event(), anyio.Event()

    async def one() -> list[Finding]:
        first.set()
        await second.wait()
        return [LINE]

    async def other() -> list[Finding]:
        second.set()
        await first.wait()
        return [LINE]

    probes = [Probe(Section.MACHINE, "x", "X", check, 5) for check in (one, other)]
    assert await run_probes(probes) == [LINE, LINE]


async def test_what_blocks_for_ever_is_left_behind_and_the_process_may_end() -> None:
    entered, release = threading.Event(), threading.Event()
    ours: list[threading.Thread] = []

    def block() -> None:
        ours.append(threading.current_thread())
        entered.set()
        release.wait()

    with anyio.move_on_after(0.05) as scope:
        await in_daemon_thread(block)
    assert scope.cancelled_caught
    entered.wait()
    assert ours[0].daemon
    release.set()
    await anyio.to_thread.run_sync(ours[0].join)


def test_a_thread_that_ends_after_its_event_loop_is_no_fault() -> None:
    release = threading.Event()
    ours: list[threading.Thread] = []

    def block() -> None:
        ours.append(threading.current_thread())
        release.wait()

    async def give_up() -> None:
        with anyio.move_on_after(0.05):
            await in_daemon_thread(block)

    anyio.run(give_up)
    assert ours[0].is_alive()
    release.set()
    ours[0].join()  # an error in the thread would fail the test: warnings are errors
    assert not ours[0].is_alive()


async def test_a_thread_gives_its_value_or_its_error() -> None:
    def fail() -> int:
        raise OSError("no")

    assert await in_daemon_thread(lambda: 7) == 7
    with pytest.raises(OSError, match="no"):
        await in_daemon_thread(fail)


def test_the_worst_verdict_counts() -> None:
    assert worst([]) is Verdict.OK
    assert worst([LINE, Finding(Section.NETWORK, "x", Verdict.WARNING, "")]) is Verdict.WARNING


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("http://proxy.example:8080", "http://proxy.example:8080"),
        ("http://user:SECRETMARK@proxy.example:8080/", "http://proxy.example:8080"),
        ("http://user:a/SECRETMARK#b@c@proxy.example:8080", "http://proxy.example:8080"),
        ("user:SECRETMARK@proxy.example:8080", "proxy.example:8080"),
        ("http://127.0.0.1:5000#SECRETMARK", "http://127.0.0.1:5000"),
        ("socks5://[::1]:1080", "socks5://[::1]:1080"),
        ("http://SECRETMARK SECRETMARK", "an address that cannot be read"),
        ("", "an address that cannot be read"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(given: str, shown: str) -> None:
    assert shown_address(given) == shown
