"""What each fault of sign-in looks like on the wire, in process and over sockets."""

import asyncio
import json
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import FAULTS, Simulator
from copilot_mcp.simulator.entra_faults import ENTRA_FAULTS

CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
TOKEN = "/organizations/oauth2/v2.0/token"
DEVICE = "/organizations/oauth2/v2.0/devicecode"
KEYS = "/organizations/discovery/v2.0/keys"
DISCOVERY = "/organizations/v2.0/.well-known/openid-configuration"
Starter = Callable[..., Awaitable[dict[str, Any]]]
Poller = Callable[..., Awaitable[httpx.Response]]

# The fault list of sign-in by its numbers, and the names under which each is asked for. Those without a name of
# their own are ways of using a client; the tests further down show what the tenant does for them.
NAMES = {
    1: ("refused",),
    2: ("dns_failure",),
    3: ("tls_untrusted", "tls_expired", "tls_wrong_name"),
    4: ("silence",),
    5: ("trickle",),
    6: ("cut_answer",),
    7: ("html",),
    8: ("not_an_object",),
    9: ("no_access_token", "odd_access_token"),
    10: ("expires_in", "no_expires_in"),
    11: ("broken_id_token", "id_token_of_another_person", "id_token_of_another_tenant"),
    12: ("no_client_info",),
    13: ("fewer_scopes",),
    14: ("big_body", "gzip_bomb"),
    15: ("redirect_to_http", "redirect_to_another_host"),
    16: ("throttled", "throttled_date", "throttled_garbage", "throttled_huge", "throttled_silent"),
    17: ("server_error", "bad_gateway", "unavailable", "entra_down", "outage"),
    18: ("retry_after_on_success",),
    19: ("discovery_over_http", "discovery_elsewhere", "foreign_issuer", "discovery_missing", "big_body"),
    20: ("keys_empty", "keys_twice", "keys_elliptic", "keys_flood", "keys_rotated", "entra_down"),
    21: ("entra_error",),
    22: ("slow_down",),
    23: ("interval",),
    24: ("expires_in", "no_expires_in"),
    25: ("verification_uri", "message", "user_code"),
    26: ("silence", "slow"),
    27: (),
    28: ("silence",),
    29: ("approved_by_a_stranger", "personal_account", "app_only_token"),
    30: ("entra_down",),
    31: (),
}


@pytest.fixture
def served(simulator: Simulator) -> Iterator[httpx.Client]:
    """A blocking client on a real socket, under Entra's name."""
    headers = {"Host": "login.copilot-mcp.test"}
    with httpx.Client(base_url=simulator.start(), headers=headers, timeout=5, trust_env=False) as client:
        yield client


def test_every_number_has_names_that_exist() -> None:
    assert sorted(NAMES) == list(range(1, 32))
    assert {name for names in NAMES.values() for name in names} <= set(FAULTS)
    unlisted = set(ENTRA_FAULTS) - {name for names in NAMES.values() for name in names}
    assert unlisted == {"claims_challenge", "scopes_in_another_case"}  # the provider's and Graph's


# F1 to F3: no connection.


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("refused", ConnectionRefusedError, "Connection refused"),
        ("dns_failure", socket.gaierror, "not known"),
        ("tls_untrusted", ssl.SSLCertVerificationError, "unable to get local issuer"),
        ("tls_expired", ssl.SSLCertVerificationError, "has expired"),
        ("tls_wrong_name", ssl.SSLCertVerificationError, "Hostname mismatch"),
    ],
)
async def test_a_connection_that_fails_raises_what_the_system_raises(
    login: httpx.AsyncClient, simulator: Simulator, name: str, error: type[OSError], words: str
) -> None:
    simulator.faults.add(name, operation="discovery")

    with pytest.raises(error, match=words):
        await login.get(DISCOVERY)

    assert (await login.get(DISCOVERY)).status_code == 200
    assert len(simulator.trace) == 1


def test_over_a_socket_a_failing_connection_breaks_without_an_answer(
    served: httpx.Client, simulator: Simulator
) -> None:
    simulator.faults.add("refused", operation="discovery")

    with pytest.raises(httpx.TransportError):
        served.get(DISCOVERY)

    assert served.get(DISCOVERY).status_code == 200
    simulator.stop()
    with pytest.raises(httpx.ConnectError):
        served.get(DISCOVERY)


@pytest.mark.parametrize(
    ("certificate", "words"),
    [("untrusted", "local issuer"), ("expired", "has expired"), ("wrong_name", "not valid for"), ("good", "")],
)
def test_certificates_over_tls_are_as_bad_as_they_say(simulator: Simulator, certificate: Any, words: str) -> None:
    url = simulator.start(certificate=certificate)
    context = ssl.create_default_context(cadata=simulator.authority_pem)
    extensions = {"sni_hostname": "login.copilot-mcp.test"}
    with httpx.Client(verify=context, trust_env=False) as client:
        if words:
            with pytest.raises(httpx.ConnectError, match=words):
                client.get(f"{url}{DISCOVERY}", extensions=extensions)
        else:
            assert client.get(f"{url}{DISCOVERY}", extensions=extensions).status_code == 200
    assert url.startswith("https://127.0.0.1:")


def test_no_other_certificates_are_made(simulator: Simulator) -> None:
    wrong: Any = "forged"
    with pytest.raises(ValueError, match="certificate must be one of"):
        simulator.start(certificate=wrong)


# F4 to F8, F14 to F18: answers that are no answers.


def test_silence_lasts_until_the_client_goes_away(served: httpx.Client, simulator: Simulator) -> None:
    simulator.faults.add("silence", operation="discovery")

    with pytest.raises(httpx.ReadTimeout):
        served.get(DISCOVERY, timeout=0.2)

    assert served.get(DISCOVERY).status_code == 200


@pytest.mark.anyio
async def test_silence_in_process_ends_with_the_caller(login: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("silence")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await login.get(DISCOVERY)

    assert (await login.get(DISCOVERY)).status_code == 200


@pytest.mark.anyio
async def test_trickle_takes_a_second_for_each_byte(login: httpx.AsyncClient, simulator: Simulator, waits: Any) -> None:
    simulator.faults.add("trickle", operation="keys")
    first = await login.get(KEYS)
    simulator.faults.add("trickle", operation="keys", seconds=0.25)
    second = await login.get(KEYS)

    assert first.content == second.content == (await login.get(KEYS)).content
    assert waits.asked == [1.0] * len(first.content) + [0.25] * len(second.content)


def test_a_cut_answer_has_whole_tokens_and_ends_too_early(served: httpx.Client, simulator: Simulator) -> None:
    begun = served.post(DEVICE, data={"client_id": CLIENT_ID, "scope": "Files.Read.All"}).json()
    simulator.approve(begun["user_code"], "adele")
    simulator.faults.add("cut_answer")
    form = {"client_id": CLIENT_ID, "grant_type": "device_code", "code": begun["device_code"]}
    form["grant_type"] = "urn:ietf:params:oauth:grant-type:device_code"

    read = b""
    with pytest.raises(httpx.RemoteProtocolError), served.stream("POST", TOKEN, data=form) as answer:
        for piece in answer.iter_bytes():
            read += piece

    assert simulator.secrets_issued.found_in(read.decode()) == ["access_token", "id_token", "refresh_token"]
    with pytest.raises(ValueError):
        json.loads(read)


@pytest.mark.anyio
async def test_html_where_json_is_due(login: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("html", operation="token")

    answer = await login.post(TOKEN, data={})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")


@pytest.mark.anyio
@pytest.mark.parametrize("value", [None, [], "", 7, True])
async def test_json_that_is_no_object(login: httpx.AsyncClient, simulator: Simulator, value: Any) -> None:
    simulator.faults.add("not_an_object", value=value)

    answer = await login.post(TOKEN, data={})

    assert (answer.status_code, answer.json()) == (200, value)


def test_bodies_may_be_huge_and_packed(served: httpx.Client, simulator: Simulator) -> None:
    simulator.faults.add("big_body", operation="discovery")
    simulator.faults.add("gzip_bomb", operation="token")

    with served.stream("GET", DISCOVERY) as huge:
        large = sum(len(piece) for piece in huge.iter_raw())
    with served.stream("POST", TOKEN, data={}) as packed:
        small = sum(len(piece) for piece in packed.iter_raw())

    assert large > 100 * 1024 * 1024
    assert (packed.headers["content-encoding"], small < 1_000_000) == ("gzip", True)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("redirect_to_http", "http://login.copilot-mcp.test/elsewhere"),
        ("redirect_to_another_host", "https://login.evil.example/elsewhere"),
    ],
)
async def test_redirects_lead_away(login: httpx.AsyncClient, simulator: Simulator, name: str, place: str) -> None:
    simulator.faults.add(name, operation="token")

    answer = await login.post(TOKEN, data={})

    assert (answer.status_code, answer.headers["location"]) == (307, place)


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["0", "7", "Thu, 01 Oct 2026 12:00:07 GMT", "1000000000", "soon"])
async def test_throttling_with_each_form_of_retry_after(
    login: httpx.AsyncClient, simulator: Simulator, value: str
) -> None:
    simulator.faults.add("throttled", operation="entra", retry_after=value)

    answer = await login.post(TOKEN, data={})

    assert (answer.status_code, answer.headers["retry-after"]) == (429, value)
    assert (answer.json()["error"], answer.json()["error_codes"]) == ("temporarily_unavailable", [90033])


@pytest.mark.anyio
async def test_throttling_without_retry_after(login: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add("throttled_silent", operation="token")

    answer = await login.post(TOKEN, data={})

    assert (answer.status_code, "retry-after" in answer.headers) == (429, False)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("spec", "status", "media_type"),
    [
        ("server_error@keys", 500, "application/json"),
        ("bad_gateway@keys,form=html", 502, "text/html"),
        ("unavailable@keys", 503, "application/json"),
        ("entra_down@keys", 503, "text/html"),
    ],
)
async def test_server_errors_come_once(
    login: httpx.AsyncClient, simulator: Simulator, spec: str, status: int, media_type: str
) -> None:
    simulator.faults.add_spec(spec)

    answers = [await login.get(KEYS), await login.get(KEYS)]

    assert [each.status_code for each in answers] == [status, 200]
    assert answers[0].headers["content-type"] == media_type


@pytest.mark.anyio
async def test_one_line_asks_for_a_fault_with_a_value(login: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.faults.add_spec("entra_error@token,value=65001")
    simulator.faults.add_spec("entra_error@token,value=slow_down")

    errors = [(await login.post(TOKEN, data={})).json()["error"] for _ in range(2)]

    assert errors == ["invalid_grant", "slow_down"]


@pytest.mark.anyio
async def test_outages_last_a_minute_or_for_ever(login: httpx.AsyncClient, simulator: Simulator, clock: Any) -> None:
    simulator.identity.outage(60)
    statuses = []
    for seconds in (0, 59, 1, 0):
        clock.advance(seconds)
        statuses.append((await login.get(KEYS)).status_code)
    simulator.identity.outage()
    clock.advance(10_000_000)
    lasting = await login.get(KEYS)
    simulator.faults.clear()

    assert statuses == [503, 503, 200, 200]
    assert (lasting.status_code, lasting.json()["error"]) == (503, "temporarily_unavailable")
    assert (await login.get(KEYS)).status_code == 200


@pytest.mark.anyio
async def test_success_with_a_retry_after(simulator: Simulator, sign_in: Starter, start: Starter, poll: Poller) -> None:
    simulator.faults.add("retry_after_on_success", retry_after="30")
    begun = await start()
    waiting = await poll(begun["device_code"])
    simulator.approve(begun["user_code"], "adele")

    answer = await poll(begun["device_code"])

    # A refusal does not use the fault up.
    assert waiting.status_code == 400 and "retry-after" not in waiting.headers
    assert (answer.status_code, answer.headers["retry-after"]) == (200, "30")
    assert answer.json()["access_token"]
