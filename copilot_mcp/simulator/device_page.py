"""The page on which a person types a device code: plain, accessible HTML without scripts."""

from collections.abc import Sequence
from html import escape
from typing import Final

from copilot_mcp.simulator.tenant import User

__all__ = ["PAGE_HEADERS", "blocked_page", "decided_page", "device_page", "page", "people"]

PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    # Under no-referrer a browser sends `Origin: null` with the form, which the check of origins has to refuse.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_STYLE = """
body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
.note{border-left:.3rem solid #b35c00;padding:.4rem .8rem;background:#fff6ec}
fieldset{border:1px solid #767676;margin:1rem 0}
label{display:block;margin:.3rem 0}
input[type=text]{font:1.4rem/1.6 ui-monospace,monospace;letter-spacing:.15em;width:14rem;text-transform:uppercase}
button{font:inherit;padding:.5rem 1.2rem;margin-right:.6rem}
"""


def page(title: str, content: str) -> str:
    """A whole page with the notice that nothing here is real. `content` is HTML."""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>"
        '<p class="note"><strong>This is a simulated sign-in.</strong> No Microsoft account is used and no password '
        "is asked for. The people below belong to a tenant that exists only on this computer.</p>"
        f"{content}</main></body></html>"
    )


def people(users: Sequence[User], hint: str = "") -> str:
    """The choice of a person; the one whose user name is `hint` comes chosen, else the first."""
    chosen = next((user for user in users if user.username.casefold() == hint.casefold()), users[0])
    choices = "".join(
        f'<label><input type="radio" name="user" value="{escape(user.key)}"{" checked" if user is chosen else ""}> '
        f"{escape(user.name)} ({escape(user.username)})</label>"
        for user in users
    )
    return f"<fieldset><legend>Sign in as</legend>{choices}</fieldset>"


def device_page(users: Sequence[User], *, code: str = "", problem: str = "", key: str | None = None) -> str:
    """The form. `problem` is a sentence about the last try, read out first by a screen reader.

    `key` is what the person brought of the tenant's start-up key, None where the tenant has none.
    """
    alert = f'<p role="alert"><strong>{escape(problem)}</strong></p>' if problem else ""
    asked = (
        ""
        if key is None
        else '<label for="key">Start-up key, printed by the command that started this tenant</label>'
        f'<input type="password" id="key" name="key" value="{escape(key)}" required maxlength="100">'
    )
    return page(
        "Enter the code",
        f'{alert}<form method="post" action="/devicelogin" autocomplete="off">'
        '<label for="code">Code shown by the application</label>'
        f'<input type="text" id="code" name="code" value="{escape(code)}" required maxlength="20" autofocus>{asked}'
        f"{people(users)}"
        "<p>The application will be able to read what this person may read. Go on only if you started it yourself.</p>"
        '<button type="submit" name="decision" value="approve">Approve</button>'
        '<button type="submit" name="decision" value="decline" formnovalidate>Decline</button></form>',
    )


def decided_page(user: User | None, client: str) -> str:
    """What is shown after the decision."""
    if user is None:
        return page("Declined", f"<p>{escape(client)} was refused. You can close this page.</p>")
    return page("Signed in", f"<p>{escape(client)} is signed in as {escape(user.name)}. You can close this page.</p>")


def blocked_page(description: str) -> str:
    """What is shown when a policy or a missing approval stops the person; the application is told nothing."""
    return page("You cannot sign in", f'<p role="alert">{escape(description)}</p><p>You can close this page.</p>')
