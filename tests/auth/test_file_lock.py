"""The lock between processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from copilot_mcp.auth.file_lock import LockTimeoutError, locked

HOLD = (
    "import sys\n"
    "from pathlib import Path\n"
    "from copilot_mcp.auth.file_lock import locked\n"
    "with locked(Path(sys.argv[1]), 5):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def test_lock_is_free_again_and_its_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for _ in range(2):
        with locked(path, 0):
            assert path.read_text() == str(os.getpid())
    assert path.exists()


def test_held_lock_is_waited_for_with_growing_pauses_and_then_given_up(tmp_path: Path) -> None:
    path, time = tmp_path / "lock", Time()
    again = locked(path, 0.1, monotonic=time.now, sleep=time.sleep)
    with locked(path, 0), pytest.raises(LockTimeoutError) as caught, again:
        pytest.fail("the lock was given twice")
    assert caught.value.owner == str(os.getpid())
    assert time.slept == [0.001, 0.002, 0.004, 0.008, 0.016, 0.025, 0.025, 0.025]


def test_lock_freed_while_waiting_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = locked(path, 0)
    holder.__enter__()
    with locked(path, 5, sleep=lambda _: holder.__exit__(None, None, None)):
        assert path.read_text() == str(os.getpid())


def test_owner_is_unknown_while_it_has_not_signed(tmp_path: Path) -> None:
    path, time = tmp_path / "lock", Time()
    with locked(path, 0):
        path.write_text("somebody")
        with pytest.raises(LockTimeoutError) as caught, locked(path, 0, monotonic=time.now, sleep=time.sleep):
            pytest.fail("the lock was given twice")
    assert caught.value.owner == ""


@pytest.mark.shows("F36", "L5")
def test_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    with subprocess.Popen(
        [sys.executable, "-P", "-c", HOLD, str(path)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockTimeoutError) as caught, locked(path, 0):
            pytest.fail("the lock was given twice")
        process.kill()
        process.wait(timeout=10)
        with locked(path, 10):
            assert path.read_text() == str(os.getpid())
    assert caught.value.owner == str(process.pid)
