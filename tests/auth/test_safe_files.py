"""Files that only this user may read."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from copilot_mcp.auth.safe_files import (
    open_private,
    private_directory,
    read_private,
    remove_leftovers,
    replace_private,
)
from copilot_mcp.errors import AuthenticationError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither modes nor owners")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_directory_and_file_are_private(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    private_directory(directory)
    replace_private(directory / "file", b"text")
    assert (mode(directory), mode(directory / "file"), os.listdir(directory)) == (0o700, 0o600, ["file"])
    assert read_private(directory / "file", 10) == b"text"


def test_directory_that_others_may_read_is_tightened(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_directory(tmp_path)
    assert mode(tmp_path) == 0o700


def test_directory_that_others_may_write_to_is_refused_with_the_remedy(tmp_path: Path) -> None:
    directory = tmp_path / "with space"
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(AuthenticationError) as caught:
        private_directory(directory)
    assert caught.value.kind == "cache_unsafe"
    assert str(caught.value) == (
        f"{directory} can be written to by others, so the saved sign-in in it is not used. "
        f"Repair it with: chmod 700 '{directory}'"
    )


def test_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(AuthenticationError, match="is a link"):
        private_directory(tmp_path / "link")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_foreign_owner_is_refused(tmp_path: Path) -> None:
    directory, file = tmp_path / "directory", tmp_path / "file"
    directory.mkdir(mode=0o700)
    file.touch(mode=0o600)
    os.chown(directory, 12345, 12345)
    os.chown(file, 12345, 12345)
    with pytest.raises(AuthenticationError, match="belongs to another user"):
        private_directory(directory)
    with pytest.raises(AuthenticationError, match="belongs to another user"):
        read_private(file, 10)


def make_link(path: Path) -> None:
    path.with_name("target").write_bytes(b"secret")
    path.with_name("target").chmod(0o600)
    path.symlink_to(path.with_name("target"))


def make_open_file(path: Path) -> None:
    path.touch()
    path.chmod(0o644)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_link, "is a link"),
        (make_open_file, "can be read by others"),
        (os.mkfifo, "is not a regular file"),
        (Path.mkdir, "is not a regular file"),
    ],
)
def test_unsafe_file_is_refused(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    path = tmp_path / "file"
    make(path)
    with pytest.raises(AuthenticationError, match=words) as caught:
        read_private(path, 10)
    assert caught.value.kind == "cache_unsafe"


def test_missing_file_reads_as_nothing(tmp_path: Path) -> None:
    assert read_private(tmp_path / "file", 10) is None


def test_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(AuthenticationError, match="cannot be opened"):
        read_private(tmp_path / "a" / "file", 10)


def test_no_more_than_the_limit_and_one_byte_is_read(tmp_path: Path) -> None:
    replace_private(tmp_path / "file", b"x" * 100)
    assert read_private(tmp_path / "file", 10) == b"x" * 11


def test_replacing_a_link_leaves_its_target_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"theirs")
    (tmp_path / "file").symlink_to(tmp_path / "target")
    replace_private(tmp_path / "file", b"ours")
    assert ((tmp_path / "target").read_bytes(), (tmp_path / "file").is_symlink()) == (b"theirs", False)


def test_failed_replacement_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_private(tmp_path / "file", b"ours")
    assert os.listdir(tmp_path) == ["file"]


def test_leftover_that_cannot_be_removed_stays_and_stops_nothing(tmp_path: Path) -> None:
    stuck, other = tmp_path / "file.1.tmp", tmp_path / "file.2.tmp"
    stuck.mkdir()
    other.touch()
    remove_leftovers(tmp_path / "file")
    assert (stuck.exists(), other.exists()) == (True, False)


def test_leftovers_of_one_file_are_removed(tmp_path: Path) -> None:
    for name in ("file", "file.1.ab.tmp", "file.22.cd.tmp", "other.1.ab.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "file")
    assert sorted(os.listdir(tmp_path)) == ["file", "other.1.ab.tmp"]


def test_opened_file_is_made_private(tmp_path: Path) -> None:
    os.close(open_private(tmp_path / "file", os.O_RDWR | os.O_CREAT))
    assert mode(tmp_path / "file") == 0o600
