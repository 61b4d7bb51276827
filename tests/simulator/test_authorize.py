"""Sign-in by browser: the authorize endpoint, its page, the redirect, and the code's exchange."""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import jwt
import pytest

from copilot_mcp.simulator import Simulator
from copilot_mcp.simulator.authorize import BrowserAnswer

CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
AUTHORIZE = "/organizations/oauth2/v2.0/authorize"
TOKEN = "/organizations/oauth2/v2.0/token"
REDIRECT = "http://localhost:51234"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "client_id": CLIENT_ID,
    "response_type": "code",
    "redirect_uri": REDIRECT,
    "scope": "openid profile offline_access Files.Read.All",
    "state": "the-state",
    "nonce": "the-nonce",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
Poster = Callable[..., Awaitable[httpx.Response]]

pytestmark = pytest.mark.anyio


def hidden(page: str) -> dict[str, str]:
    """The hidden members of a page's form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def number_of(description: str) -> int:
    """The AADSTS number at the start of a description."""
    found = re.match(r"AADSTS(\d+): ", description)
    assert found, description
    return int(found[1])


def carried(answer: httpx.Response) -> dict[str, str]:
    """What a redirect carries in its query."""
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(f"{REDIRECT}?")
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


@pytest.fixture
def ask(login: httpx.AsyncClient) -> Poster:
    """Open the authorize address; None takes a member out."""

    async def open_page(**changes: str | None) -> httpx.Response:
        query = {name: value for name, value in (ASKED | changes).items() if value is not None}
        return await login.get(AUTHORIZE, params=query)

    return open_page


@pytest.fixture
def decide(login: httpx.AsyncClient, ask: Poster) -> Poster:
    """Open the page and send its form as a person would."""

    async def whole(form: dict[str, str] | None = None, **changes: str | None) -> httpx.Response:
        page = await ask(**changes)
        assert page.status_code == 200, page.text
        members = {"user": "adele", "decision": "approve", "consent": "yes"} | (form or {}) | hidden(page.text)
        return await login.post("/signin", data={name: value for name, value in members.items() if value})

    return whole


@pytest.fixture
def exchange(login: httpx.AsyncClient) -> Poster:
    """Redeem a code."""

    async def post(code: str, **changes: str) -> httpx.Response:
        form = {
            "client_id": CLIENT_ID,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }
        return await login.post(TOKEN, data=form | changes)

    return post


async def test_discovery_offers_the_endpoint(login: httpx.AsyncClient) -> None:
    body = (await login.get("/organizations/v2.0/.well-known/openid-configuration")).json()

    assert body["authorization_endpoint"] == f"https://login.copilot-mcp.test{AUTHORIZE}"
    assert body["response_modes_supported"] == ["query", "fragment", "form_post"]


async def test_page_names_the_application_the_people_and_what_is_asked(ask: Poster) -> None:
    page = await ask(login_hint="MEGAN@contoso.example")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "copilot-mcp asks for" in page.text
    assert "<li>Files.Read.All</li>" in page.text
    assert re.findall(r'name="user" value="(\w+)"( checked)?', page.text) == [("adele", ""), ("megan", " checked")]
    assert "form-action 'self' http://localhost:51234" in page.headers["content-security-policy"]
    assert "script" not in page.text


async def test_approval_sends_the_browser_back_with_a_code_that_gives_tokens(
    decide: Poster, exchange: Poster, simulator: Simulator
) -> None:
    members = carried(await decide())
    body = (await exchange(members["code"])).json()

    assert members == {"code": members["code"], "state": "the-state"}
    claims = jwt.decode(body["id_token"], options={"verify_signature": False})
    assert (claims["nonce"], claims["aud"], claims["oid"]) == ("the-nonce", CLIENT_ID, simulator.users[0].id)
    assert body["scope"] == "Files.Read.All openid profile"
    assert body["refresh_token"]


async def test_form_post_comes_as_a_page_that_posts_itself(decide: Poster, exchange: Poster) -> None:
    page = await decide(response_mode="form_post")

    assert f'<form method="post" action="{REDIRECT}">' in page.text
    nonce = re.findall(r'<script nonce="([^"]+)">', page.text)
    assert f"script-src 'nonce-{nonce[0]}'" in page.headers["content-security-policy"]
    members = hidden(page.text)
    assert members["state"] == "the-state"
    assert (await exchange(members["code"])).status_code == 200


async def test_fragment_mode_and_a_request_without_state(decide: Poster) -> None:
    answer = await decide(response_mode="fragment", state=None)

    assert answer.headers["location"].startswith(f"{REDIRECT}#code=simulated-secret-")
    assert "state" not in answer.headers["location"]


@pytest.mark.parametrize(
    "redirect",
    [
        "http://localhost",
        "http://localhost:1/",
        "http://127.0.0.1:65535",
        "http://[::1]:8400",
        "https://login.copilot-mcp.test/common/oauth2/nativeclient",
    ],
)
async def test_loopback_redirects_with_any_port_are_registered(ask: Poster, redirect: str) -> None:
    assert (await ask(redirect_uri=redirect)).status_code == 200


@pytest.mark.parametrize(
    "redirect",
    [
        None,
        "https://localhost:1",
        "http://localhost:99999",
        "http://localhost:port",
        "http://localhost:1/path",
        "http://localhost:1?q=1",
        "http://localhost:1#f",
        "http://localhost.evil.example",
        "http://user@localhost:1",
        "http://evil.example",
        "myapp://localhost",
    ],
)
async def test_other_redirects_are_shown_to_the_person_and_never_followed(ask: Poster, redirect: str | None) -> None:
    answer = await ask(redirect_uri=redirect)

    assert (answer.status_code, answer.headers.get("location")) == (400, None)
    assert "AADSTS50011" in answer.text


async def test_unknown_application_is_shown_and_not_redirected(ask: Poster) -> None:
    answer = await ask(client_id="nobody")

    assert (answer.status_code, "AADSTS700016" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("changes", "error", "number"),
    [
        ({"response_type": "token"}, "unsupported_response_type", 70005),
        ({"response_type": None}, "invalid_request", 900144),
        ({"response_mode": "web_message"}, "invalid_request", 70007),
        ({"scope": None}, "invalid_request", 900144),
        ({"scope": "Files.ReadWrite.All"}, "invalid_client", 650053),
        ({"code_challenge": "short"}, "invalid_request", 501491),
        ({"prompt": "none"}, "login_required", 50058),
    ],
)
async def test_errors_travel_by_the_redirect_with_the_state(
    ask: Poster, changes: dict[str, str | None], error: str, number: int
) -> None:
    members = carried(await ask(**changes))

    assert set(members) == {"error", "error_description", "error_uri", "state"}
    assert (members["error"], members["state"]) == (error, "the-state")
    assert number_of(members["error_description"]) == number
    assert "Trace ID: " in members["error_description"] and "Timestamp: " in members["error_description"]
    assert members["error_uri"].endswith(f"/error?code={number}")


async def test_unreadable_claims_are_refused_before_anything_is_known(ask: Poster) -> None:
    assert "AADSTS900144" in (await ask(claims="[")).text


async def test_declining_is_told_at_the_redirect(decide: Poster) -> None:
    members = carried(await decide({"decision": "decline"}))

    assert (members["error"], number_of(members["error_description"])) == ("access_denied", 65004)


async def test_withheld_consent_is_told_at_the_redirect_and_given_consent_lasts(
    decide: Poster, simulator: Simulator
) -> None:
    simulator.identity.set_consent("adele", ["Files.Read.All"], "user")

    refused = carried(await decide({"consent": ""}))
    agreed = carried(await decide())
    again = carried(await decide({"consent": ""}))

    assert (refused["error"], number_of(refused["error_description"])) == ("access_denied", 65004)
    assert "code" in agreed and "code" in again


async def test_admin_approval_and_policies_stop_the_person_on_the_page(decide: Poster, simulator: Simulator) -> None:
    simulator.identity.set_consent("adele", ["Files.Read.All"], "admin")
    admin = await decide()
    simulator.identity.set_consent("adele", ["Files.Read.All"], "granted")
    simulator.identity.block("adele", 53003, flows=["browser"])
    blocked = await decide()

    assert (admin.status_code, "AADSTS90094" in admin.text) == (200, True)
    assert (blocked.status_code, "AADSTS53003" in blocked.text) == (200, True)
    assert "code" in carried(await decide({"user": "megan"}))


async def test_a_policy_may_be_told_to_the_client(decide: Poster, simulator: Simulator) -> None:
    simulator.identity.block(None, 53000, flows=["browser"], shown="client")

    members = carried(await decide())

    assert (members["error"], number_of(members["error_description"])) == ("access_denied", 53000)


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"code_verifier": "w" * 43}, 501481),
        ({"code_verifier": ""}, 501481),
        ({"redirect_uri": "http://localhost:51235"}, 500112),
        ({"client_id": "nobody"}, 500112),
    ],
)
async def test_a_failed_exchange_does_not_use_the_code_up(
    decide: Poster, exchange: Poster, changes: dict[str, str], number: int
) -> None:
    code = carried(await decide())["code"]

    failed = (await exchange(code, **changes)).json()

    assert (failed["error"], failed["error_codes"]) == ("invalid_grant", [number])
    assert (await exchange(code)).status_code == 200


async def test_a_code_is_good_once_and_for_ten_minutes(decide: Poster, exchange: Poster, clock: Any) -> None:
    used, late = carried(await decide())["code"], carried(await decide())["code"]
    await exchange(used)

    replayed = (await exchange(used)).json()
    clock.advance(600)
    expired = (await exchange(late)).json()
    unknown = (await exchange("made-up")).json()

    assert [each["error_codes"] for each in (replayed, expired, unknown)] == [[54005], [70008], [70008]]


async def test_plain_challenges_and_none_at_all_work_as_documented(decide: Poster, exchange: Poster) -> None:
    plain = carried(await decide(code_challenge="p" * 43, code_challenge_method=None))["code"]
    without = carried(await decide(code_challenge=None, code_challenge_method=None))["code"]

    assert (await exchange(plain, code_verifier="p" * 43)).status_code == 200
    assert (await exchange(without)).status_code == 200


async def test_a_request_is_decided_once_and_not_for_ever(login: httpx.AsyncClient, ask: Poster, clock: Any) -> None:
    first, second = hidden((await ask()).text), hidden((await ask()).text)
    form = {"user": "adele", "decision": "approve", "consent": "yes"}
    await login.post("/signin", data=form | first)

    again = await login.post("/signin", data=form | first)
    clock.advance(900)
    late = await login.post("/signin", data=form | second)

    assert [(each.status_code, "not waiting" in each.text) for each in (again, late)] == [(400, True), (400, True)]


async def test_nobody_of_that_name_may_try_again(decide: Poster) -> None:
    answer = await decide({"user": "mallory"})

    assert answer.status_code == 400
    assert "Nobody of that name" in answer.text
    assert hidden(answer.text)["request"]


async def test_a_tenant_with_a_key_asks_for_it(simulator: Simulator) -> None:
    with Simulator(simulator.tenant, key="the-key") as own:
        transport = httpx.ASGITransport(own.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            page = await client.get(AUTHORIZE, params=ASKED | {"key": "brought"})
            form = {"user": "adele", "decision": "approve", "consent": "yes"} | hidden(page.text)
            wrong = await client.post("/signin", data=form)
            right = await client.post("/signin", data=form | {"key": "the-key"})

    assert 'name="key" value="brought"' in page.text
    assert (wrong.status_code, "start-up key is missing" in wrong.text) == (400, True)
    assert "code" in carried(right)


async def test_a_tenant_that_approves_by_itself_redirects_at_once(simulator: Simulator) -> None:
    with Simulator(simulator.tenant, auto_approve="megan") as own:
        transport = httpx.ASGITransport(own.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            assert "code" in carried(await client.get(AUTHORIZE, params=ASKED | {"prompt": "none"}))


async def test_browse_does_what_a_person_does(simulator: Simulator, exchange: Poster) -> None:
    def url(**changes: str) -> str:
        return f"http://127.0.0.1:1{AUTHORIZE}?{urlencode(ASKED | changes)}"

    answer = simulator.identity.browse(url(), "adele")
    declined = simulator.identity.browse(url(), None)
    wrong = simulator.identity.browse(url(response_type="token"), "adele")
    unknown = simulator.identity.browse(url(client_id="nobody"), "adele")
    simulator.identity.block("adele", 530032)
    blocked = simulator.identity.browse(url(response_mode="form_post"), "adele")

    assert isinstance(answer, BrowserAnswer) and isinstance(declined, BrowserAnswer)
    assert (answer.redirect_uri, answer.mode) == (REDIRECT, "query")
    assert "code" not in repr(answer)
    assert parse_qs(urlsplit(answer.location).query)["state"] == ["the-state"]
    assert declined.members["error"] == "access_denied"
    assert isinstance(wrong, BrowserAnswer) and wrong.members["error"] == "unsupported_response_type"
    assert (unknown, blocked) == (700016, 530032)
    simulator.identity.unblock()
    assert (await exchange(answer.members["code"])).status_code == 200


def test_the_oldest_requests_are_forgotten(simulator: Simulator) -> None:
    authorizations = simulator.identity.authorizations
    requests = [authorizations.begin(ASKED, {}) for _ in range(1_001)]

    with pytest.raises(LookupError, match="not waiting"):
        authorizations.waiting(requests[0].id)
    assert authorizations.waiting(requests[-1].id) == requests[-1]
