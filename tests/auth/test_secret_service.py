"""The key of a saved sign-in in a real keyring: there, locked, hanging, gone."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from copilot_mcp.auth.protection import NoProtectionError
from copilot_mcp.auth.secret_service import LIMIT_S, RUNTIME, SecretService, _connect, _told, _write

NAME = "0123456789abcdef.json"
KEY = bytes(range(32))
NO_SESSION = "there is no desktop session with a keyring (no D-Bus session bus)"


@pytest.fixture
def bus(keyring: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The keyring as the one of this process's session, unlocked, without our items."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", keyring.address)
    keyring.unlock()
    SecretService(NAME).delete()
    yield keyring
    for process in (keyring.bus, keyring.daemon):
        keyring.resume(process)


def refused(store: SecretService) -> str:
    """Why the store cannot be used, and that it said so in time."""
    began = time.monotonic()
    with pytest.raises(NoProtectionError) as caught:
        store.get()
    assert time.monotonic() - began < LIMIT_S
    assert caught.value.__suppress_context__
    return f"{caught.value.reason}. {caught.value.remedy}."


def items(bus: Any) -> list[dict[str, str]]:
    """The attributes of every item of ours."""
    import secretstorage

    with bus.connection() as connection:
        found = secretstorage.search_items(connection, {"application": "copilot-mcp"})
        return [item.get_attributes() for item in found]


def test_key_is_kept_replaced_and_removed(bus: Any) -> None:
    store = SecretService(NAME)
    assert store.get() is None
    store.put(KEY)
    store.put(KEY[::-1])
    assert SecretService(NAME).get() == KEY[::-1]
    assert len(items(bus)) == 1
    assert SecretService("another.json").get() is None
    store.delete()
    store.delete()
    assert (store.get(), items(bus)) == (None, [])


def test_trial_leaves_nothing_and_is_not_taken_for_the_key(bus: Any) -> None:
    store = SecretService(NAME)
    store.prove()
    assert (items(bus), store.get()) == ([], None)
    store.put(KEY)
    store.prove()
    assert store.get() == KEY


def test_key_comes_back_in_another_process(bus: Any) -> None:
    SecretService(NAME).put(KEY)
    code = f"from copilot_mcp.auth.secret_service import SecretService as S; print(S({NAME!r}).get().hex())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == KEY.hex()


def test_bus_at_its_usual_place_is_found_without_a_variable(
    bus: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    SecretService(NAME).put(KEY)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    usual = tmp_path / str(os.geteuid())
    usual.symlink_to(bus.environment["XDG_RUNTIME_DIR"])
    assert SecretService(NAME, runtime=tmp_path).get() == KEY
    assert refused(SecretService(NAME, runtime=tmp_path / "none")).startswith(NO_SESSION)
    elsewhere = tmp_path / "other" / str(os.geteuid())
    elsewhere.mkdir(parents=True)
    (elsewhere / "bus").write_text("no socket")
    assert refused(SecretService(NAME, runtime=tmp_path / "other")).startswith(NO_SESSION)


def test_locked_keyring_is_told_and_nobody_is_prompted(bus: Any) -> None:
    SecretService(NAME).put(KEY)
    bus.lock()
    assert refused(SecretService(NAME)) == "the keyring is locked. Unlock the keyring."
    with pytest.raises(NoProtectionError, match="the keyring is locked"):
        SecretService(NAME).put(KEY)
    bus.unlock()
    assert SecretService(NAME).get() == KEY


def test_keyring_that_wants_to_ask_a_person_is_not_let(bus: Any) -> None:
    import secretstorage

    with _connect(LIMIT_S, RUNTIME) as connection, pytest.raises(NoProtectionError, match="wants to ask a person"):
        secretstorage.create_collection(connection, "another")


@pytest.mark.parametrize("which", ["daemon", "bus"])
def test_keyring_that_hangs_is_given_up_in_time(bus: Any, which: str) -> None:
    SecretService(NAME).put(KEY)
    process = getattr(bus, which)
    bus.stop(process)
    threads = threading.active_count()
    words = refused(SecretService(NAME, limit_s=0.2))
    bus.resume(process)
    assert words == "the keyring did not answer within 0.2 seconds. Unlock the keyring."
    assert (threading.active_count(), SecretService(NAME).get()) == (threads, KEY)


@pytest.mark.shows("F39")
def test_five_seconds_are_the_limit() -> None:
    assert LIMIT_S == 5.0


def test_bus_that_talks_without_end_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from jeepney import DBusAddress, new_signal

    noise = new_signal(DBusAddress("/a", interface="a.b"), "c").serialise(serial=1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "bus"))
        listener.listen()
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/bus")

        def talk() -> None:
            link, _ = listener.accept()
            with link:
                heard = b""
                for end, answer in ((b"\r\n", b"OK 1234deadbeef\r\n"), (b"BEGIN\r\n", b"")):
                    while end not in heard:
                        heard += link.recv(1000)
                    link.sendall(answer)
                try:
                    while True:
                        link.sendall(noise)
                except OSError:
                    return

        talker = threading.Thread(target=talk)
        talker.start()
        assert refused(SecretService(NAME, limit_s=0.2)).startswith("the keyring did not answer")
        talker.join(timeout=10)
    assert not talker.is_alive()


@pytest.mark.usefixtures("no_keyring")
def test_machine_without_a_session_is_told_what_to_install() -> None:
    assert refused(SecretService(NAME)) == (
        f"{NO_SESSION}. Install and unlock a keyring (GNOME Keyring or KWallet) in this desktop session."
    )


def test_bus_without_a_keyring_is_told(keyring: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "session.conf"
    config.write_text(
        f"<busconfig><type>session</type><listen>unix:path={tmp_path}/bus</listen><auth>EXTERNAL</auth>"
        '<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>'
        '<allow own="*"/></policy></busconfig>'
    )
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"]
    quiet: dict[str, Any] = {"env": keyring.environment, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **quiet) as bare:
        try:
            assert bare.stdout is not None
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bare.stdout.readline().strip())
            words = refused(SecretService(NAME))
        finally:
            bare.terminate()
    assert words.startswith("no keyring is running. Install and unlock a keyring")


@pytest.mark.parametrize("secret", [b"not base64!", b""])
def test_item_that_holds_no_key_is_none(bus: Any, secret: bytes) -> None:
    import secretstorage

    with bus.connection() as connection:
        collection = secretstorage.get_collection_by_alias(connection, "default")
        collection.create_item("", {"application": "copilot-mcp", "cache": NAME}, secret)
    assert not SecretService(NAME).get()


class Forgetful:
    """A keyring that takes everything and gives nothing back."""

    def create_item(self, *_: object, **__: object) -> None:
        return None

    def search_items(self, _: dict[str, str]) -> list[object]:
        return []


def test_keyring_that_does_not_give_back_is_not_trusted() -> None:
    keyring: Any = Forgetful()
    with pytest.raises(NoProtectionError, match="did not give back what it was given"):
        _write(keyring, {}, KEY)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ModuleNotFoundError", "the Python package secretstorage is not installed"),
        ("ItemNotFoundException", "the keyring has no default collection"),
        ("DBusErrorResponse", "the keyring cannot be used (DBusErrorResponse)"),
    ],
)
def test_every_failure_has_its_words_and_none_quotes_the_library(name: str, reason: str) -> None:
    error = type(name, (Exception,), {})("SECRETMARK")
    told, remedy = _told(error, LIMIT_S)
    assert (told, "SECRETMARK" in told + remedy) == (reason, False)
