"""The settings files: nicknames that an operator set for everybody, and a person for themselves.

[names.sites]
HR = "https://contoso.sharepoint.com/sites/HR/"

[names.labels]
Confidential = "f0ddcc93-d3c0-4993-b5cc-76b0a283e252"
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from copilot_mcp.errors import SettingsError

__all__ = ["FILE_NAME", "names_from", "read_names", "settings_files"]

FILE_NAME: Final = "settings.toml"
SECTION: Final = "names"
MAX_BYTES: Final = 1024 * 1024

_ADDRESS = re.compile(r"https://[^/\s]+(/\S.*)?", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CONNECTION = re.compile(r"[A-Za-z0-9]{3,32}")
_FORMS: Final = {
    "sites": ((_ADDRESS, _GUID), "an https address or a site collection id"),
    "folders": ((_ADDRESS,), "an https address"),
    "labels": ((_GUID,), "the id of a sensitivity label"),
    "connections": ((_CONNECTION,), "a connection id of 3 to 32 letters and digits"),
}


def settings_files() -> tuple[Path, ...]:
    """Where settings are looked for when no file is named: the operator's, then the person's."""
    from platformdirs import site_config_path, user_config_path

    folders = site_config_path("copilot-mcp", appauthor=False), user_config_path("copilot-mcp", appauthor=False)
    return tuple(folder / FILE_NAME for folder in folders)


def names_from(file: Path | None, *, simulated: bool = False) -> Mapping[str, Mapping[str, str]]:
    """The nicknames of the named file, else of those in the usual places; the person's come before the operator's.

    A simulated tenant reads no file that was not named: real names have no business there.

    Raises:
        SettingsError: A file cannot be read, or holds something else than nicknames.
    """
    if file is not None:
        return read_names(file)
    found: dict[str, dict[str, str]] = {}
    for path in () if simulated else settings_files():
        if path.is_file() or path.is_dir():  # a folder there is a mistake that reading it tells
            for kind, names in read_names(path).items():
                own = {name.casefold() for name in names}
                before = found.get(kind, {}).items()
                found[kind] = {name: value for name, value in before if name.casefold() not in own} | names
    return found


def read_names(path: Path) -> dict[str, dict[str, str]]:
    """The nicknames of one file, by kind.

    Raises:
        SettingsError: It cannot be read, is no TOML, or holds something else; the message names the entry.
    """
    import tomllib

    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            _refuse(path, "is larger than 1 MiB", "Keep nothing but names in it.")
        data = tomllib.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        _refuse(path, f"is not UTF-8 (byte {error.start})", "Convert it.", error)
    except OSError as error:
        _refuse(path, f"cannot be read ({error.strerror})", "Name another with --settings.", error)
    except ValueError as error:  # what is wrong, with its line and column; it quotes no value
        _refuse(path, f"is no TOML: {error}", "Correct it there.", error)
    _known(path, data, (SECTION,), "")
    section = _table(path, data.get(SECTION, {}), SECTION)
    _known(path, section, tuple(_FORMS), f"{SECTION}.")
    return {kind: _checked(path, kind, _table(path, names, f"{SECTION}.{kind}")) for kind, names in section.items()}


def _checked(path: Path, kind: str, names: Mapping[str, Any]) -> dict[str, str]:
    forms, wanted = _FORMS[kind]
    for name, value in names.items():
        if not name.strip() or not isinstance(value, str) or not any(form.fullmatch(value) for form in forms):
            _refuse(path, f"[{SECTION}.{kind}] {name!r} does not stand for {wanted}", "Correct it there.")
    known: dict[str, str] = {}
    for name, value in names.items():
        if known.setdefault(" ".join(name.split()).casefold(), value).casefold() != value.casefold():
            _refuse(path, f"[{SECTION}.{kind}] {name!r} stands for two things", "Case is not told apart: rename one.")
    return {" ".join(name.split()): value for name, value in names.items()}


def _table(path: Path, value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _refuse(path, f"`{where}` is no table", f"Write it as a section [{where}].")
    return value


def _known(path: Path, table: Mapping[str, Any], known: tuple[str, ...], prefix: str) -> None:
    from difflib import get_close_matches

    for name in table:
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.6)
            meant = f"Did you mean [{prefix}{near[0]}]?" if near else f"There is: {', '.join(known)}."
            _refuse(path, f"has an unknown section [{prefix}{name}]", meant)


def _refuse(path: Path, what: str, hint: str, error: Exception | None = None) -> NoReturn:
    raise SettingsError(f"The settings file {path} {what}.", hint) from error
