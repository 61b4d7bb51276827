"""The layout holds: import contracts, line ceilings, complete front doors, declared dependencies."""

import ast
import logging
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Set
from functools import cache
from importlib import import_module, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "copilot_mcp"
MODULES = sorted(PACKAGE.rglob("*.py"))
FRONT_DOORS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
FILE_CEILING, FUNCTION_CEILING, TEST_CEILING = 300, 40, 500


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture
def _loggers_as_before() -> Iterator[None]:
    """Import-linter configures logging anew, which silences every logger there is for the tests that follow."""
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    enabled = [each for each in loggers if not each.disabled]
    yield
    for each in enabled:
        each.disabled = False


@pytest.mark.usefixtures("_loggers_as_before")
def test_the_import_contracts_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlinter.cli import lint_imports

    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= FILE_CEILING
    sizes = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: size for name, size in sizes.items() if size > FUNCTION_CEILING} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=relative)
def test_test_files_stay_readable(path: Path) -> None:
    assert path.read_text("utf-8").count("\n") <= TEST_CEILING


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=relative)
def test_no_child_process_of_a_test_imports_from_the_folder_it_runs_in(path: Path) -> None:
    """Without -P it would run the checkout instead of what is installed, and coverage would count both."""
    assert re.findall(r'sys\.executable,\s+"-[cm]"', path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("name", FRONT_DOORS)
def test_front_doors_list_what_they_offer(name: str) -> None:
    module = import_module(f"copilot_mcp.{name}")
    assert module.__all__
    assert [public for public in module.__all__ if not hasattr(module, public)] == []


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_nothing_private_of_another_package_is_imported(path: Path) -> None:
    package = path.relative_to(PACKAGE).parts[0]
    imported = [
        f"{node.module}.{name.name}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("copilot_mcp.") and node.level == 0
        for name in node.names
    ]
    foreign = [name.split(".") for name in imported if name.split(".")[1] != package]
    assert [parts for parts in foreign if any(part.startswith("_") for part in parts)] == []


def public_definitions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_public_names_have_docstrings(path: Path) -> None:
    assert [node.name for node in public_definitions(path) if not ast.get_docstring(node)] == []


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@cache
def imported_anywhere() -> frozenset[str]:
    return frozenset().union(*(imported(path) for path in MODULES))


@cache
def installed() -> Mapping[str, list[str]]:
    """Each name that can be imported, and the packages that bring it."""
    return metadata.packages_distributions()


def undeclared(used: Set[str], dependencies: list[str]) -> set[str]:
    """The packages that are imported although no dependency brings them; `used` are names as in `import`."""
    declared = {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for line in dependencies}
    owners = installed()
    foreign = used - set(sys.stdlib_module_names) - {"copilot_mcp"}
    transitive = {"mcp_types", "pydantic_core"}  # parts of mcp and pydantic, pinned by them
    needed = {name: {owner.lower() for owner in owners.get(name, [name])} for name in foreign - transitive}
    return {name for name, by in needed.items() if not by & declared}


def dependencies() -> list[str]:
    lines: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    return lines


@pytest.mark.shows("L11")
def test_every_import_is_a_declared_dependency() -> None:
    assert undeclared(imported_anywhere(), dependencies()) == set()


@pytest.mark.shows("L11")
@pytest.mark.parametrize("package", ["jeepney", "secretstorage", "msal_extensions", "httpx", "cryptography"])
def test_import_that_nothing_declares_is_found(package: str) -> None:
    without = [line for line in dependencies() if not line.lower().startswith(package.replace("_", "-"))]
    assert len(without) == len(dependencies()) - 1
    assert undeclared(imported_anywhere(), without) == {package}
    assert undeclared({"json", "requests", "nobody_has_this"}, dependencies()) == {"requests", "nobody_has_this"}


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = text.split("\ndependencies = [\n")[1].split("\n]")[0]
    assert [line for line in block.splitlines() if not re.search(r'",\s+# \S', line)] == []
