"""What can go wrong with a sign-in and who may be up to something, each with a number; every one is shown by a test.

A test says what it shows by the mark `shows`, with the numbers or with rows that begin with one:
`pytest -k F14` runs such rows. The mark also holds the test to what follows any fault (`tests/conftest.py`): bounded
time, and no thread, task, lock or temporary file left behind. Secrets are searched for in everything.
"""

import ast
import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from copilot_mcp.auth.file_lock import locked

TESTS = Path(__file__).parents[1]

FAULTS = {
    # The sign-in service and the way to it.
    "F1": "connection refused",
    "F2": "the name is not known",
    "F3": "a certificate of nobody's, expired, or for another name",
    "F4": "a request that is never answered",
    "F5": "an answer of one byte a second",
    "F6": "an answer that is cut in the middle, with tokens in it",
    "F7": "a page where JSON was due",
    "F8": "JSON that is no object",
    "F9": "no access token, an odd one, an empty one",
    "F10": "a lifetime that is missing, text, negative, zero, or a million years",
    "F11": "an ID token that is broken, another person's, another tenant's",
    "F12": "no client_info",
    "F13": "fewer permissions than asked for",
    "F14": "a hundred megabytes, as they are or compressed",
    "F15": "a redirect to plain http or to another host",
    "F16": "429, with every form of Retry-After and without",
    "F17": "500, 502 and 503: once, for a minute, for ever",
    "F18": "a success with a Retry-After",
    "F19": "a discovery document that is missing, too large, or leads elsewhere",
    "F20": "keys that are missing, doubled, of another kind, too many, rotated, or not to be had",
    # The sign-in by device code.
    "F21": "every error that ends it",
    "F22": "slow_down without end",
    "F23": "an interval of 0, -1, text, or a million",
    "F24": "a code that lives for 0 seconds, for ever, or for a time that is not said",
    "F25": "a page, a message or a code made to deceive",
    "F26": "cancelled before, during and after the approval",
    "F27": "two starts at once",
    "F28": "the caller or the server goes away while it waits",
    "F29": "approved by somebody of another tenant, with a personal account, or by no person",
    "F30": "a server error in the middle",
    "F31": "a code that was redeemed already",
    # The saved sign-in.
    "F32": "a file that is empty, cut, binary, of another form, too deep or too large",
    "F33": "a file of another version, under another key, or without one",
    "F34": "a file, a lock or a folder that others may use, have planted, or own",
    "F35": "a disk that is full, read-only, or whose folder vanishes",
    "F36": "a process killed while it saves or holds a lock",
    "F37": "processes that write, refresh and sign out together",
    "F38": "a clock that jumps a year",
    "F39": "a key store that is not there, locked, or hangs",
    "F40": "a sign-out, or another sign-in, during a refresh",
    "F41": "a lock that a living process never lets go",
    "F42": "two profiles whose names differ in case only",
    # The provider of tokens.
    "F43": "many callers, threads and processes on one expired token",
    "F44": "a refresh token that is revoked, spent, or expired by policy",
    "F45": "a refresh that fails while the old token is good",
    "F46": "a caller cancelled during a refresh that others wait for",
    "F47": "a claims challenge that is well formed, malformed, oversized, or endless",
    "F48": "permissions spelt in another case",
    "F49": "a token that ends between check and use",
    "F66": "names of profiles that are paths, devices, too long, or look like others",
}
THREATS = {
    "L1": "anything on standard output that is not the protocol's",
    "L2": "another user or process of this machine",
    "L3": "a web page that reaches a loopback port under a name of its own",
    "L4": "a saved sign-in that others can read, or have planted",
    "L5": "a saved sign-in that crashes and races lose or mix",
    "L6": "a profile name that leads elsewhere",
    "L7": "a model that talks the person into approving",
    "L8": "a token that lands after the sign-in was cancelled",
    "L9": "secrets in arguments, environments and tracebacks",
    "L10": "a sign-in service that sends the person or the client elsewhere",
    "L11": "a dependency that nothing declares",
}


def shown(path: Path) -> Iterator[str]:
    """The numbers that the tests of a file bear: those in a mark, and the first of each row under a bare mark."""
    text = path.read_text("utf-8")
    tree = ast.parse(text if "mark.shows" in text else "")
    everywhere = any(
        isinstance(node, ast.Assign)
        and ast.unparse(node).startswith("pytestmark")
        and "mark.shows" in ast.unparse(node)
        for node in tree.body
    )
    for test in ast.walk(tree):
        if not isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) or not test.name.startswith("test_"):
            continue
        marked = everywhere or any("mark.shows" in ast.unparse(each) for each in test.decorator_list)
        for decorator in test.decorator_list if marked else ():
            constants = [node.value for node in ast.walk(decorator) if isinstance(node, ast.Constant)]
            yield from (value for value in constants if isinstance(value, str) and value in FAULTS | THREATS)
            if ast.unparse(decorator).startswith("pytest.mark.shows("):
                yield from map(str, constants)


def test_every_fault_and_every_threat_is_shown_and_no_other() -> None:
    found = {number for path in TESTS.rglob("test_*.py") for number in shown(path)}
    assert found == FAULTS.keys() | THREATS.keys()
    assert list(FAULTS) == [f"F{number}" for number in (*range(1, 50), 66)]
    assert list(THREATS) == [f"L{number}" for number in range(1, 12)]


def test_thread_file_and_lock_that_stay_are_found(left_behind: Any, tmp_path: Path) -> None:
    before, done = set(threading.enumerate()), threading.Event()
    thread = threading.Thread(target=done.wait, name="the orphan")
    thread.start()
    (tmp_path / "file.json.1.ab.tmp").touch()
    try:
        with locked(tmp_path / "file.lock", 0), locked(tmp_path / "file.refresh", 0):
            found = list(left_behind(before, tmp_path, 0.0))
    finally:
        done.set()
        thread.join()
    told = ["the orphan runs", "file.json.1.ab.tmp is half written", "file.lock is locked", "file.refresh is locked"]
    assert found == told
    (tmp_path / "file.json.1.ab.tmp").unlink()
    assert list(left_behind(before, tmp_path)) == []


@pytest.mark.anyio
async def test_task_that_stays_is_found(orphans: Any) -> None:
    before = asyncio.all_tasks()
    task = asyncio.create_task(asyncio.Event().wait())
    assert await orphans(before, 0.0) == {task}
    task.cancel()
    assert await orphans(before) == set()
