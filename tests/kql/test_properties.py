"""Catalogues: which properties a data source has, and what stands in for a wrong name."""

from datetime import datetime

import pytest

from copilot_mcp.kql import Condition, Group, Properties, SchemaProperty, build, parse, properties_for
from copilot_mcp.kql.properties import edit_distance

TEN = [
    *("Author", "FileExtension", "Filename", "FileType", "InformationProtectionLabelId"),
    *("LastModifiedTime", "ModifiedBy", "Path", "SiteID", "Title"),
]


@pytest.mark.parametrize("source", ["sharePoint", "oneDriveBusiness", "sharePointEmbedded"])
def test_catalogue_lists_the_ten_properties(source: str) -> None:
    assert [row["name"] for row in properties_for(source).catalogue()] == TEN


def test_catalogue_row_says_how_to_use_a_property(site: Properties) -> None:
    assert site.catalogue()[5] == {
        "name": "LastModifiedTime",
        "type": "date",
        "operators": [":", "=", "<>", "<", "<=", ">", ">=", ".."],
        "example": "LastModifiedTime>=2025-01-01",
    }


def test_schema_rows_come_from_graph_json() -> None:
    row = SchemaProperty.of({"name": "tags", "type": "stringCollection", "isQueryable": True, "aliases": ["labels"]})
    assert row == SchemaProperty("tags", "stringCollection", True, False, False, ("labels",))
    with pytest.raises(ValueError, match="name"):
        SchemaProperty.of({"type": "string"})


def test_null_in_a_schema_row_is_as_if_left_out() -> None:
    members = ("type", "isQueryable", "isSearchable", "isExactMatchRequired", "aliases")
    assert SchemaProperty.of({"name": "a", **dict.fromkeys(members)}) == SchemaProperty.of({"name": "a"})


@pytest.mark.parametrize(
    ("member", "value", "sentence"),
    [
        ("name", None, "A schema property has a name."),
        ("name", "", "A schema property has a name."),
        ("name", 5, "A schema property has a name."),
        ("type", 5, "The schema property a: `type` is a text."),
        ("type", [], "The schema property a: `type` is a text."),
        ("aliases", "xyz", "The schema property a: `aliases` is a list of texts."),
        ("aliases", [1], "The schema property a: `aliases` is a list of texts."),
        ("aliases", 5, "The schema property a: `aliases` is a list of texts."),
        ("aliases", {}, "The schema property a: `aliases` is a list of texts."),
        ("isQueryable", "false", "The schema property a: each member that begins with `is` is true or false."),
        ("isSearchable", 1, "The schema property a: each member that begins with `is` is true or false."),
        ("isExactMatchRequired", [], "The schema property a: each member that begins with `is` is true or false."),
    ],
)
def test_schema_row_of_another_form_is_refused(member: str, value: object, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        SchemaProperty.of({"name": "a", "isQueryable": True, member: value})
    assert str(caught.value) == sentence


def test_connector_catalogue_lists_queryable_properties() -> None:
    schema = [
        SchemaProperty("rank", "int64"),
        SchemaProperty("hidden", is_queryable=False),
        SchemaProperty("odd", "new"),
    ]
    assert properties_for("externalItem", schema).catalogue() == [
        {
            "name": "rank",
            "type": "integer",
            "operators": [":", "=", "<>", "<", "<=", ">", ">=", ".."],
            "example": "rank>=1",
        },
        {
            "name": "odd",
            "type": "open",
            "operators": [":", "=", "<>", "<", "<=", ">", ">=", ".."],
            "example": 'odd:"words"',
        },
    ]


def test_unknown_data_source_is_refused() -> None:
    with pytest.raises(ValueError, match="sharePoint"):
        properties_for("teams")


UNSPELLABLE = ["2ndOwner", "Foo Bar", "-x", "a:b", "", "\ud800"]


@pytest.mark.parametrize("name", UNSPELLABLE)
@pytest.mark.parametrize("source", ["sharePoint", "externalItem"])
def test_a_name_that_no_filter_can_spell_is_no_property(name: str, source: str) -> None:
    assert properties_for(source).find(name) is None
    assert properties_for(source).find(f"{name} OWSTEXT") is None
    with pytest.raises(ValueError, match="no property name"):
        properties_for(source, allow=[name])


@pytest.mark.parametrize("name", ["2ndOwner", "Foo Bar", "a\nb"])
@pytest.mark.parametrize("text", ["owner:x", "owner:*", "owner:(a OR b)", "owner eq 'x'", "owner>=1 AND <5", "owner"])
def test_a_schema_may_have_names_that_no_filter_can_spell(name: str, text: str, now: datetime) -> None:
    properties = properties_for("externalItem", [SchemaProperty(name, aliases=("owner",))])
    assert properties.catalogue() == []
    parsed = parse(text, properties, now=now)
    found = [one.message for one in parsed.diagnostics if one.code == "NOT_QUERYABLE"]
    rule = "a name is a letter or _, then letters, digits, _ . and -"
    told = [f"A filter cannot spell the schema's property {name!r}: {rule}."]
    assert (parsed.tree, found) == (None, told if ":" in text or ">" in text else [])
    for asked in ("owner", name):
        built = build(Group(all=(Condition(asked, "hasValue"),)), properties, now=now)
        assert [(one.code, one.message) for one in built.diagnostics] == [
            ("NOT_QUERYABLE", f"all[0] ({asked} hasValue): {told[0]}")
        ]


NEAREST = {
    "Modified": "LastModifiedTime",
    "ext": "FileExtension",
    "URL": "Path",
    "Editor": "ModifiedBy",
    "Auther": "Author",
    "titel": "Title",
    "Colour": None,
    "x": None,
}


@pytest.mark.parametrize(("name", "nearest"), NEAREST.items())
def test_nearest_name(name: str, nearest: str | None, site: Properties) -> None:
    assert site.nearest(name) == nearest


FOUND = {
    "path": "Path",
    "WRITE": "Write",
    "refinablestring00": "RefinableString00",
    "RefinableString123": "RefinableString123",
    "refinableint07": "RefinableInt07",
    "RefinableDecimal01": "RefinableDecimal01",
    "ProjectOWSNMBR": "ProjectOWSNMBR",
    "RefinableDate1": None,
    "OWSTEXT": None,
}


@pytest.mark.parametrize(("name", "spelling"), FOUND.items())
def test_names_are_found_in_any_case(name: str, spelling: str | None, site: Properties) -> None:
    found = site.find(name)
    assert (found.name if found else None) == spelling


def test_edit_distance_counts_changes() -> None:
    assert [edit_distance("title", other) for other in ("title", "titel", "titl", "tit", "ti")] == [0, 2, 1, 2, 3]
