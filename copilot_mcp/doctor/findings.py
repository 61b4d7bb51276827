"""What an examination says: one line about one thing, with a verdict and what to do about it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Finding", "Section", "Verdict", "shown_address", "worst"]


class Verdict(StrEnum):
    """How good a thing is, from best to worst."""

    OK = "ok"
    NOTE = "note"
    """Nothing to do; good to know."""
    WARNING = "warning"
    """The tools work, but not as well or as safely as they could."""
    PROBLEM = "problem"
    """It prevents the tools from working."""


class Section(StrEnum):
    """What a finding is about, in the order of a report."""

    MACHINE = "machine"
    CONFIGURATION = "configuration"
    NETWORK = "network"
    SIGN_IN = "sign-in"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report. None of it is ever secret.

    Attributes:
        topic: a stable name for programs, such as `client-id`; the host follows a colon where there are several.
        what: what was found, one sentence or two.
        remedy: what to do about it; empty where there is nothing to do.
        facts: the same for programs, plain JSON values.
    """

    section: Section
    topic: str
    verdict: Verdict
    what: str
    remedy: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def worst(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict; ok where nothing was found."""
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.OK)


_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)?(.*)", re.DOTALL)
_PLACE = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?")


def shown_address(text: str) -> str:
    """An address as it may be shown: scheme, host and port, nothing that could be a password or a key."""
    found = _SCHEME.fullmatch(text.strip())
    scheme, rest = (found[1] or "", found[2]) if found else ("", "")
    # A password may hold any character, so the last @ counts, and only then the end of the host.
    place = re.split(r"[/?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{scheme}{place}" if _PLACE.fullmatch(place) else "an address that cannot be read"
