"""MSAL itself signs in against the simulated Entra: the names are https, the requests go to the loopback port."""

from collections.abc import Iterator

import httpx
import msal
import pytest

from copilot_mcp.simulator import Simulator

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
