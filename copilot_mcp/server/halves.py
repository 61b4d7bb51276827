"""Which hosts show a model both halves of a result, so that one of the two need be no more than a line.

Every host gets both halves whole, since most show a model only one and no two agree on which. The exception is a host
that is known to show both: there a second copy only costs tokens.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["shows_both"]

SHOWN_BOTH_SINCE: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType({"github-copilot-developer": (1, 0, 56)})
"""Hosts by the name they give as `clientInfo.name`, with the first version that shows both. GitHub Copilot CLI (its
changelog) is the one that is known; before that version it gave its version as 1.0.0."""


def shows_both(name: str, version: str, choice: Literal["auto", "full", "line"]) -> bool:
    """Whether the text half may be one line. `choice` overrules the table: `line` means yes, `full` no."""
    if choice != "auto":
        return choice == "line"
    since = SHOWN_BOTH_SINCE.get(name)
    return since is not None and tuple(int(part) for part in re.findall(r"\d+", version)[: len(since)]) >= since
