"""The law of relative dates: one wording, one bound, whatever compares with it; hours are not rounded to days."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from copilot_mcp.kql import Condition, Group, build, parse, properties_for

SITE = properties_for("sharePoint")
SYMBOLS = {"lessThan": "<", "atMost": "<=", "greaterThan": ">", "atLeast": ">="}
clocks = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda now: now.replace(tzinfo=UTC))
operators = st.sampled_from(list(SYMBOLS))
counts = st.integers(0, 5_000)


def bounds(wording: str, operator: str, now: datetime) -> set[str | None]:
    """What the builder makes of a condition and what a check offers for the same as text, without name and operator."""
    condition = Condition("LastModifiedTime", operator, (wording,))
    built = build(Group(all=(condition,)), SITE, now=now)
    offered = parse(f'LastModifiedTime{SYMBOLS[operator]}"{wording}"', SITE, now=now).diagnostics[0].suggestion
    head = f"LastModifiedTime{SYMBOLS[operator]}"
    return {None if text is None else text.removeprefix(head) for text in (built.text, offered)}


@given(clocks, operators, counts, st.sampled_from(["now-{}h", "{} hours ago", "last {} hours", "-{}h"]))
def test_hours_are_reckoned_from_the_moment(now: datetime, operator: str, count: int, wording: str) -> None:
    moment = now - timedelta(hours=count)
    assert bounds(wording.format(count), operator, now) == {f"{moment:%Y-%m-%dT%H:%M:%SZ}"}


@given(clocks, operators, counts, st.sampled_from(["last {} days", "past {} days", "today-{}d", "{} days ago"]))
def test_days_are_bounded_by_their_first(now: datetime, operator: str, count: int, wording: str) -> None:
    assert bounds(wording.format(count), operator, now) == {(now.date() - timedelta(days=count)).isoformat()}
