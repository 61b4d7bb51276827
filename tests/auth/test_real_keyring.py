"""A sign-in kept with a real keyring: nothing in clear on any disk, back in another process, safe when it is locked."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from copilot_mcp.auth import Credential, SignInCache, TokenCache
from copilot_mcp.auth.sealing import KeyedProtection
from copilot_mcp.auth.secret_service import SecretService
from copilot_mcp.errors import AuthenticationRequiredError

pytestmark = pytest.mark.anyio

CLIENT = "22222222-2222-4222-8222-222222222222"
TENANT = "11111111-1111-4111-8111-111111111111"
FILES = ("Files.Read.All", "Sites.Read.All")


@pytest.fixture
def session(keyring: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The keyring as the one of this process's desktop session, unlocked."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", keyring.address)
    keyring.unlock()
    yield keyring
    keyring.resume(keyring.daemon)


@pytest.fixture
def cache(session: Any, tmp_path: Path) -> SignInCache:
    """The default cache of a profile, in a folder of its own."""
    return TokenCache.of("default", "global", TENANT, CLIENT, directory=tmp_path / "copilot-mcp")


@pytest.fixture
def status(session: Any, tmp_path: Path) -> Callable[[], "subprocess.CompletedProcess[str]"]:
    """`copilot-mcp status` in a process of its own, which finds the same folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COPILOT_MCP_")}
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    environment = kept | {"PYTHONPATH": paths, "XDG_DATA_HOME": str(tmp_path)}

    def run() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-P", "-m", "copilot_mcp", "status", "--tenant", TENANT, "--client-id", CLIENT]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run


def marked(*folders: Path) -> list[str]:
    """The files that hold a marked secret, or a word of MSAL's, in clear."""
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert files
    return [file.name for file in files for word in (b"SECRETMARK", b"AccessToken") if word in file.read_bytes()]


async def test_sign_in_is_encrypted_and_comes_back_in_another_process(
    session: Any, cache: TokenCache, credential: Credential, sign_in: Any, status: Any, tmp_path: Path
) -> None:
    await sign_in()
    assert (await credential.token(FILES)).endswith("SECRETMARK")
    assert marked(tmp_path, session.files) == []
    other = status()
    assert (other.returncode, other.stderr) == (0, "")
    assert "Signed in as Alice Adams <alice@contoso.example>" in other.stdout
    assert f"Sign-ins are kept in {cache.path}, encrypted; the Secret Service (the desktop's keyring)" in other.stdout
    assert "SECRETMARK" not in other.stdout
    await credential.sign_out()
    assert await credential.account() is None
    left = [cache.path.with_suffix(end).name for end in (".lock", ".prompt", ".refresh", ".signouts")]
    assert sorted(os.listdir(cache.path.parent)) == left


async def test_plain_file_of_an_earlier_version_is_encrypted_and_that_is_said(
    session: Any,
    credential: Credential,
    new_credential: Any,
    cache: TokenCache,
    sign_in: Any,
    tmp_path: Path,
    caplog: Any,
) -> None:
    await sign_in(by=new_credential(cache=TokenCache(cache.path)))
    assert set(marked(tmp_path)) == {cache.path.name}
    assert (await credential.account() is not None, marked(tmp_path, session.files)) == (True, [])
    assert f"The saved sign-in in {cache.path} was in clear and is encrypted now." in caplog.messages
    await credential.sign_out()


@pytest.mark.shows("F39")
async def test_locked_keyring_is_told_and_the_sign_in_is_there_again_after_it(
    session: Any, cache: TokenCache, new_credential: Any, sign_in: Any, status: Any
) -> None:
    await sign_in()
    session.lock()
    other = status()
    session.unlock()
    assert other.returncode == 1
    assert "it cannot be opened: the keyring is locked. Unlock the keyring and try again" in other.stderr
    later = new_credential(cache=TokenCache.of("default", "global", TENANT, CLIENT, directory=cache.path.parent))
    assert await later.token(FILES) == "access-1-SECRETMARK"
    await later.sign_out()


@pytest.mark.shows("F39")
async def test_keyring_that_hangs_costs_its_time_once_and_the_sign_in_is_kept(
    session: Any, cache: TokenCache, new_credential: Any, sign_in: Any
) -> None:
    await sign_in()
    slow = KeyedProtection(cache.path.name, SecretService(cache.path.name, limit_s=0.5))
    other = new_credential(cache=TokenCache(cache.path, protection=slow))
    threads = threading.active_count()
    session.stop(session.daemon)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(AuthenticationRequiredError, match=r"the keyring did not answer within 0\.5 seconds"):
            await other.token(FILES)
    took = time.monotonic() - began
    session.resume(session.daemon)
    assert 0.5 <= took < 2
    assert threading.active_count() <= threads + 1
    later = new_credential(cache=TokenCache.of("default", "global", TENANT, CLIENT, directory=cache.path.parent))
    assert await later.token(FILES) == "access-1-SECRETMARK"
    await later.sign_out()
