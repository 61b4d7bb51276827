"""Short ids: from the key alone, never shared within a result."""

import re

from copilot_mcp.tools.short_ids import short_ids


def test_an_id_comes_from_its_key_alone() -> None:
    keys = [f"https://x.test/{number}" for number in range(50)]
    ids = short_ids(keys)
    assert [each for each in ids.values() if not re.fullmatch(r"[a-z2-7]{4}", each)] == []
    assert short_ids(reversed(keys)) == ids
    assert short_ids([keys[7], keys[7]]) == {keys[7]: ids[keys[7]]}
    assert short_ids([]) == {}


def test_ids_that_would_meet_are_lengthened_only_as_far_as_needed() -> None:
    keys = [str(number) for number in range(20_000)]
    ids = short_ids(keys)
    assert len(set(ids.values())) == len(keys)
    longer = [key for key, each in ids.items() if len(each) > 4]
    assert 100 < len(longer) < 1_000
    assert all(ids[key].startswith(short_ids([key])[key]) for key in longer)
    assert short_ids(keys[:10]) == {key: ids[key][:4] for key in keys[:10]}
