"""A file that processes share: no change is lost, and nothing about it ever stops the work."""

import errno
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from copilot_mcp.auth import SharedFile
from copilot_mcp.auth.file_lock import locked

COUNT_UP = """
import sys
from pathlib import Path
from copilot_mcp.auth import SharedFile
shared = SharedFile(Path(sys.argv[1]), lock_timeout_s=30)
for _ in range(50):
    shared.update(lambda text: str(int(text or "0") + 1))
"""


def more(text: str) -> str:
    return text + "x"


def test_the_text_outlives_the_object_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "count.json"
    SharedFile(path).update(more)
    SharedFile(path).update(more)
    assert path.read_text("utf-8") == "xx"
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_processes_lose_no_change_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "count"
    command = [sys.executable, "-P", "-c", COUNT_UP, str(path)]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    assert path.read_text("utf-8") == "150"


def test_an_error_of_the_change_leaves_the_text_as_it_is(tmp_path: Path) -> None:
    shared = SharedFile(tmp_path / "count")
    shared.update(more)

    def refuse(text: str) -> str:
        raise ZeroDivisionError(text)

    with pytest.raises(ZeroDivisionError, match="x"):
        shared.update(refuse)
    assert (tmp_path / "count").read_text("utf-8") == "x"


def test_a_text_beyond_the_cap_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "count"
    SharedFile(path).update(lambda text: "y" * 300_000)
    SharedFile(path).update(more)
    assert path.read_text("utf-8") == "x"


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither modes nor links of this kind")
def test_an_unsafe_file_is_left_alone_and_the_text_goes_on_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious", "utf-8")
    path = tmp_path / "count"
    path.symlink_to(elsewhere)
    shared = SharedFile(path)
    seen: list[str] = []
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            shared.update(lambda text: seen.append(text) or more(text))
    assert (elsewhere.read_text("utf-8"), seen) == ("precious", ["", "x", "xx"])
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} cannot be used (AuthenticationError); going on in memory."
    ]


def test_a_lock_held_for_long_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "count"
    shared = SharedFile(path, lock_timeout_s=0)
    shared.update(more)
    seen: list[str] = []
    with locked(path.with_suffix(".lock"), 0):
        shared.update(lambda text: seen.append(text) or more(text))
    assert (seen, path.read_text("utf-8")) == (["x"], "x")


def test_a_directory_that_cannot_be_made_is_borne(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    seen: list[str] = []
    shared = SharedFile(tmp_path / "file" / "count")
    shared.update(lambda text: seen.append(text) or more(text))
    shared.update(lambda text: seen.append(text) or more(text))
    assert seen == ["", "x"]


def test_a_disk_that_refuses_asks_for_the_change_again(tmp_path: Path) -> None:
    path = tmp_path / "count"
    shared = SharedFile(path)
    shared.update(more)
    calls: list[str] = []

    def change(text: str) -> str:
        calls.append(text)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "full")
        return more(text)

    shared.update(change)
    assert calls == ["x", "x"]
