"""Who is signed in, where that is kept, which tools it opens, and what can be said of licences."""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from copilot_mcp.auth import Account, Keeping, TokenFacts
from copilot_mcp.doctor.findings import Finding, Section, Verdict
from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.tools.consent import USES, closed_uses

__all__ = [
    "account_finding",
    "consent_findings",
    "keeping_finding",
    "licence_finding",
    "outside_finding",
    "refused_finding",
    "simulated_findings",
    "token_finding",
    "use_findings",
]

_ALL_SCOPES = frozenset(scope for use in USES for scope in use.scopes)


def keeping_finding(keeping: Keeping, *, asked_for: str) -> Finding:
    """Where a sign-in is kept and what protects it. `asked_for` is the `--cache` option."""
    path = str(keeping.path) if keeping.path else None
    facts = {
        "path": path,
        "encrypted": keeping.encrypted,
        "protectedBy": keeping.protected_by or None,
        "reason": keeping.reason or None,
    }
    remedy = f"{keeping.remedy}." if keeping.remedy else ""
    if keeping.encrypted:
        what = f"Sign-ins are kept in {path}, encrypted by {keeping.protected_by}."
        return Finding(Section.SIGN_IN, "cache", Verdict.OK, what, facts=facts)
    if path is not None:
        what = (
            f"Sign-ins are kept in {path} (mode 0600), NOT encrypted: {keeping.reason}. Other programs of yours, and "
            "whoever gets the disk or a backup, can read them."
        )
        return Finding(Section.SIGN_IN, "cache", Verdict.WARNING, what, remedy, facts)
    if asked_for == "memory":
        what = "A sign-in lives in memory and ends with each server, as --cache memory asks."
        return Finding(Section.SIGN_IN, "cache", Verdict.NOTE, what, facts=facts)
    what = f"A sign-in can only be kept in memory, so each server asks for one of its own: {keeping.reason}."
    remedy += " Or choose --cache plain: a file that only you can read, not encrypted."
    return Finding(Section.SIGN_IN, "cache", Verdict.WARNING, what, remedy, facts)


def refused_finding(topic: str, error: CopilotMcpError) -> Finding:
    """What one of our own errors says, as a line."""
    return Finding(Section.SIGN_IN, topic, Verdict.PROBLEM, error.message, error.hint, error.details())


def account_finding(account: Account | None, *, lasting: bool) -> Finding:
    """Who is signed in. `lasting` says that a sign-in outlives its process, so that one could be found here."""
    if account is not None:
        named = f"{account.name} <{account.username}>" if account.name else account.username
        what = f"Signed in as {named}, tenant {account.tenant_id}."
        facts = {"username": account.username, "name": account.name, "tenantId": account.tenant_id}
        return Finding(Section.SIGN_IN, "account", Verdict.OK, what, facts=facts)
    if not lasting:
        what = "A sign-in of a running server cannot be seen from here, since it is in that server's memory."
        remedy = "Call a tool in the host: it says how to sign in."
        return Finding(Section.SIGN_IN, "account", Verdict.NOTE, what, remedy)
    what, remedy = (
        "Nobody is signed in.",
        "Run `copilot-mcp login`, or call a tool in the host: it says how to sign in.",
    )
    return Finding(Section.SIGN_IN, "account", Verdict.PROBLEM, what, remedy, {"kind": "signed_out"})


def use_findings(granted: Collection[str], remedy: str) -> list[Finding]:
    """Tool by tool, what is granted and what is missing; a problem only where nothing at all is open."""
    missing = closed_uses(_ALL_SCOPES.difference(granted))
    closed = Verdict.PROBLEM if len(missing) == len(USES) else Verdict.WARNING
    findings = []
    for use in USES:
        topic = f"scopes:{str(use).replace(', ', ':').replace(' ', '-').lower()}"
        lacking = missing.get(use, ())
        facts = {"granted": [scope for scope in use.scopes if scope not in lacking], "missing": list(lacking)}
        if lacking:
            what = f"{use}: not granted, so it stays closed: {', '.join(lacking)}."
            findings.append(Finding(Section.SIGN_IN, topic, closed, what, remedy, facts))
            continue
        count = "its permission is" if len(use.scopes) == 1 else f"all {len(use.scopes)} permissions are"
        findings.append(Finding(Section.SIGN_IN, topic, Verdict.OK, f"{use}: {count} granted.", facts=facts))
    return findings


def consent_findings(granted: Collection[str], consent_link: Callable[[Sequence[str]], str]) -> list[Finding]:
    """The one page where an administrator approves all that is missing; nothing where nothing is."""
    closed = sorted({scope for use in closed_uses(_ALL_SCOPES.difference(granted)) for scope in use.scopes})
    if not closed:
        return []
    link = consent_link(closed)
    what = "An administrator approves what is missing, for everyone, on this page; then run `copilot-mcp login` again."
    return [Finding(Section.SIGN_IN, "consent", Verdict.NOTE, what, link, {"link": link, "scopes": closed})]


def token_finding(facts: TokenFacts | None, *, clock: Callable[[], float] = time.time) -> Finding:
    """That an access token was had, from the cache or by a refresh; nothing of the token itself."""
    minutes = None if facts is None or facts.expires is None else max(0, round((facts.expires - clock()) / 60))
    lasting = f", good for {minutes} more minutes" if minutes is not None else ""
    what = f"The saved sign-in works: it gives an access token{lasting}."
    return Finding(Section.SIGN_IN, "token", Verdict.OK, what, facts={"minutesLeft": minutes})


def outside_finding(facts: TokenFacts, origin: str, *, clock: Callable[[], float] = time.time) -> Finding:
    """A token that comes from outside, which takes the place of a sign-in."""
    ends = datetime.fromtimestamp(facts.expires or 0.0, UTC)
    minutes = max(0, round((ends.timestamp() - clock()) / 60))
    person = f" of {facts.username}" if facts.username else ""
    what = f"Access tokens come from {origin}: one{person}, good until {ends:%Y-%m-%d %H:%M} UTC ({minutes} minutes)."
    shown = {"origin": origin, "username": facts.username, "audience": facts.audience, "expires": ends.isoformat()}
    return Finding(Section.SIGN_IN, "outside-token", Verdict.OK, what, facts=shown)


def licence_finding() -> Finding:
    """What nobody can see without a call that may cost money."""
    what = (
        "Licences cannot be seen from here. Chat needs a Microsoft 365 Copilot licence; without one, Retrieval is "
        "billed by use to a tenant that has switched that on, for SharePoint and connectors only."
    )
    remedy = (
        "If a tool is refused although its permissions are granted, ask an administrator about the licence; a new one "
        "takes up to 24 hours to count."
    )
    return Finding(Section.SIGN_IN, "licence", Verdict.NOTE, what, remedy)


def simulated_findings(user: str | None) -> list[Finding]:
    """Who would use a simulated tenant; `user` signs in by itself, None waits for somebody. Nobody signs in here."""
    what = (
        f"The simulated tenant signs {user} in by itself when a tool is first called, with every permission."
        if user
        else "Nobody signs in by itself (--signed-out): the first tool that is called says how to."
    )
    kept = "Nothing of a simulated sign-in is kept."
    return [Finding(Section.SIGN_IN, "account", Verdict.NOTE, f"{what} {kept}", facts={"user": user})]
