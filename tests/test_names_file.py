"""Settings files: what nicknames may be set, where they are looked for, and every way such a file can be wrong."""

import os
from pathlib import Path

import pytest

from copilot_mcp.cli import _names
from copilot_mcp.cli._names import names_from, read_names, settings_files
from copilot_mcp.cli.doctor import files_read
from copilot_mcp.errors import SettingsError
from copilot_mcp.kql.names import NAME_KINDS

WHOLE = """
[names.sites]
" HR   team " = "https://contoso.sharepoint.com/sites/HR/"
Legal = "e2cf7e40-d689-41de-99ee-a423811a253c"
[names.folders]
Policies = "https://contoso.sharepoint.com/sites/HR/Policies/"
[names.labels]
Confidential = "f0ddcc93-d3c0-4993-b5cc-76b0a283e252"
[names.connections]
tickets = "ContosoIT"
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "settings.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_every_kind_of_name_is_read(tmp_path: Path) -> None:
    assert read_names(written(tmp_path, WHOLE)) == {
        "sites": {
            "HR team": "https://contoso.sharepoint.com/sites/HR/",
            "Legal": "e2cf7e40-d689-41de-99ee-a423811a253c",
        },
        "folders": {"Policies": "https://contoso.sharepoint.com/sites/HR/Policies/"},
        "labels": {"Confidential": "f0ddcc93-d3c0-4993-b5cc-76b0a283e252"},
        "connections": {"tickets": "ContosoIT"},
    }
    assert tuple(_names._FORMS) == NAME_KINDS


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[name.sites]", "has an unknown section [name]. Did you mean [names]?"),
        ("[names.site]", "has an unknown section [names.site]. Did you mean [names.sites]?"),
        ("[names.zzz]", "There is: sites, folders, labels, connections."),
        ("names = 1", "`names` is no table. Write it as a section [names]."),
        ("[names]\nsites = 1", "`names.sites` is no table."),
        ("[names.sites]\nHR = 1", "[names.sites] 'HR' does not stand for an https address or a site collection id."),
        ('[names.sites]\nHR = "HR"', "does not stand for an https address"),
        ('[names.folders]\nHR = "e2cf7e40-d689-41de-99ee-a423811a253c"', "does not stand for an https address."),
        ('[names.labels]\nHR = "Secret"', "does not stand for the id of a sensitivity label."),
        ('[names.connections]\nHR = "a b"', "does not stand for a connection id"),
        ('[names.sites]\n" " = "https://contoso.sharepoint.com/"', "does not stand for"),
        (
            '[names.connections]\nHR = "ContosoHR"\nhr = "OtherHR"',
            "[names.connections] 'hr' stands for two things. Case is not told apart: rename one.",
        ),
        ("[names", "is no TOML"),
        (b"#\xff", "is not UTF-8 (byte 1). Convert it."),
        ("#" * (1024 * 1024 + 1), "is larger than 1 MiB."),
    ],
)
def test_a_wrong_file_is_refused_with_the_entry(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        read_names(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_named_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read .* --settings"):
        names_from(tmp_path / "none.toml")


@pytest.fixture
def usual_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, ...]:
    """The operator's and the person's settings file, in a folder of the test."""
    if os.name != "posix":
        pytest.skip("where settings are looked for is moved by XDG variables, which only POSIX systems read")
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "site"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("HOME", str(tmp_path))
    files = settings_files()
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    return files


def test_the_persons_names_come_before_the_operators(usual_places: tuple[Path, ...]) -> None:
    operators, persons = usual_places
    assert names_from(None) == {}
    operators.write_text('[names.connections]\ntickets = "ContosoIT"\nhr = "ContosoHR"\n', "utf-8")
    persons.write_text('[names.connections]\nTickets = "MyTickets"\n', "utf-8")
    assert names_from(None) == {"connections": {"Tickets": "MyTickets", "hr": "ContosoHR"}}


def test_a_folder_in_the_place_of_a_settings_file_is_said(usual_places: tuple[Path, ...]) -> None:
    usual_places[1].mkdir()
    with pytest.raises(SettingsError, match=r"cannot be read \(Is a directory\)"):
        names_from(None)
    (_, persons) = files_read(None, simulated=False)
    assert (persons.path, persons.names) == (str(usual_places[1]), None)
    assert persons.error is not None


def test_a_simulated_tenant_reads_only_a_file_that_was_named(usual_places: tuple[Path, ...]) -> None:
    persons = usual_places[1]
    persons.write_text('[names.connections]\ntickets = "MyTickets"\n', "utf-8")
    assert names_from(None, simulated=True) == {}
    assert names_from(persons, simulated=True) == {"connections": {"tickets": "MyTickets"}}
