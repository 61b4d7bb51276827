"""A file encrypted with a key that a key store holds. The store here is a stand-in for the operating system's."""

import pytest

from copilot_mcp.auth.protection import DamagedSealError, NoProtectionError, is_sealed
from copilot_mcp.auth.sealing import FAILURE_MEMORY_S, KEY_BYTES, KeyedProtection

NAME = "0123456789abcdef.json"
TEXT = b'{"AccessToken": {"k": {"secret": "SECRETMARK"}}}'


class Store:
    """A key store that can fail, and that counts its visits."""

    name = "a key store"

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.failing = False
        self.visits: list[str] = []

    def _visit(self, what: str) -> None:
        self.visits.append(what)
        if self.failing:
            raise NoProtectionError("it is locked", "Unlock it")

    def get(self) -> bytes | None:
        self._visit("get")
        return self.key

    def put(self, key: bytes) -> None:
        self._visit("put")
        self.key = key

    def delete(self) -> None:
        self._visit("delete")
        self.key = None

    def prove(self) -> None:
        self._visit("prove")


@pytest.fixture
def store() -> Store:
    return Store()


def test_sealed_bytes_hold_nothing_in_clear_and_come_back(store: Store) -> None:
    first, second = KeyedProtection(NAME, store), KeyedProtection(NAME, store)
    sealed = first.seal(TEXT, None)
    assert (is_sealed(sealed), b"SECRETMARK" in sealed, b"AccessToken" in sealed) == (True, False, False)
    assert second.unseal(sealed) == first.unseal(sealed) == TEXT
    assert (len(store.key or b""), first.name) == (KEY_BYTES, "a key store")
    assert first.seal(TEXT, sealed) != sealed


def test_key_store_is_asked_once_in_a_process(store: Store) -> None:
    protection = KeyedProtection(NAME, store)
    sealed = protection.seal(TEXT, None)
    for _ in range(3):
        assert protection.unseal(sealed) == TEXT
        sealed = protection.seal(TEXT, sealed)
        protection.prepare()
    assert store.visits == ["get", "put"]


def test_key_of_another_sign_in_is_fetched(store: Store) -> None:
    first, second = KeyedProtection(NAME, store), KeyedProtection(NAME, store)
    old = first.seal(TEXT, None)
    second.forget()
    new = second.seal(b"{}", None)
    assert first.unseal(new) == b"{}"
    with pytest.raises(DamagedSealError):
        first.unseal(old)
    assert first.unseal(first.seal(TEXT, new)) == second.unseal(new[:0] + first.seal(TEXT, new))


def test_key_in_memory_is_not_used_after_another_process_has_deleted_it(store: Store) -> None:
    first, second = KeyedProtection(NAME, store), KeyedProtection(NAME, store)
    first.seal(TEXT, None)
    second.forget()
    again = first.seal(TEXT, None)
    assert KeyedProtection(NAME, store).unseal(again) == TEXT


@pytest.mark.parametrize(
    "change",
    [
        lambda sealed: sealed[:-1],
        lambda sealed: sealed[:40],
        lambda sealed: sealed[:20],
        lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]),
        lambda sealed: sealed.replace(b"sealed 1", b"sealed 2"),
        lambda sealed: sealed.replace(b"key", b"aes"),
        lambda sealed: sealed + b"x",
    ],
)
def test_cut_or_changed_bytes_can_never_be_opened(store: Store, change: object) -> None:
    protection = KeyedProtection(NAME, store)
    assert callable(change)
    with pytest.raises(DamagedSealError):
        protection.unseal(change(protection.seal(TEXT, None)))


def test_file_of_another_name_cannot_be_put_in_its_place(store: Store) -> None:
    with pytest.raises(DamagedSealError):
        KeyedProtection("fedcba9876543210.json", store).unseal(KeyedProtection(NAME, store).seal(TEXT, None))


@pytest.mark.parametrize("key", [None, b"short", bytes(KEY_BYTES)])
def test_key_that_is_gone_or_another_closes_the_file_for_ever(store: Store, key: bytes | None) -> None:
    sealed = KeyedProtection(NAME, store).seal(TEXT, None)
    store.key = key
    with pytest.raises(DamagedSealError):
        KeyedProtection(NAME, store).unseal(sealed)


def test_locked_store_loses_nothing_and_is_left_alone_for_a_while(store: Store) -> None:
    now = 0.0
    sealed = KeyedProtection(NAME, store).seal(TEXT, None)
    protection = KeyedProtection(NAME, store, monotonic=lambda: now)
    store.failing, store.visits = True, []
    protection.prepare()
    for use in (lambda: protection.unseal(sealed), lambda: protection.seal(TEXT, None), protection.prove):
        with pytest.raises(NoProtectionError) as caught:
            use()
        assert (caught.value.reason, caught.value.remedy) == ("it is locked", "Unlock it")
    protection.forget()
    assert store.visits == ["get"]
    store.failing, now = False, FAILURE_MEMORY_S
    assert protection.unseal(sealed) == TEXT


def test_process_that_has_the_key_does_not_mind_a_locked_store(store: Store) -> None:
    protection = KeyedProtection(NAME, store)
    sealed = protection.seal(TEXT, None)
    store.failing = True
    assert protection.unseal(protection.seal(TEXT, sealed)) == TEXT


def test_proof_writes_only_where_there_is_no_key(store: Store) -> None:
    KeyedProtection(NAME, store).prove()
    store.key = bytes(KEY_BYTES)
    KeyedProtection(NAME, store).prove()
    assert store.visits == ["get", "prove", "get"]


def test_key_is_not_shown(store: Store) -> None:
    protection = KeyedProtection(NAME, store)
    protection.seal(TEXT, None)
    assert repr(protection._key) == "_Key()"
