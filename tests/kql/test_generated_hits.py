"""The law of evidence, held against generated items and filters: what a filter finds is never proven outside it.

An ordinary run tries few examples, always the same; `pytest tests/kql --hypothesis-profile=long` tries 20,000.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from itertools import product
from typing import get_args
from urllib.parse import quote, unquote

from hypothesis import given
from hypothesis import strategies as st

from copilot_mcp.kql import Item, Node, matches, properties_for
from copilot_mcp.kql.evidence import verdict
from copilot_mcp.kql.tree import (
    AnyValue,
    DateValue,
    IntervalValue,
    IntValue,
    Not,
    Operator,
    RangeValue,
    Restriction,
    TextValue,
    conjunction,
    disjunction,
)

NOW = datetime(2025, 6, 18, 12, tzinfo=UTC)
SITE = properties_for("sharePoint")
EQUALITY: tuple[Operator, ...] = (":", "=", "<>")
EVERY: tuple[Operator, ...] = get_args(Operator)
TEXTS = [
    *(
        "Escape &amp; in XML",
        "Escape & in XML",
        "&lt;b&gt;",
        "&nbsp;",
        "C#",
        "C++",
        "C",
        "---",
        "&",
        "\u2026",
        "Plan\u2026",
    ),
    *("Plan", "plan budget", "Plan;budget", "budget", ";", "a\u0345", "\u03b1\u03b9", "\u1fb3", "Megan Bowen", "megan"),
]
HOSTS = ["https://contoso.sharepoint.com", "https://contoso.sharepoint.community"]
PLACES = [
    *("", "/sites", "/teams", "/sites/HR", "/sites/HR1", "/sites/HR-archive", "/teams/HR", "/personal/megan"),
    *("/TeamsRecordings", "/SitesPages", "/sitesX/HR", "/Shared Documents", "/sites/C# Team"),
]
NAMES = ["Docs", "C# basics", "C# advanced", "C", "My%20docs", "My docs", "R&amp;D", "R&D", "100%25", "a?b"]
FILES = ["a.docx", "a.PDF", "C# basics.docx", "C# advanced.docx", "C", "Plan v1.2", "100%25.docx", "100%.docx"]
TYPES = ["docx", "pdf", "2"]


@dataclass(frozen=True)
class Hit:
    """An item as the index has it, and as the service hands it out."""

    item: Item
    web_url: str
    metadata: dict[str, str]


paths = st.builds(
    "{}{}{}".format,
    st.sampled_from(HOSTS),
    st.sampled_from(PLACES),
    st.lists(st.sampled_from(NAMES), max_size=1).map(lambda names: "".join(f"/{name}" for name in names)),
)
addresses = st.builds("{}{}".format, paths, st.sampled_from(["", "/", *(f"/{file}" for file in FILES)]))


@st.composite
def hits(draw: st.DrawFn) -> Hit:
    """What comes back is escaped or not, its time may be a day off, and it may be missing."""
    path = draw(addresses)
    host, _, rest = path[8:].partition("/")
    web_url = f"https://{host}/{quote(rest)}" if rest and draw(st.booleans()) else path
    kind = path.rpartition("/")[2].rpartition(".")[2].casefold()
    values = {
        "Path": (path,),
        "FileType": (kind,) if kind in ("docx", "pdf") else (),
        "Title": (draw(st.sampled_from(TEXTS)),),
        "Author": tuple(draw(st.lists(st.sampled_from(TEXTS), max_size=2))),
        "Size": (str(draw(st.integers(1, 3))),),
    }
    moment = datetime(2025, 6, draw(st.integers(16, 20)), draw(st.integers(0, 23)), tzinfo=UTC)
    shown = moment + timedelta(hours=draw(st.integers(-24, 24)))
    values["LastModifiedTime"] = (f"{moment:%Y-%m-%dT%H:%M:%SZ}",)
    returned = {**values, "LastModifiedTime": (f"{shown:%Y-%m-%dT%H:%M:%SZ}",)}
    names = draw(st.lists(st.sampled_from([name for name in values if name != "Path"]), unique=True))
    escaped = draw(st.booleans())
    metadata = {name: ";".join(escape(one) if escaped else one for one in returned[name]) for name in names}
    return Hit(Item(values), web_url, metadata)


equal, every = st.sampled_from(EQUALITY), st.sampled_from(EVERY)
days = st.integers(16, 20).map(lambda day: DateValue(f"2025-06-{day}"))
some_range = st.just(RangeValue(IntValue(2), IntValue(3)))


def near(address: str) -> list[str]:
    """The address, what it lies in, and others in the same place; and each as it is often mistaken."""
    parts = address.split("/")
    places = ["/".join(parts[:count]) for count in range(3, len(parts) + 1)]
    others = [f"{place}/{name}" for place in places[:-1] for name in ("C# advanced", "C# advanced.docx", "My docs")]
    found = [*places, *(f"{place}/" for place in places), *others]
    return [*found, *map(unquote, found), *(one.replace("https", "http") for one in places)]


def texts(values: st.SearchStrategy[str]) -> st.SearchStrategy[TextValue]:
    return st.builds(TextValue, values.filter(str.strip), st.booleans())


def filters(hit: Hit) -> st.SearchStrategy[Node]:
    """Small filters whose values are those of the item, or near to them."""
    titles = st.sampled_from(TEXTS) | st.sampled_from([*hit.item.values("Title"), *hit.item.values("Author")])
    words, unshown = st.sampled_from(["Title", "Author"]), st.sampled_from(["Title", "Author", "FileType"])
    restrictions = st.one_of(
        st.builds(Restriction, words, equal, texts(titles)),
        st.builds(Restriction, st.just("Path"), equal, texts(st.sampled_from(near(hit.item.values("Path")[0])))),
        st.builds(Restriction, st.just("Path"), equal, texts(addresses)),
        st.builds(Restriction, st.just("FileType"), equal, texts(st.sampled_from(TYPES))),
        st.builds(Restriction, unshown, st.just(":"), st.just(AnyValue())),
        st.builds(Restriction, st.just("Size"), every, st.integers(1, 3).map(IntValue)),
        st.builds(Restriction, st.just("Size"), st.sampled_from(EQUALITY[:2]), some_range),
        st.builds(Restriction, st.just("LastModifiedTime"), every, days | st.just(IntervalValue("today"))),
    )
    pairs = st.lists(restrictions | restrictions.map(Not), min_size=2, max_size=2)
    return restrictions | restrictions.map(Not) | pairs.map(conjunction) | pairs.map(disjunction)


@given(hits().flatmap(lambda hit: st.tuples(st.just(hit), st.lists(filters(hit), min_size=5, max_size=12))))
def test_what_a_filter_finds_is_never_proven_outside_it(case: tuple[Hit, list[Node]]) -> None:
    hit, asked = case
    inside = [node for node in asked if matches(node, hit.item, SITE, now=NOW)]
    assert [node for node in inside if verdict(node, hit.web_url, hit.metadata, SITE, now=NOW) == "outside"] == []


def test_no_pair_of_texts_is_proven_to_differ_where_the_filter_finds_it() -> None:
    found = [
        (title, asked, op)
        for title, asked, op, escaped in product(TEXTS, TEXTS, EQUALITY, (False, True))
        for node in (Restriction("Title", op, TextValue(asked)),)
        if matches(node, Item({"Title": (title,)}), SITE, now=NOW)
        and verdict(node, "", {"Title": escape(title) if escaped else title}, SITE, now=NOW) == "outside"
    ]
    assert found == []


def test_no_pair_of_addresses_is_proven_to_differ_where_the_filter_finds_it() -> None:
    found = []
    for place, name, file in product(PLACES, ("", "/C# basics", "/My%20docs"), ("", "/C# basics.docx")):
        path = f"{HOSTS[0]}{place}{name}{file}"
        item, web_urls = Item({"Path": (path,)}), (path, f"https://{quote(path[8:])}")
        for asked, op in product([*near(path), *(f"{HOSTS[0]}{other}/" for other in PLACES)], EQUALITY):
            restriction = Restriction("Path", op, TextValue(asked))
            for node in (restriction, Not(restriction)):
                if matches(node, item, SITE, now=NOW):
                    told = [verdict(node, web_url, {}, SITE, now=NOW) for web_url in web_urls]
                    found += [(path, op, asked)] * ("outside" in told)
    assert found == []
