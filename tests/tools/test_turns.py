"""Open turns by themselves: one at a time in a conversation, bounded in number and time, ended with the process."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from copilot_mcp.errors import ArgumentError
from copilot_mcp.tools.turns import KEPT_S, MOST_KEPT, MOST_RUNNING, OpenTurn, OpenTurns

pytestmark = pytest.mark.anyio


async def nothing(turn: OpenTurn) -> None:
    return None


async def settle() -> None:
    """Let every task go on until it waits."""
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


class Gate:
    """Reads turns of one person that last until they are let go."""

    def __init__(self, turns: OpenTurns, identity: str = "adele") -> None:
        self.turns = turns
        self.identity = identity
        self.claimed: list[str] = []
        self.go = anyio.Event()

    def start(self, name: str, conversation: str | None) -> OpenTurn:
        async def read(turn: OpenTurn) -> None:
            await self.turns.claim(turn, self.identity, conversation)
            self.claimed.append(name)
            await self.go.wait()

        return self.turns.start(read)

    async def let_go(self) -> None:
        """End the turns that run now, and let those that waited begin."""
        gate, self.go = self.go, anyio.Event()
        gate.set()
        await settle()


async def test_turns_of_a_conversation_run_one_after_another_in_their_order() -> None:
    async with OpenTurns() as turns:
        gate = Gate(turns)
        started = [gate.start(name, "c1") for name in "abc"]
        await settle()
        assert gate.claimed == ["a"]
        assert [turn.stage for turn in started] == ["opening", "queued", "queued"]
        assert turns.before(started[1]) is started[0]
        await gate.let_go()
        assert gate.claimed == ["a", "b"]
        assert [turn.stage for turn in started[1:]] == ["opening", "queued"]
        await gate.let_go()
        assert gate.claimed == ["a", "b", "c"]
        assert [turn.ended.is_set() for turn in started] == [True, True, False]


async def test_who_comes_later_does_not_overtake() -> None:
    async with OpenTurns() as turns:
        gate = Gate(turns)
        first = gate.start("a", "c1")
        await settle()
        gate.start("b", "c1")
        await settle()
        first.cancel()
        await first.ended.wait()  # the place is free, and b has not noticed yet
        turn = OpenTurn()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(turns.claim, turn, "adele", "c1")
            await settle()
            assert gate.claimed == ["a", "b"]
            assert turns.before(turn) is not None
            tasks.cancel_scope.cancel()


async def test_other_conversations_and_other_people_do_not_wait() -> None:
    async with OpenTurns() as turns:
        adele, megan = Gate(turns), Gate(turns, "megan")
        adele.start("a", "c1")
        adele.start("b", "c2")
        adele.start("new", None)
        adele.start("new too", None)
        megan.start("m", "c1")  # knowing the id of another person's conversation stops nobody
        await settle()
        assert (adele.claimed, megan.claimed) == (["a", "b", "new", "new too"], ["m"])


async def test_a_person_runs_a_few_turns_at_a_time() -> None:
    async with OpenTurns() as turns:
        adele, megan = Gate(turns), Gate(turns, "megan")
        started = [adele.start(str(number), None) for number in range(MOST_RUNNING + 1)]
        megan.start("m", None)
        await settle()
        assert len(adele.claimed) == MOST_RUNNING
        assert megan.claimed == ["m"]
        started[0].cancel()
        await settle()
        assert len(adele.claimed) == MOST_RUNNING + 1


async def test_a_cancelled_turn_stops_waiting() -> None:
    async with OpenTurns() as turns:
        gate = Gate(turns)
        gate.start("a", "c1")
        waiting = gate.start("b", "c1")
        await settle()
        waiting.cancel()
        await waiting.ended.wait()
        await gate.let_go()
        assert gate.claimed == ["a"]


async def test_the_newest_finished_turns_of_each_person_are_kept() -> None:
    async with OpenTurns() as turns:
        kept = []
        running = Gate(turns).start("long", None)
        megans = turns.start(nothing)
        megans.identity = "megan"
        await megans.ended.wait()
        turns.keep(megans, 0)
        await settle()
        turns.keep(running, 0)
        for _ in range(MOST_KEPT):
            turn = turns.start(nothing)
            turn.identity = "adele"
            await turn.ended.wait()
            kept.append(turns.keep(turn, 0))
        assert turns.find(running.id, "adele", 0) is running
        assert turns.find(megans.id, "megan", 0) is megans
        with pytest.raises(ArgumentError, match="too long ago"):
            turns.find(kept[0], "adele", 0)
        assert [turns.find(each, "adele", 0).id for each in kept[1:]] == kept[1:]


async def test_a_finished_turn_is_forgotten_after_its_time() -> None:
    async with OpenTurns() as turns:
        turn = turns.start(nothing)
        turn.identity = "adele"
        await turn.ended.wait()
        turns.keep(turn, 100)
        assert turns.find(turn.id, "adele", 100 + KEPT_S - 1) is turn
        assert turns.is_kept(turn)
        with pytest.raises(ArgumentError):
            turns.find(turn.id, "adele", 100 + 2 * KEPT_S)
        assert not turns.is_kept(turn)


async def test_ids_are_long_random_and_bound_to_their_person() -> None:
    async with OpenTurns() as turns:
        ids = [turns.start(nothing).id for _ in range(50)]
        assert len(set(ids)) == 50
        assert {len(each) for each in ids} == {32}
        turn = turns.start(nothing)
        turn.identity = "adele"
        turns.keep(turn, 0)
        sentences = []
        for identity, turn_id in (("megan", turn.id), ("adele", ids[0]), ("adele", "")):
            with pytest.raises(ArgumentError) as caught:
                turns.find(turn_id, identity, 0)
            sentences.append(str(caught.value))
        assert len(set(sentences)) == 1  # whether the id exists is nobody else's business


async def test_closing_ends_what_still_runs() -> None:
    ended: list[str] = []

    async def read(turn: OpenTurn) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("closed")

    async with OpenTurns() as turns:
        turn = turns.start(read)
        await settle()
    assert ended == ["closed"]
    assert turn.ended.is_set()


async def test_an_error_of_the_body_comes_out_as_it_is() -> None:
    with pytest.raises(ValueError, match="as it is"):
        async with OpenTurns() as turns:
            turns.start(nothing)
            raise ValueError("as it is")


async def test_a_crash_of_one_turn_is_kept_for_who_asks_and_hurts_nobody() -> None:
    async def crash(turn: OpenTurn) -> None:
        raise RuntimeError("a defect")

    async with OpenTurns() as turns:
        crashed: Any = turns.start(crash)
        other = turns.start(nothing)
        await crashed.ended.wait()
        await other.ended.wait()
        assert str(crashed.error) == "a defect"
        assert other.error is None


async def test_turns_that_nobody_opened_start_nothing() -> None:
    with pytest.raises(RuntimeError, match="opened around the server"):
        OpenTurns().start(nothing)
    await OpenTurns().__aexit__(None, None, None)
