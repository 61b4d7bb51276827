"""The production client judges certificates: over a real socket, against the simulated tenant's TLS."""

import ssl
from functools import partial

import anyio
import httpx
import pytest

from copilot_mcp.auth import open_http
from copilot_mcp.auth.msal_http import AuthorityFaultError, MsalHttp
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio

DISCOVERY = "/organizations/v2.0/.well-known/openid-configuration"


async def asked(http: httpx.AsyncClient, root: str) -> str:
    """`ok`, or the kind of the fault. What the document names is another matter: the tenant calls itself `.test`."""
    adapter = MsalHttp(http, root)
    try:
        await anyio.to_thread.run_sync(partial(adapter._send, "GET", root + DISCOVERY, params=None, headers=None))
    except AuthorityFaultError as fault:
        return fault.kind
    return "ok"


@pytest.mark.shows("F3")
@pytest.mark.parametrize("certificate", ["good", "untrusted", "expired", "wrong_name"])
async def test_certificate_that_this_computer_does_not_trust_is_refused(certificate: str) -> None:
    with Simulator() as tenant:
        url = tenant.start(certificate=certificate).replace("http://", "https://")
        async with open_http() as http:
            assert await asked(http, url) == "tls_intercepted"
        async with httpx.AsyncClient(verify=ssl.create_default_context(cadata=tenant.authority_pem)) as http:
            assert await asked(http, url) == ("ok" if certificate == "good" else "tls_intercepted")
