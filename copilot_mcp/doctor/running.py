"""Runs checks side by side, each within its time; one that fails or hangs becomes a line and stops nobody."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from copilot_mcp.doctor.findings import Finding, Section, Verdict

__all__ = ["Probe", "run_probes"]


@dataclass(frozen=True, slots=True)
class Probe:
    """One check, or a few that follow each other.

    Attributes:
        topic: of the finding that is made when the check itself gives none.
        about: what is checked, as the beginning of a sentence.
        limit_s: seconds it may take.
    """

    section: Section
    topic: str
    about: str
    check: Callable[[], Awaitable[list[Finding]]]
    limit_s: float = 10.0


async def run_probes(probes: Sequence[Probe]) -> list[Finding]:
    """Every finding, in the order of the probes."""
    found: list[list[Finding]] = [[] for _ in probes]

    async def run(place: int, probe: Probe) -> None:
        found[place] = await _bounded(probe)

    async with anyio.create_task_group() as tasks:
        for place, probe in enumerate(probes):
            tasks.start_soon(run, place, probe)
    return [finding for each in found for finding in each]


async def _bounded(probe: Probe) -> list[Finding]:
    try:
        with anyio.move_on_after(probe.limit_s):
            return await probe.check()
    except Exception as error:
        # A check that breaks must not take the others' findings with it; its text could quote anything.
        what = f"{probe.about} could not be checked ({type(error).__name__})."
        return [Finding(probe.section, probe.topic, Verdict.WARNING, what, "Please report it as a fault of doctor.")]
    what = f"{probe.about} could not be checked within {probe.limit_s:g} seconds."
    return [Finding(probe.section, probe.topic, Verdict.WARNING, what, "Try again; if it stays, look for what hangs.")]
