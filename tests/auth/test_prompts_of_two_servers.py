"""Two servers of one profile, step by step: what one of them brings, declines or gives up is heard by the other."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest

from copilot_mcp.auth import Credential, HostSignIn, SignedInMeanwhileError, TokenCache
from copilot_mcp.auth.host_sign_in import CONSENT_PAUSE_S
from copilot_mcp.auth.joiners import Joiners
from copilot_mcp.auth.keeping import Keeping
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError

pytestmark = pytest.mark.anyio

FILES = ("Files.Read.All", "Sites.Read.All")
MAIL = ("Mail.Read",)


async def nap(seconds: float) -> None:
    await anyio.sleep(0.01)


@pytest.fixture
def new_server(new_credential: Callable[..., Credential], tmp_path: Path) -> Callable[..., Credential]:
    """Makes credentials with a cache of their own on one file, as processes have."""

    def make(cache: Callable[[Path], TokenCache] = TokenCache) -> Credential:
        credential = new_credential(cache=cache(tmp_path / "state" / "file.json"))
        credential._sign_in._sleep = nap
        return credential

    return make


@asynccontextmanager
async def hosting(*credentials: Credential) -> AsyncIterator[list[HostSignIn]]:
    async with anyio.create_task_group() as tasks:
        yield [HostSignIn(credential, tasks, wait_s=5) for credential in credentials]
        tasks.cancel_scope.cancel()


async def refused(host: HostSignIn, scopes: tuple[str, ...]) -> str | None:
    """The sign-in that a call found wanting."""
    with pytest.raises((AuthenticationRequiredError, AuthenticationError)) as caught:
        await host.token(scopes)
    return caught.value.sign_in_id


async def test_call_that_found_nobody_asks_nobody_when_another_server_was_quicker(new_server: Any, entra: Any) -> None:
    first, second = new_server(), new_server()
    attempt = await first.start_sign_in(FILES)
    async with hosting(second) as [host]:
        seen = await refused(host, FILES)
        entra.approved = True
        account = await first.finish_sign_in(attempt)
        assert (seen, await host.start(FILES, since=0, seen=seen)) == ("", None)
        assert (host.news(), entra.log.count("devicecode")) == (account, 1)
        assert await host.token(FILES)


async def test_call_whose_sign_in_was_of_no_use_asks_nobody_when_a_newer_one_is_there(
    new_server: Any, entra: Any, sign_in: Any
) -> None:
    first, second = new_server(), new_server()
    old = await sign_in(*FILES, by=first)
    entra.refresh_tokens.clear()
    async with hosting(second) as [host]:
        seen = await refused(host, MAIL)
        newer = await sign_in(*FILES, *MAIL, by=first)
        made = entra.log.count("devicecode")
        assert (seen, await host.start(MAIL, seen=seen), host.news()) == (old.sign_in_id, None, newer)
        assert entra.log.count("devicecode") == made
        assert await host.token(MAIL)


async def test_call_that_found_nobody_does_not_join_a_code_that_came_after_a_sign_in(
    new_server: Any, entra: Any, sign_in: Any
) -> None:
    first, second = new_server(), new_server()
    async with hosting(second) as [host]:
        seen = await refused(host, FILES)
        await sign_in(*FILES, by=first)
        await first.start_sign_in(MAIL)
        assert await host.start(FILES, seen=seen) is None
        assert await host.token(FILES)


async def test_call_whose_sign_in_is_of_no_use_and_the_newest_asks(new_server: Any, entra: Any, sign_in: Any) -> None:
    first, second = new_server(), new_server()
    await sign_in(*FILES, by=first)
    entra.refresh_tokens.clear()
    entra.approved = False
    async with hosting(second) as [host]:
        attempt = await host.start(MAIL, seen=await refused(host, MAIL))
        assert attempt is not None
        assert (attempt.user_code, entra.log.count("devicecode")) == ("ABCD1234", 2)


async def test_sign_in_that_comes_while_a_code_is_about_to_be_made_leaves_it_unmade(
    new_server: Any, entra: Any
) -> None:
    """A keyring may take seconds to say how a sign-in would be kept."""
    first, began = new_server(), []

    class Slow(TokenCache):
        def prospect(self) -> Keeping:
            if began:
                entra.approved = True
                anyio.from_thread.run(first.finish_sign_in, began.pop())
            return super().prospect()

    second = new_server(Slow)
    began.append(await first.start_sign_in(FILES))
    with pytest.raises(SignedInMeanwhileError) as caught:
        await second.start_sign_in(FILES)
    assert (caught.value.account, caught.value.kind) == (await first.account(), "signed_in_meanwhile")
    assert entra.log.count("devicecode") == 1
    await second.start_sign_in(FILES)  # whoever asks now has seen it, and nobody holds the right to ask
    assert entra.log.count("devicecode") == 2


async def test_consent_that_was_declined_here_is_not_asked_for_again_whoever_made_the_code(
    new_server: Any, entra: Any, sign_in: Any
) -> None:
    first, second = new_server(), new_server()
    await sign_in(*FILES, by=first)
    entra.approved = False
    async with hosting(first, second) as [ours, theirs]:
        attempt, shown = await ours.start(MAIL, consent=True), await theirs.start(MAIL, consent=True)
        assert attempt is not None
        assert shown is not None
        assert await theirs.start(MAIL) is shown
        assert (shown.elsewhere, theirs.offers_consent(MAIL)) == (True, True)
        theirs.give_up(attempt)  # no attempt of theirs
        assert theirs.offers_consent(MAIL)
        theirs.give_up(shown)
        assert (theirs.offers_consent(MAIL), theirs.offers_consent(["Chat.Read"])) == (False, True)
        assert (first.sign_in_is_open(attempt), ours.offers_consent(MAIL)) == (True, True)
        theirs._monotonic = lambda: anyio.current_time() + CONSENT_PAUSE_S
        assert theirs.offers_consent(MAIL)


async def test_sign_in_that_was_declined_here_is_no_declined_consent(new_server: Any) -> None:
    first, second = new_server(), new_server()
    async with hosting(first, second) as [ours, theirs]:
        await ours.start(FILES)
        shown = await theirs.start(FILES)
        assert shown is not None
        theirs.give_up(shown)
        assert theirs.offers_consent(FILES)


async def test_sign_out_voids_the_code_that_another_server_shows(new_server: Any, entra: Any) -> None:
    first, second = new_server(), new_server()
    async with hosting(first, second) as [ours, theirs]:
        attempt, shown = await ours.start(FILES), await theirs.start(FILES)
        assert attempt is not None
        assert shown is not None
        await new_server().sign_out()
        assert not first.sign_in_is_open(attempt)
        assert (await ours.ended(attempt), await theirs.ended(shown)) == (True, True)
        for host, ended in ((ours, attempt), (theirs, shown)):
            with pytest.raises(AuthenticationError) as caught:
                host.check(ended)
            assert caught.value.kind == "sign_in_cancelled"
        entra.approved = True
        assert (await first.account(), await second.account()) == (None, None)
        anew = await theirs.start(FILES)
        assert anew is not None
        assert (anew.elsewhere, entra.log.count("devicecode")) == (False, 2)
        assert await theirs.ended(anew)
        assert await ours.token(FILES)


async def test_approval_that_comes_with_a_sign_out_elsewhere_is_not_stored(
    new_server: Any, entra: Any, tmp_path: Path
) -> None:
    first, second = new_server(), new_server()
    attempt = await first.start_sign_in(FILES)

    def signed_out_first(form: dict[str, str]) -> Any:
        second._prompts.void()
        return entra.success(form.get("scope", entra.device_scope))

    entra.script["token"].append(signed_out_first)
    with pytest.raises(AuthenticationError) as caught:
        await first.finish_sign_in(attempt)
    assert (caught.value.kind, await second.account()) == ("sign_in_cancelled", None)
    assert not (tmp_path / "state" / "file.json").exists()


async def test_code_from_before_a_sign_out_is_neither_given_again_nor_joined(new_server: Any, entra: Any) -> None:
    first, second = new_server(), new_server()
    before = await first.start_sign_in(FILES)
    await second.sign_out()
    assert first.sign_in_under_way() is None
    started = time.monotonic()
    with anyio.move_on_after(0.2) as scope:
        await second.start_sign_in(FILES)  # waits until the other has let go
    assert (scope.cancelled_caught, time.monotonic() - started < 5) == (True, True)
    after = await first.start_sign_in(FILES)
    assert (after is not before, entra.log.count("devicecode")) == (True, 2)
    assert (await second.start_sign_in(FILES)).elsewhere
    first.cancel_sign_in()


async def test_sign_out_that_cannot_be_counted_is_one_all_the_same(
    new_server: Any, sign_in: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    credential = new_server()
    await sign_in(by=credential)
    (tmp_path / "state" / "file.signouts").mkdir()
    await credential.sign_out()
    assert await credential.account() is None
    assert "can still be approved" in caplog.text


async def test_question_dismissed_at_one_server_leaves_its_code_to_the_other(new_server: Any, entra: Any) -> None:
    first, second = new_server(), new_server()
    async with hosting(first, second) as [ours, theirs]:
        attempt, shown = await ours.start(FILES), await theirs.start(FILES)
        assert attempt is not None
        assert shown is not None
        ours.give_up(attempt)
        assert first.sign_in_is_open(attempt)
        entra.approved = True
        assert (await theirs.ended(shown), await ours.ended(attempt)) == (True, True)
        theirs.check(shown)
        assert await theirs.token(FILES) == await ours.token(FILES)
        assert entra.log.count("devicecode") == 1


async def test_code_that_both_servers_give_up_is_void(new_server: Any, entra: Any) -> None:
    first, second = new_server(), new_server()
    async with hosting(first, second) as [ours, theirs]:
        attempt, shown = await ours.start(FILES), await theirs.start(FILES)
        assert attempt is not None
        assert shown is not None
        ours.give_up(attempt)
        theirs.give_up(shown)
        assert await ours.ended(attempt)
        with pytest.raises(AuthenticationError) as caught:
            ours.check(attempt)
        assert (caught.value.kind, first.sign_in_is_open(attempt)) == ("sign_in_cancelled", False)
        entra.approved = True
        assert await first.account() is None


async def test_code_that_was_given_up_and_is_shown_again_needs_no_other_server(new_server: Any, entra: Any) -> None:
    first, second = new_server(), new_server()
    async with hosting(first, second) as [ours, theirs]:
        attempt, shown = await ours.start(FILES), await theirs.start(FILES)
        assert attempt is not None
        assert shown is not None
        ours.give_up(attempt)
        assert await ours.start(FILES) is attempt
        ours.give_up(attempt)
        assert await first.start_sign_in(FILES) is attempt
        theirs.give_up(shown)
        await nap(0)
        entra.approved = True
        assert await ours.ended(attempt)
        assert await ours.token(FILES)


async def test_consent_that_goes_on_for_another_server_is_not_offered_again(
    new_server: Any, entra: Any, sign_in: Any
) -> None:
    first, second = new_server(), new_server()
    await sign_in(*FILES, by=first)
    entra.approved = False
    async with hosting(first, second) as [ours, theirs]:
        attempt, shown = await ours.start(MAIL, consent=True), await theirs.start(MAIL, consent=True)
        assert attempt is not None
        assert shown is not None
        ours.give_up(attempt)
        assert (ours.offers_consent(MAIL), theirs.offers_consent(MAIL)) == (False, True)
        entra.approved = True
        assert await theirs.ended(shown)
        assert await ours.token(MAIL)


def test_ninth_process_shows_the_code_without_being_waited_for(tmp_path: Path) -> None:
    joiners = Joiners(tmp_path / "state" / "file.prompt")
    seats = [joiners.join("ABCD1234") for _ in range(9)]
    assert [seat is not None for seat in seats] == [True] * 8 + [False]
    assert (joiners.wait_for("ABCD1234"), joiners.wait_for("WXYZ9876")) == (True, False)
    for seat in seats[:8]:
        assert seat is not None
        seat.release()
    assert not joiners.wait_for("ABCD1234")


def test_process_that_cannot_say_so_shows_the_code_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file.joined0").mkdir()
    assert Joiners(tmp_path / "file.prompt").join("ABCD1234") is None
