"""The machine: Python, the versions that matter, and whether a host will find this program."""

import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from copilot_mcp.doctor.findings import Finding, Section, Verdict

__all__ = [
    "installed_versions",
    "place_finding",
    "program_finding",
    "python_finding",
    "requirements",
    "version_findings",
]

PACKAGES = ("copilot-mcp", "mcp", "msal", "httpx", "pydantic")

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*([<>=!~,.\d\s]*)(?:;.*)?")
_BOUND = re.compile(r"(>=|<)\s*([\d.]+)")
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


def python_finding() -> Finding:
    """Which Python runs this."""
    bits = 64 if sys.maxsize > 2**32 else 32
    version, system = platform.python_version(), f"{platform.system()} {platform.release()}".strip()
    return Finding(
        Section.MACHINE,
        "python",
        Verdict.OK,
        f"Python {version} ({bits} bits) on {system}, at {sys.executable}.",
        facts={"version": version, "executable": sys.executable, "bits": bits, "system": system},
    )


def installed_versions(names: Iterable[str] = PACKAGES) -> dict[str, str | None]:
    """Each package's version, None where it is not installed."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def requirements(of: str = "copilot-mcp") -> dict[str, str]:
    """What a package asks of each other, such as `<3,>=2.3`; empty when it is not installed as a package."""
    try:
        lines = metadata.requires(of) or []
    except metadata.PackageNotFoundError:
        return {}
    read = [_REQUIREMENT.fullmatch(line) for line in lines if "extra ==" not in line]
    return {found[1].lower(): found[2].strip() for found in read if found}


def version_findings(versions: Mapping[str, str | None], needed: Mapping[str, str]) -> list[Finding]:
    """One line when all fit; else one more for each package that another installation has spoilt."""
    shown = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    findings = [Finding(Section.MACHINE, "versions", Verdict.OK, f"{shown}.", facts=dict(versions))]
    for name, version in versions.items():
        wanted = needed.get(name, "")
        if version is None:
            findings.append(_spoilt(name, f"The package {name} is not installed.", wanted, version))
        elif not fits(version, wanted):
            findings.append(_spoilt(name, f"{name} {version} does not go with copilot-mcp.", wanted, version))
    return findings


def _spoilt(name: str, what: str, wanted: str, version: str | None) -> Finding:
    facts = {"version": version, "needed": wanted}
    remedy = f'Run: "{sys.executable}" -m pip install "{name}{wanted}". A virtual environment keeps others away.'
    return Finding(Section.MACHINE, f"version:{name}", Verdict.PROBLEM, what, remedy, facts)


def fits(version: str, wanted: str) -> bool:
    """Whether a version lies within `>=` and `<`; what cannot be read is let pass."""
    for operator, bound in _BOUND.findall(wanted):
        is_less = _key(version) < _key(bound)
        if is_less == (operator == ">="):
            return False
    return True


def _key(version: str) -> tuple[int, ...]:
    found = _NUMBERS.match(version)
    numbers = [int(part) for part in found[0].split(".")] if found else [0]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def place_finding(place: str, *, browser: bool) -> Finding:
    """Which ways of signing in go with the place; `browser` says that one can come back to this machine."""
    facts = {"place": place, "browser": browser}
    what = f"This is {place}: sign in by device code, whose page opens on any device"
    what += ", or with `copilot-mcp login --browser`." if browser else "; a browser could not come back to it."
    return Finding(Section.MACHINE, "place", Verdict.OK, what, facts=facts)


def program_finding(which: Callable[[str], str | None] = shutil.which, executable: str = sys.executable) -> Finding:
    """Whether a host that is told `copilot-mcp` finds this installation."""
    script = Path(executable).with_name("copilot-mcp.exe" if sys.platform == "win32" else "copilot-mcp")
    found = which("copilot-mcp")
    facts = {"script": str(script), "found": found}
    if found is not None and Path(found).resolve() == script.resolve():
        what = f"`copilot-mcp` is found as {found}; a host that is started elsewhere may need that path."
        return Finding(Section.MACHINE, "program", Verdict.OK, what, facts=facts)
    if found is not None:
        what = f"`copilot-mcp` leads to another installation: {found}."
        return Finding(Section.MACHINE, "program", Verdict.WARNING, what, _command(script, executable), facts)
    what = "`copilot-mcp` is not on the path of this shell, so a host may not find it."
    return Finding(Section.MACHINE, "program", Verdict.NOTE, what, _command(script, executable), facts)


def _command(script: Path, executable: str) -> str:
    if script.exists():
        return f"Give a host the whole path as `command`: {script}"
    return f'Give a host `command` {executable} and `args` "-m", "copilot_mcp", "serve".'
