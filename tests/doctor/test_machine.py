"""Python, versions, and whether a host finds the program."""

import sys
from pathlib import Path

import pytest

from copilot_mcp.doctor import Verdict
from copilot_mcp.doctor.machine import (
    fits,
    installed_versions,
    place_finding,
    program_finding,
    python_finding,
    requirements,
    version_findings,
)

ALL = {"copilot-mcp": "0.1.0", "mcp": "2.3.0", "msal": "1.39.0", "httpx": "0.28.1", "pydantic": "2.14.0"}
NEEDED = {"mcp": "<3,>=2.3", "msal": "<2,>=1.36", "httpx": "<1,>=0.28"}


def test_python_is_named_with_its_path() -> None:
    found = python_finding()
    assert found.verdict is Verdict.OK
    assert f"at {sys.executable}." in found.what


def test_what_is_installed_here_fits_what_is_asked_for() -> None:
    needed = requirements()
    assert {"mcp", "msal", "httpx", "pydantic"} <= set(needed)
    (found,) = version_findings(installed_versions(), needed)
    assert found.verdict is Verdict.OK
    assert set(found.facts) == set(ALL)
    assert requirements("no-such-package-of-ours") == {}


def test_a_package_that_another_installation_has_spoilt_is_a_problem_with_the_command_that_repairs_it() -> None:
    _, mcp, msal = version_findings(ALL | {"mcp": "1.12.0", "msal": None}, NEEDED)
    assert (mcp.topic, mcp.verdict, mcp.what) == (
        "version:mcp",
        Verdict.PROBLEM,
        "mcp 1.12.0 does not go with copilot-mcp.",
    )
    assert mcp.remedy.startswith(f'Run: "{sys.executable}" -m pip install "mcp<3,>=2.3".')
    assert (msal.verdict, msal.what) == (Verdict.PROBLEM, "The package msal is not installed.")


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("2.3", ">=2.3.0", True),
        ("2.3.0rc1", ">=2.3", True),
        ("2.10", ">=2.9", True),
        ("3.0", "<3,>=2.3", False),
        ("2.2.9", "<3,>=2.3", False),
        ("strange", ">=1", False),
        ("1.0", "", True),
    ],
)
def test_versions_are_compared_by_number(version: str, wanted: str, expected: bool) -> None:
    assert fits(version, wanted) is expected


def test_a_package_that_is_not_there_has_no_version() -> None:
    assert installed_versions(["no-such-package-of-ours"]) == {"no-such-package-of-ours": None}


def test_the_place_says_how_to_sign_in() -> None:
    assert place_finding("a desktop", browser=True).what == (
        "This is a desktop: sign in by device code, whose page opens on any device, or with `copilot-mcp login "
        "--browser`."
    )
    assert place_finding("a container", browser=False).what == (
        "This is a container: sign in by device code, whose page opens on any device; a browser could not come back "
        "to it."
    )


def test_a_program_on_the_path_is_ok_another_one_a_warning_none_a_note(tmp_path: Path) -> None:
    python = str(tmp_path / "python")
    script = tmp_path / ("copilot-mcp.exe" if sys.platform == "win32" else "copilot-mcp")
    missing = program_finding(lambda name: None, python)
    assert missing.verdict is Verdict.NOTE
    assert missing.remedy == f'Give a host `command` {python} and `args` "-m", "copilot_mcp", "serve".'
    script.touch()
    assert program_finding(lambda name: str(script), python).verdict is Verdict.OK
    other = program_finding(lambda name: "/elsewhere/copilot-mcp", python)
    assert (other.verdict, other.what) == (
        Verdict.WARNING,
        "`copilot-mcp` leads to another installation: /elsewhere/copilot-mcp.",
    )
    assert other.remedy == f"Give a host the whole path as `command`: {script}"
