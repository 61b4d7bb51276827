"""A 403 told apart, with how certain that is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar

import httpx
import pytest

from copilot_mcp.errors import AuthenticationRequiredError, PermissionDeniedError
from copilot_mcp.graph import GraphClient, RetrievalBody
from copilot_mcp.graph.forbidden import Access
from copilot_mcp.graph.refusals import Answer, refusal, stream_refusal

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NEEDED = ("Files.Read.All", "Sites.Read.All")


@dataclass
class Claims:
    """What is known of a token."""

    scopes: frozenset[str] | None = frozenset(NEEDED)
    app_only: bool = False
    personal: bool = False


def told(claims: Claims | None, code: str = "Forbidden", status: int = 403, headers: Any = None, text: str = "") -> Any:
    body = {"error": {"code": code, "message": text}}
    access = Access(NEEDED, claims, lambda scopes: f"https://consent.example/{'+'.join(scopes)}")
    return refusal(Answer(status, headers or {}, body), now=NOW, access=access)


def test_missing_permission_is_certain_and_names_scopes_and_page() -> None:
    error = told(Claims(frozenset({"Files.Read.All", "Mail.Read"})))
    assert error.details() == {
        "kind": "consent",
        "status": 403,
        "code": "Forbidden",
        "whoActs": "administrator",
        "certainty": "certain",
        "missingScopes": ["Sites.Read.All"],
    }
    assert str(error) == (
        "These permissions were not granted: Sites.Read.All (403, Forbidden). Call again after an administrator has "
        "approved them at https://consent.example/Files.Read.All+Sites.Read.All"
    )


@pytest.mark.parametrize(
    ("claims", "kind"),
    [(Claims(None, app_only=True), "app_only_token"), (Claims(personal=True), "personal_account")],
)
def test_token_of_the_wrong_kind_is_certain(claims: Claims, kind: str) -> None:
    for status in (401, 403):
        error = told(claims, status=status)
        assert (error.kind, error.certainty, error.who) == (kind, "certain", "user")


@pytest.mark.parametrize(
    ("code", "headers", "kind", "certainty"),
    [
        ("NoLicense", {}, "licence", "certain"),
        ("x", {"www-authenticate": 'Bearer error="insufficient_claims"'}, "policy", "certain"),
        ("ConditionalAccessPolicy", {}, "policy", "certain"),
        ("Authorization_RequestDenied", {}, "forbidden", "likely"),
        ("", {}, "forbidden", "likely"),
    ],
)
def test_somebody_with_every_permission_lacks_something_else(
    code: str, headers: dict[str, str], kind: str, certainty: str
) -> None:
    error = told(Claims(), code, headers=headers)
    assert (error.kind, error.certainty, error.who) == (kind, certainty, "administrator")
    assert "not approved" not in error.hint


def test_licence_and_its_propagation_are_likely_when_nothing_else_is_left() -> None:
    assert told(Claims()).hint == (
        "Likely causes: no Microsoft 365 Copilot licence (or, for retrieval, no pay-as-you-go billing), or a licence "
        "so new that it does not count yet, which takes up to 24 hours. Ask an administrator."
    )


@pytest.mark.parametrize("claims", [None, Claims(None)])
def test_unreadable_token_leaves_everything_possible(claims: Claims | None) -> None:
    error = told(claims)
    assert (error.kind, error.certainty) == ("forbidden", "possible")
    assert "or a permission that was not approved" in error.hint
    assert (told(claims, "Authorization_RequestDenied").kind, error.missing_scopes) == ("consent", ())


def test_wrapped_refusal_is_most_likely_a_licence() -> None:
    error = told(Claims(), "internalServerError", 500, text="Got Non-2xx response. Status = 403 (Forbidden)")
    assert (error.kind, error.certainty, error.status) == ("licence", "likely", 500)
    streamed = stream_refusal({"error": {"code": "x", "message": "Status = 403 (Forbidden)"}}, now=NOW)
    assert (streamed.kind, streamed.certainty) == ("licence", "likely")


@pytest.mark.parametrize("in_stream", [False, True])
def test_wrapped_401_is_no_rejected_token_and_warns_of_the_traces_of_a_turn(in_stream: bool) -> None:
    body = {"error": {"code": "x", "message": "Status = 401 (Unauthorized)"}}
    if in_stream:
        error = stream_refusal(body, now=NOW)
    else:
        error = refusal(Answer(500, {}, body), now=NOW, on_conversation=True, access=Access(("Chat.Read",)))
    assert (type(error), error.kind, error.who) == (PermissionDeniedError, "back_end_refused", "user")
    assert error.status == (200 if in_stream else 500)
    assert error.message.startswith("The service behind Microsoft Graph refused the sign-in (")
    assert error.hint == (
        "Try later. The chat turn may have been recorded: do not send it again as it is. If it stays so, run "
        "`copilot-mcp login` to sign in again."
    )


def test_401_of_a_computer_whose_clock_is_wrong_says_so() -> None:
    date = format_datetime(NOW - timedelta(minutes=20), usegmt=True)
    error = refusal(Answer(401, {"date": date}, None), now=NOW)
    assert (error.kind, error.who) == ("clock_skew", "user")
    assert error.message == "This computer's clock is 20 minutes off, so Microsoft Graph refuses its tokens (401)."
    for harmless in (format_datetime(NOW), "yesterday", "", "Mon, 02 Mar 2026 08:01:00 -0000"):
        assert refusal(Answer(401, {"date": harmless}, None), now=NOW).kind == "token_rejected"


class Reader:
    """Knows one token."""

    def describe(self, token: str) -> Claims | None:
        return Claims(frozenset({"Files.Read.All"})) if token == "token-1" else None

    def consent_link(self, scopes: Sequence[str]) -> str:
        return ""


def body(source: str) -> RetrievalBody:
    return RetrievalBody(query_string="leave", data_source=source)


@pytest.mark.anyio
async def test_transport_and_batch_ask_the_reader(wire: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("$batch"):
            item = {"id": "1", "status": 403, "body": {"error": {"code": "Forbidden"}}}
            return httpx.Response(200, json={"responses": [item]})
        return httpx.Response(403, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        graph = GraphClient(http, "https://graph.lumen.test", wire.tokens, reader=Reader())
        with pytest.raises(PermissionDeniedError) as caught:
            await graph.retrieve(body("sharePoint"))
        (item,) = await graph.retrieve_many([body("sharePoint")])
    assert isinstance(item, PermissionDeniedError)
    assert caught.value.missing_scopes == item.missing_scopes == ("Sites.Read.All",)


@pytest.mark.anyio
async def test_one_drive_refused_while_sharepoint_answers_is_probably_no_licence(wire: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        refused = b"oneDriveBusiness" in request.content
        return httpx.Response(
            403 if refused else 200, json={"error": {"code": "X"}} if refused else {"retrievalHits": []}
        )

    kinds = []
    async with wire.open(handler) as graph:
        for source in ("oneDriveBusiness", "sharePoint", "oneDriveBusiness"):
            try:
                await graph.retrieve(body(source))
            except PermissionDeniedError as error:
                kinds.append((error.kind, error.certainty))
                last = error
    assert kinds == [("forbidden", "possible"), ("licence", "likely")]
    assert "billed to the tenant" in last.hint
    assert last.message.endswith("licence (403, X).")


@pytest.mark.anyio
async def test_explained_one_drive_refusal_keeps_its_own_reason(wire: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if b"oneDriveBusiness" in request.content:
            return httpx.Response(403, json={"error": {"code": "NoLicense"}})
        return httpx.Response(200, json={"retrievalHits": []})

    async with wire.open(handler) as graph:
        await graph.retrieve(body("sharePoint"))
        with pytest.raises(PermissionDeniedError) as caught:
            await graph.retrieve(body("oneDriveBusiness"))
    assert caught.value.message == "No licence or billing covers this request (403, NoLicense)."


def refuses_one_drive(request: httpx.Request) -> httpx.Response:
    """A tenant whose person has SharePoint by use and no licence, alone and in a batch."""
    asked = json.loads(request.content)
    items = asked.get("requests", [{"id": "", "body": asked}])
    answers = [
        {"id": item["id"], "status": 403, "body": {"error": {"code": "X"}}}
        if item["body"]["dataSource"] == "oneDriveBusiness"
        else {"id": item["id"], "status": 200, "body": {"retrievalHits": []}}
        for item in items
    ]
    if "requests" in asked:
        return httpx.Response(200, json={"responses": answers})
    return httpx.Response(answers[0]["status"], json=answers[0]["body"])


@pytest.mark.anyio
async def test_one_drive_refused_is_explained_over_the_requests_of_one_call(wire: Any) -> None:
    async with wire.open(refuses_one_drive) as graph:
        both = await graph.retrieve_many([body("oneDriveBusiness"), body("sharePoint")])
        alone = await graph.retrieve_many([body("oneDriveBusiness"), body("externalItem")])
    assert (both[0].kind, both[0].certainty) == ("licence", "likely")
    assert str(both[0]).startswith("OneDrive is refused while SharePoint answers")
    assert (alone[0].kind, alone[0].certainty) == ("forbidden", "possible")


@pytest.mark.anyio
async def test_what_sharepoint_answered_to_one_person_explains_nothing_to_another(wire: Any) -> None:
    class People:
        tokens: ClassVar[list[Any]] = ["adele", "megan", "megan", "adele", AuthenticationRequiredError("Signed out.")]

        async def token(self, scopes: Sequence[str], *, rejected: str | None = None) -> str:
            given = self.tokens.pop(0)
            if isinstance(given, Exception):
                raise given
            return str(given)

    wire.tokens = People()
    async with wire.open(refuses_one_drive) as graph:
        await graph.retrieve(body("sharePoint"))
        for _ in range(2):  # megan's; then adele's, who has just signed out
            with pytest.raises(PermissionDeniedError) as caught:
                await graph.retrieve(body("oneDriveBusiness"))
            assert (caught.value.kind, caught.value.certainty) == ("forbidden", "possible")
    assert People.tokens == []
