"""The one rule by which a claims challenge is believed, whoever sent it."""

import json

import pytest

from copilot_mcp.claims import MAX_CLAIMS, believed_claims

CLAIMS = {"access_token": {"nbf": {"essential": True, "value": "1767225600"}}}


def test_challenge_comes_back_as_the_text_that_msal_takes() -> None:
    assert believed_claims(json.dumps(CLAIMS, indent=2)) == json.dumps(CLAIMS)


def test_challenge_may_be_as_long_as_the_limit() -> None:
    filled = json.dumps({"access_token": {"x": "y" * (MAX_CLAIMS - 27)}})
    assert (len(filled), believed_claims(filled)) == (MAX_CLAIMS, filled)
    assert believed_claims(f"{filled} ") is None


@pytest.mark.parametrize(
    "claims",
    [None, 7, "", "[]", "{}", '{"access_token": 1}', "{", "[" * 9000, '{"access_token": {"x": "%s"}}' % ("y" * 9000)],
)
def test_claims_of_another_form_are_not_believed(claims: object) -> None:
    assert believed_claims(claims) is None
