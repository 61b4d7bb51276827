"""The built-in company's files, read by this test's own few lines rather than by the loader that they feed."""

import re
import tomllib
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import copilot_mcp

ROOT = Path(copilot_mcp.__file__).parent / "simulator" / "contoso"
COMPANY: dict[str, Any] = tomllib.loads((ROOT / "company.toml").read_text(encoding="utf-8"))
COMMON_KEYS = {"title", "url", "author", "modifiedBy", "lastModified", "label", "readers", "connection"}
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PEOPLE = {
    "Adele Vance",
    "Alex Wilber",
    "Diego Siciliani",
    "Isaiah Langer",
    "Joni Sherman",
    "Lee Gu",
    "Megan Bowen",
    "Miriam Graham",
    "Nestor Wilke",
    "Patti Fernandez",
}


class File(NamedTuple):
    """One document: its folder and name, its front matter with every value as a list, and its body."""

    folder: str
    name: str
    front: dict[str, list[str]]
    body: str


def _read(path: Path) -> File:
    opening, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    assert opening == "", path
    front = {}
    for line in head.splitlines():
        key, value = line.split(": ", 1)
        assert key not in front, (path, key)
        front[key] = value[1:-1].split(", ") if value.startswith("[") else [value]
    return File(path.parent.name, path.stem, front, body)


FILES = [_read(path) for path in sorted((ROOT / "documents").glob("*/*.md"))]
PLACES: dict[str, dict[str, Any]] = {
    row["key"]: row for table in ("sites", "onedrives", "connections") for row in COMPANY[table]
}
SCHEMAS: dict[str, dict[str, dict[str, Any]]] = {
    row["id"]: {each["name"]: each for each in row["schema"]} for row in COMPANY["connections"]
}
READERS = {group for user in COMPANY["users"] for group in [user["key"], *user["groups"]]}


def _readers(file: File) -> set[str]:
    return set(file.front.get("readers") or PLACES[file.folder]["readers"])


def _readable(key: str) -> set[str]:
    user = next(user for user in COMPANY["users"] if user["key"] == key)
    own = {key, *user["groups"]}
    return {f"{file.folder}/{file.name}" for file in FILES if _readers(file) & own}


def test_every_place_has_enough_documents() -> None:
    least = {"HR": 8, "HR1": 8, "HR2": 8, "Legal": 8, "adele": 4, "megan": 4, "ContosoIT": 6, "ContosoFacilities": 6}
    counts = Counter(file.folder for file in FILES)
    assert counts.keys() == least.keys() == PLACES.keys()
    assert {folder: counts[folder] for folder in least if counts[folder] < least[folder]} == {}
    assert len(FILES) >= 48


def test_the_files_are_small_plain_text() -> None:
    files = [path for path in ROOT.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".md", ".toml"}
    assert sum(path.stat().st_size for path in files) < 250_000


def test_the_company_says_that_it_is_fiction() -> None:
    assert "Contoso is fiction." in COMPANY["about"]


def test_every_address_is_unique_and_of_its_place() -> None:
    urls = [file.front["url"][0] for file in FILES]
    assert len(set(urls)) == len(urls)
    strangers = [
        url for file, url in zip(FILES, urls, strict=True) if not url.startswith(PLACES[file.folder]["url"] + "/")
    ]
    assert strangers == []


def test_addresses_bear_the_usual_file_types() -> None:
    types = {file.front["url"][0].rsplit(".", 1)[-1] for file in FILES if "connection" not in file.front}
    assert types == {"docx", "pptx", "pdf", "xlsx", "aspx", "md"}


def test_tickets_are_numbered_as_in_their_address() -> None:
    tickets = [file for file in FILES if "connection" in file.front]
    numbers = {file.front["url"][0].rsplit("/", 1)[-1]: file.front["ticketId"][0][3:] for file in tickets}
    assert len(numbers) == len(tickets)
    assert [number for number, ticket in numbers.items() if number != ticket] == []


def test_labels_and_readers_are_known() -> None:
    labels = {label["key"] for label in COMPANY["labels"]}
    assert {file.front["label"][0] for file in FILES if "label" in file.front} == labels
    assert {reader for file in FILES for reader in _readers(file)} <= READERS
    assert {reader for place in PLACES.values() for reader in place["readers"]} <= READERS


def test_authors_and_editors_are_known_people() -> None:
    names = {name for file in FILES for name in [*file.front["author"], *file.front["modifiedBy"]]}
    assert names == PEOPLE


def test_dates_are_utc_and_spread_over_the_years() -> None:
    stamps = [file.front[key][0] for file in FILES for key in ("lastModified", "createdDate") if key in file.front]
    assert [stamp for stamp in stamps if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp)] == []
    assert {datetime.fromisoformat(stamp).year for stamp in stamps} == {2023, 2024, 2025, 2026}


def test_tickets_are_created_before_they_are_changed() -> None:
    tickets = [file.front for file in FILES if "createdDate" in file.front]
    assert [front["url"] for front in tickets if front["createdDate"] > front["lastModified"]] == []


def test_ticket_properties_are_those_of_the_schema() -> None:
    for file in (file for file in FILES if file.folder in SCHEMAS):
        assert file.front["connection"] == [file.folder], file.name
        # The property Title is the document's title; every other one stands under its own name.
        assert {"Title"} | (file.front.keys() - COMMON_KEYS) == SCHEMAS[file.folder].keys(), file.name


def test_documents_have_no_other_keys_than_the_common_ones() -> None:
    strange = {file.name: file.front.keys() - COMMON_KEYS for file in FILES if file.folder not in SCHEMAS}
    assert {name: keys for name, keys in strange.items() if keys} == {}
    assert [file.name for file in FILES if file.folder not in SCHEMAS and "connection" in file.front] == []


def test_ticket_values_fit_their_types() -> None:
    forms = {
        "int64": r"-?\d+",
        "double": r"-?\d+(\.\d+)?",
        "boolean": "true|false",
        "dateTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        "string": ".+",
        "stringCollection": ".+",
    }
    for file in (file for file in FILES if "connection" in file.front):
        for name, kind in ((each["name"], each["type"]) for each in SCHEMAS[file.folder].values()):
            values = file.front["title" if name == "Title" else name]
            assert kind.endswith("Collection") or len(values) == 1, (file.name, name)
            assert [value for value in values if not re.fullmatch(forms[kind], value)] == [], (file.name, name)


def test_connections_have_schemas_that_graph_would_take() -> None:
    for connection in COMPANY["connections"]:
        assert re.fullmatch(r"[A-Za-z0-9]{3,32}", connection["id"])
        names = [name for each in connection["schema"] for name in [each["name"], *each["aliases"]]]
        assert len({name.casefold() for name in names}) == len(names)
        assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9]{1,32}", name)] == []
        for each in connection["schema"]:
            assert each["type"].startswith("string") or not each["isSearchable"], each["name"]
            assert not (each["isExactMatchRequired"] and each["isSearchable"]), each["name"]


def test_schemas_cover_every_kind_of_value_that_a_filter_compares() -> None:
    kinds = {connection: {each["type"] for each in schema.values()} for connection, schema in SCHEMAS.items()}
    assert kinds == {
        "ContosoIT": {"string", "int64", "dateTime", "stringCollection"},
        "ContosoFacilities": {"string", "int64", "dateTime", "double", "boolean"},
    }


def test_identifiers_are_unique_guids() -> None:
    rows = [(row, "id") for table in ("users", "labels") for row in COMPANY[table]]
    rows += [(row, "siteId") for table in ("sites", "onedrives") for row in COMPANY[table]]
    identifiers = [row[key] for row, key in rows]
    assert len(set(identifiers)) == len(identifiers) == 13
    assert [each for each in identifiers if not GUID.fullmatch(each)] == []


def test_every_user_has_a_onedrive_of_their_own() -> None:
    owners = {drive["owner"]: drive["url"] for drive in COMPANY["onedrives"]}
    assert owners == {
        user["key"]: "https://contoso-my.sharepoint.com/personal/" + re.sub(r"[@.]", "_", user["username"])
        for user in COMPANY["users"]
    }


def test_bodies_are_long_enough_to_be_worth_finding() -> None:
    lengths = {f"{file.folder}/{file.name}": len(file.body.split()) for file in FILES}
    assert {name: length for name, length in lengths.items() if not 150 <= length <= 700} == {}


def test_bodies_begin_with_a_heading_and_have_sections() -> None:
    bare = [file.name for file in FILES if not file.body.startswith("# ") or file.body.count("\n## ") < 2]
    assert bare == []


def test_tables_have_rows_of_equal_width() -> None:
    for file in FILES:
        for table in re.findall(r"(?:^\|.*\|\n)+", file.body, re.M):
            assert len({row.count("|") for row in table.splitlines()}) == 1, (file.name, table)


def test_the_two_users_see_different_documents() -> None:
    adele, megan = _readable("adele"), _readable("megan")
    everything = {f"{file.folder}/{file.name}" for file in FILES}
    assert adele | megan == everything
    hidden_from_megan = {name.split("/")[0] for name in adele - megan}
    assert hidden_from_megan == {"HR", "Legal", "adele", "ContosoIT"}
    assert {name.split("/")[0] for name in megan - adele} == {"megan", "ContosoIT"}
    assert [name for name in megan if name.startswith("Legal/")] == []
    assert {"HR/salary-bands-2026", "HR/project-larch"} <= adele - megan


def test_the_regions_answer_the_same_questions_with_different_numbers() -> None:
    bodies = {(file.folder, file.name): file.body for file in FILES}
    for name in ("parental-leave", "annual-leave", "sick-leave", "notice-periods", "allowances", "payroll"):
        assert bodies["HR1", name] != bodies["HR2", name]
    assert "| Primary carer | 16 | 100 % of base salary |" in bodies["HR1", "parental-leave"]
    assert "| Primary carer | 26 | 80 % of base salary |" in bodies["HR2", "parental-leave"]


def test_the_two_legal_matters_do_not_mix() -> None:
    matters = [file for file in FILES if "/Matters/" in file.front["url"][0]]
    names = {"Fabrikam", "Northwind"}
    told = Counter(frozenset(name for name in names if name in file.body) for file in matters)
    assert told == {frozenset({"Fabrikam"}): 3, frozenset({"Northwind"}): 3}
    assert [
        file.name for file in matters if file.front["url"][0].split("/Matters/")[1].split("/")[0] not in file.body
    ] == []
