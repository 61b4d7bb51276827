"""Best first, where some have no score."""

import pytest

from copilot_mcp.tools.ordering import by_score_and_rank


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], ""),
        ([(0.2, 0, "a"), (0.9, 1, "b"), (0.5, 2, "c")], "bca"),
        ([(None, 0, "a"), (None, 1, "b"), (None, 2, "c")], "abc"),
        # A connector beside a scored source: the first of each, then the second.
        ([(0.9, 0, "a"), (0.5, 1, "b"), (None, 0, "x"), (None, 1, "y")], "axby"),
        ([(None, 0, "x"), (None, 0, "p"), (0.1, 0, "a"), (None, 1, "y"), (None, 1, "q")], "axpyq"),
        # One score missing among its own: it keeps the place it came in, however low the scores.
        ([(0.9, 0, "a"), (None, 1, "x"), (0.0, 2, "b"), (0.0, 3, "c")], "abxc"),
        ([(0.5, 0, "a"), (0.5, 1, "b")], "ab"),
        ([(-0.1, 0, "a"), (0.0, 1, "b")], "ba"),
    ],
)
def test_scores_decide_and_ranks_stand_in_for_missing_ones(
    items: list[tuple[float | None, int, str]], expected: str
) -> None:
    assert "".join(by_score_and_rank(items)) == expected
