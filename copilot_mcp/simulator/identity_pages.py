"""The addresses of sign-in besides Entra's own: where the browser's page is sent, and the tenant's controls."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from inspect import signature
from secrets import compare_digest
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from copilot_mcp.simulator.authorize_page import authorize_page, browser_reply, refusal_page
from copilot_mcp.simulator.bodies import limited_body, small_object
from copilot_mcp.simulator.entra_errors import EntraRefusalError
from copilot_mcp.simulator.identity import Identity
from copilot_mcp.simulator.replies import Reply

__all__ = ["IdentityPages"]

_CONTROLS: Final = frozenset(
    {
        "block",
        "challenge",
        "end_challenges",
        "outage",
        "require_sign_in",
        "require_sign_in_every",
        "revoke_sessions",
        "rotate_key",
        "rotate_refresh_tokens",
        "set_consent",
        "token_life",
        "unblock",
    }
)
_TEN_YEARS_S: Final = 315_360_000


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _duration(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _TEN_YEARS_S


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_KINDS: Final[tuple[tuple[str, Callable[[Any], bool], str], ...]] = (
    ("text", lambda value: isinstance(value, str), "user state client_id shown rotation header"),
    ("a list of text", _texts, "scopes flows sources"),
    ("an object", lambda value: isinstance(value, dict), "claims"),
    ("true or false", lambda value: isinstance(value, bool), "needs_sign_in endless if_asked keep_old"),
    ("a whole number", _whole, "number status"),
    ("a number of seconds within ten years", _duration, "seconds"),
)
"""What the members of a change have to be, by kind; the same name means the same in every change."""


@dataclass(frozen=True, slots=True)
class IdentityPages:
    """Serves them. `key` is the tenant's start-up key, None where it has none."""

    identity: Identity
    key: str | None = None

    async def sign_in(self, request: Request) -> Response:
        """POST /signin: the decision of the person at the authorize page."""
        form = dict(parse_qsl((await limited_body(request)).decode("utf-8", "replace")))
        authorizations = self.identity.authorizations
        try:
            waiting = authorizations.waiting(form.get("request", ""))
        except LookupError as error:
            return _html(refusal_page(str(error), 400))
        sign_ins, problem = self.identity.sign_ins, "Nobody of that name can sign in here."
        if self.key is not None and not compare_digest(form.get("key", "").encode(), self.key.encode()):
            problem = "The start-up key is missing or wrong; the command that started this tenant printed it."
        else:
            user = None if form.get("decision") == "decline" else form.get("user", "")
            try:
                answer = authorizations.decide(waiting.id, user, agreed=form.get("consent") == "yes")
            except EntraRefusalError as refusal:
                return _html(refusal_page(str(refusal), 200))
            except LookupError:
                pass
            else:
                return _html(browser_reply(answer))
        client = sign_ins.client_name(waiting.client_id)
        shown = None if self.key is None else ""
        return _html(authorize_page(waiting, sign_ins.users, client, problem=problem, key=shown))

    async def control(self, request: Request) -> Response:
        """GET and POST /simulator/identity: how sign-in stands, and {"do": name, …} to change it."""
        if request.method == "POST":
            body = await small_object(request)
            name = body.pop("do", None)
            if not isinstance(name, str) or name not in _CONTROLS:
                return JSONResponse({"error": f"do must be one of {', '.join(sorted(_CONTROLS))}"}, 400)
            try:
                change, members = getattr(self.identity, name), _members(body)
                _check_names(change, members)
                change(**members)
            except LookupError as error:
                return JSONResponse({"error": str(error)}, 404)
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(self._state())

    def _state(self) -> Mapping[str, Any]:
        sign_ins = self.identity.sign_ins
        keys = {user.id: user.key for user in sign_ins.users}
        return {
            "rotation": sign_ins.refresh_tokens.rotation,
            "tokenLife": self.identity.tokens.life_s,
            "refreshes": {user.key: self.identity.refreshes(user.id) for user in sign_ins.users},
            "policies": [
                {"number": rule.number, "flows": list(rule.flows), "user": keys.get(rule.user_id or "")}
                for rule in sign_ins.policies.rules
            ],
        }


def _check_names(change: Callable[..., Any], given: Collection[str]) -> None:
    """Refuse a change that lacks a member, or has one that it does not know.

    Raises:
        ValueError: it does.
    """
    takes = signature(change).parameters
    missing = [name for name, each in takes.items() if each.default is each.empty and name not in given]
    unknown = [name for name in given if name not in takes]
    if missing or unknown:
        what = f"{missing[0]} is missing" if missing else f"{unknown[0]} is unknown"
        raise ValueError(f"{what}; {change.__name__} takes {', '.join(takes)}")


def _members(body: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a change; null is as if it were left out.

    Raises:
        ValueError: one has a wrong type.
    """
    given = {name: value for name, value in body.items() if value is not None}
    for meant, right, names in _KINDS:
        for name in names.split():
            if name in given and not right(given[name]):
                raise ValueError(f"{name} must be {meant}")
    return given


def _html(reply: Reply) -> Response:
    return HTMLResponse(reply.text, reply.status, reply.headers)
