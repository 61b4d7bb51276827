"""What a token answer must hold before it is believed."""

from typing import Any

import pytest

from copilot_mcp.auth import CLOUDS
from copilot_mcp.auth.answers import Account, Grant, person_of, read_grant, without_stumbles
from copilot_mcp.errors import AuthenticationError

CLOUD = CLOUDS["global"]
ASKED = frozenset({"Files.Read.All"})
GOOD = {"access_token": "abc.def", "expires_in": 3599, "token_type": "Bearer", "scope": "Mail.Read openid"}
TENANT = "11111111-1111-4111-8111-111111111111"
CLAIMS = {"aud": "app", "tid": TENANT, "oid": "OID", "preferred_username": "a@b.example", "name": "A"}


def test_good_answer_gives_token_life_and_scopes() -> None:
    assert read_grant(GOOD, CLOUD, ASKED) == Grant("abc.def", 3599, frozenset({"Mail.Read", "openid"}))
    full = GOOD | {"scope": "https://graph.microsoft.com/Mail.Read", "token_type": "bearer"}
    assert read_grant(full, CLOUD, ASKED).scopes == frozenset({"Mail.Read"})


def test_life_may_be_written_as_text() -> None:
    assert read_grant(GOOD | {"expires_in": "3599"}, CLOUD, ASKED) == read_grant(GOOD, CLOUD, ASKED)


@pytest.mark.parametrize(
    ("odd", "kept"),
    [
        (
            {"expires_in": "3600", "ext_expires_in": "7200", "refresh_in": "1800", "expires_on": "1790000000"},
            {"expires_in": 3600, "ext_expires_in": 7200, "refresh_in": 1800, "expires_on": 1790000000},
        ),
        ({"expires_in": "soon", "ext_expires_in": None, "refresh_in": [], "expires_on": 1.5}, {}),
        ({"expires_in": float("nan"), "ext_expires_in": -1, "refresh_in": 10**12, "expires_on": True}, {}),
    ],
)
def test_times_are_numbers_or_left_out(odd: dict[str, Any], kept: dict[str, Any]) -> None:
    answer = {"access_token": "a", "refresh_token": "r", "scope": ""}
    assert without_stumbles(answer | odd) == answer | kept


@pytest.mark.parametrize("scope", [7, ["Mail.Read"]])
def test_access_token_with_unreadable_scopes_is_left_out(scope: Any) -> None:
    assert without_stumbles(GOOD | {"scope": scope}) == {"expires_in": 3599, "token_type": "Bearer", "scope": ""}


def test_scopes_that_are_not_named_are_those_asked_for() -> None:
    assert without_stumbles(GOOD | {"scope": None}, "Chat.Read openid") == GOOD | {"scope": "Chat.Read openid"}


@pytest.mark.parametrize("scope", [None, ""])
def test_answer_without_scope_grants_what_was_asked(scope: str | None) -> None:
    assert read_grant(GOOD | {"scope": scope}, CLOUD, ASKED).scopes == ASKED


def test_token_is_not_in_the_repr() -> None:
    shown = repr(read_grant(GOOD | {"scope": "Mail.Read"}, CLOUD, ASKED))
    assert shown == "Grant(life_s=3599, scopes=frozenset({'Mail.Read'}))"


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "with space"},
        {"access_token": "line\nbreak"},
        {"access_token": "é"},
        {"access_token": "x" * 65_537},
        {"expires_in": None},
        {"expires_in": "soon"},
        {"expires_in": "-3600"},
        {"expires_in": "3600.5"},
        {"expires_in": "9" * 5000},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": True},
        {"expires_in": 3.5},
        {"expires_in": 10**12},
        {"scope": 7},
        {"scope": "x" * 201},
        {"scope": "caf\u00e9"},
    ],
)
def test_unusable_member_is_refused_without_quoting_it(wrong: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationError) as caught:
        read_grant(GOOD | wrong, CLOUD, ASKED)
    assert caught.value.kind == "bad_answer"
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("kind", ["pop", None, 7])
def test_device_bound_token_is_told_apart(kind: Any) -> None:
    with pytest.raises(AuthenticationError) as caught:
        read_grant(GOOD | {"token_type": kind}, CLOUD, ASKED)
    assert caught.value.kind == "token_protection"


def test_person_is_read_from_the_id_token() -> None:
    person = person_of({"id_token_claims": CLAIMS}, "app", TENANT.upper())
    assert person == Account("a@b.example", "A", TENANT, (), object_id="oid")
    assert repr(person) == f"Account(username='a@b.example', name='A', tenant_id='{TENANT}', scopes=())"


def test_names_are_made_fit_for_one_line() -> None:
    claims = CLAIMS | {"preferred_username": None, "upn": "a\x1b[31m@b\n.example", "name": ["A"]}
    person = person_of({"id_token_claims": claims}, "app", "organizations")
    assert (person.username, person.name) == ("a[31m@b.example", "")


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        (None, "bad_answer"),
        ([], "bad_answer"),
        (CLAIMS | {"tid": None}, "bad_answer"),
        (CLAIMS | {"tid": "contoso"}, "bad_answer"),
        (CLAIMS | {"oid": ""}, "bad_answer"),
        (CLAIMS | {"oid": 7}, "bad_answer"),
        (CLAIMS | {"aud": "another"}, "bad_answer"),
        (CLAIMS | {"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"}, "personal_account"),
        (CLAIMS | {"tid": "22222222-2222-4222-8222-222222222222"}, "user_not_in_tenant"),
    ],
)
def test_wrong_person_is_refused(claims: Any, kind: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        person_of({"id_token_claims": claims}, "app", TENANT)
    assert caught.value.kind == kind


def test_same_person_means_same_tenant_and_object() -> None:
    one = Account("a", "A", TENANT, (), object_id="1")
    assert one.same_person(Account("renamed", "B", TENANT, ("Mail.Read",), object_id="1"))
    assert not one.same_person(Account("a", "A", TENANT, (), object_id="2"))
