"""Every reason that Entra can give: its kind, who acts, one sentence, and what its operators search their logs by."""

import pytest

from copilot_mcp.auth import CLOUDS
from copilot_mcp.auth.refusals import Asked, refusal_error

ASKED = Asked(CLOUDS["global"], "contoso.example", "the-app", ("Mail.Read",))
ID = "cccccccc-0000-4000-8000-000000000003"
TIME = "2026-07-01 10:00:00Z"

ROWS = (
    ("sign_in_pending", "user", (70016,)),
    ("sign_in_expired", "user", (70019, 70020)),
    ("sign_in_failed", "user", (70018, 90120)),
    ("app_misconfigured", "administrator", (7000218, 650057, 650056, 500011, 7000114)),
    ("app_not_found", "administrator", (700016, 700011)),
    ("app_disabled", "administrator", (7000112, 70001, 1000031)),
    ("tenant_not_found", "user", (90002, 900023, 50128, 50059)),
    ("wrong_cloud", "user", (90038, 90051)),
    ("app_misconfigured", "user", (50194,)),
    ("user_not_in_tenant", "user", (50020, 50034, 16000, 51004, 90072)),
    ("personal_account", "user", (500200, 500208, 9002332)),
    ("consent_required", "user", (65001,)),
    ("admin_consent_required", "administrator", (90094, 90095, 90008)),
    ("consent_declined", "user", (65004,)),
    ("bad_scope", "operator", (650053, 70011, 28002)),
    ("app_misconfigured", "operator", (65002,)),
    ("service_not_enabled", "administrator", (650052,)),
    ("mfa_required", "user", (50076, 50074, 50072, 50079, 50078)),
    ("blocked_by_policy", "administrator", (53003, 530032, 530034, 530035)),
    ("device_required", "user", (53000, 53001, 50097, 50129, 50005, 50187)),
    ("token_protection", "administrator", (530084,)),
    ("approved_app_required", "administrator", (53002,)),
    ("sign_in_frequency", "user", (70043,)),
    ("session_expired", "user", (700082, 70008, 50089)),
    ("session_revoked", "user", (50173, 50132, 50133, 70000)),
    ("account_disabled", "administrator", (50057,)),
    ("account_at_risk", "administrator", (50053, 53011, 53004)),
    ("not_assigned", "administrator", (50105,)),
    ("signed_out", "user", (50058,)),
    ("retry_loop", "nobody", (50196,)),
    ("identity_unavailable", "nobody", (50033, 50087, 90006, 90012, 90024, 90033, 90055)),
    ("server_credential", "operator", (50012, 700027, 7000215, 7000222, 70002)),
    ("inbound_token_expired", "client", (500133, 50013, 50027)),
    ("client_resource_mismatch", "operator", (9010010, 901002)),
)


@pytest.mark.parametrize(
    ("number", "kind", "who"), [(number, kind, who) for kind, who, numbers in ROWS for number in numbers]
)
def test_every_number_has_its_kind_its_actor_and_its_trace(number: int, kind: str, who: str) -> None:
    answer = {
        "error": "invalid_grant",
        "error_codes": [number],
        "error_description": f"AADSTS{number}: SECRETMARK alice@contoso.example",
        "correlation_id": ID,
        "timestamp": TIME,
    }
    error = refusal_error(answer, ASKED)
    assert error.details() == {
        "kind": kind,
        "whoActs": who,
        "code": f"AADSTS{number}",
        "correlationId": ID,
        "time": TIME,
    }
    assert error.message.endswith(f" (AADSTS{number}, correlation id {ID}, {TIME})")
    sentence = error.message.removesuffix(f" (AADSTS{number}, correlation id {ID}, {TIME})")
    assert sentence.endswith(".")
    assert error.hint.removesuffix("nativeclient")
    assert "SECRETMARK" not in str(error)
    if who == "administrator":
        assert "dministrator" in str(error)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("authorization_pending", "sign_in_pending"),
        ("slow_down", "sign_in_pending"),
        ("authorization_declined", "sign_in_declined"),
        ("access_denied", "sign_in_declined"),
        ("expired_token", "sign_in_expired"),
        ("code_expired", "sign_in_expired"),
        ("bad_verification_code", "sign_in_failed"),
        ("unauthorized_client", "app_not_found"),
        ("consent_required", "consent_required"),
        ("temporarily_unavailable", "identity_unavailable"),
    ],
)
def test_every_name_has_its_kind(name: str, kind: str) -> None:
    assert refusal_error({"error": name}, ASKED).kind == kind


def test_refusal_names_the_scopes_that_were_asked_for() -> None:
    assert refusal_error({"error": "invalid_grant", "error_codes": [65001]}, ASKED).scopes == ("Mail.Read",)
