"""The saved sign-in where the system encrypts, where it stops doing so, and where it never did."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copilot_mcp.auth import Keeping, TokenCache
from copilot_mcp.auth.answers import Account
from copilot_mcp.auth.cache_content import account_in, with_account
from copilot_mcp.auth.protection import NoProtectionError
from copilot_mcp.auth.sealing import KeyedProtection
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError

MARK = "SECRETMARK"
LOCKED = NoProtectionError("the keyring is locked", "Unlock the keyring")


class Store:
    """A stand-in for the system's key store, shared by processes; `locked` as a person may leave it."""

    name = "a key store"

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.locked = False

    def get(self) -> bytes | None:
        self.prove()
        return self.key

    def put(self, key: bytes) -> None:
        self.prove()
        self.key = key

    def delete(self) -> None:
        self.prove()
        self.key = None

    def prove(self) -> None:
        if self.locked:
            raise LOCKED


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "file.json"


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def opened(path: Path, store: Store) -> Callable[..., TokenCache]:
    """The cache as another process sees it."""

    def new(*, plain: bool = False) -> TokenCache:
        clock = iter(range(0, 10**9, 1000))
        protection = KeyedProtection(path.name, store, monotonic=lambda: next(clock))
        return TokenCache(path, protection=protection, plain=plain)

    return new


def sign_in(cache: TokenCache, number: int, refreshed: int = 0, person: str = "object") -> None:
    """Store the sign-in of this number, or what a refresh makes of it."""
    account = Account("a@b.example", "A", "tenant", (), person, "home", f"sign-in {number}")
    entry = {"secret": f"{MARK}-{number}-{refreshed}", "home_account_id": "home", "client_id": "app"}
    cache.update(lambda _: with_account({"RefreshToken": {"k": entry}}, account))


def secret(cache: TokenCache) -> str:
    """The secret stored, without its mark; empty when nobody is signed in."""
    content = cache.read()
    assert (account_in(content) is None) == (content == {})
    return str(content.get("RefreshToken", {}).get("k", {}).get("secret", ""))[len(MARK) + 1 :]


def in_clear(path: Path) -> list[str]:
    """The secrets that lie in clear in any file of the folder."""
    return sorted(
        {found for file in path.parent.iterdir() for found in re.findall(f"{MARK}[-0-9]*", file.read_text("latin-1"))}
    )


def test_file_holds_no_secret_in_clear_and_comes_back_in_another_process(path: Path, opened: Any, store: Store) -> None:
    sign_in(opened(), 1)
    assert (secret(opened()), in_clear(path), opened().is_in_clear()) == ("1-0", [], False)
    assert opened().keeping() == opened().prospect() == Keeping(path, "a key store")
    assert opened().keeping().encrypted
    sign_in(opened(), 1, refreshed=1)
    assert (secret(opened()), in_clear(path)) == ("1-1", [])


def test_sign_out_removes_file_and_key(path: Path, opened: Any, store: Store) -> None:
    cache = opened()
    sign_in(cache, 1)
    copy = path.read_bytes()
    opened().erase()
    assert (store.key, cache.read(), sorted(os.listdir(path.parent))) == (None, {}, ["file.lock"])
    path.write_bytes(copy)
    path.chmod(0o600)
    with pytest.raises(AuthenticationRequiredError) as caught:
        cache.read()
    assert caught.value.kind == "cache_reset"
    sign_in(cache, 2)
    assert secret(opened()) == "2-0"


@pytest.mark.shows("F33")
@pytest.mark.parametrize("key", [None, bytes(32)], ids=["gone", "another"])
def test_file_whose_key_is_gone_is_removed_and_told(
    path: Path, opened: Any, store: Store, key: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(opened(), 1)
    store.key = key
    cache = opened()
    with pytest.raises(AuthenticationRequiredError) as caught:
        cache.read()
    assert (caught.value.kind, path.exists(), cache.read()) == ("cache_reset", False, {})
    assert caplog.messages == ["The saved sign-in could not be read and was removed; sign in again."]
    sign_in(cache, 2)
    assert secret(opened()) == "2-0"


@pytest.mark.shows("F39")
def test_locked_key_store_loses_nothing_and_is_told(path: Path, opened: Any, store: Store) -> None:
    sign_in(opened(), 1)
    before = path.read_bytes()
    store.locked = True
    cache = opened()
    for _ in range(2):
        with pytest.raises(AuthenticationRequiredError) as caught:
            cache.read()
    assert caught.value.kind == "cache_shut"
    assert str(caught.value) == (
        f"A sign-in is saved in {path}, encrypted, but it cannot be opened: the keyring is locked. Unlock the keyring "
        "and try again, or sign in again."
    )
    nothing = Keeping(None, "", "the keyring is locked", "Unlock the keyring")
    assert (cache.keeping(), cache.prospect(), cache.keeping().encrypted) == (nothing, nothing, False)
    assert path.read_bytes() == before
    store.locked = False
    assert secret(cache) == "1-0"


def test_process_goes_on_while_the_key_store_is_locked(path: Path, opened: Any, store: Store) -> None:
    cache = opened()
    sign_in(cache, 1)
    store.locked = True
    sign_in(cache, 1, refreshed=1)
    assert secret(cache) == "1-1"
    store.locked = False
    assert (secret(opened()), in_clear(path)) == ("1-1", [])


def test_sign_in_beside_a_locked_file_stays_in_memory(
    path: Path, opened: Any, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(opened(), 1)
    store.locked = True
    cache = opened()
    sign_in(cache, 2)
    sign_in(cache, 2, refreshed=1)
    assert (secret(cache), in_clear(path)) == ("2-1", [])
    assert caplog.messages == [
        "The sign-in cannot be saved and is kept in memory only: the keyring is locked (Unlock the keyring)."
    ]
    store.locked = False
    assert secret(opened()) == "1-0"
    sign_in(cache, 2, refreshed=2)
    assert secret(opened()) == "2-2"


@pytest.mark.parametrize("act", ["read", "refresh"])
def test_sign_in_of_another_person_ends_when_the_file_that_was_locked_can_be_opened(
    path: Path, opened: Any, store: Store, act: str
) -> None:
    sign_in(opened(), 1)
    before = path.read_bytes()
    store.locked = True
    cache = opened()
    sign_in(cache, 2, person="somebody else")
    assert secret(cache) == "2-0"
    known = cache.stamp()
    store.locked = False
    with pytest.raises(AuthenticationError) as caught:
        cache.read() if act == "read" else sign_in(cache, 2, refreshed=1, person="somebody else")
    assert (caught.value.kind, cache.stamp() != known) == ("other_account", True)
    assert (secret(cache), secret(opened()), path.read_bytes()) == ("1-0", "1-0", before)
    assert f"{MARK}-2" not in repr(vars(cache))
    cache.erase()
    assert (cache.read(), path.exists()) == ({}, False)


def test_key_store_that_opens_in_between_does_not_cost_the_unread_file(path: Path, opened: Any, store: Store) -> None:
    sign_in(opened(), 1)
    store.locked = True
    cache = opened()

    def change(_: Any) -> Any:
        store.locked = False
        return with_account({}, Account("a@b.example", "A", "tenant", (), "somebody else", "home", "sign-in 2"))

    cache.update(change)
    with pytest.raises(AuthenticationError, match="Another account signed in"):
        cache.read()
    assert (secret(cache), secret(opened())) == ("1-0", "1-0")


@pytest.mark.shows("F39")
def test_machine_without_a_key_store_keeps_the_sign_in_in_memory_only(
    path: Path, opened: Any, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.locked = True
    cache = opened()
    assert cache.keeping() == Keeping(None, "", "the keyring is locked", "Unlock the keyring")
    sign_in(cache, 1)
    assert (secret(cache), opened().read(), sorted(os.listdir(path.parent))) == ("1-0", {}, ["file.lock"])
    assert len(caplog.messages) == 1
    cache.erase()
    assert cache.read() == {}


def test_change_by_another_process_ends_what_was_held_in_memory(path: Path, opened: Any, store: Store) -> None:
    cache = opened()
    store.locked = True
    sign_in(cache, 1)
    stamp = cache.stamp()
    store.locked = False
    sign_in(opened(), 2)
    assert (secret(cache), cache.stamp() != stamp) == ("2-0", True)


@pytest.mark.shows("F33")
def test_plain_file_of_an_earlier_version_is_encrypted_and_that_is_said(
    path: Path, opened: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(TokenCache(path), 1)
    assert (in_clear(path), opened().is_in_clear()) == ([f"{MARK}-1-0"], True)
    cache = opened()
    assert (secret(cache), secret(opened()), in_clear(path)) == ("1-0", "1-0", [])
    assert caplog.messages == [f"The saved sign-in in {path} was in clear and is encrypted now."]
    assert not opened().is_in_clear()


def test_plain_file_that_cannot_be_encrypted_stays_in_use_and_that_is_said(
    path: Path, opened: Any, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(TokenCache(path), 1)
    store.locked = True
    cache = opened()
    assert (secret(cache), secret(cache)) == ("1-0", "1-0")
    sign_in(cache, 1, refreshed=1)
    assert (secret(opened()), in_clear(path)) == ("1-1", [f"{MARK}-1-1"])
    assert cache.keeping() == Keeping(path, "", "the keyring is locked", "Unlock the keyring")
    assert cache.prospect() == Keeping(None, "", "the keyring is locked", "Unlock the keyring")
    assert set(caplog.messages) == {
        f"The saved sign-in in {path} is in clear, as an earlier version or `--cache plain` left it, and cannot be "
        "encrypted: the keyring is locked (Unlock the keyring). It stays in use; `copilot-mcp logout` removes it."
    }
    store.locked = False
    sign_in(cache, 1, refreshed=2)
    assert (secret(opened()), in_clear(path)) == ("1-2", [])


def test_new_sign_in_is_never_put_in_clear_in_the_place_of_a_plain_one(path: Path, opened: Any, store: Store) -> None:
    sign_in(TokenCache(path), 1)
    store.locked = True
    cache = opened()
    sign_in(cache, 2)
    assert (secret(cache), in_clear(path), path.exists()) == ("2-0", [], False)


def test_change_without_a_sign_in_does_not_hide_a_locked_file(path: Path, opened: Any, store: Store) -> None:
    sign_in(opened(), 1)
    store.locked = True
    cache = opened()
    cache.update(lambda content: {**content, "AccessToken": {}})
    with pytest.raises(AuthenticationRequiredError, match="the keyring is locked"):
        cache.read()
    store.locked = False
    assert secret(cache) == "1-0"


def test_refresh_of_a_sign_in_in_memory_is_not_put_in_clear_beside_another_ones_plain_file(
    path: Path, opened: Any, store: Store
) -> None:
    cache = opened()
    sign_in(TokenCache(path), 1)
    store.locked = True
    sign_in(cache, 2)
    sign_in(TokenCache(path), 3)
    cache.read()
    sign_in(cache, 2, refreshed=1)
    sign_in(cache, 2, refreshed=2)
    assert (secret(cache), in_clear(path)) == ("2-2", [])


def test_plain_file_is_made_only_where_it_is_asked_for(path: Path, opened: Any, store: Store) -> None:
    asked = Keeping(
        path,
        "",
        "a plain file was asked for (`--cache plain`)",
        "Leave `--cache plain` out where a keyring can be had, or use `--cache memory`",
    )
    plain = opened(plain=True)
    assert plain.prospect() == plain.keeping() == asked
    sign_in(plain, 1)
    assert (json.loads(path.read_text())["RefreshToken"]["k"]["secret"], plain.keeping()) == (f"{MARK}-1-0", asked)
    assert store.key is None


def test_refresh_never_puts_in_clear_what_was_encrypted(path: Path, opened: Any, store: Store) -> None:
    sign_in(opened(), 1)
    plain = opened(plain=True)
    assert (secret(plain), plain.keeping()) == ("1-0", Keeping(path, "a key store"))
    sign_in(plain, 1, refreshed=1)
    assert (secret(opened()), in_clear(path)) == ("1-1", [])
    sign_in(plain, 2)
    assert in_clear(path) == [f"{MARK}-2-0"]


def test_plain_file_never_takes_the_place_of_one_that_cannot_be_opened(path: Path, opened: Any, store: Store) -> None:
    sign_in(opened(), 1)
    before = path.read_bytes()
    store.locked = True
    plain = opened(plain=True)
    nothing = Keeping(None, "", "the keyring is locked", "Unlock the keyring")
    assert (plain.prospect(), plain.prospect().occupied, plain.keeping()) == (nothing, True, nothing)
    sign_in(plain, 2)
    assert (secret(plain), in_clear(path), path.read_bytes()) == ("2-0", [], before)
    store.locked = False
    assert secret(opened()) == "1-0"


def test_cache_without_protection_leaves_an_encrypted_file_alone(path: Path, opened: Any) -> None:
    sign_in(opened(), 1)
    before = path.read_bytes()
    cache = TokenCache(path)
    with pytest.raises(AuthenticationRequiredError) as caught:
        cache.read()
    assert (caught.value.kind, path.read_bytes()) == ("cache_shut", before)
    cache.erase()
    assert not path.exists()


def test_file_that_others_may_read_is_not_called_in_clear_before_it_is_refused(path: Path, opened: Any) -> None:
    sign_in(TokenCache(path), 1)
    path.chmod(0o644)
    assert not opened().is_in_clear()
