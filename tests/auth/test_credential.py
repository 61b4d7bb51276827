"""Tokens: from memory, from the cache, from one refresh; and what is said when there is none."""

import traceback
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from copilot_mcp.auth import TokenCache
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError

pytestmark = pytest.mark.anyio

FILES = ("Files.Read.All", "Sites.Read.All")


def age(cache: Any, **changes: str) -> None:
    """Set fields of every cached access token."""

    def change(content: dict[str, Any]) -> dict[str, Any]:
        for entry in content["AccessToken"].values():
            entry.update(changes)
        return content

    cache.update(change)


async def test_sign_in_gives_the_account_and_its_token(credential: Any, entra: Any, sign_in: Any) -> None:
    account = await sign_in()
    assert (account.username, account.name, account.tenant_id, account.scopes) == (
        "alice@contoso.example",
        "Alice Adams",
        "11111111-1111-4111-8111-111111111111",
        FILES,
    )
    assert await credential.account() == account
    assert await credential.token(FILES) == "access-1-SECRETMARK"
    assert entra.log == ["discovery", "devicecode", "device_code"]


async def test_nobody_signed_in_says_so_and_names_the_command(credential: Any, entra: Any) -> None:
    with pytest.raises(AuthenticationRequiredError) as caught:
        await credential.token(FILES)
    assert str(caught.value) == "Nobody is signed in to Microsoft 365. Run `copilot-mcp login`."
    assert (caught.value.kind, entra.log, await credential.account()) == ("signed_out", [], None)


async def test_token_without_scopes_is_a_programming_error(credential: Any) -> None:
    with pytest.raises(ValueError, match="at least one scope"):
        await credential.token(())


async def test_another_process_uses_the_cached_token_without_any_request(
    new_credential: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in()
    entra.log.clear()
    assert await new_credential().token(["Files.Read.All"]) == "access-1-SECRETMARK"
    assert entra.log == []


async def test_scopes_echoed_without_prefix_are_found_again(new_credential: Any, entra: Any, sign_in: Any) -> None:
    entra.bare_echo = True
    assert (await sign_in()).scopes == FILES
    entra.log.clear()
    assert await new_credential().token(FILES) == "access-1-SECRETMARK"
    assert entra.log == []


async def test_token_for_another_scope_set_is_refreshed_and_remembered(
    credential: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in("Files.Read.All")
    assert await credential.missing_scopes(["Mail.Read", "Files.Read.All"]) == ("Mail.Read",)
    assert await credential.token(["Mail.Read"]) == "access-2-SECRETMARK"
    assert await credential.token(["Mail.Read"]) == "access-2-SECRETMARK"
    assert await credential.token(["Files.Read.All"]) == "access-1-SECRETMARK"
    assert entra.log == ["discovery", "devicecode", "device_code", "refresh_token"]
    assert (await credential.account()).scopes == ("Files.Read.All", "Mail.Read")


async def test_expired_token_is_refreshed_once_for_fifty_callers(
    credential: Any, cache: Any, clock: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in()
    age(cache, expires_on=str(int(clock.now) + 300))
    tokens: list[str] = []

    async def caller() -> None:
        tokens.append(await credential.token(FILES))

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(caller)
    assert tokens == ["access-2-SECRETMARK"] * 50
    assert entra.log.count("refresh_token") == 1


async def test_two_sets_of_scopes_never_redeem_one_refresh_token_at_once(
    credential: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in()
    tokens: list[str] = []

    async def caller(name: str) -> None:
        tokens.append(await credential.token([name]))

    async with anyio.create_task_group() as group:
        for name in ("Chat.Read", "Mail.Read", "People.Read.All", "ExternalItem.Read.All"):
            group.start_soon(caller, name)
    assert sorted(tokens) == [f"access-{number}-SECRETMARK" for number in (2, 3, 4, 5)]
    assert entra.log.count("refresh_token") == 4


async def test_refusal_for_consent_names_only_what_is_not_granted(credential: Any, entra: Any, sign_in: Any) -> None:
    await sign_in()
    entra.script["token"].append(entra.refusal("invalid_grant", 65001))
    with pytest.raises(AuthenticationError) as caught:
        await credential.token([*FILES, "Mail.Read"])
    assert (caught.value.kind, caught.value.scopes) == ("consent_required", ("Mail.Read",))
    assert caught.value.message.startswith("Permission for Mail.Read has not been granted.")
    assert "Mail.Read" in caught.value.hint
    assert "Files.Read.All" not in caught.value.hint


async def test_consent_that_was_taken_back_names_all_that_was_asked_for(
    credential: Any, cache: Any, entra: Any, sign_in: Any, clock: Any
) -> None:
    await sign_in()
    age(cache, expires_on=str(int(clock.now)))
    entra.script["token"].append(entra.refusal("invalid_grant", 65001))
    with pytest.raises(AuthenticationError) as caught:
        await credential.token(FILES)
    assert caught.value.scopes == FILES


async def test_token_in_memory_is_renewed_five_minutes_before_its_end(
    credential: Any, clock: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in()
    assert await credential.token(FILES) == "access-1-SECRETMARK"
    clock.now += 3600 - 300 - sum(clock.slept) - 3
    assert await credential.token(FILES) == "access-1-SECRETMARK"
    clock.now += 5
    assert await credential.token(FILES) == "access-2-SECRETMARK"


async def test_rejected_token_is_refreshed_once_and_not_given_again(credential: Any, entra: Any, sign_in: Any) -> None:
    await sign_in()
    first = await credential.token(FILES)
    second = await credential.token(FILES, rejected=first)
    assert (first, second) == ("access-1-SECRETMARK", "access-2-SECRETMARK")
    assert await credential.token(FILES, rejected=first) == second
    assert await credential.token(FILES) == second
    assert entra.log.count("refresh_token") == 1


async def test_refresh_that_fails_leaves_the_ageing_token_in_use(
    credential: Any, cache: Any, clock: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in()
    age(cache, expires_on=str(int(clock.now) + 200))
    entra.script["token"].append(httpx.ConnectError("down"))
    assert await credential.token(FILES) == "access-1-SECRETMARK"
    assert await credential.token(FILES) == "access-2-SECRETMARK"


async def test_token_past_its_renewal_time_is_renewed(
    credential: Any, cache: Any, clock: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in()
    age(cache, refresh_on=str(int(clock.now) - 1))
    assert await credential.token(FILES) == "access-2-SECRETMARK"


async def test_network_fault_without_any_token_left_is_told_and_tried_again(
    credential: Any, cache: Any, clock: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in()
    age(cache, expires_on=str(int(clock.now) + 20))
    entra.script["token"].append(httpx.ConnectError("down"))
    with pytest.raises(AuthenticationError) as caught:
        await credential.token(FILES)
    assert caught.value.kind == "offline"
    assert str(caught.value) == "login.microsoftonline.com cannot be reached. Check the network and the proxy."
    assert await credential.token(FILES) == "access-2-SECRETMARK"


async def test_busy_service_is_left_alone_for_the_time_it_names(
    credential: Any, clock: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in("Files.Read.All")
    entra.script["token"].append(httpx.Response(429, headers={"retry-after": "7"}, text="slow down"))
    for _ in range(3):
        with pytest.raises(AuthenticationError, match=r"is busy\. Try again in 7 seconds") as caught:
            await credential.token(["Mail.Read"])
        assert caught.value.kind == "identity_unavailable"
    assert entra.log.count("refresh_token") == 1
    clock.now += 8
    assert await credential.token(["Mail.Read"]) == "access-2-SECRETMARK"


async def test_revoked_sign_in_asks_for_login_and_is_remembered_for_half_a_minute(
    credential: Any, clock: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in("Files.Read.All")
    entra.refresh_tokens.clear()
    for _ in range(3):
        with pytest.raises(AuthenticationRequiredError) as caught:
            await credential.token(["Mail.Read"])
    assert str(caught.value) == (
        "The saved sign-in was revoked, by a password change or an administrator. (AADSTS50173, correlation id "
        "cccccccc-0000-4000-8000-000000000003, 2026-07-01 10:00:00Z) Run `copilot-mcp login`."
    )
    assert (caught.value.kind, entra.log.count("refresh_token")) == ("session_revoked", 1)
    clock.now += 31
    with pytest.raises(AuthenticationRequiredError):
        await credential.token(["Mail.Read"])
    assert entra.log.count("refresh_token") == 2


async def test_new_sign_in_clears_the_memory_of_a_refusal(credential: Any, entra: Any, sign_in: Any) -> None:
    await sign_in("Files.Read.All")
    entra.refresh_tokens.clear()
    with pytest.raises(AuthenticationRequiredError):
        await credential.token(["Mail.Read"])
    await sign_in("Mail.Read")
    assert await credential.token(["Mail.Read"]) == "access-2-SECRETMARK"


async def test_sign_in_by_another_process_clears_the_memory_of_a_refusal(
    credential: Any, new_credential: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in("Files.Read.All")
    entra.refresh_tokens.clear()
    with pytest.raises(AuthenticationRequiredError):
        await credential.token(["Mail.Read"])
    await sign_in("Mail.Read", by=new_credential())
    assert await credential.token(["Mail.Read"]) == "access-2-SECRETMARK"


async def test_fewer_scopes_than_wanted_are_named(credential: Any, entra: Any, sign_in: Any) -> None:
    entra.grants = {"Files.Read.All"}
    account = await sign_in()
    assert account.scopes == ("Files.Read.All",)
    with pytest.raises(AuthenticationError) as caught:
        await credential.token(FILES)
    assert caught.value.kind == "scopes_missing"
    assert str(caught.value) == (
        "Signed in, but these permissions were not granted: Sites.Read.All. Call again "
        "after an administrator has approved them at "
        "https://login.microsoftonline.com/11111111-1111-4111-8111-111111111111/v2.0/adminconsent?"
        "client_id=22222222-2222-4222-8222-222222222222&scope=https%3A%2F%2Fgraph.microsoft.com%2FFiles.Read.All+"
        "https%3A%2F%2Fgraph.microsoft.com%2FSites.Read.All"
        "&redirect_uri=https%3A%2F%2Flogin.microsoftonline.com%2Fcommon%2Foauth2%2Fnativeclient"
    )
    assert await credential.token(["Files.Read.All"]) == "access-2-SECRETMARK"


async def test_refreshed_token_of_another_person_is_refused_and_not_kept(
    credential: Any, cache: Any, entra: Any, bob: Any, sign_in: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await sign_in("Files.Read.All")
    before = cache.read()
    entra.person = bob
    with pytest.raises(AuthenticationError) as caught:
        await credential.token(["Mail.Read"])
    assert (caught.value.kind, cache.read()) == ("bad_answer", before)
    assert "security: wrong_person_answer" in caplog.messages


@pytest.mark.shows("F6", "F7", "F8", "F9", "F10", "F11", "F15")
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>Sign in to the guest network</html>"),
        httpx.Response(200, text='{"access_token":"SECRETMARK'),
        httpx.Response(200, json=[]),
        httpx.Response(200, text="null"),
        httpx.Response(200, json={"token_type": "Bearer"}),
        httpx.Response(200, json={"access_token": "SECRETMARK", "expires_in": "soon"}),
        httpx.Response(200, json={"access_token": "SECRETMARK", "expires_in": 3600, "id_token": "SECRETMARK"}),
        httpx.Response(200, json={"access_token": "SECRETMARK", "expires_in": 3600}),
        httpx.Response(200, json={"access_token": 7, "expires_in": 3600}),
        httpx.Response(200, text="[" * 100_000),
        httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
    ],
    ids=["page", "cut", "list", "null", "empty", "life", "id_token", "nobody", "number", "deep", "redirect"],
)
async def test_unusable_answer_is_a_typed_error_and_the_next_call_succeeds(
    credential: Any, cache: Any, clock: Any, entra: Any, sign_in: Any, answer: httpx.Response
) -> None:
    await sign_in("Files.Read.All")
    before = cache.read()
    entra.script["token"].append(answer)
    with pytest.raises(AuthenticationError) as caught:
        await credential.token(["Mail.Read"])
    assert caught.value.kind in {"bad_answer", "captive_portal"}
    assert "SECRETMARK" not in "".join(traceback.format_exception(caught.value))
    assert cache.read() == before
    clock.now += 31
    assert (await credential.token(["Mail.Read"])).startswith("access-")


@pytest.mark.shows("F46")
async def test_cancelled_caller_leaves_the_refresh_to_the_others(
    credential: Any, cache: Any, clock: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in()
    age(cache, expires_on=str(int(clock.now) + 100))
    tokens: list[str] = []

    async def caller() -> None:
        tokens.append(await credential.token(FILES))

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:

            def cancel_the_first(form: dict[str, str]) -> httpx.Response:
                group.start_soon(caller)
                scope.cancel()
                return entra.success(form["scope"])

            entra.script["token"].append(cancel_the_first)
            await credential.token(FILES)
            await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert (tokens, entra.log.count("refresh_token")) == (["access-2-SECRETMARK"], 1)


async def test_sign_out_forgets_everything_for_every_process(
    credential: Any, new_credential: Any, cache: Any, sign_in: Any
) -> None:
    await sign_in()
    other = new_credential()
    await other.token(FILES)
    await credential.sign_out()
    assert cache.read() == {}
    for one in (credential, other):
        with pytest.raises(AuthenticationRequiredError, match="Nobody is signed in"):
            await one.token(FILES)
        assert await one.account() is None


@pytest.mark.parametrize("after", ["signed out", "signed in again"])
async def test_refresh_that_ends_after_its_sign_in_stores_nothing(
    credential: Any, cache: Any, entra: Any, sign_in: Any, after: str
) -> None:
    await sign_in("Files.Read.All")
    later: dict[str, Any] = {}
    if after == "signed in again":
        later = cache.read()
        later["CopilotMcp"]["account"]["sign_in_id"] = "another"

    def meanwhile(form: dict[str, str]) -> httpx.Response:
        cache.update(lambda _: later)
        return entra.success(form["scope"])

    entra.script["token"].append(meanwhile)
    with pytest.raises(AuthenticationRequiredError):
        await credential.token(["Mail.Read"])
    assert cache.read() == later


async def test_account_that_vanishes_before_the_refresh_is_told_as_signed_out(credential: Any, cache: Any) -> None:
    account = {"username": "", "name": "", "tenant_id": "", "object_id": "", "home_account_id": "", "sign_in_id": ""}
    cache.update(lambda _: {"CopilotMcp": {"account": account | {"scopes": []}}})
    with pytest.raises(AuthenticationRequiredError) as caught:
        await credential.token(FILES)
    assert caught.value.kind == "signed_out"
    cache.erase()
    with pytest.raises(AuthenticationRequiredError):
        await anyio.to_thread.run_sync(partial(credential._refresh, frozenset(FILES)))


async def test_sign_in_without_refresh_token_ends_with_its_access_token(
    credential: Any, cache: Any, entra: Any, sign_in: Any
) -> None:
    entra.script["token"].append(lambda _: entra.success("Files.Read.All", refresh_token=None))
    await sign_in("Files.Read.All")
    with pytest.raises(AuthenticationRequiredError) as caught:
        await credential.token(["Mail.Read"])
    assert caught.value.kind == "signed_out"


async def test_refresh_by_another_process_is_used_after_waiting_for_it(
    new_credential: Any, clock: Any, entra: Any, sign_in: Any, tmp_path: Path
) -> None:
    class Contended(TokenCache):
        """Another process refreshes just before our turn comes."""

        def refreshing(self) -> AbstractContextManager[None]:
            age(self, secret="access-of-the-other-process", expires_on=str(int(clock.now) + 3600))
            return super().refreshing()

    cache = Contended(tmp_path / "state" / "file.json")
    credential = new_credential(cache=cache)
    await sign_in(by=credential)
    age(cache, expires_on=str(int(clock.now) + 100))
    assert await credential.token(FILES) == "access-of-the-other-process"
    assert "refresh_token" not in entra.log


async def test_two_processes_with_one_expired_token_ask_for_one_refresh(
    new_credential: Any, clock: Any, entra: Any, sign_in: Any, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "file.json"
    credentials = [new_credential(cache=TokenCache(path)) for _ in range(2)]
    await sign_in(by=credentials[0])
    age(TokenCache(path), expires_on=str(int(clock.now) + 100))
    tokens: list[str] = []

    async def caller(credential: Any) -> None:
        tokens.append(await credential.token(FILES))

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(caller, credentials[number % 2])
    assert (tokens, entra.log.count("refresh_token")) == (["access-2-SECRETMARK"] * 20, 1)


async def test_cache_that_was_repaired_is_used_at_once(new_credential: Any, sign_in: Any, tmp_path: Path) -> None:
    path = tmp_path / "state" / "file.json"
    await sign_in(by=new_credential(cache=TokenCache(path)))
    credential = new_credential(cache=TokenCache(path))
    path.chmod(0o644)
    with pytest.raises(AuthenticationError) as caught:
        await credential.token(FILES)
    path.chmod(0o600)
    assert (caught.value.kind, await credential.token(FILES)) == ("cache_unsafe", "access-1-SECRETMARK")


async def test_consent_link_names_the_accounts_own_tenant(new_credential: Any, entra: Any, sign_in: Any) -> None:
    credential = new_credential(tenant="organizations")
    await sign_in("Files.Read.All", by=credential)
    entra.script["token"].append(entra.refusal("invalid_grant", 65001))
    with pytest.raises(AuthenticationError) as caught:
        await credential.token(["Mail.Read"])
    assert caught.value.message.startswith("Permission for Mail.Read has not been granted.")
    assert "/11111111-1111-4111-8111-111111111111/v2.0/adminconsent?" in caught.value.hint


async def test_rejected_token_is_forgotten_even_when_no_new_one_can_be_had(
    credential: Any, cache: Any, entra: Any, sign_in: Any
) -> None:
    await sign_in()
    first = await credential.token(FILES)
    entra.script["token"].append(httpx.ConnectError("down"))
    with pytest.raises(AuthenticationError) as caught:
        await credential.token(FILES, rejected=first)
    assert (caught.value.kind, cache.read()["AccessToken"]) == ("offline", {})
    assert await credential.token(FILES) == "access-2-SECRETMARK"


async def test_another_person_takes_the_place_only_where_that_is_asked_for(
    credential: Any, cache: Any, entra: Any, bob: Any, sign_in: Any
) -> None:
    first = await sign_in()
    before = cache.read()
    entra.person = bob
    with pytest.raises(AuthenticationError) as caught:
        await sign_in()
    assert (caught.value.kind, await credential.account(), cache.read()) == ("other_account", first, before)
    assert "--replace-account" in caught.value.hint
    assert credential._sign_in._pending.flow.cache is None  # nothing of Bob's is left in memory
    assert await credential.token(FILES) == "access-1-SECRETMARK"
    credential.replace_account = True
    assert (await sign_in()).name == "Bob Brown"
    assert await credential.token(FILES) == "access-3-SECRETMARK"


async def test_account_is_read_from_the_cache_again_only_when_that_has_changed(
    new_credential: Any, sign_in: Any, tmp_path: Path
) -> None:
    class Counted(TokenCache):
        reads = 0

        def read(self) -> Any:
            self.reads += 1
            return super().read()

    cache = Counted(tmp_path / "state" / "file.json")
    credential, other = new_credential(cache=cache), new_credential(cache=TokenCache(cache.path))
    assert await credential.account() is None
    signed_in = await sign_in(by=other)
    before = cache.reads
    assert [await credential.account() for _ in range(3)] == [signed_in] * 3
    assert cache.reads == before + 1
    await other.sign_out()
    assert (await credential.account(), cache.reads) == (None, before + 2)


async def test_same_person_may_sign_in_again(credential: Any, sign_in: Any) -> None:
    await sign_in("Mail.Read")
    assert (await sign_in("Files.Read.All")).scopes == ("Files.Read.All",)
