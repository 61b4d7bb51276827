"""The search over everything the suite prints sees what a test captures itself, too."""

import click
import pytest
from click.testing import CliRunner

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
