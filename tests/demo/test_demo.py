"""The demo as a person runs it: real child processes, every step, and a clear end when one fails."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from copilot_mcp.cli import app
from copilot_mcp.cli._simulated import load_tenant
from copilot_mcp.cli.demo import line_width, show
from copilot_mcp.demo import Screen

STEPS = [
    "1. A Microsoft 365 tenant on this machine",
    "2. Sign in by device code",
    "3. Start `copilot-mcp serve` as a host does, and list its tools",
    "4. Why this exists: a malformed filter, sent raw to Graph",
    "5. The same filter through copilot_retrieve",
    "6. build_filter makes one that holds",
    "7. copilot_retrieve with that filter",
    "8. The same question asked by two people with different rights",
    "9. copilot_chat, its text arriving as progress",
    "10. A follow-up in the same conversation",
]


def demo(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["demo", *arguments], prog_name="copilot-mcp")


def headings(output: str) -> list[str]:
    return re.findall(r"^\d+\. .*$", output, re.MULTILINE)


def test_the_built_in_company_shows_every_step() -> None:
    result = demo()
    assert result.exit_code == 0, result.output
    assert headings(result.stdout) == STEPS
    assert len(re.findall(r"^   \[\d+\.\d\d s\]$", result.stdout, re.MULTILINE)) == len(STEPS)
    text = " ".join(result.stdout.split())
    for sentence in (
        "Contoso is fiction.",
        "and enter the code",
        "Adele Vance, approves it now",
        "Server: Microsoft 365 Copilot (simulated tenant)",
        "HTTP 200,",
        "of them outside https://contoso.sharepoint.com/sites/HR1/ - without a word:",
        "Refused, nothing was sent:",
        'Write: Path:"https://contoso.sharepoint.com/sites/HR1/" AND | LastModifiedTime>2020-01-01',
        "3 hits, all inside the filter.",
        "Megan Bowen gets",
        "progress: ",
        "Turn 1, complete: True, web search off.",
        "Turn 2, complete: True, web search off.",
        "nothing left this machine.",
    ):
        assert sentence in text
    assert "Bearer" not in result.output


def test_a_folder_of_documents_with_a_question_and_a_trace(tmp_path: Path) -> None:
    for folder, name, words in (
        ("Engineering", "pumps.md", "---\nauthor: Ada\n---\n# Pumps\n\nA pump moves 40 litres a minute.\n"),
        ("Engineering", "valves.txt", "Valves close a pump line. They are checked each month.\n"),
        ("Sales", "prices.html", "<html><title>Prices</title><body><p>A pump costs 900 euros.</p></body></html>"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(words, "utf-8")
    (tmp_path / "odd.md").write_bytes(b"\xff")
    result = demo("How much does a pump move?", "--documents", str(tmp_path), "--trace")
    assert result.exit_code == 0, result.output
    assert headings(result.stdout) == STEPS
    assert "3 documents, 2 sites" in " ".join(result.stdout.split())
    assert "Files left out: 1 not UTF-8 (odd.md)." in " ".join(result.stdout.split())
    assert '"path": "/v1.0/copilot/retrieval"' in result.stdout
    for secret in ("Bearer", "access_token", "refresh_token", "device_code", "eyJ"):
        assert secret not in result.stdout


@pytest.mark.parametrize(
    ("words", "question", "sentence"),
    [
        (None, None, "holds no Markdown, text or HTML file."),
        ("# Pumps\n\nA pump moves 40 litres.\n", "xylophone?", "No document answers 'xylophone?'."),
    ],
)
def test_a_step_that_fails_ends_with_1_and_a_sentence(
    tmp_path: Path, words: str | None, question: str | None, sentence: str
) -> None:
    if words is not None:
        (tmp_path / "page.md").write_text(words, "utf-8")
    result = demo(*([question] if question else []), "--documents", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert words is None or "   1 document, 1 site, 0 connectors; people: " in result.stdout
    assert "The demo stopped" not in result.stderr  # what was given is to blame, and no step
    assert sentence in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("question", "status", "sentence"),
    [
        ("", 2, "The question is empty. Leave it out for the demo's own questions."),
        ("   ", 2, "The question is empty. Leave it out for the demo's own questions."),
        ("x" * 1501, 2, "The question has 1501 characters; 1500 are the most."),
        ("leave \udcff", 1, "The question is no Unicode text (character 7)."),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_before_the_demo_begins(
    question: str, status: int, sentence: str
) -> None:
    result = demo(question)
    assert (result.exit_code, result.stdout) == (status, "")
    assert sentence in result.stderr


def test_a_question_of_the_most_characters_is_asked(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Pumps\n\nA pump moves 40 litres.\n", "utf-8")
    result = demo("x" * 1500, "--documents", str(tmp_path))
    assert (result.exit_code, result.stderr.startswith("Error: No document answers ")) == (1, True)


def test_a_server_that_does_not_start_ends_with_1_and_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", str(Path("nowhere").absolute()))  # the child process finds no library
    result = demo()
    assert result.exit_code == 1
    sentence = " ".join(result.stderr.split())
    assert 'The demo stopped at "3. Start `copilot-mcp serve` as a host does, and list its tools".' in sentence
    assert "The server did not answer (Connection closed). It said: " in sentence
    assert "encodings" in sentence
    assert "Traceback" not in result.output


def test_a_demo_that_takes_too_long_is_ended_and_says_where_it_was() -> None:
    screen = Screen(lambda line: None, colour=False, width=96)
    stopped = re.escape('The demo stopped at "2. Sign in by device code". It had not ended after 0 s.')
    with pytest.raises(click.ClickException, match=stopped):
        show(screen, load_tenant(None), None, built_in=True, trace=False, limit_s=0)


@pytest.mark.parametrize(("columns", "width"), [(None, 96), (200, 96), (80, 80), (10, 40), (0, 40)])
def test_lines_fit_the_terminal(columns: int | None, width: int) -> None:
    assert line_width(columns) == width


def test_headings_break_between_words() -> None:
    lines: list[str] = []
    screen = Screen(lines.append, colour=False, width=40)
    with screen.step("A Microsoft 365 tenant on this machine"):
        pass
    assert lines[1:3] == ["1. A Microsoft 365 tenant on this", "machine"]
    assert screen.heading == "1. A Microsoft 365 tenant on this machine"


def test_the_screen_wraps_counts_and_colours() -> None:
    lines: list[str] = []
    times = iter([1.0, 3.5])
    screen = Screen(lines.append, colour=True, width=20, clock=lambda: next(times))
    with screen.step("First"):
        screen.say("one two three four five")
        screen.quote("a\nb\nc", most=2)
        screen.bad("no")
    assert lines == [
        "",
        "\033[1m\033[36m1. First\033[0m",
        "   one two three",
        "   four five",
        "\033[2m   | a\033[0m",
        "\033[2m   | b\033[0m",
        "\033[2m   | … 1 more lines\033[0m",
        "\033[31m   no\033[0m",
        "\033[2m   [2.50 s]\033[0m",
    ]
