"""Every secret handed out bears a mark or is remembered, so that a leak is found and named."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from copilot_mcp.simulator import Simulator
from copilot_mcp.simulator.secrets_issued import SECRET_MARKS, SecretsIssued

Starter = Callable[..., Awaitable[dict[str, Any]]]


@pytest.mark.anyio
async def test_each_kind_is_remembered_and_marked(
    simulator: Simulator, start: Starter, sign_in: Starter, login: httpx.AsyncClient
) -> None:
    begun, tokens = await start(), await sign_in()
    query = {
        "client_id": "00000000-0000-4000-8000-00000000c0de",
        "response_type": "code",
        "redirect_uri": "http://localhost",
        "scope": "openid",
    }
    answer = simulator.identity.browse(f"https://login/organizations/oauth2/v2.0/authorize?{urlencode(query)}", "adele")
    assert not isinstance(answer, int)
    issued = {
        "device_code": begun["device_code"],
        "access_token": tokens["access_token"],
        "id_token": tokens["id_token"],
        "refresh_token": tokens["refresh_token"],
        "authorization_code": answer.members["code"],
    }

    for kind, value in issued.items():
        assert simulator.secrets_issued.values[value] == kind
        assert simulator.secrets_issued.found_in(f"before {value} after") == [kind]
        assert any(mark in value for mark in SECRET_MARKS), kind
    assert simulator.secrets_issued.values[begun["user_code"]] == "user_code"
    assert set(simulator.secrets_issued.values.values()) == {*issued, "user_code"}


@pytest.mark.anyio
async def test_user_codes_are_looked_for_when_asked(simulator: Simulator, start: Starter) -> None:
    code = (await start())["user_code"]

    assert simulator.secrets_issued.found_in(code) == []
    assert simulator.secrets_issued.found_in(code, shown=()) == ["user_code"]


def test_marks_stand_at_each_place_of_base64() -> None:
    for before in ("", "a", "ab", "abc"):
        text = json.dumps({"x": before, "uti": "simulated-secret-1"}, separators=(",", ":"))
        encoded = base64.urlsafe_b64encode(text.encode()).decode()
        assert any(mark in encoded for mark in SECRET_MARKS)


def test_a_secret_of_another_process_counts_as_marked() -> None:
    issued = SecretsIssued()

    assert issued.found_in("1.simulated-secret-abc") == ["marked"]
    assert issued.found_in("nothing") == []


def test_the_oldest_secrets_are_forgotten() -> None:
    issued = SecretsIssued()
    for number in range(50_001):
        issued.add("refresh_token", f"value-{number}")

    assert issued.found_in("value-0 ") == []
    assert issued.found_in("value-50000") == ["refresh_token"]


LEAKS = """
import logging

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJ1dGkiOiJzaW11bGF0ZWQtc2VjcmV0LTEifQ.x"
def test_quiet(): pass
def test_printed(): print("1.simulated-secret-abc")
def test_logged(): logging.getLogger("x").warning("got %s", JWT)
"""
BORROWED = """
import importlib.util
spec = importlib.util.spec_from_file_location("borrowed", {path!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
pytest_runtest_makereport = module.pytest_runtest_makereport
"""


def test_the_suite_fails_where_a_secret_is_printed_or_logged(tmp_path: Path) -> None:
    conftest = Path(__file__).parents[1] / "conftest.py"
    (tmp_path / "conftest.py").write_text(BORROWED.format(path=str(conftest)), "utf-8")
    (tmp_path / "test_leaks.py").write_text(LEAKS, "utf-8")
    command = [
        sys.executable,
        "-P",
        "-m",
        "pytest",
        "-q",
        "-rN",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        "-c",
    ]

    # The options of the run around this one are not its own, nor that it may be shown in full.
    foreign = ("PYTEST_ADDOPTS", "CI", "BUILD_NUMBER")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}

    # It goes into a file: what comes out of a pipe is searched.
    with (tmp_path / "report").open("w") as report:
        subprocess.run([*command, os.devnull, str(tmp_path)], stdout=report, timeout=60, check=False, env=environment)

    told = (tmp_path / "report").read_text("utf-8")
    assert "2 failed, 1 passed" in told
    assert told.count("printed or logged a secret (call)") == 2
