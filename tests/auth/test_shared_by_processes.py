"""Processes that share one sign-in: refresh together, write together, sign out together."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, TokenCache, open_http
from copilot_mcp.auth.cache_content import account_in
from copilot_mcp.errors import AuthenticationError
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

CLOUD = CLOUDS["simulated"]
MAIL = ("Mail.Read",)

TEN_THREADS = """
import hashlib, json, sys, threading
from pathlib import Path
import anyio
from copilot_mcp.auth import CLOUDS, Credential, LoopbackTransport, TokenCache, open_http

cloud, found, together = CLOUDS["simulated"], [], threading.Barrier(10)
cache = TokenCache(Path(sys.argv[2]))

async def one():
    async with open_http(LoopbackTransport(sys.argv[1])) as http:
        credential = Credential(cloud, cloud.tenant_id, cloud.client_id, cache, http)
        together.wait()
        token = await credential.token(["Mail.Read"])
        found.append(hashlib.sha256(token.encode()).hexdigest())

print("ready", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=anyio.run, args=(one,)) for _ in range(10)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([len(found), *set(found)]))
"""

FIFTY_WRITES = """
import sys
from pathlib import Path
from copilot_mcp.auth import TokenCache

cache, name = TokenCache(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(50):
    def change(content):
        content.setdefault("AppMetadata", {})[f"{name}-{number}"] = {"client_id": "app"}
        return content
    cache.update(change)
    cache.read()
    if name == "signs out" and number % 5 == 0:
        with cache.refreshing():
            cache.erase()
print("done")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "file.json"


@pytest.fixture
async def tenant(simulator: Simulator) -> Simulator:
    """A simulated tenant on a socket."""
    simulator.start()
    return simulator


@pytest.fixture
async def tenant_http(tenant: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose network is that tenant."""
    async with open_http(LoopbackTransport(tenant.url)) as http:
        yield http


@pytest.fixture
def four(path: Path) -> Callable[..., list[str]]:
    """Runs a program in four processes that begin together; what each printed."""

    def run(program: str, *arguments: list[str]) -> list[str]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        processes: list[Any] = [
            subprocess.Popen(
                [sys.executable, "-P", "-c", program, *arguments[number]], env=environment, text=True, **pipes
            )
            for number in range(4)
        ]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        ends = [process.communicate(timeout=90) for process in processes]
        assert [errors for _, errors in ends] == [""] * 4
        return [output.strip() for output, _ in ends]

    return run


async def sign_in(tenant: Simulator, http: httpx.AsyncClient, cache: TokenCache) -> Credential:
    credential = Credential(CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", cache, http)
    attempt = await credential.start_sign_in(MAIL)
    tenant.approve(attempt.user_code, "adele")
    await credential.finish_sign_in(attempt)
    return credential


def expire(content: dict[str, Any]) -> dict[str, Any]:
    for entry in content["AccessToken"].values():
        entry["expires_on"] = "1"
    return content


@pytest.mark.shows("F37", "F43", "F44")
async def test_four_processes_of_ten_threads_refresh_an_expired_token_once_under_strict_rotation(
    tenant: Simulator, tenant_http: httpx.AsyncClient, path: Path, four: Any
) -> None:
    tenant.identity.rotate_refresh_tokens("strict")
    credential = await sign_in(tenant, tenant_http, TokenCache(path))
    before = [entry["operation"] for entry in tenant.trace].count("token")
    TokenCache(path).update(expire)
    told = set(four(TEN_THREADS, *[[tenant.url, str(path)]] * 4))
    token = hashlib.sha256((await credential.token(MAIL)).encode()).hexdigest()
    assert [json.loads(line) for line in told] == [[10, token]]
    assert [entry["operation"] for entry in tenant.trace].count("token") - before == 1
    assert tenant.identity.refreshes("adele") == 1
    assert await credential.token(("Chat.Read",))  # the one refresh token that is good was kept
    assert sorted(os.listdir(path.parent)) == ["file.json", "file.lock", "file.prompt", "file.refresh"]


@pytest.mark.shows("F37", "L5")
async def test_four_processes_lose_no_write(path: Path, four: Any) -> None:
    assert four(FIFTY_WRITES, *[[str(path), name] for name in "abcd"]) == ["done"] * 4
    kept = TokenCache(path).read()["AppMetadata"]
    assert sorted(kept) == sorted(f"{name}-{number}" for name in "abcd" for number in range(50))
    assert sorted(os.listdir(path.parent)) == ["file.json", "file.lock"]


@pytest.mark.shows("F37", "L5")
async def test_processes_that_write_and_sign_out_together_leave_a_whole_cache(path: Path, four: Any) -> None:
    assert four(FIFTY_WRITES, *[[str(path), name] for name in ("a", "b", "c", "signs out")]) == ["done"] * 4
    assert "signs out-49" in TokenCache(path).read()["AppMetadata"]
    assert sorted(os.listdir(path.parent)) == ["file.json", "file.lock", "file.refresh"]


@pytest.mark.shows("F26", "L8")
@pytest.mark.parametrize("waiting", [False, True])
async def test_approval_after_cancelling_leaves_no_account_and_an_empty_cache(
    tenant: Simulator, tenant_http: httpx.AsyncClient, path: Path, waiting: bool
) -> None:
    cache, attempts = TokenCache(path), []

    async def cancel_and_approve(_: float = 0.0) -> None:
        credential.cancel_sign_in()
        tenant.approve(attempts[0].user_code, "adele")
        await anyio.lowlevel.checkpoint()

    credential = Credential(
        CLOUD, CLOUD.tenant_id or "", CLOUD.client_id or "", cache, tenant_http, sleep=cancel_and_approve
    )
    attempts.append(await credential.start_sign_in(MAIL))
    if not waiting:
        await cancel_and_approve()
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(attempts[0])
    assert caught.value.kind == "sign_in_cancelled"
    assert [entry["operation"] for entry in tenant.trace].count("token") == waiting
    assert (await credential.account(), cache.read(), path.exists()) == (None, {}, False)
    later = await sign_in(tenant, tenant_http, cache)
    assert (account_in(cache.read()), bool(await later.token(MAIL))) == (await later.account(), True)
