"""The law of suggestions for several values: what is offered finds the values asked for and none that were left out.

An ordinary run tries few examples, always the same; `pytest tests/kql --hypothesis-profile=long` tries 20,000 a law.
"""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from copilot_mcp.kql import Item, matches, parse, properties_for

NOW = datetime(2025, 6, 18, 12, tzinfo=UTC)
SITE = properties_for("sharePoint")
GUIDS = ["e2cf7e40-d689-41de-99ee-a423811a253c", "f0ddcc93-d3c0-4993-b5cc-76b0a283e252"]
POOLS = {
    "FileType": ["pdf", "docx", "txt"],
    "FileExtension": ["pdf", "docx", "txt"],
    "SiteID": [*GUIDS, "11111111-2222-3333-4444-555555555555"],
    "Author": ["Megan", "Adele", "Lee"],
}
NEGATIVE = ["<>", "!=", "!==", "<> ", " ne ", " -ne ", " not in ", " NOT IN ", " -notin "]
POSITIVE = [":", "=", ": ", "==", " eq ", " -eq ", " in ", " IN ", " -in "]
SEPARATORS = [", ", ",", "; ", " OR ", " or ", " "]
SHAPES = ["{}", "({})", "[{}]"]


@st.composite
def lists(draw: st.DrawFn, operators: list[str], separators: list[str]) -> tuple[str, str, list[str]]:
    """A text that names several values of one property, the property, and the values."""
    name = draw(st.sampled_from(list(POOLS)))
    values = draw(st.lists(st.sampled_from(POOLS[name]), min_size=2, max_size=2, unique=True))
    quote = draw(st.sampled_from(["", '"', "'"]))
    listed = draw(st.sampled_from(separators)).join(f"{quote}{value}{quote}" for value in values)
    text = f"{name}{draw(st.sampled_from(operators))}{draw(st.sampled_from(SHAPES)).format(listed)}"
    return text, name, values


def offered(text: str) -> list[str]:
    """What is offered instead of a text that is wrong."""
    parsed = parse(text, SITE, now=NOW)
    return [] if parsed.valid else [one.suggestion for one in parsed.diagnostics if one.suggestion is not None]


def found(suggestion: str, name: str) -> list[str]:
    """The values of the property that a suggestion finds."""
    tree = parse(suggestion, SITE).tree
    assert tree is not None
    return [one for one in POOLS[name] if matches(tree, Item({name: (one,)}), SITE, now=NOW)]


def is_one_value(text: str, name: str) -> bool:
    """Whether what reads like a list may as well be one value, as `Pike, Rowan`, or several that must all be there."""
    if name != "Author":
        return False
    return ('"' not in text and " OR " not in text) or '" "' in text or " and " in text.casefold()


@given(lists(NEGATIVE, [*SEPARATORS, " AND ", " and "]))
def test_values_to_leave_out_are_left_out_by_every_suggestion(case: tuple[str, str, list[str]]) -> None:
    text, name, values = case
    if is_one_value(text, name):
        return
    for suggestion in offered(text):
        assert set(found(suggestion, name)).isdisjoint(values), suggestion


@given(lists(POSITIVE, SEPARATORS))
def test_values_asked_for_are_found_by_every_suggestion(case: tuple[str, str, list[str]]) -> None:
    text, name, values = case
    if is_one_value(text, name):
        return
    for suggestion in offered(text):
        assert sorted(found(suggestion, name)) == sorted(values), suggestion


@given(
    st.builds(
        "{0}{2}{3}{4}".format,
        *(st.just("FileType"), st.just(""), st.sampled_from([":", "=", "<>", "==", ": ", " eq "])),
        *(st.sampled_from(["NOT ", "not ", "-", "- ", "NOT"]), st.sampled_from(["pdf", '"pdf"', "'pdf'", "pdf txt"])),
    )
)
def test_a_value_behind_a_not_is_never_offered_as_asked_for(text: str) -> None:
    negative = "<>" in text
    for suggestion in offered(text):
        assert ("pdf" in found(suggestion, "FileType")) is negative, suggestion
