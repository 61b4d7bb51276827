"""Nicknames in typed conditions: what they stand for, where they do not fit, and that every use is reported."""

from datetime import datetime

import pytest

from copilot_mcp.kql import Condition, Group, Properties, build
from copilot_mcp.kql.builder import Built
from copilot_mcp.kql.names import Names

HR = "https://contoso.sharepoint.com/sites/HR"
SITE_ID = "e2cf7e40-d689-41de-99ee-a423811a253c"
LABEL_ID = "f0ddcc93-d3c0-4993-b5cc-76b0a283e252"
NAMES = Names(
    sites={"HR": HR, "Legal": SITE_ID},
    folders={"HR policies": f"{HR}/Policies"},
    labels={"Top Secret": LABEL_ID},
    connections={"tickets": "ContosoIT"},
)


def built(site: Properties, now: datetime, name: str, operator: str, *values: str) -> Built:
    return build(Group(all=[Condition(name, operator, values)]), site, now=now, names=NAMES)


@pytest.mark.parametrize(
    ("condition", "text", "repairs"),
    [
        (
            ("Path", "contains", " hr "),
            f'Path:"{HR}/"',
            (f"Path: the name hr stands for {HR}", f"Path: {HR} became {HR}/"),
        ),
        (
            ("Path", "startsWith", "hr  Policies"),
            f'Path:"{HR}/Policies/"',
            (
                f"Path: the name hr  Policies stands for {HR}/Policies",
                f"Path: {HR}/Policies became {HR}/Policies/",
            ),
        ),
        (("SiteID", "equals", "Legal"), f'SiteID="{SITE_ID}"', (f"SiteID: the name Legal stands for {SITE_ID}",)),
        (
            ("InformationProtectionLabelId", "equals", "top secret"),
            f'InformationProtectionLabelId="{LABEL_ID}"',
            (f"InformationProtectionLabelId: the name top secret stands for {LABEL_ID}",),
        ),
    ],
)
def test_a_nickname_becomes_what_it_stands_for_and_that_is_reported(
    site: Properties, now: datetime, condition: tuple[str, ...], text: str, repairs: tuple[str, ...]
) -> None:
    found = built(site, now, *condition)
    assert (found.text, found.repairs) == (text, repairs)


@pytest.mark.parametrize(
    ("condition", "code", "words"),
    [
        (("Path", "contains", "Legal"), "PATH_NO_SCHEME", "names known here: HR, HR policies."),
        (("SiteID", "equals", "HR"), "BAD_GUID", "names known here: Legal."),
        (("InformationProtectionLabelId", "equals", "Public"), "BAD_GUID", "names known here: Top Secret."),
        (("ConnectionId", "equals", "Tickets"), "CONNECTION_IN_FILTER", "set there connectionId ContosoIT."),
    ],
)
def test_a_name_that_does_not_fit_is_refused_with_those_that_do(
    site: Properties, now: datetime, condition: tuple[str, ...], code: str, words: str
) -> None:
    found = built(site, now, *condition)
    assert found.text is None
    assert found.diagnostics[0].code == code
    assert words in found.diagnostics[0].message


def test_names_stand_for_nothing_in_other_properties(site: Properties, now: datetime) -> None:
    found = built(site, now, "Title", "contains", "HR")
    assert (found.text, found.repairs) == ('Title:"HR"', ())


def test_long_lists_of_names_are_cut_in_advice(site: Properties, now: datetime) -> None:
    names = Names(labels={f"Label {number}": LABEL_ID for number in range(12)})
    group = Group(all=[Condition("InformationProtectionLabelId", "equals", ["x"])])
    message = build(group, site, now=now, names=names).diagnostics[0].message
    assert "Label 9 and 2 more." in message
    assert "Label 10" not in message


def test_names_as_data_leave_empty_kinds_out() -> None:
    assert Names(labels={"A": LABEL_ID}).as_dict() == {"labels": {"A": LABEL_ID}}


def test_a_name_that_stands_for_two_things_stands_for_neither(site: Properties, now: datetime) -> None:
    label = Condition("InformationProtectionLabelId", "equals", ["SECRET"])
    for second, text in ((SITE_ID, None), (LABEL_ID.upper(), f'InformationProtectionLabelId="{LABEL_ID}"')):
        names = Names(labels={"Secret": LABEL_ID, "secret": second})
        assert build(Group(all=[label]), site, now=now, names=names).text == text


def test_a_folder_comes_before_a_site_of_the_same_name(site: Properties, now: datetime) -> None:
    names = Names(sites={"HR": HR}, folders={"hr": f"{HR}/Policies"})
    group = Group(all=[Condition("Path", "startsWith", ["Hr"])])
    assert build(group, site, now=now, names=names).text == f'Path:"{HR}/Policies/"'
