"""The saved sign-in: shared by processes, safe from crashes, repaired when damaged."""

import os
import stat
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from copilot_mcp.auth import MemoryCache, TokenCache
from copilot_mcp.auth.cache_content import without_token
from copilot_mcp.auth.file_lock import locked
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError

REMOVED = "The saved sign-in could not be read and was removed; sign in again."
UNSAVED = "The sign-in cannot be saved and is kept in memory only: the disk refuses "


def put(cache: TokenCache | MemoryCache, key: str) -> object:
    """Add one entry."""

    def change(content: dict[str, Any]) -> dict[str, Any]:
        content.setdefault("AppMetadata", {})[key] = {"client_id": "app"}
        return content

    return cache.update(change)


def unsaved(caplog: pytest.LogCaptureFixture) -> int:
    return sum(message.startswith(UNSAVED) for message in caplog.messages)


def keys(cache: TokenCache | MemoryCache) -> list[str]:
    return sorted(cache.read().get("AppMetadata", {}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "file.json"


def test_nothing_is_made_before_something_is_kept(path: Path) -> None:
    cache = TokenCache(path)
    assert (cache.read(), cache.stamp(), cache.is_in_clear()) == ({}, (None, 0), False)
    cache.erase()
    assert not path.parent.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_file_and_directory_are_private(path: Path) -> None:
    put(TokenCache(path), "a")
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in (path.parent, *path.parent.iterdir())}
    assert modes == {"state": 0o700, "file.json": 0o600, "file.lock": 0o600}


def test_token_that_is_rejected_after_a_sign_out_brings_no_file_back(path: Path) -> None:
    cache = TokenCache(path)
    put(cache, "a")
    kept = cache.stamp()
    assert cache.update(partial(without_token, secret="access-1")) == kept
    cache.erase()
    assert cache.update(partial(without_token, secret="access-1")) == (None, 0)
    assert not path.exists()


def test_change_is_seen_by_another_process_and_moves_the_stamp(path: Path) -> None:
    first, second = TokenCache(path), TokenCache(path)
    stamp = put(first, "a")
    assert (keys(second), second.stamp()) == (["a"], stamp)
    assert put(second, "b") != stamp
    assert (keys(first), first.stamp()) == (["a", "b"], second.stamp())


def test_change_that_raises_leaves_everything_as_it_was(path: Path) -> None:
    cache = TokenCache(path)
    put(cache, "a")

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise LookupError

    with pytest.raises(LookupError):
        cache.update(refuse)
    assert (keys(cache), sorted(os.listdir(path.parent))) == (["a"], ["file.json", "file.lock"])


def test_erase_removes_the_file(path: Path) -> None:
    cache = TokenCache(path)
    put(cache, "a")
    cache.erase()
    assert (cache.read(), path.exists()) == ({}, False)
    cache.erase()


@pytest.mark.shows("F32")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"AccessToken": {',
        b"\x00\xff",
        b"[]",
        b"null",
        b'{"AccessToken": {"k": {"secret": 1}}}',
        b'{"AppMetadata": {"k": {"client_id": "' + b"x" * 9_000_000 + b'"}}}',
        b"[" * 100_000,
    ],
    ids=["empty", "cut", "binary", "list", "null", "field", "9 MB", "deep"],
)
@pytest.mark.parametrize("act", ["read", "update"])
def test_damaged_file_is_removed_with_one_warning_and_told_once(
    path: Path, caplog: pytest.LogCaptureFixture, data: bytes, act: str
) -> None:
    cache = TokenCache(path)
    put(cache, "a")
    path.write_bytes(data)
    if act == "update":
        put(cache, "b")
    else:
        with pytest.raises(AuthenticationRequiredError) as caught:
            cache.read()
        assert caught.value.kind == "cache_reset"
        assert str(caught.value) == "The saved sign-in could not be read and was removed. Run `copilot-mcp login`."
    assert keys(cache) == ([] if act == "read" else ["b"])
    assert caplog.messages.count(REMOVED) == 1
    assert sorted(os.listdir(path.parent)) == (["file.lock"] if act == "read" else ["file.json", "file.lock"])
    put(cache, "c")
    assert keys(cache)[-1] == "c"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_file_that_others_may_read_is_refused_with_the_remedy(path: Path) -> None:
    cache = TokenCache(path)
    put(cache, "a")
    path.chmod(0o644)
    for use in (cache.read, lambda: put(cache, "b")):
        with pytest.raises(AuthenticationError, match=f"can be read by others.* chmod 600 {path}") as caught:
            use()
        assert caught.value.kind == "cache_unsafe"


@pytest.mark.shows("F41")
def test_lock_held_for_ever_by_another_is_named(path: Path) -> None:
    cache = TokenCache(path, lock_timeout_s=0)
    put(cache, "a")
    with locked(path.with_suffix(".lock"), 0), pytest.raises(AuthenticationError) as caught:
        put(cache, "b")
    assert caught.value.kind == "cache_locked"
    assert caught.value.message == f"Another copilot-mcp process ({os.getpid()}) holds the token cache."
    assert keys(cache) == ["a"]
    put(cache, "c")
    assert keys(cache) == ["a", "c"]


@pytest.mark.shows("F41")
def test_refresh_goes_on_beside_a_stuck_process(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = TokenCache(path, refresh_timeout_s=0)
    with cache.refreshing(), cache.refreshing():
        put(cache, "a")
    assert caplog.messages == [f"Process {os.getpid()} has been refreshing a token for long; going on without it."]


@pytest.mark.shows("F35")
def test_disk_that_refuses_keeps_the_sign_in_in_memory_until_it_takes_it(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"a file where the directory should be")
    blocked = TokenCache(path / "below.json")
    stamps = {put(blocked, "a"), put(blocked, "b"), blocked.stamp()}
    with blocked.refreshing():
        assert (keys(blocked), len(stamps)) == (["a", "b"], 2)
    assert unsaved(caplog) == 1
    path.unlink()
    put(blocked, "c")
    assert keys(TokenCache(path / "below.json")) == ["a", "b", "c"]


def test_full_disk_keeps_the_sign_in_in_memory(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = TokenCache(path)
    put(cache, "a")
    path.unlink()
    before = cache.stamp()

    def directory_in_the_way(content: dict[str, Any]) -> dict[str, Any]:
        path.mkdir()
        return content | {"AppMetadata": {"b": {"client_id": "app"}}}

    assert cache.update(directory_in_the_way) != before
    assert (keys(cache), unsaved(caplog)) == (["b"], 1)
    path.rmdir()
    cache.erase()
    assert (keys(cache), TokenCache(path).read()) == ([], {})


def test_memory_cache_is_shared_by_threads_and_touches_no_disk() -> None:
    cache = MemoryCache()
    before = cache.stamp()
    threads = [threading.Thread(target=put, args=(cache, str(number))) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with cache.refreshing():
        assert len(keys(cache)) == 20
    assert cache.stamp() != before
    cache.read()["AppMetadata"].clear()
    assert len(keys(cache)) == 20
    cache.erase()
    assert cache.read() == {}
