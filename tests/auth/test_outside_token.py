"""Tokens that somebody else got: read, said, refused at once when they cannot serve, never refreshed here."""

import base64
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from copilot_mcp.auth import CLOUDS, Origin, OutsideToken, TokenFacts, command_origin, file_origin, variable_origin
from copilot_mcp.errors import AuthenticationError, SettingsError

pytestmark = pytest.mark.anyio

CLOUD = CLOUDS["global"]
NOW = 1_767_225_600.0
GOOD: dict[str, Any] = {
    "aud": "https://graph.microsoft.com",
    "exp": NOW + 3600,
    "scp": "Mail.Read Files.Read.All",
    "tid": "11111111-1111-4111-8111-111111111111",
    "upn": "alice@contoso.example",
}


def token(**changes: Any) -> str:
    claims = {name: value for name, value in (GOOD | changes).items() if value is not None}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJ0.{body}.SECRETMARK"


class Texts:
    """An origin that gives one text after another, the last for good."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.reads = 0
        self.origin = Origin("the probe", self.read, "Get another.")

    async def read(self) -> str:
        self.reads += 1
        return self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]


def source(*texts: str, now: float = NOW) -> tuple[OutsideToken, Texts]:
    given = Texts(*texts)
    return OutsideToken(CLOUD, given.origin, clock=lambda: now), given


@pytest.mark.parametrize(
    "form",
    ["{}", " {}\n", "Bearer {}", "bearer  {}", '{{"accessToken": "{}", "expiresOn": "x"}}', '{{"access_token": "{}"}}'],
)
async def test_token_is_found_in_what_tools_print(form: str) -> None:
    outside, given = source(form.format(token()))
    assert await outside.token(["Mail.Read"]) == token()
    assert await outside.token(["Files.Read.All", "Mail.Read"]) == token()
    assert given.reads == 1


@pytest.mark.parametrize("audience", ["https://graph.microsoft.com/", "00000003-0000-0000-C000-000000000000"])
async def test_every_name_of_graph_is_its_audience(audience: str) -> None:
    outside, _ = source(token(aud=audience))
    assert await outside.token(["Mail.Read"])


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("", "outside_token_unreadable", "gives no access token"),
        ("opaque-SECRETMARK", "outside_token_unreadable", "gives no access token"),
        ("two words SECRETMARK", "outside_token_unreadable", "gives no access token"),
        ('{"accessToken": 7}', "outside_token_unreadable", "gives no access token"),
        ("{SECRETMARK", "outside_token_unreadable", "gives no access token"),
        (token(exp=None), "outside_token_unreadable", "gives no access token"),
        (token(scp=None), "outside_token_unreadable", "names no permissions"),
        (token(aud="https://management.azure.com"), "wrong_audience", "for https://management.azure.com, not for"),
        (token(aud="https://graph.microsoft.us"), "wrong_audience", "(https://graph.microsoft.com)"),
        (token(aud=None), "wrong_audience", "for another API"),
        (token(idtyp="app"), "app_only_token", "of an application without a person"),
        (token(scp=None, roles=["Mail.Read"]), "app_only_token", "of an application without a person"),
        (token(tid="9188040d-6c67-4c5b-b112-36a304b66dad"), "personal_account", "personal Microsoft account"),
        (token(exp=NOW), "outside_token_expired", "expired at 2026-01-01 00:00 UTC"),
    ],
)
async def test_token_that_cannot_serve_is_refused_with_the_reason(text: str, kind: str, words: str) -> None:
    outside, _ = source(text, token())
    with pytest.raises(AuthenticationError) as caught:
        await outside.token(["Mail.Read"])
    assert caught.value.kind == kind
    assert caught.value.message.startswith("The probe gives ")
    assert words in caught.value.message
    assert "SECRETMARK" not in f"{caught.value} {caught.value!r}"
    assert await outside.token(["Mail.Read"]) == token()


async def test_missing_permissions_are_named() -> None:
    outside, _ = source(token())
    with pytest.raises(AuthenticationError) as caught:
        await outside.token(["Mail.Read", "Sites.Read.All", "Chat.Read"])
    assert (caught.value.kind, caught.value.scopes) == ("scopes_missing", ("Chat.Read", "Sites.Read.All"))
    assert "does not carry Chat.Read, Sites.Read.All." in caught.value.message


async def test_token_near_its_end_is_asked_for_anew_and_each_is_told_once() -> None:
    told: list[TokenFacts] = []
    given = Texts(token(exp=NOW + 59), token())
    outside = OutsideToken(CLOUD, given.origin, clock=lambda: NOW, told=told.append)
    assert await outside.token(["Mail.Read"]) == token(exp=NOW + 59)
    assert await outside.token(["Mail.Read"]) == token()
    assert await outside.token(["Mail.Read"]) == token()
    assert ([facts.expires for facts in told], given.reads) == ([NOW + 59, NOW + 3600], 2)


@pytest.mark.parametrize(("claims", "kind"), [(None, "token_rejected"), ("{}", "reauth_required")])
async def test_rejected_token_is_replaced_or_said(claims: str | None, kind: str) -> None:
    other = token(exp=NOW + 5000)
    outside, _ = source(token(), other)
    assert await outside.token(["Mail.Read"]) == token()
    assert await outside.token(["Mail.Read"], rejected=token(), claims=claims) == other
    with pytest.raises(AuthenticationError) as caught:
        await outside.token(["Mail.Read"], rejected=other, claims=claims)
    assert caught.value.kind == kind


async def test_many_callers_read_once() -> None:
    outside, given = source(token())
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(outside.token, ["Mail.Read"])
    assert given.reads == 1


class Held:
    """An origin whose first read ends when the test says so."""

    def __init__(self, *outcomes: str | Exception) -> None:
        self.outcomes = list(outcomes)
        self.reads = 0
        self.begun = anyio.Event()
        self.go_on = anyio.Event()

    async def read(self) -> str:
        outcome = self.outcomes[self.reads]
        self.reads += 1
        self.begun.set()
        await self.go_on.wait()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (AuthenticationError("The command failed.", kind="outside_token_missing"), "outside_token_missing"),
        ("nothing", "outside_token_unreadable"),
    ],
)
async def test_read_that_fails_does_so_once_for_all_who_waited_for_it(bad: str | Exception, kind: str) -> None:
    held = Held(bad, token())
    outside = OutsideToken(CLOUD, Origin("the probe", held.read, "Get another."), clock=lambda: NOW)
    errors: list[AuthenticationError] = []

    async def ask(call: Callable[[], Awaitable[Any]]) -> None:
        with pytest.raises(AuthenticationError) as caught:
            await call()
        errors.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ask, lambda: outside.token(["Mail.Read"]))
        tasks.start_soon(ask, outside.facts)
        await anyio.wait_all_tasks_blocked()
        held.go_on.set()
    assert ([error.kind for error in errors], held.reads) == ([kind] * 5, 1)
    assert len({id(error) for error in errors}) == 5
    assert (await outside.token(["Mail.Read"]), held.reads) == (token(), 2)


async def test_same_token_again_is_read_once_for_all_who_were_refused() -> None:
    held = Held(token(), token())
    outside = OutsideToken(CLOUD, Origin("the probe", held.read, "Get another."), clock=lambda: NOW)
    held.go_on.set()
    await outside.token(["Mail.Read"])
    held.go_on = anyio.Event()
    kinds: list[str] = []

    async def ask() -> None:
        with pytest.raises(AuthenticationError) as caught:
            await outside.token(["Mail.Read"], rejected=token())
        kinds.append(caught.value.kind)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        held.go_on.set()
    assert (kinds, held.reads) == (["token_rejected"] * 4, 2)


async def test_cancelled_read_is_begun_again_by_who_waited_for_it() -> None:
    held = Held(token(), token())
    outside = OutsideToken(CLOUD, Origin("the probe", held.read, "Get another."), clock=lambda: NOW)
    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as first:
            async with anyio.create_task_group() as inner:
                inner.start_soon(outside.token, ["Mail.Read"])
                await held.begun.wait()
                tasks.start_soon(outside.token, ["Mail.Read"])
                await anyio.wait_all_tasks_blocked()
                first.cancel()
        await anyio.wait_all_tasks_blocked()
        held.go_on.set()
    assert (await outside.token(["Mail.Read"]), held.reads) == (token(), 2)


async def test_facts_are_read_anew_and_no_consent_page_is_known() -> None:
    outside, _ = source(token())
    facts = await outside.facts()
    assert (facts.audience, facts.username) == ("https://graph.microsoft.com", "alice@contoso.example")
    assert outside.describe(token()) == facts
    account = await outside.account()
    assert account is not None
    assert (account.username, account.scopes) == ("alice@contoso.example", ("Files.Read.All", "Mail.Read"))
    assert account.home_account_id == "alice@contoso.example.11111111-1111-4111-8111-111111111111"
    assert outside.consent_link(["Mail.Read"]) == ""
    assert "SECRETMARK" not in repr(vars(outside) | {"_token": ""})


async def test_variable_and_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "token"
    variable, file = variable_origin("THE_VARIABLE", "abc"), file_origin(path)
    assert (await variable.read(), variable.name) == ("abc", "the environment variable THE_VARIABLE")
    with pytest.raises(AuthenticationError) as caught:
        await file.read()
    assert (caught.value.kind, str(path) in caught.value.message) == ("outside_token_missing", True)
    path.write_text("first")
    assert await file.read() == "first"
    path.write_text("second")
    assert await file.read() == "second"
    assert "abc" not in repr(variable)


def join_readers() -> None:
    for thread in threading.enumerate():
        if thread.name == "copilot-mcp token file":
            thread.join(10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
async def test_pipe_that_nobody_writes_to_is_given_up_and_what_comes_late_serves_the_next_call(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    file = file_origin(path, timeout_s=0.01)
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(AuthenticationError) as caught:
            await file.read()
        assert caught.value.kind == "outside_token_missing"
        assert (
            caught.value.message == f"The token cannot be read from the file {path} (nothing came within 0.01 seconds)."
        )
    assert threading.active_count() <= before + 2  # the reader, and at most one who waits for it
    path.write_text("late")
    patient = file_origin(path, timeout_s=60.0)
    join_readers()
    assert await file.read() == "late"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, path.write_text, "next")
        assert await patient.read() == "next"


async def test_file_that_was_read_too_late_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    file = file_origin(path, timeout_s=0.0)
    with pytest.raises(AuthenticationError, match="nothing came within 0 seconds"):
        while True:  # a read without time may still be the quicker
            await file.read()
    join_readers()
    path.write_text("new")
    while True:
        with suppress(AuthenticationError):
            assert await file.read() == "new"
            return


def script(tmp_path: Path, body: str) -> str:
    path = tmp_path / "give token.py"
    path.write_text(body)
    return f"{sys.executable} '{path}' with 'an argument'"


async def test_command_runs_without_shell_stdin_and_our_secrets(tmp_path: Path) -> None:
    body = (
        "import os, sys\n"
        "ours = [name for name in os.environ if name.upper().startswith('COPILOT_MCP_S')]\n"
        "print(len(sys.stdin.read()), sys.argv[1:], ours, os.environ.get('COPILOT_MCP_TOKEN'), os.environ['KEPT'])\n"
        "print('SECRETMARK', file=sys.stderr)\n"
    )
    environment = {**os.environ, "COPILOT_MCP_TOKEN": "SECRETMARK", "COPILOT_MCP_SECRET": "SECRETMARK", "KEPT": "kept"}
    environment |= {"copilot_mcp_secret": "SECRETMARK", "COPILOT_MCP_SIMULATE_URL": "http://127.0.0.1:1#SECRETMARK"}
    origin = command_origin(script(tmp_path, body), environment=environment)
    assert (await origin.read()).strip() == "0 ['with', 'an argument'] [] None kept"
    assert origin.name == f"the command {sys.executable}"
    assert not origin.at_start


async def test_command_that_fails_says_only_its_status(tmp_path: Path) -> None:
    origin = command_origin(script(tmp_path, "print('SECRETMARK'); raise SystemExit(3)"), environment=os.environ)
    with pytest.raises(AuthenticationError) as caught:
        await origin.read()
    assert caught.value.message == f"The command {sys.executable} that should give the token ended with status 3."


async def test_command_that_hangs_is_ended(tmp_path: Path) -> None:
    origin = command_origin(script(tmp_path, "import time; time.sleep(60)"), environment=os.environ, timeout_s=0.5)
    started = time.monotonic()
    with pytest.raises(AuthenticationError, match="did not end within 0 seconds"):
        await origin.read()
    assert time.monotonic() - started < 10


async def test_command_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x00 no program")
    program.chmod(stat.S_IRWXU)
    with pytest.raises(AuthenticationError, match="cannot be started"):
        await command_origin(str(program), environment=os.environ).read()


@pytest.mark.parametrize("command", ["", "no-such-program-here --x", "'unfinished"])
async def test_command_that_is_none_is_a_wrong_setting(command: str) -> None:
    with pytest.raises(SettingsError, match="is not a program that can be run"):
        command_origin(command, environment={})


async def test_command_of_windows_keeps_its_backslashes() -> None:
    with pytest.raises(SettingsError, match=r"C:\\tools\\az.cmd is not"):
        command_origin('"C:\\tools\\az.cmd" account', environment={}, windows=True)
