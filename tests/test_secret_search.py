"""The search over everything the suite prints sees what a test captures itself, too."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from copilot_mcp.errors import AuthenticationError
from copilot_mcp.simulator.secrets_issued import SECRET_MARKS


@pytest.mark.parametrize("mark", SECRET_MARKS)
@pytest.mark.parametrize("err", [False, True])
def test_secret_that_a_command_prints_fails_the_test_that_runs_it(mark: str, err: bool) -> None:
    @click.command()
    def command() -> None:
        click.echo(f"before {mark} after", err=err)

    with pytest.raises(AssertionError, match="a secret was printed"):
        CliRunner().invoke(command)


def test_secret_that_a_test_reads_out_of_the_capture_fails_it(capsys: pytest.CaptureFixture[str]) -> None:
    print(SECRET_MARKS[0])  # noqa: T201 - what is captured is the subject
    with pytest.raises(AssertionError, match="a secret was printed"):
        capsys.readouterr()


def test_secret_of_a_process_that_a_test_reads_out_fails_it(capfd: pytest.CaptureFixture[str]) -> None:
    print(SECRET_MARKS[0])  # noqa: T201 - what is captured is the subject
    with pytest.raises(AssertionError, match="a secret was printed"):
        capfd.readouterr()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("text", [True, False])
def test_secret_that_a_process_writes_into_a_pipe_fails_the_test_that_reads_it(stream: str, text: bool) -> None:
    program = f"import sys; sys.{stream}.write({SECRET_MARKS[0]!r})"
    with pytest.raises(AssertionError, match="a secret was printed"):
        subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=text, check=True)


@pytest.mark.parametrize("place", ["message", "hint", "code", "cause"])
def test_secret_in_a_refusal_fails_the_test_that_expects_it(place: str) -> None:
    error = AuthenticationError("Refused.", kind="bad_answer")
    if place == "cause":
        error.__cause__ = ValueError(SECRET_MARKS[0])
    else:
        setattr(error, place, SECRET_MARKS[0])
    with pytest.raises(AssertionError, match="a secret was printed"), pytest.raises(AuthenticationError):
        raise error


def test_refusal_hides_what_it_was_raised_in_place_of() -> None:
    error = AuthenticationError("Refused.", kind="bad_answer")
    with pytest.raises(AuthenticationError):
        try:
            raise ValueError(SECRET_MARKS[0])
        except ValueError:
            raise error from None
