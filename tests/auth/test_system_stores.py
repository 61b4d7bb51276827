"""DPAPI and the Keychain behind stand-ins for the system's calls: what Windows and macOS would be asked, and the
envelope around it. Nothing here shows that those systems answer as msal-extensions says."""

import threading
from typing import Any, Self

import pytest

from copilot_mcp.auth.dpapi import DataProtection
from copilot_mcp.auth.keychain import Keychain
from copilot_mcp.auth.protection import DamagedSealError, NoProtectionError, is_sealed

NAME = "0123456789abcdef.json"
TEXT = b'{"secret": "SECRETMARK"}'
KEY = bytes(range(32))


class Windows:
    """Encrypts by turning bytes over, for one entropy."""

    def __init__(self, entropy: str, failure: int | None = None) -> None:
        self.entropy = entropy.encode()
        self.failure = failure

    def protect(self, text: str) -> bytes:
        self._fail()
        return self.entropy + bytes(byte ^ 255 for byte in text.encode())

    def unprotect(self, data: bytes) -> str:
        self._fail()
        if not data.startswith(self.entropy):
            raise WindowsRefusalError(13)
        return bytes(byte ^ 255 for byte in data[len(self.entropy) :]).decode()

    def _fail(self) -> None:
        if self.failure is not None:
            raise WindowsRefusalError(self.failure)


class WindowsRefusalError(OSError):
    """An error as Windows raises it, with its number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.winerror = number


class ItemNotFoundError(OSError):
    """An error as msal-extensions raises it for an item that is not there."""

    exit_status = -25300


def windows(failure: int | None = None) -> DataProtection:
    return DataProtection(NAME, open_agent=lambda entropy: Windows(entropy, failure))


def test_windows_encrypts_and_decrypts_the_whole_file() -> None:
    sealed = windows().seal(TEXT, None)
    assert (is_sealed(sealed), b"SECRETMARK" in sealed, windows().unseal(sealed)) == (True, False, TEXT)
    windows().prove()
    windows().prepare()
    windows().release()
    windows().forget()
    assert windows().name.startswith("Windows (DPAPI")


def test_bytes_that_windows_calls_invalid_can_never_be_opened() -> None:
    other = DataProtection("fedcba9876543210.json", open_agent=Windows).seal(TEXT, None)
    for sealed in (other, b"copilot-mcp sealed 1 key\n", b"copilot-mcp sealed 2 dpapi\n"):
        with pytest.raises(DamagedSealError):
            windows().unseal(sealed)


def test_account_that_windows_does_not_know_loses_nothing() -> None:
    sealed = windows().seal(TEXT, None)
    with pytest.raises(NoProtectionError, match="cannot decrypt it for this account"):
        windows(-2146893813).unseal(sealed)
    for use in (windows(5).prove, lambda: windows(5).seal(TEXT, None)):
        with pytest.raises(NoProtectionError, match="Windows refused to encrypt"):
            use()


def test_windows_that_decrypts_to_something_else_is_not_trusted() -> None:
    class Wrong(Windows):
        def unprotect(self, data: bytes) -> str:
            return "another"

    class Broken(Windows):
        def unprotect(self, data: bytes) -> str:
            raise WindowsRefusalError(13)

    for agent in (Wrong, Broken):
        with pytest.raises(NoProtectionError, match="did not give back"):
            DataProtection(NAME, open_agent=agent).prove()


def test_dpapi_is_not_there_on_this_system() -> None:
    for use in (
        lambda: DataProtection(NAME).seal(TEXT, None),
        lambda: DataProtection(NAME).unseal(b"copilot-mcp sealed 1 dpapi\n"),
    ):
        with pytest.raises(NoProtectionError):
            use()


class Mac:
    """A Keychain of a dictionary."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], str] = {}
        self.failure: Exception | None = None
        self.kept = True

    def __enter__(self) -> Self:
        if self.failure is not None:
            raise self.failure
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def get_generic_password(self, service: str, account: str) -> str:
        if (service, account) not in self.items:
            raise ItemNotFoundError
        return self.items[service, account]

    def set_generic_password(self, service: str, account: str, value: str) -> None:
        if self.kept:
            self.items[service, account] = value


@pytest.fixture
def mac() -> Mac:
    return Mac()


def test_keychain_keeps_replaces_and_empties_the_key(mac: Mac) -> None:
    store = Keychain(NAME, open_keychain=lambda: mac)
    assert store.get() is None
    store.delete()
    assert mac.items == {}
    store.put(KEY[::-1])
    store.put(KEY)
    store.prove()
    assert Keychain(NAME, open_keychain=lambda: mac).get() == KEY
    store.delete()
    assert (store.get(), mac.items["copilot-mcp", NAME]) == (None, "")
    mac.items["copilot-mcp", NAME] = "not base64!"
    assert store.get() is None


def test_keychain_that_refuses_or_forgets_is_told(mac: Mac) -> None:
    store = Keychain(NAME, open_keychain=lambda: mac)
    mac.kept = False
    with pytest.raises(NoProtectionError, match="did not give back"):
        store.prove()
    mac.failure = OSError(-25308)
    with pytest.raises(NoProtectionError, match=r"cannot be used \(OSError\)"):
        store.get()


def test_keychain_error_other_than_not_found_is_told() -> None:
    class Denying(Mac):
        def get_generic_password(self, service: str, account: str) -> str:
            raise OSError("denied")

    with pytest.raises(NoProtectionError, match=r"cannot be used \(OSError\)"):
        Keychain(NAME, open_keychain=Denying).get()


def test_keychain_that_waits_for_a_person_is_given_up_in_time(mac: Mac) -> None:
    answered = threading.Event()

    def asking() -> Any:
        answered.wait(10)
        return mac

    with pytest.raises(NoProtectionError, match=r"did not answer within 0\.05 seconds"):
        Keychain(NAME, limit_s=0.05, open_keychain=asking).get()
    answered.set()
    assert Keychain(NAME, open_keychain=asking).get() is None


def test_keychain_is_not_there_on_this_system() -> None:
    with pytest.raises(NoProtectionError, match="the Keychain cannot be used"):
        Keychain(NAME).get()
