"""Every error of Entra can be asked for, and comes in Entra's form."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from copilot_mcp.simulator import Simulator
from copilot_mcp.simulator.entra_errors import ENTRA_ERRORS, entra_refusal

TOKEN = "/organizations/oauth2/v2.0/token"
GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# The numbers that the client has a sentence for, written down apart from both tables.
ANSWERED = """
70016 70019 70020 70018 90120 7000218 700016 700011 7000112 70001 1000031 90002 900023 50128 50059 90038 90051 50194
50020 50034 16000 51004 90072 500200 500208 9002332 65001 90094 90095 90008 65004 650053 70011 28002 650057 650056
500011 650052 65002 50076 50074 50072 50079 50078 53003 530032 530034 530035 53000 53001 50097 50129 50005 50187 530084
53002 70043 700082 70008 50089 50173 50132 50133 70000 50057 50053 53011 53004 50105 50058 50196 50033 50087 90006
90012 90024 90033 90055 50012 700027 7000215 7000222 70002 7000114 500133 50013 50027 9010010 901002
"""
NAMED = """
authorization_pending slow_down authorization_declined access_denied expired_token code_expired bad_verification_code
unauthorized_client consent_required temporarily_unavailable server_error invalid_grant interaction_required
login_required invalid_client invalid_scope invalid_resource invalid_request
"""


async def asked(simulator: Simulator, login: httpx.AsyncClient, value: Any, operation: str = "token") -> httpx.Response:
    simulator.faults.add("entra_error", operation=operation, value=value)
    path = TOKEN if operation == "token" else "/organizations/oauth2/v2.0/devicecode"
    return await login.post(path, data={}, headers={"client-request-id": "the-correlation"})


@pytest.mark.anyio
async def test_each_number_comes_in_entras_form(simulator: Simulator, login: httpx.AsyncClient) -> None:
    required = {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id", "error_uri"}
    for number in map(int, ANSWERED.split()):
        answer = await asked(simulator, login, number)
        body = answer.json()
        assert required <= set(body) <= required | {"suberror", "claims"}, number
        form = (
            rf"AADSTS{number}: .+ Trace ID: {GUID} Correlation ID: the-correlation "
            r"Timestamp: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"
        )
        assert re.fullmatch(form, body["error_description"])
        assert (body["error_codes"], body["timestamp"]) == ([number], "2026-10-01 12:00:00Z")
        assert body["error_uri"] == f"https://login.copilot-mcp.test/error?code={number}"
        assert answer.status_code in (400, 401, 429, 503), number
        assert answer.headers["x-ms-request-id"] == body["trace_id"]
        assert "claims" not in body or "access_token" in json.loads(body["claims"])


@pytest.mark.anyio
async def test_each_oauth_error_can_be_asked_for_by_name(simulator: Simulator, login: httpx.AsyncClient) -> None:
    names = NAMED.split()

    assert [(await asked(simulator, login, name, "devicecode")).json()["error"] for name in names] == names


@pytest.mark.anyio
async def test_claims_of_an_error_can_be_chosen(simulator: Simulator, login: httpx.AsyncClient) -> None:
    claims = {"access_token": {"acrs": {"essential": True, "value": "c7"}}}

    chosen = await asked(simulator, login, {"code": 50079, "claims": claims})
    named = await asked(simulator, login, "interaction_required")
    usual = await asked(simulator, login, None)

    assert json.loads(chosen.json()["claims"]) == claims
    assert json.loads(named.json()["claims"])["access_token"]["capolids"]["essential"] is True
    assert (usual.json()["error_codes"], usual.json()["suberror"]) == ([50076], "basic_action")


@pytest.mark.anyio
async def test_statuses_follow_the_error(simulator: Simulator, login: httpx.AsyncClient) -> None:
    statuses = [(await asked(simulator, login, value)).status_code for value in (7000218, 90033, 90055, "server_error")]

    assert statuses == [401, 503, 429, 500]


@pytest.mark.anyio
async def test_an_error_at_the_authorize_endpoint_is_shown_there(
    simulator: Simulator, login: httpx.AsyncClient
) -> None:
    simulator.faults.add("entra_error", operation="authorize", value=50105)

    answer = await login.get("/organizations/oauth2/v2.0/authorize")

    assert (answer.status_code, "AADSTS50105" in answer.text) == (400, True)


@pytest.mark.parametrize("value", [1, "no_such_error", {"claims": {}}, ["x"]])
def test_errors_that_entra_does_not_have_are_refused(simulator: Simulator, value: Any) -> None:
    with pytest.raises(ValueError):
        simulator.faults.add("entra_error", value=value)


def test_browser_errors_keep_the_number_and_soften_the_name(simulator: Simulator) -> None:
    simulator.identity.block("adele", 53003, flows=["browser"], shown="client")
    query = (
        "client_id=00000000-0000-4000-8000-00000000c0de&response_type=code&redirect_uri=http://localhost&scope=openid"
    )

    answer = simulator.identity.browse(f"http://127.0.0.1/organizations/oauth2/v2.0/authorize?{query}", "adele")

    assert not isinstance(answer, int)
    members = dict(parse_qsl(urlsplit(answer.location).query))
    assert members["error"] == "access_denied"
    assert members["error_description"].startswith("AADSTS53003: ")


def test_every_number_has_a_sentence_and_an_error() -> None:
    assert [number for number, error in ENTRA_ERRORS.items() if not error.error or not error.sentence] == []
    assert {entra_refusal(number).code for number in ENTRA_ERRORS} == set(ENTRA_ERRORS)
