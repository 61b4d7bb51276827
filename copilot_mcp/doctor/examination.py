"""All checks together: side by side, in bounded time, and in the order in which a person reads them."""

import socket
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Protocol
from urllib.request import getproxies

from copilot_mcp.auth import CLOUDS, Account, Keeping, TokenFacts, in_daemon_thread, is_tenant
from copilot_mcp.doctor.asking import Answer
from copilot_mcp.doctor.configuration import (
    FileRead,
    Given,
    given_findings,
    host_environment_findings,
    secret_findings,
    settings_file_findings,
    unknown_variable_findings,
    value_findings,
)
from copilot_mcp.doctor.findings import Finding, Section, Verdict
from copilot_mcp.doctor.local_network import certificate_findings, proxy_findings
from copilot_mcp.doctor.machine import (
    installed_versions,
    place_finding,
    program_finding,
    python_finding,
    requirements,
    version_findings,
)
from copilot_mcp.doctor.network import Way, clock_finding, discovery_url, host_findings, known_tenant_findings
from copilot_mcp.doctor.running import Probe, run_probes
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
from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.settings import Settings

__all__ = ["Outside", "Subject", "addresses_of", "examine"]


class SignedIn(Protocol):
    """What is asked of a credential. None of it prompts or signs in; `token` may refresh."""

    async def account(self) -> Account | None:
        """Who is signed in."""

    async def token(self, scopes: Sequence[str]) -> str:
        """An access token."""

    def describe(self, token: str) -> TokenFacts | None:
        """What a token says of itself."""

    def consent_link(self, scopes: Sequence[str]) -> str:
        """Where an administrator approves permissions."""


@dataclass(frozen=True, slots=True)
class Outside:
    """A token from outside: where it comes from, and what it says of itself; `facts` may raise."""

    origin: str
    facts: Callable[[], Awaitable[TokenFacts]]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined: the settings that a server would have here, and the world around it.

    Attributes:
        given: every option as it was decided.
        files: the settings files that would be read.
        environment: of this process.
        known_variables: names of ours that are read by some command.
        least_secret: characters that the HTTP server's secret must have.
        way: how hosts are reached, or why none can be.
        keeping: where sign-ins are kept; may block and may raise.
        place: what kind of place this is, such as `an SSH session`.
        browser: whether a browser can come back to this machine.
        outside: the token that takes the place of a sign-in, None where people sign in.
        user: who a simulated tenant signs in by itself.
        over_http: the server would be an HTTP server.
    """

    settings: Settings
    given: Sequence[Given]
    files: Sequence[FileRead]
    environment: Mapping[str, str]
    known_variables: Collection[str]
    least_secret: int
    way: Way | CopilotMcpError
    keeping: Callable[[], Keeping]
    credential: SignedIn
    place: str
    browser: bool
    outside: Outside | None = None
    user: str | None = None
    over_http: bool = False


async def examine(subject: Subject) -> list[Finding]:
    """Every finding, section by section, within some seconds.

    Nobody is signed in by it. As with every command, an access token may be renewed and a damaged cache removed.
    """
    answers: dict[str, Answer] = {}
    authority, graph = _hosts(subject)
    probes = [
        Probe(Section.MACHINE, "machine", "This machine", partial(_machine, subject)),
        Probe(Section.CONFIGURATION, "configuration", "The configuration", partial(_configuration, subject)),
        Probe(Section.NETWORK, "network", "The network of this machine", partial(_local_network, subject)),
        *(
            Probe(Section.NETWORK, f"host:{host}", host, partial(_host, subject, host, url, answers))
            for host, url in (authority, graph)
        ),
        Probe(Section.SIGN_IN, "sign-in", "The sign-in", partial(_sign_in, subject)),
    ]
    found = await run_probes(probes)
    found.append(clock_finding(list(answers.values())))
    if authority[0] in answers:
        place = next((number for number, each in enumerate(found, 1) if each.topic == "tenant"), 0)
        found[place:place] = known_tenant_findings(
            CLOUDS[subject.settings.cloud], _asked_tenant(subject.settings), answers[authority[0]]
        )
        found += await _token(subject, found)
    if not subject.settings.simulated:
        found.append(licence_finding())
    order = list(Section)
    return sorted(found, key=lambda finding: order.index(finding.section))


def addresses_of(name: str) -> list[str]:
    """The addresses of a name, by the operating system; may block for long.

    Raises:
        OSError: There are none.
    """
    found = socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
    return sorted({str(address[0]) for *_, address in found})


def _hosts(subject: Subject) -> tuple[tuple[str, str], tuple[str, str]]:
    """The sign-in service and Graph, each with the address that is asked."""
    cloud = CLOUDS[subject.settings.cloud]
    authority, graph = cloud.hosts
    return (authority, discovery_url(cloud, _asked_tenant(subject.settings))), (graph, f"{cloud.graph_root}/v1.0/")


def _asked_tenant(settings: Settings) -> str:
    return settings.tenant if is_tenant(settings.tenant) else "organizations"


async def _machine(subject: Subject) -> list[Finding]:
    return [
        python_finding(),
        *version_findings(installed_versions(), requirements()),
        program_finding(),
        place_finding(subject.place, browser=subject.browser),
    ]


async def _configuration(subject: Subject) -> list[Finding]:
    from_outside = [] if subject.settings.simulated else host_environment_findings(subject.given, subject.environment)
    return [
        *value_findings(subject.given, outside=subject.outside is not None),
        *given_findings(subject.given),
        *settings_file_findings(subject.files),
        *secret_findings(subject.environment.get("COPILOT_MCP_SECRET"), subject.least_secret, needed=subject.over_http),
        *unknown_variable_findings(list(subject.environment), subject.known_variables),
        *from_outside,
    ]


async def _local_network(subject: Subject) -> list[Finding]:
    topic = "simulated-tenant" if subject.settings.simulated else "proxy"
    if isinstance(subject.way, CopilotMcpError):
        what, remedy = subject.way.message, subject.way.hint
        return [Finding(Section.NETWORK, topic, Verdict.PROBLEM, what, remedy, subject.way.details())]
    if subject.way.loopback:
        what = "The simulated tenant is on this machine: no proxy, no name server and no TLS on the way."
        return [Finding(Section.NETWORK, topic, Verdict.OK, what)]
    return [
        *proxy_findings(subject.environment, getproxies()),
        *certificate_findings(subject.environment, sys.platform, metadata.version("truststore")),
    ]


async def _host(subject: Subject, host: str, url: str, answers: dict[str, Answer]) -> list[Finding]:
    if isinstance(subject.way, CopilotMcpError):
        return []
    findings, answer = await host_findings(subject.way, host, url)
    if answer is not None:
        answers[host] = answer
    return findings


async def _sign_in(subject: Subject) -> list[Finding]:
    if subject.settings.simulated:
        return simulated_findings(subject.user)
    if subject.outside is not None:
        return await _outside(subject, subject.outside)
    try:
        keeping = await in_daemon_thread(subject.keeping)
        account = await subject.credential.account() if subject.settings.client_id else None
    except CopilotMcpError as error:
        return [refused_finding("cache", error)]
    findings = [
        keeping_finding(keeping, asked_for=subject.settings.cache),
        account_finding(account, lasting=keeping.path is not None),
    ]
    if account is None:
        return findings
    return [
        *findings,
        *use_findings(account.scopes, "An administrator has to approve them (see below)."),
        *consent_findings(account.scopes, subject.credential.consent_link),
    ]


async def _outside(subject: Subject, outside: Outside) -> list[Finding]:
    try:
        facts = await outside.facts()
    except CopilotMcpError as error:
        return [refused_finding("outside-token", error)]
    return [outside_finding(facts, outside.origin), *use_findings(facts.scopes or (), "Get a token that carries them.")]


async def _token(subject: Subject, found: Sequence[Finding]) -> list[Finding]:
    """Whether the saved sign-in still gives a token; asked only where somebody is signed in and Entra answers."""
    open_uses = [
        tuple(finding.facts["granted"])
        for finding in found
        if finding.topic.startswith("scopes:") and not finding.facts["missing"]
    ]
    if not open_uses or subject.outside is not None:
        return []
    return await run_probes(
        [Probe(Section.SIGN_IN, "token", "The saved sign-in", partial(_asked_token, subject, open_uses[0]), 20.0)]
    )


async def _asked_token(subject: Subject, scopes: tuple[str, ...]) -> list[Finding]:
    try:
        token = await subject.credential.token(scopes)
    except CopilotMcpError as error:
        return [refused_finding("token", error)]
    return [token_finding(subject.credential.describe(token))]
