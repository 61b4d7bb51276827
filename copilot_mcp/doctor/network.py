"""The way to a cloud: names, TLS, and the clock by which tokens are judged."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio

from copilot_mcp.auth import CLOUDS, Cloud
from copilot_mcp.doctor.asking import ANSWER_LIMIT_S, Answer, Unreachable, ask
from copilot_mcp.doctor.findings import Finding, Section, Verdict, shown_address

if TYPE_CHECKING:
    import httpx

__all__ = ["Resolve", "Way", "clock_finding", "host_findings", "known_tenant_findings", "reach_finding"]

RESOLVE_LIMIT_S = 3.0
SKEW_WARNING_S = 60.0
SKEW_PROBLEM_S = 300.0
"""Tokens are refused by a clock that is more than five minutes off."""

_USUAL_ISSUERS = ("microsoft", "digicert")
_ANY_TENANT = ("organizations", "common", "consumers")


def unreachable_finding(topic: str, host: str, why: Unreachable, proxy: str = "") -> Finding:
    """The line for a host that did not answer; `proxy` is the one that it was asked through."""
    through = f" through the proxy {proxy}" if proxy else ""
    what, facts = f"{host} cannot be reached{through}: {why.reason}.", {"host": host, "kind": why.kind}
    return Finding(Section.NETWORK, topic, Verdict.PROBLEM, what, why.remedy, facts)


def reach_finding(topic: str, host: str, answer: Answer, way: str, *, loopback: bool = False) -> Finding:
    """The line for a host that did; `way` says how it was reached, such as `3 addresses`."""
    milliseconds = round(answer.took_s * 1000)
    facts = {"host": host, "status": answer.status, "milliseconds": milliseconds, "issuer": answer.issuer or None}
    if answer.is_page:
        what = f"A proxy or a captive portal answered instead of {host}."
        remedy = "Open a browser and sign in to the network; behind a company proxy, set HTTPS_PROXY."
        return Finding(Section.NETWORK, topic, Verdict.PROBLEM, what, remedy, {**facts, "kind": "captive_portal"})
    if answer.status >= 500:
        what = f"{host} is reached ({way}), but answers with status {answer.status}."
        remedy = "Try again in a few minutes; if it stays, look at Microsoft's service health."
        return Finding(Section.NETWORK, topic, Verdict.WARNING, what, remedy, facts)
    if loopback:
        what = f"{host} answers in {milliseconds} ms, on this machine."
        return Finding(Section.NETWORK, topic, Verdict.OK, what, facts=facts)
    if answer.issuer and not any(name in answer.issuer.lower() for name in _USUAL_ISSUERS):
        what = f'{host} answers in {milliseconds} ms ({way}); its certificate was issued by "{answer.issuer}".'
        remedy = (
            "That is neither Microsoft nor DigiCert: most likely your network inspects TLS, and whoever runs it can "
            "read what is sent. This computer trusts it."
        )
        return Finding(Section.NETWORK, topic, Verdict.NOTE, what, remedy, facts)
    trusted = f", certificate of {answer.issuer}" if answer.issuer else ""
    what = f"{host} answers in {milliseconds} ms ({way}{trusted})."
    return Finding(Section.NETWORK, topic, Verdict.OK, what, facts=facts)


def clock_finding(answers: Sequence[Answer]) -> Finding:
    """This computer's clock against the first host that named its own; a `Date` counts whole seconds."""
    dated = [answer for answer in answers if answer.date is not None]
    if not dated:
        what = "The clock could not be compared: no host named the time."
        return Finding(Section.NETWORK, "clock", Verdict.NOTE, what)
    answer = dated[0]
    ahead = answer.asked - ((answer.date or 0.0) + 0.5)
    off, side = abs(ahead), "fast" if ahead > 0 else "slow"
    facts = {"secondsAhead": round(ahead)}
    if off <= SKEW_WARNING_S:
        shown = datetime.fromtimestamp(answer.asked, UTC)
        what = f"The clock is right within {max(1, round(off))} s ({shown:%Y-%m-%d %H:%M} UTC)."
        return Finding(Section.NETWORK, "clock", Verdict.OK, what, facts=facts)
    amount = f"{round(off)} seconds" if off < 120 else f"{round(off / 60)} minutes"
    remedy = "Switch on automatic time in the operating system (in a virtual machine, of its host)."
    if off <= SKEW_PROBLEM_S:
        what = f"This computer's clock is {amount} {side}; tokens are refused when it is more than five minutes off."
        return Finding(Section.NETWORK, "clock", Verdict.WARNING, what, remedy, facts)
    what = f"This computer's clock is {amount} {side}; tokens will be refused."
    return Finding(Section.NETWORK, "clock", Verdict.PROBLEM, what, remedy, facts)


Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Gives a name's addresses; raises `OSError` where there are none."""


@dataclass(frozen=True, slots=True)
class Way:
    """How hosts are reached; each part can be another in a test.

    Attributes:
        proxy_of: the proxy on the way to a host, empty for none.
        clock: seconds since 1970.
        loopback: everything is on this machine: no names, no TLS, no proxy.
    """

    http: "httpx.AsyncClient"
    resolve: Resolve
    proxy_of: Callable[[str], str]
    clock: Callable[[], float]
    loopback: bool = False
    resolve_limit_s: float = RESOLVE_LIMIT_S
    answer_limit_s: float = ANSWER_LIMIT_S


async def host_findings(way: Way, host: str, url: str) -> tuple[list[Finding], Answer | None]:
    """Whether a host is found and answers, as one line; the answer where one came from the host itself."""
    topic, how, proxy = f"host:{host}", "", ""
    if not way.loopback:
        proxy = shown_address(found) if (found := way.proxy_of(host)) else ""
        name = _host_in(proxy) if proxy else host
        try:
            with anyio.fail_after(way.resolve_limit_s):
                addresses = await way.resolve(name)
        except (OSError, UnicodeError) as error:  # a time limit is an OSError too
            return [_unknown_name(topic, name, bool(proxy), hangs=isinstance(error, TimeoutError))], None
        how = f"through the proxy {proxy}" if proxy else f"{len(addresses)} address{'es' * (len(addresses) != 1)}"
    answer = await ask(way.http, url, clock=way.clock, limit_s=way.answer_limit_s)
    if isinstance(answer, Unreachable):
        return [unreachable_finding(topic, host, answer, proxy)], None
    finding = reach_finding(topic, host, answer, how, loopback=way.loopback)
    return [finding], None if answer.is_page else answer


def _host_in(proxy: str) -> str:
    return proxy.rpartition("//")[2].rpartition(":")[0].strip("[]") or proxy.rpartition("//")[2]


def _unknown_name(topic: str, name: str, proxy: bool, *, hangs: bool) -> Finding:
    whose = f"The proxy's name {name}" if proxy else f"The name {name}"
    what = f"{whose} cannot be looked up: {'no name server answers' if hangs else 'no name server knows it'}."
    remedy = "Check the network connection and its name servers (DNS); in a VPN or container these are often others."
    if not proxy:
        remedy += " Where only a proxy may look up names, set HTTPS_PROXY."
    return Finding(Section.NETWORK, topic, Verdict.PROBLEM, what, remedy, {"host": name, "kind": "offline"})


def discovery_url(cloud: Cloud, tenant: str) -> str:
    """The document that every sign-in begins with."""
    return f"{cloud.authority}/{quote(tenant, safe='')}/v2.0/.well-known/openid-configuration"


def known_tenant_findings(cloud: Cloud, tenant: str, answer: Answer) -> list[Finding]:
    """Whether the sign-in service knows the tenant, and whether it is at home in this cloud."""
    document = _object(answer.body)
    topic, facts = "tenant-known", {"tenant": tenant}
    if answer.status in (400, 404) and "error" in document:
        what = f'The sign-in service of the cloud {cloud.name} knows no tenant "{tenant}".'
        remedy = "Check its spelling (--tenant or COPILOT_MCP_TENANT_ID) and the cloud (--cloud)."
        return [Finding(Section.CONFIGURATION, topic, Verdict.PROBLEM, what, remedy, facts)]
    graph = document.get("msgraph_host")
    home = next((each.name for each in CLOUDS.values() if each.hosts[1] == graph and each is not cloud), None)
    if home is not None:
        what = f'The tenant "{tenant}" belongs to the cloud {home}, not to {cloud.name}.'
        remedy = f"Set --cloud {home} (or COPILOT_MCP_CLOUD), with an app registration of that cloud."
        return [Finding(Section.CONFIGURATION, topic, Verdict.WARNING, what, remedy, {**facts, "cloud": home})]
    if answer.status == 200 and document and tenant.lower() not in _ANY_TENANT:
        what = f'The sign-in service knows the tenant "{tenant}".'
        return [Finding(Section.CONFIGURATION, topic, Verdict.OK, what, facts=facts)]
    return []


def _object(body: bytes) -> dict[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
