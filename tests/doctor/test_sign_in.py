"""Cache, account, permissions tool by tool, tokens: every verdict."""

from collections.abc import Sequence
from pathlib import Path

from copilot_mcp.auth import Account, Keeping, TokenFacts
from copilot_mcp.doctor import Verdict
from copilot_mcp.doctor.sign_in import (
    account_finding,
    consent_findings,
    keeping_finding,
    licence_finding,
    outside_finding,
    refused_finding,
    simulated_findings,
    token_finding,
    use_findings,
)
from copilot_mcp.errors import AuthenticationError
from copilot_mcp.tools import TOOLS

ADELE = Account("adele@contoso.example", "Adele Vance", "tenant", ("Files.Read.All",), "object", "home", "id")
EVERYTHING = {scope for tool in TOOLS for scope in tool.scopes}
FACTS = TokenFacts("https://graph.microsoft.com", 7200.0, None, False, False, "tenant", "adele@contoso.example")


def link(scopes: Sequence[str]) -> str:
    return f"https://consent.example/{'+'.join(scopes)}"


def test_each_way_of_keeping_a_sign_in_has_its_verdict() -> None:
    path = Path("/data/x.json")
    encrypted = keeping_finding(Keeping(path, "the Secret Service"), asked_for="auto")
    plain = keeping_finding(Keeping(path, "", "you asked for it", "Leave `--cache plain` out"), asked_for="plain")
    none = keeping_finding(Keeping(None, "", "no keyring is running", "Start one"), asked_for="auto")
    memory = keeping_finding(Keeping(None), asked_for="memory")
    assert [each.verdict for each in (encrypted, plain, none, memory)] == [
        Verdict.OK,
        Verdict.WARNING,
        Verdict.WARNING,
        Verdict.NOTE,
    ]
    assert encrypted.what == f"Sign-ins are kept in {path}, encrypted by the Secret Service."
    assert "NOT encrypted: you asked for it." in plain.what
    assert none.remedy.startswith("Start one. Or choose --cache plain")
    assert encrypted.facts == {
        "path": str(path),
        "encrypted": True,
        "protectedBy": "the Secret Service",
        "reason": None,
    }


def test_an_error_of_ours_becomes_a_problem_with_its_hint_and_kind() -> None:
    found = refused_finding("cache", AuthenticationError("Unsafe.", "Repair it.", kind="cache_unsafe"))
    assert (found.verdict, found.what, found.remedy) == (Verdict.PROBLEM, "Unsafe.", "Repair it.")
    assert found.facts["kind"] == "cache_unsafe"


def test_who_is_signed_in() -> None:
    found = account_finding(ADELE, lasting=True)
    assert (found.verdict, found.what) == (
        Verdict.OK,
        "Signed in as Adele Vance <adele@contoso.example>, tenant tenant.",
    )
    nameless = account_finding(Account("adele@contoso.example", "", "tenant", ()), lasting=True)
    assert nameless.what == "Signed in as adele@contoso.example, tenant tenant."


def test_signed_out_is_a_problem_only_where_a_sign_in_would_be_seen() -> None:
    kept, in_memory = account_finding(None, lasting=True), account_finding(None, lasting=False)
    assert (kept.verdict, kept.facts["kind"]) == (Verdict.PROBLEM, "signed_out")
    assert "copilot-mcp login" in kept.remedy
    assert in_memory.verdict is Verdict.NOTE


def test_all_permissions_open_all_uses() -> None:
    assert [(each.topic, each.verdict, each.what) for each in use_findings(EVERYTHING, "Ask.")] == [
        ("scopes:copilot_chat", Verdict.OK, "copilot_chat: all 7 permissions are granted."),
        (
            "scopes:copilot_retrieve:sharepoint-and-onedrive",
            Verdict.OK,
            "copilot_retrieve, SharePoint and OneDrive: all 2 permissions are granted.",
        ),
        ("scopes:copilot_retrieve:connectors", Verdict.OK, "copilot_retrieve, connectors: its permission is granted."),
    ]


def test_a_closed_use_is_a_warning_with_what_is_missing() -> None:
    chat, files, connectors = use_findings({"Files.Read.All", "Sites.Read.All"}, "Ask.")
    assert [each.verdict for each in (chat, files, connectors)] == [Verdict.WARNING, Verdict.OK, Verdict.WARNING]
    assert connectors.what == "copilot_retrieve, connectors: not granted, so it stays closed: ExternalItem.Read.All."
    assert (connectors.remedy, files.remedy) == ("Ask.", "")
    assert connectors.facts == {"granted": [], "missing": ["ExternalItem.Read.All"]}
    assert chat.facts["granted"] == ["Sites.Read.All"]


def test_one_page_approves_all_that_is_missing_and_its_link_stands_alone() -> None:
    (found,) = consent_findings(EVERYTHING - {"Files.Read.All"}, link)
    assert found.remedy == "https://consent.example/Files.Read.All+Sites.Read.All"
    assert found.facts["scopes"] == ["Files.Read.All", "Sites.Read.All"]
    assert consent_findings(EVERYTHING, link) == []


def test_nothing_open_is_a_problem() -> None:
    assert {each.verdict for each in use_findings({"Mail.Read"}, "Ask.")} == {Verdict.PROBLEM}


def test_a_token_is_told_by_its_minutes_alone() -> None:
    assert token_finding(FACTS, clock=lambda: 3600.0).what == (
        "The saved sign-in works: it gives an access token, good for 60 more minutes."
    )
    assert token_finding(None).what == "The saved sign-in works: it gives an access token."


def test_a_token_from_outside_is_told_by_origin_person_and_end() -> None:
    found = outside_finding(FACTS, "the file /run/token", clock=lambda: 3600.0)
    assert found.what == (
        "Access tokens come from the file /run/token: one of adele@contoso.example, good until 1970-01-01 02:00 UTC "
        "(60 minutes)."
    )
    assert found.facts["expires"] == "1970-01-01T02:00:00+00:00"


def test_licences_are_hints_and_a_simulated_person_is_named() -> None:
    assert licence_finding().verdict is Verdict.NOTE
    assert "up to 24 hours" in licence_finding().remedy
    (megan,), (nobody,) = simulated_findings("megan"), simulated_findings(None)
    assert "signs megan in by itself" in megan.what
    assert "Nobody signs in by itself" in nobody.what
