"""What is said for each refusal of the sign-in service."""

import string
from typing import Any

import pytest

from copilot_mcp.auth import CLOUDS
from copilot_mcp.auth.refusal_table import BY_ERROR, BY_NUMBER, BY_SUBERROR, UNKNOWN, VAGUE_ERRORS
from copilot_mcp.auth.refusals import (
    Asked,
    NoAnswerError,
    expired_code,
    fault_error,
    is_pending,
    refusal_error,
    scopes_missing,
    signed_out,
)
from copilot_mcp.errors import AuthenticationError, AuthenticationRequiredError

ASKED = Asked(CLOUDS["global"], "contoso.example", "the-app", ("Mail.Read",))
ID = "cccccccc-0000-4000-8000-000000000003"


def answer(error: str = "invalid_grant", *numbers: int, **more: Any) -> dict[str, Any]:
    """An error answer; the description must never be shown."""
    return {"error": error, "error_codes": list(numbers), "error_description": "alice@contoso.example", **more}


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (70016, "sign_in_pending"),
        (70020, "sign_in_expired"),
        (70018, "sign_in_failed"),
        (90120, "sign_in_failed"),
        (7000218, "app_misconfigured"),
        (700016, "app_not_found"),
        (7000112, "app_disabled"),
        (90002, "tenant_not_found"),
        (90051, "wrong_cloud"),
        (50194, "app_misconfigured"),
        (50020, "user_not_in_tenant"),
        (500200, "personal_account"),
        (65001, "consent_required"),
        (90094, "admin_consent_required"),
        (65004, "consent_declined"),
        (70011, "bad_scope"),
        (650057, "app_misconfigured"),
        (65002, "app_misconfigured"),
        (50076, "mfa_required"),
        (53003, "blocked_by_policy"),
        (50097, "device_required"),
        (530084, "token_protection"),
        (53002, "approved_app_required"),
        (70043, "sign_in_frequency"),
        (700082, "session_expired"),
        (50173, "session_revoked"),
        (50057, "account_disabled"),
        (50053, "account_at_risk"),
        (50105, "not_assigned"),
        (50058, "signed_out"),
        (50196, "retry_loop"),
        (90033, "identity_unavailable"),
        (7000215, "server_credential"),
    ],
)
def test_number_chooses_the_kind(number: int, kind: str) -> None:
    assert refusal_error(answer("invalid_grant", number), ASKED).kind == kind


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer("authorization_declined", 70000), "sign_in_declined"),
        (answer("temporarily_unavailable", 50173), "identity_unavailable"),
        (answer("invalid_grant", 424242, suberror="consent_required"), "consent_required"),
        (answer("invalid_grant", suberror=["bad_token"]), "session_expired"),
        (answer("interaction_required"), "mfa_required"),
        (answer("invalid_scope"), "bad_scope"),
        (answer("unheard_of"), "sign_in_failed"),
        ({"error": ["list"]}, "sign_in_failed"),
        ({"error": "x", "error_codes": ["50173"]}, "sign_in_failed"),
        ({"error": "x", "error_codes": [], "error_description": "AADSTS50173: revoked"}, "session_revoked"),
        ({"error": "x", "error_description": "see AADSTS50173"}, "sign_in_failed"),
        ({"error": "x", "error_description": 7}, "sign_in_failed"),
    ],
)
def test_error_then_number_then_suberror_decide(given: dict[str, Any], kind: str) -> None:
    assert refusal_error(given, ASKED).kind == kind


def test_error_keeps_code_correlation_id_and_time_and_drops_the_description() -> None:
    error = refusal_error(
        answer("unauthorized_client", 700016, correlation_id=ID, timestamp="2026-07-01 10:00:00Z"), ASKED
    )
    assert isinstance(error, AuthenticationError)
    assert str(error) == (
        f"App the-app does not exist in tenant contoso.example. (AADSTS700016, correlation id {ID}, "
        "2026-07-01 10:00:00Z) Check both ids, or have an administrator add the app to the tenant."
    )
    assert error.details() == {
        "kind": "app_not_found",
        "whoActs": "administrator",
        "code": "AADSTS700016",
        "correlationId": ID,
        "time": "2026-07-01 10:00:00Z",
    }


def test_what_is_not_in_its_form_is_not_shown() -> None:
    error = refusal_error(
        {"error": "Evil <script>", "correlation_id": "alice@contoso.example", "timestamp": "now\nand then"}, ASKED
    )
    assert str(error) == f"{UNKNOWN.sentence} {UNKNOWN.hint}"


def test_saved_sign_in_that_is_of_no_use_asks_for_login() -> None:
    error = refusal_error(answer("invalid_grant", 700082, correlation_id=ID), ASKED)
    assert isinstance(error, AuthenticationRequiredError)
    assert str(error) == (
        f"The saved sign-in expired after long inactivity. (AADSTS700082, correlation id {ID}) Run `copilot-mcp login`."
    )


def test_consent_names_the_scopes_and_the_page_for_administrators() -> None:
    assert refusal_error(answer("invalid_grant", 65001), ASKED).hint.endswith(
        "https://login.microsoftonline.com/contoso.example/v2.0/adminconsent"
        "?client_id=the-app&scope=https%3A%2F%2Fgraph.microsoft.com%2FMail.Read"
        "&redirect_uri=https%3A%2F%2Flogin.microsoftonline.com%2Fcommon%2Foauth2%2Fnativeclient"
    )
    assert "Mail.Read" in refusal_error(answer("invalid_grant", 65001), ASKED).message


def test_every_sentence_can_be_filled_in() -> None:
    rows = [*BY_ERROR.values(), *BY_NUMBER.values(), *BY_SUBERROR.values(), *VAGUE_ERRORS.values(), UNKNOWN]
    fields = {
        name for row in rows for text in (row.sentence, row.hint) for _, name, _, _ in string.Formatter().parse(text)
    }
    assert fields == {None, "client", "tenant", "cloud", "scopes", "link"}
    assert all(ASKED.fill(row.sentence).endswith(".") and ASKED.fill(row.hint) for row in rows)
    assert all("copilot-mcp login" in row.hint for row in rows if row.again)


def test_pending_is_told_by_error_or_number() -> None:
    assert [is_pending(one) for one in (answer("authorization_pending"), answer("x", 70016), answer("x"))] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("kind", ["offline", "tls_intercepted", "captive_portal", "identity_unavailable", "bad_answer"])
def test_every_fault_names_the_host_and_a_remedy(kind: str) -> None:
    error = fault_error(kind, "login.example", None, None, ASKED)
    assert isinstance(error, NoAnswerError)
    assert (error.kind, "login.example" in error.message, bool(error.hint), error.retry_after) == (
        kind,
        True,
        True,
        None,
    )


def test_busy_service_says_how_long_to_wait() -> None:
    assert fault_error("identity_unavailable", "h", 7.2, None, ASKED).hint == "Try again in 7 seconds."
    assert fault_error("identity_unavailable", "h", None, None, ASKED).hint == "Try again in a minute."


def test_fixed_errors() -> None:
    assert (signed_out().kind, expired_code().kind) == ("signed_out", "sign_in_expired")
    assert scopes_missing(["Mail.Read"], ASKED).kind == "scopes_missing"
