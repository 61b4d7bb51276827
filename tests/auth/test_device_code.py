"""The sign-in by device code: its limits, its endings, and cancelling at every moment."""

import base64
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from copilot_mcp.auth import CLOUDS, Credential, HostSignIn, MemoryCache, SignInAttempt
from copilot_mcp.errors import AuthenticationError

pytestmark = pytest.mark.anyio

SCOPES = ("Files.Read.All", "Sites.Read.All")


def flow(**changes: Any) -> httpx.Response:
    """A device-code answer; None leaves a member out."""
    body = {
        "user_code": "ABCD1234",
        "device_code": "device-SECRETMARK",
        "verification_uri": "https://microsoft.com/devicelogin",
        "expires_in": 900,
        "interval": 5,
    } | changes
    return httpx.Response(200, json={name: value for name, value in body.items() if value is not None})


async def test_attempt_shows_code_page_and_deadline_and_nothing_secret(credential: Any, clock: Any) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    deadline = datetime.fromtimestamp(clock.now + 900, UTC)
    assert attempt == SignInAttempt("ABCD1234", "https://microsoft.com/devicelogin", deadline, 5)
    assert "SECRETMARK" not in f"{attempt!r} {vars(credential)!r} {credential._sign_in._pending!r}"


async def test_asks_at_the_interval_and_five_seconds_slower_after_slow_down(
    credential: Any, clock: Any, entra: Any
) -> None:
    entra.script["token"] += [
        entra.refusal("authorization_pending", 70016),
        entra.refusal("slow_down"),
        entra.refusal("authorization_pending", 70016),
    ]
    entra.approved = True
    await credential.finish_sign_in(await credential.start_sign_in(SCOPES))
    assert clock.slept == [5, 10, 10]


async def test_storm_of_slow_down_stays_below_a_minute_and_ends(credential: Any, clock: Any, entra: Any) -> None:
    entra.script["token"] += [entra.refusal("slow_down") for _ in range(100)]
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(await credential.start_sign_in(SCOPES))
    assert (caught.value.kind, max(clock.slept), sum(clock.slept)) == ("sign_in_expired", 60, 900)


@pytest.mark.shows("F23", "F24")
@pytest.mark.parametrize(
    ("interval", "expires_in", "used", "life"),
    [
        (0, 900, 1, 900),
        (-1, 900, 1, 900),
        ("7", "120", 7, 120),
        (10**6, 10**9, 30, 900),
        (None, None, 5, 900),
        (5, 0, 5, 60),
        (5, -5, 5, 60),
    ],
)
async def test_interval_and_lifetime_are_clamped(
    credential: Any, clock: Any, entra: Any, interval: Any, expires_in: Any, used: int, life: int
) -> None:
    entra.script["devicecode"].append(flow(interval=interval, expires_in=expires_in))
    started = clock.now
    attempt = await credential.start_sign_in(SCOPES)
    assert (attempt.interval, attempt.expires_at.timestamp() - started) == (used, life)
    entra.approved = True
    await credential.finish_sign_in(attempt)


@pytest.mark.shows("F25", "L10")
@pytest.mark.parametrize(
    "changes",
    [
        {"user_code": None},
        {"user_code": "A" * 33},
        {"user_code": "A](https://evil.example)"},
        {"user_code": "A\x1b[2J"},
        {"user_code": 7},
        {"device_code": None},
        {"device_code": ""},
        {"device_code": "x" * 8193},
        {"verification_uri": None},
        {"verification_uri": "http://microsoft.com/devicelogin"},
        {"verification_uri": "https://microsoft.com.evil.example/"},
        {"verification_uri": "https://microsoft.com@evil.example/"},
        {"interval": "often"},
    ],
)
async def test_answer_that_must_not_be_shown_is_refused(credential: Any, entra: Any, changes: dict[str, Any]) -> None:
    entra.script["devicecode"].append(flow(**changes))
    with pytest.raises(AuthenticationError) as caught:
        await credential.start_sign_in(SCOPES)
    assert caught.value.kind == "bad_answer"
    assert (await credential.start_sign_in(SCOPES)).user_code == "ABCD1234"


@pytest.mark.shows("F21")
@pytest.mark.parametrize(
    ("error", "number", "kind"),
    [
        ("authorization_declined", 70000, "sign_in_declined"),
        ("access_denied", 0, "sign_in_declined"),
        ("expired_token", 70019, "sign_in_expired"),
        ("bad_verification_code", 70018, "sign_in_failed"),
        ("invalid_grant", 90120, "sign_in_failed"),
        ("invalid_client", 7000218, "app_misconfigured"),
        ("access_denied_by_policy", 53003, "blocked_by_policy"),
        ("brand_new_error", 999, "sign_in_failed"),
    ],
)
async def test_terminal_errors_end_the_attempt_and_store_nothing(
    credential: Any, cache: Any, entra: Any, sign_in: Any, error: str, number: int, kind: str
) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    entra.script["token"].append(entra.refusal(error, number))
    for _ in range(2):
        with pytest.raises(AuthenticationError) as caught:
            await credential.finish_sign_in(attempt)
        assert (caught.value.kind, caught.value.correlation_id) == (kind, "cccccccc-0000-4000-8000-000000000003")
    assert (cache.read(), entra.log.count("device_code")) == ({}, 1)
    assert await sign_in()


class BrokenCache(MemoryCache):
    """Fails as no cache of ours should; the words of the failure must not be seen."""

    broken = True

    def update(self, change: Any) -> object:
        if self.broken:
            raise PermissionError(13, "SECRETMARK")
        return super().update(change)


@pytest.mark.shows("L9")
async def test_unforeseen_failure_ends_the_attempt_and_not_the_program(
    new_credential: Any, sign_in: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cache = BrokenCache()
    credential = new_credential(cache=cache)
    with pytest.raises(AuthenticationError) as caught:
        await sign_in(by=credential)
    assert (caught.value.kind, caught.value.message) == (
        "sign_in_failed",
        "The sign-in failed inside copilot-mcp (PermissionError).",
    )
    assert "A sign-in failed with PermissionError." in caplog.messages
    cache.broken = False
    assert (await sign_in(by=credential)).name == "Alice Adams"


async def test_unforeseen_failure_of_a_sign_in_in_the_background_is_said_once_by_the_next_call(
    new_credential: Any, entra: Any
) -> None:
    cache = BrokenCache()
    entra.approved = True
    async with anyio.create_task_group() as tasks:
        host = HostSignIn(new_credential(cache=cache), tasks, wait_s=5)
        attempt = await host.start(SCOPES)
        assert attempt is not None
        assert await host.ended(attempt)
        with pytest.raises(AuthenticationError, match="PermissionError"):
            await host.start(SCOPES)
        cache.broken = False
        attempt = await host.start(SCOPES)
        assert attempt is not None
        assert await host.ended(attempt)
        assert await host.token(SCOPES)


async def test_refusal_at_the_start_is_explained(credential: Any, entra: Any) -> None:
    entra.script["devicecode"].append(entra.refusal("unauthorized_client", 700016))
    with pytest.raises(AuthenticationError) as caught:
        await credential.start_sign_in(SCOPES)
    assert (caught.value.kind, caught.value.code) == ("app_not_found", "AADSTS700016")


async def test_unknown_tenant_is_explained_from_discovery(credential: Any, entra: Any) -> None:
    entra.script["discovery"].append(entra.refusal("invalid_tenant", 90002))
    with pytest.raises(AuthenticationError) as caught:
        await credential.start_sign_in(SCOPES)
    assert caught.value.kind == "tenant_not_found"
    assert caught.value.message.startswith(
        "Tenant 11111111-1111-4111-8111-111111111111 was not found in the cloud global."
    )


async def test_code_that_nobody_uses_expires_by_our_own_clock(credential: Any, clock: Any, entra: Any) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(await credential.start_sign_in(SCOPES))
    assert (caught.value.kind, sum(clock.slept), len(clock.slept)) == ("sign_in_expired", 900, 180)
    assert "does not allow device codes" in str(caught.value)


@pytest.mark.shows("F30")
async def test_faults_on_the_way_do_not_end_the_waiting(credential: Any, clock: Any, entra: Any) -> None:
    entra.script["token"] += [
        httpx.Response(503, headers={"retry-after": "20"}, text="busy"),
        httpx.ConnectError("down"),
        httpx.Response(200, html="<html>"),
        entra.refusal("temporarily_unavailable", 90033, 503),
    ]
    entra.approved = True
    await credential.finish_sign_in(await credential.start_sign_in(SCOPES))
    assert clock.slept == [20, 5, 5, 5]


async def test_service_that_never_comes_back_is_named_at_the_end(credential: Any, entra: Any) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    entra.script["token"] += [httpx.ConnectError("down") for _ in range(300)]
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(attempt)
    assert caught.value.kind == "offline"


async def test_asking_again_gives_the_same_code_until_more_scopes_are_wanted(credential: Any, entra: Any) -> None:
    first = await credential.start_sign_in(SCOPES)
    assert await credential.start_sign_in(["Files.Read.All"]) is first
    entra.script["devicecode"].append(flow(user_code="WXYZ9876"))
    second = await credential.start_sign_in(["Mail.Read"])
    assert (second.user_code, entra.log.count("devicecode")) == ("WXYZ9876", 2)
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(first)
    assert caught.value.kind == "sign_in_cancelled"


@pytest.mark.shows("F27")
async def test_two_starts_at_once_share_one_code(credential: Any, entra: Any) -> None:
    codes: list[SignInAttempt] = []

    async def start() -> None:
        codes.append(await credential.start_sign_in(SCOPES))

    async with anyio.create_task_group() as group:
        group.start_soon(start)
        group.start_soon(start)
    assert codes[0] is codes[1]
    assert entra.log.count("devicecode") == 1
    entra.approved = True
    assert (await credential.finish_sign_in(codes[0])).name == "Alice Adams"


@pytest.mark.shows("L7")
async def test_sixth_start_within_an_hour_is_refused(credential: Any, clock: Any) -> None:
    for _ in range(5):
        await credential.start_sign_in(SCOPES)
        credential.cancel_sign_in()
    with pytest.raises(AuthenticationError) as caught:
        await credential.start_sign_in(SCOPES)
    assert (caught.value.kind, caught.value.hint) == ("sign_in_limit", "Wait 60 minutes.")
    clock.now += 3600
    await credential.start_sign_in(SCOPES)


async def test_two_waiters_get_one_answer(credential: Any, entra: Any) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    entra.approved = True
    accounts: list[Any] = []

    async def wait() -> None:
        accounts.append(await credential.finish_sign_in(attempt))

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        group.start_soon(wait)
    assert accounts[0] == accounts[1]
    assert entra.log.count("device_code") == 1


@pytest.mark.shows("F26")
async def test_cancel_before_waiting_ends_the_attempt(credential: Any, entra: Any, sign_in: Any) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    credential.cancel_sign_in()
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(attempt)
    assert (caught.value.kind, entra.log.count("device_code")) == ("sign_in_cancelled", 0)
    assert await sign_in()


@pytest.mark.shows("F26")
async def test_cancel_while_waiting_ends_it_without_another_request(
    credential: Any, clock: Any, entra: Any, sign_in: Any
) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    clock.on_sleep = credential.cancel_sign_in
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(attempt)
    assert (caught.value.kind, entra.log.count("device_code")) == ("sign_in_cancelled", 1)
    assert await sign_in()


@pytest.mark.shows("F26", "L8")
async def test_approval_that_arrives_with_the_cancellation_stores_nothing(
    credential: Any, cache: Any, entra: Any, sign_in: Any
) -> None:
    attempt = await credential.start_sign_in(SCOPES)

    def approve_too_late(_: dict[str, str]) -> httpx.Response:
        credential.cancel_sign_in()
        return entra.success(entra.device_scope)

    entra.script["token"].append(approve_too_late)
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(attempt)
    assert (caught.value.kind, cache.read(), await credential.account()) == ("sign_in_cancelled", {}, None)
    assert await sign_in()


async def test_success_that_is_no_longer_wanted_is_not_stored(credential: Any, cache: Any, entra: Any) -> None:
    entra.approved = True
    await credential.start_sign_in(SCOPES)
    pending = credential._sign_in._pending
    answer = await credential._entra.run(lambda: credential._entra.poll(pending.flow))
    with pytest.raises(AuthenticationError) as caught:
        await credential._entra.run(lambda: credential._store(pending.flow, answer, frozenset(SCOPES), lambda: False))
    assert (caught.value.kind, cache.read()) == ("sign_in_cancelled", {})


@pytest.mark.shows("F26")
async def test_cancel_during_the_start_is_heard(credential: Any, entra: Any, sign_in: Any) -> None:
    def cancel_first(_: dict[str, str]) -> httpx.Response:
        credential.cancel_sign_in()
        return flow()

    entra.script["devicecode"].append(cancel_first)
    with pytest.raises(AuthenticationError) as caught:
        await credential.start_sign_in(SCOPES)
    assert caught.value.kind == "sign_in_cancelled"
    assert await sign_in()


@pytest.mark.shows("F26")
async def test_cancel_after_the_approval_changes_nothing(credential: Any, entra: Any, sign_in: Any) -> None:
    account = await sign_in()
    credential.cancel_sign_in()
    assert (await credential.account(), await credential.token(SCOPES)) == (account, "access-1-SECRETMARK")


@pytest.mark.shows("F28")
async def test_cancelled_caller_takes_the_attempt_with_it(
    credential: Any, clock: Any, entra: Any, sign_in: Any
) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    with anyio.CancelScope() as scope:
        clock.on_sleep = scope.cancel
        await credential.finish_sign_in(attempt)
    assert scope.cancelled_caught
    entra.approved = True
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(attempt)
    assert (caught.value.kind, entra.log.count("device_code")) == ("sign_in_cancelled", 1)
    assert await sign_in()


async def test_attempt_goes_on_while_somebody_else_waits_for_it(credential: Any, clock: Any, entra: Any) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    accounts: list[Any] = []

    async def wait() -> None:
        accounts.append(await credential.finish_sign_in(attempt))

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:

            def cancel_one() -> None:
                group.start_soon(wait)
                clock.on_sleep = scope.cancel

            clock.on_sleep = cancel_one
            await credential.finish_sign_in(attempt)
        clock.on_sleep = lambda: None
        entra.approved = True
    assert scope.cancelled_caught
    assert [account.name for account in accounts] == ["Alice Adams"]


async def test_sign_out_cancels_a_pending_sign_in(credential: Any) -> None:
    attempt = await credential.start_sign_in(SCOPES)
    await credential.sign_out()
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(attempt)
    assert caught.value.kind == "sign_in_cancelled"


@pytest.mark.shows("F29")
async def test_account_of_another_tenant_is_refused_and_not_stored(
    credential: Any, cache: Any, entra: Any, bob: Any, sign_in: Any
) -> None:
    bob.tenant = "33333333-3333-4333-8333-333333333333"
    entra.person, entra.approved = bob, True
    try:
        with pytest.raises(AuthenticationError) as caught:
            await credential.finish_sign_in(await credential.start_sign_in(SCOPES))
    finally:
        bob.tenant = "11111111-1111-4111-8111-111111111111"
    assert (caught.value.kind, cache.read()) == ("user_not_in_tenant", {})
    assert await sign_in()


async def test_guest_has_another_object_at_home(credential: Any, entra: Any) -> None:
    home = base64.urlsafe_b64encode(b'{"uid": "at-home", "utid": "33333333-3333-4333-8333-333333333333"}').decode()
    entra.script["token"].append(lambda _: entra.success(entra.device_scope, client_info=home))
    account = await credential.finish_sign_in(await credential.start_sign_in(SCOPES))
    assert account.home_account_id == "at-home.33333333-3333-4333-8333-333333333333"
    assert await credential.token(["Mail.Read"]) == "access-2-SECRETMARK"


async def test_any_work_account_may_sign_in_where_no_tenant_is_set(new_credential: Any, entra: Any) -> None:
    credential = new_credential(tenant="organizations")
    entra.approved = True
    account = await credential.finish_sign_in(await credential.start_sign_in(SCOPES))
    assert account.tenant_id == "11111111-1111-4111-8111-111111111111"


async def test_second_person_takes_the_place_of_the_first(credential: Any, entra: Any, bob: Any, sign_in: Any) -> None:
    await sign_in()
    entra.person = bob
    credential.replace_account = True
    await sign_in()
    assert (await credential.account()).username == "bob@contoso.example"
    assert await credential.token(SCOPES) == "access-2-SECRETMARK"


@pytest.mark.parametrize("id_token", [None, "not a token"])
async def test_success_that_names_nobody_is_refused(credential: Any, cache: Any, entra: Any, id_token: Any) -> None:
    entra.script["token"].append(lambda _: entra.success(entra.device_scope, id_token=id_token))
    with pytest.raises(AuthenticationError) as caught:
        await credential.finish_sign_in(await credential.start_sign_in(SCOPES))
    assert (caught.value.kind, cache.read()) == ("bad_answer", {})


async def test_success_without_client_info_still_makes_an_account(credential: Any, entra: Any) -> None:
    entra.script["token"].append(lambda _: entra.success(entra.device_scope, client_info=None))
    account = await credential.finish_sign_in(await credential.start_sign_in(SCOPES))
    assert (account.name, await credential.token(SCOPES)) == ("Alice Adams", "access-1-SECRETMARK")


async def test_clock_that_stands_still_does_not_make_it_ask_for_ever(
    cache: Any, http: httpx.AsyncClient, clock: Any, entra: Any
) -> None:
    async def no_sleep(_: float) -> None:
        await anyio.lowlevel.checkpoint()

    stuck = Credential(CLOUDS["global"], "organizations", "app", cache, http, clock=clock, sleep=no_sleep)
    with pytest.raises(AuthenticationError) as caught:
        await stuck.finish_sign_in(await stuck.start_sign_in(SCOPES))
    assert (caught.value.kind, entra.log.count("device_code")) == ("sign_in_expired", 1000)
