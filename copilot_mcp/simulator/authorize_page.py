"""What a browser sees at the authorize endpoint: who signs in, what is asked for, and the way back."""

import secrets
from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import urlsplit

from copilot_mcp.simulator.authorize import AuthorizationRequest, BrowserAnswer
from copilot_mcp.simulator.device_page import PAGE_HEADERS, page, people
from copilot_mcp.simulator.replies import Reply
from copilot_mcp.simulator.tenant import User

__all__ = ["authorize_page", "browser_reply", "refusal_page"]

_HTML: Final = "text/html; charset=utf-8"


def authorize_page(
    request: AuthorizationRequest, users: Sequence[User], client: str, *, problem: str = "", key: str | None = None
) -> Reply:
    """The form on which a person decides. `key` is as for the page of device codes."""
    alert = f'<p role="alert"><strong>{escape(problem)}</strong></p>' if problem else ""
    asked = (
        ""
        if key is None
        else '<label for="key">Start-up key, printed by the command that started this tenant</label>'
        f'<input type="password" id="key" name="key" value="{escape(key)}" required maxlength="100">'
    )
    scopes = "".join(f"<li>{escape(name.rpartition('/')[2])}</li>" for name in request.scopes)
    content = (
        f'{alert}<form method="post" action="/signin" autocomplete="off">'
        f'<input type="hidden" name="request" value="{escape(request.id)}">{asked}'
        f"{people(users, request.login_hint)}"
        f"<p>{escape(client)} asks for:</p><ul>{scopes}</ul>"
        '<label><input type="checkbox" name="consent" value="yes" checked> I consent to what is asked for here</label>'
        "<p>Go on only if you started it yourself.</p>"
        '<button type="submit" name="decision" value="approve">Approve</button>'
        '<button type="submit" name="decision" value="decline">Decline</button></form>'
    )
    headers = PAGE_HEADERS | {"Content-Security-Policy": _policy(request.redirect_uri)}
    return Reply(400 if problem else 200, headers=headers, text=page("Sign in", content), media_type=_HTML)


def browser_reply(answer: BrowserAnswer) -> Reply:
    """Send the browser back to the application: by a redirect, or by a form that posts itself."""
    if answer.mode != "form_post":
        return Reply(302, headers=PAGE_HEADERS | {"Location": answer.location}, text="", media_type=_HTML)
    nonce = secrets.token_urlsafe(16)
    members = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in answer.members.items()
    )
    content = (
        f'<form method="post" action="{escape(answer.redirect_uri)}">{members}'
        '<button type="submit">Go on to the application</button></form>'
        f'<script nonce="{nonce}">document.forms[0].submit()</script>'
    )
    policy = f"{_policy(answer.redirect_uri)}; script-src 'nonce-{nonce}'"
    headers = PAGE_HEADERS | {"Content-Security-Policy": policy}
    return Reply(200, headers=headers, text=page("Signed in", content), media_type=_HTML)


def refusal_page(description: str, status: int) -> Reply:
    """What is shown when nothing may go to the application."""
    content = f'<p role="alert">{escape(description)}</p><p>You can close this page.</p>'
    return Reply(status, headers=dict(PAGE_HEADERS), text=page("You cannot sign in", content), media_type=_HTML)


def _policy(redirect_uri: str) -> str:
    """The page's content policy; a browser follows a form's redirect only to places that are named."""
    parts = urlsplit(redirect_uri)
    place = f"{parts.scheme}://{parts.netloc}"
    return PAGE_HEADERS["Content-Security-Policy"].replace("form-action 'self'", f"form-action 'self' {place}")
