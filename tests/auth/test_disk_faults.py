"""Disks that refuse, clocks that jump, places that others prepared."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from copilot_mcp.auth import Keeping, TokenCache
from copilot_mcp.auth.dpapi import DataProtection
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither modes nor owners")

NOBODY = 65534
FULL = """
import resource, sys
from pathlib import Path
from copilot_mcp.auth import TokenCache

cache = TokenCache(Path(sys.argv[1]))
cache.update(lambda _: {"AppMetadata": {"small": {"client_id": "app"}}})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
print(cache.prospect())
big = {"AppMetadata": {"big": {"client_id": "x" * 50_000}}}
cache.update(lambda _: big)
print(cache.read() == big, sorted(TokenCache(Path(sys.argv[1])).read()["AppMetadata"]))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
cache.update(lambda content: content)
print(TokenCache(Path(sys.argv[1])).read() == big)
"""


def put(cache: TokenCache, key: str) -> object:
    def change(content: dict[str, Any]) -> dict[str, Any]:
        content.setdefault("AppMetadata", {})[key] = {"client_id": "app"}
        return content

    return cache.update(change)


def keys(cache: TokenCache) -> list[str]:
    return sorted(cache.read().get("AppMetadata", {}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "file.json"


@pytest.fixture
def read_only() -> Iterator[tuple[Path, Callable[[], AbstractContextManager[None]]]]:
    """A file in a folder, and a block in which nothing in the folder can be changed, not even by root."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        folder = Path(home, "state")

        @contextmanager
        def refusing() -> Iterator[None]:
            folder.chmod(0o500)
            if root := os.geteuid() == 0:
                for entry in (folder, *folder.iterdir()):
                    os.chown(entry, NOBODY, NOBODY)
                os.seteuid(NOBODY)
            try:
                yield
            finally:
                if root:
                    os.seteuid(0)
                    for entry in (folder, *folder.iterdir()):
                        os.chown(entry, 0, 0)
                folder.chmod(0o700)

        yield folder / "file.json", refusing


@pytest.mark.shows("F35")
def test_full_disk_keeps_the_old_file_and_the_new_sign_in_in_memory_until_there_is_room(path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", FULL, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [
        f"Keeping(path=None, protected_by='', reason='{path.parent} cannot be written to (File too large)', "
        "remedy='Make it writable, or make room there')",
        "True ['small']",
        "True",
    ]
    assert done.stderr == (
        "The sign-in cannot be saved and is kept in memory only: the disk refuses (File too large).\n"
    )
    assert sorted(os.listdir(path.parent)) == ["file.json", "file.lock"]


@pytest.mark.shows("F35")
def test_read_only_disk_keeps_changes_in_memory_until_it_takes_them(read_only: Any) -> None:
    path, refusing = read_only
    cache = TokenCache(path)
    put(cache, "a")
    with refusing():
        put(cache, "b")
        put(cache, "c")
        assert (keys(cache), keys(TokenCache(path))) == (["a", "b", "c"], ["a"])
        assert cache.prospect() == Keeping(
            None, "", f"{path.parent} cannot be written to (Permission denied)", "Make it writable, or make room there"
        )
        with cache.refreshing():
            assert cache.keeping().path == path
    put(cache, "d")
    assert (keys(TokenCache(path)), sorted(os.listdir(path.parent))) == (
        ["a", "b", "c", "d"],
        ["file.json", "file.lock"],
    )


@pytest.mark.shows("F35")
def test_sign_out_on_a_read_only_disk_says_that_the_file_is_still_there(read_only: Any) -> None:
    path, refusing = read_only
    cache = TokenCache(path)
    put(cache, "a")
    with refusing(), pytest.raises(AuthenticationError) as caught:
        cache.erase()
    assert caught.value.kind == "cache_unwritable"
    assert str(caught.value) == (
        f"The saved sign-in in {path} cannot be removed, because the disk refuses. Remove that file yourself."
    )
    cache.erase()
    assert not path.exists()


def test_damaged_file_on_a_read_only_disk_is_told_each_time_and_stops_nothing(read_only: Any) -> None:
    path, refusing = read_only
    cache = TokenCache(path)
    put(cache, "a")
    path.write_bytes(b"{")
    with refusing():
        for _ in range(2):
            with pytest.raises(AuthenticationRequiredError) as caught:
                cache.read()
            assert caught.value.kind == "cache_reset"
        put(cache, "b")
        assert keys(cache) == ["b"]


def test_plain_file_on_a_read_only_disk_stays_in_use(read_only: Any, caplog: pytest.LogCaptureFixture) -> None:
    path, refusing = read_only
    put(TokenCache(path), "a")
    path.with_suffix(".lock").unlink()
    cache = TokenCache(path, protection=DataProtection(path.name))
    with refusing():
        assert (keys(cache), keys(cache)) == (["a"], ["a"])
    assert [message.partition(" is in clear")[2] for message in caplog.messages] == [
        ", as an earlier version or `--cache plain` left it, and cannot be encrypted: the disk refuses (it cannot be "
        "written to). It stays in use; `copilot-mcp logout` removes it."
    ]


def test_change_by_another_process_counts_although_our_own_was_not_saved(path: Path, read_only: Any) -> None:
    path, refusing = read_only
    cache, other = TokenCache(path), TokenCache(path)
    put(cache, "a")
    with refusing():
        stamp = put(cache, "unsaved")
    other.erase()
    assert (keys(cache), cache.stamp() == stamp) == ([], False)


@pytest.mark.shows("F35")
def test_folder_that_vanishes_is_made_again(path: Path) -> None:
    cache = TokenCache(path)
    put(cache, "a")
    for entry in path.parent.iterdir():
        entry.unlink()
    path.parent.rmdir()
    assert keys(cache) == []
    put(cache, "b")
    assert keys(TokenCache(path)) == ["b"]


@pytest.mark.shows("F38", "L5")
@pytest.mark.parametrize("years", [-1, 1])
def test_clock_that_jumps_a_year_hides_no_change(path: Path, years: int) -> None:
    first, second = TokenCache(path), TokenCache(path)
    put(first, "a")
    seconds = path.stat().st_mtime_ns - years * 365 * 86400 * 10**9
    os.utime(path, ns=(seconds, seconds))
    stamps = [first.stamp()]
    for key in ("b", "c", "d"):
        put(second, key)
        stamps.append(first.stamp())
    assert (keys(first), len(set(stamps))) == (["a", "b", "c", "d"], 4)


def test_every_save_moves_the_files_time_forward(path: Path) -> None:
    cache, times = TokenCache(path), []
    for number in range(20):
        put(cache, str(number))
        times.append(path.stat().st_mtime_ns)
    assert times == sorted(set(times))


@pytest.mark.shows("L4")
def test_folders_and_files_are_private_although_nothing_is_masked(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        cache = TokenCache(tmp_path / "share" / "copilot-mcp" / "file.json")
        put(cache, "a")
        with cache.refreshing():
            found = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.rglob("*")}
    finally:
        os.umask(before)
    assert found == {
        "share": 0o700,
        "copilot-mcp": 0o700,
        "file.json": 0o600,
        "file.lock": 0o600,
        "file.refresh": 0o600,
    }


def link(path: Path) -> None:
    (path.parent.parent / "theirs").write_text("theirs")
    path.symlink_to(path.parent.parent / "theirs")


def readable(path: Path) -> None:
    path.touch()
    path.chmod(0o644)


def foreign(path: Path) -> None:
    path.touch(0o600)
    os.chown(path, NOBODY, NOBODY)


@pytest.mark.shows("F34", "L4")
@pytest.mark.parametrize("name", ["file.json", "file.lock", "file.refresh"])
@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (link, "is a link"),
        (readable, "can be read by others"),
        (os.mkfifo, "is not a regular file"),
        (os.mkdir, "is not a regular file"),
        pytest.param(
            foreign,
            "belongs to another user",
            marks=pytest.mark.skipif(
                not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away"
            ),
        ),
    ],
)
def test_planted_file_is_refused_untouched_and_the_next_call_works_without_it(
    path: Path, name: str, plant: Callable[[Path], None], words: str
) -> None:
    path.parent.mkdir(mode=0o700)
    planted = path.parent / name
    plant(planted)
    cache = TokenCache(path)
    with pytest.raises(AuthenticationError, match=words) as caught:
        if name == "file.refresh":
            cache.refreshing().__enter__()
        put(cache, "a")
    assert caught.value.kind == "cache_unsafe"
    if plant is link:
        assert (path.parent.parent / "theirs").read_text() == "theirs"
    planted.rmdir() if plant is os.mkdir else planted.unlink()
    put(cache, "a")
    assert keys(cache) == ["a"]


def open_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def linked(folder: Path) -> None:
    folder.with_name("theirs").mkdir(mode=0o700)
    folder.symlink_to(folder.with_name("theirs"))


def given_away(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)


@pytest.mark.shows("F34", "L4")
@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (open_to_all, "can be written to by others"),
        (linked, "is a link"),
        pytest.param(
            given_away,
            "belongs to another user",
            marks=pytest.mark.skipif(
                not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give folders away"
            ),
        ),
    ],
)
def test_planted_folder_is_refused_and_nothing_is_put_into_it(
    path: Path, plant: Callable[[Path], None], words: str
) -> None:
    plant(path.parent)
    cache = TokenCache(path)
    with pytest.raises(AuthenticationError, match=words) as caught:
        put(cache, "a")
    assert (caught.value.kind, list(path.parent.iterdir())) == ("cache_unsafe", [])
    path.parent.rename(path.parent.with_name("away"))
    put(cache, "a")
    assert keys(TokenCache(path)) == ["a"]


@pytest.mark.shows("F36")
def test_leftovers_of_a_killed_process_are_removed_by_the_next_read(path: Path) -> None:
    put(TokenCache(path), "a")
    path.with_name("file.json.1.ab.tmp").write_text("half a sign-in")
    cache = TokenCache(path)
    assert (keys(cache), sorted(os.listdir(path.parent))) == (["a"], ["file.json", "file.lock"])


def test_file_system_without_locks_keeps_the_sign_in_in_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import fcntl

    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    # The kernel's refusal, which no file system of this machine gives.
    monkeypatch.setattr(fcntl, "flock", no_locks)
    cache = TokenCache(path)
    put(cache, "a")
    with cache.refreshing():
        assert (keys(cache), path.exists()) == (["a"], False)
    assert caplog.messages[0].startswith("The sign-in cannot be saved and is kept in memory only: the disk refuses")
