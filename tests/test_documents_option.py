"""`--documents`: what is said of files that were left out, and when."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from copilot_mcp.cli import app
from copilot_mcp.cli._simulated import StartedTenant


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, prog_name="copilot-mcp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nothing but what cannot be loaded."""
    (tmp_path / "huge.txt").write_bytes(b"x" * (4 * 1024 * 1024 + 1))
    (tmp_path / "old.txt").write_bytes(b"caf\xe9")
    return tmp_path


LEFT_OUT = "Files left out: 2, of which 1 larger than 4 MiB (huge.txt); 1 not UTF-8 (old.txt)."


@pytest.mark.parametrize("command", [("demo",), ("simulate", "--port", "0"), ("serve", "--simulate")])
def test_a_folder_of_files_that_cannot_be_loaded_is_refused_at_once_with_the_reasons(
    folder: Path, command: tuple[str, ...]
) -> None:
    result = run(*command, "--documents", str(folder))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: --documents {folder} holds no file that can be loaded. {LEFT_OUT} Name a folder of Markdown, text or "
        "HTML files in UTF-8, none larger than 4 MiB.\n"
    )


def test_a_folder_without_files_of_a_known_kind_is_refused_when_the_server_starts(tmp_path: Path) -> None:
    result = run("serve", "--simulate", "--documents", str(tmp_path))
    assert result.exit_code == 1
    assert "holds no Markdown, text or HTML file. Name a folder that does." in result.stderr


def test_what_was_left_out_is_said_when_the_server_starts(folder: Path) -> None:
    (folder / "page.md").write_text("# Leave\n\nSixteen weeks.\n", "utf-8")
    result = run("serve", "--simulate", "--documents", str(folder))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{LEFT_OUT}\n")


def test_a_folder_is_read_once(folder: Path) -> None:
    (folder / "page.md").write_text("# Leave\n\nSixteen weeks.\n", "utf-8")
    local = StartedTenant(folder, "adele", signs_in=True)
    assert local.load() is local.load()


def test_simulate_says_what_was_left_out(folder: Path) -> None:
    (folder / "page.md").write_text("# Leave\n\nSixteen weeks.\n", "utf-8")
    command = [sys.executable, "-P", "-m", "copilot_mcp", "simulate", "--port", "0", "--documents", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = list(itertools.takewhile(lambda line: not line.startswith("People"), process.stdout))
        process.terminate()
    assert f"{LEFT_OUT}\n" in said
