"""MSAL itself signs in against the simulated Entra: the names are https, the requests go to the loopback port."""

import base64
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import msal
import pytest

from copilot_mcp.simulator import Simulator
from copilot_mcp.simulator.authorize import BrowserAnswer

AUTHORITY = "https://login.copilot-mcp.test/organizations"
CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
PREFIX = "https://graph.copilot-mcp.test/"


class ToLoopback(httpx.HTTPTransport):
    """Takes https off the tenant's name and dials the port; the Host stays as the client wrote it."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base = httpx.URL(base_url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host=self._base.host, port=self._base.port)
        return super().handle_request(request)


@pytest.fixture
def served() -> Iterator[Simulator]:
    """The company on a real socket."""
    with Simulator() as simulator:
        simulator.start()
        yield simulator


@pytest.fixture
def app(served: Simulator) -> Iterator[msal.PublicClientApplication]:
    """MSAL, as a native application has it."""
    with httpx.Client(transport=ToLoopback(served.url)) as client:
        yield msal.PublicClientApplication(CLIENT_ID, authority=AUTHORITY, instance_discovery=False, http_client=client)


def test_msal_signs_in_by_device_code_and_refreshes(served: Simulator, app: msal.PublicClientApplication) -> None:
    flow = app.initiate_device_flow(scopes=[f"{PREFIX}Files.Read.All", f"{PREFIX}Sites.Read.All"])
    assert flow["verification_uri"] == f"{served.url}/devicelogin"
    served.approve(flow["user_code"], "megan")

    answer = app.acquire_token_by_device_flow(flow)

    (account,) = app.get_accounts()
    assert account["username"] == "megan@contoso.example"
    assert account["home_account_id"] == f"{served.users[1].id}.00000000-0000-4000-8000-000000000001"
    assert answer["id_token_claims"]["name"] == "Megan Bowen"
    cached = app.acquire_token_silent([f"{PREFIX}Files.Read.All"], account)
    other = app.acquire_token_silent([f"{PREFIX}Chat.Read"], account)
    assert cached["access_token"] == answer["access_token"]
    assert other["access_token"] not in ("", answer["access_token"])
    served.revoke("megan")
    refused = app.acquire_token_silent_with_error([f"{PREFIX}Mail.Read"], account)
    assert (refused["error"], refused["error_codes"]) == ("invalid_grant", [50173])


def test_msal_reports_a_declined_sign_in(served: Simulator, app: msal.PublicClientApplication) -> None:
    flow = app.initiate_device_flow(scopes=[f"{PREFIX}Chat.Read"])
    served.decline(flow["user_code"])

    answer = app.acquire_token_by_device_flow(flow)

    assert answer["error"] == "authorization_declined"
    assert app.get_accounts() == []


def person(served: Simulator, user: str | None) -> Callable[[str], None]:
    """A browser: opens the address MSAL shows, decides, and posts the answer to MSAL's own port."""

    def visit(url: str) -> None:
        answer = served.identity.browse(url, user)
        assert isinstance(answer, BrowserAnswer)
        assert answer.mode == "form_post"

        def post() -> None:
            with httpx.Client(trust_env=False) as browser:
                browser.post(answer.redirect_uri, data=dict(answer.members))

        threading.Thread(target=post).start()

    return visit


def test_msal_signs_in_by_browser_with_its_own_pkce_state_and_nonce(
    served: Simulator, app: msal.PublicClientApplication
) -> None:
    answer = app.acquire_token_interactive(
        [f"{PREFIX}Mail.Read"],
        timeout=10,
        auth_uri_callback=person(served, "adele"),
        login_hint="adele@contoso.example",
    )

    assert answer["id_token_claims"]["preferred_username"] == "adele@contoso.example"
    (account,) = app.get_accounts()
    assert app.acquire_token_silent([f"{PREFIX}Chat.Read"], account)["access_token"] != answer["access_token"]


def test_msal_reports_what_the_redirect_says(served: Simulator, app: msal.PublicClientApplication) -> None:
    declined = app.acquire_token_interactive([f"{PREFIX}Mail.Read"], timeout=10, auth_uri_callback=person(served, None))

    assert declined["error"] == "access_denied"
    assert declined["error_description"].startswith("AADSTS65004: ")


def test_msal_meets_a_claims_challenge_by_refresh_and_by_sign_in(served: Simulator) -> None:
    with httpx.Client(transport=ToLoopback(served.url)) as client:
        app = msal.PublicClientApplication(
            CLIENT_ID,
            authority=AUTHORITY,
            instance_discovery=False,
            http_client=client,
            client_capabilities=["cp1"],
        )
        scopes = [f"{PREFIX}Files.Read.All", f"{PREFIX}Sites.Read.All"]

        def sign_in(**claims: str) -> dict[str, Any]:
            flow = app.initiate_device_flow(scopes=scopes)
            served.approve(flow["user_code"], "adele")
            return dict(app.acquire_token_by_device_flow(flow, **claims))

        def retrieve(token: str) -> httpx.Response:
            body = {"queryString": "travel", "dataSource": "sharePoint"}
            headers = {"Authorization": f"Bearer {token}"}
            return client.post(f"{PREFIX}v1.0/copilot/retrieval", json=body, headers=headers)

        first = sign_in()
        served.identity.challenge("adele")
        refused = retrieve(first["access_token"])
        encoded = refused.headers["www-authenticate"].partition('claims="')[2].rstrip('"')
        claims = base64.b64decode(encoded).decode()
        (account,) = app.get_accounts()
        silent = app.acquire_token_silent_with_error(scopes, account, claims_challenge=claims)
        assert (refused.status_code, retrieve(silent["access_token"]).status_code) == (401, 200)

        served.identity.end_challenges()
        served.identity.challenge("adele", needs_sign_in=True)
        stopped = app.acquire_token_silent_with_error(scopes, account, claims_challenge=claims)
        again = sign_in(claims_challenge=claims)
        assert (stopped["error"], stopped["suberror"], stopped["claims"]) == ("invalid_grant", "basic_action", claims)
        assert retrieve(again["access_token"]).status_code == 200


def test_msal_loses_the_family_on_a_second_use_under_strict_rotation(
    served: Simulator, app: msal.PublicClientApplication
) -> None:
    flow = app.initiate_device_flow(scopes=[f"{PREFIX}Mail.Read"])
    served.approve(flow["user_code"], "adele")
    app.acquire_token_by_device_flow(flow)
    served.identity.rotate_refresh_tokens("strict")
    token = next(iter(app.token_cache.search(msal.TokenCache.CredentialType.REFRESH_TOKEN)))["secret"]

    first = app.acquire_token_by_refresh_token(token, [f"{PREFIX}Chat.Read"])
    second = app.acquire_token_by_refresh_token(token, [f"{PREFIX}Chat.Read"])

    assert "access_token" in first
    assert (second["error"], second["error_codes"]) == ("invalid_grant", [70000])
    assert served.identity.refreshes("adele") == 1
