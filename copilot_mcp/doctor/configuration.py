"""The configuration: each value with where it came from, and what is wrong with it as far as that shows here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from copilot_mcp.auth import CLOUDS
from copilot_mcp.doctor.findings import Finding, Section, Verdict
from copilot_mcp.errors import CopilotMcpError

__all__ = [
    "FileRead",
    "Given",
    "Source",
    "client_finding",
    "cloud_finding",
    "given_findings",
    "host_environment_findings",
    "secret_findings",
    "settings_file_findings",
    "tenant_finding",
    "unknown_variable_findings",
    "value_findings",
]

Source = Literal["flag", "environment", "default", "simulated", "together"]
"""Where a value came from; `together` is what several options say, and no option by itself."""

_CHECKED = ("cloud", "tenant", "client-id")
"""Options that have a line of their own."""

_OURS = "COPILOT_MCP_"
_INHERITED = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables of others that count for us."""


@dataclass(frozen=True, slots=True)
class Given:
    """One option as it was decided.

    Attributes:
        name: such as `client-id`, for sentences and programs.
        value: as it may be shown; empty when nothing is set.
        variable: its environment variable, empty when it has none.
        refusal: why `serve` does not start with it, a sentence; empty when it does. Then there is no value.
        remedy: what to do about that.
    """

    name: str
    value: str
    source: Source
    variable: str = ""
    refusal: str = ""
    remedy: str = ""

    @property
    def origin(self) -> str:
        """Where it came from, for the end of a line."""
        if self.source == "environment":
            return f"from the environment, {self.variable}"
        return {"flag": f"from --{self.name}", "default": "by default"}.get(self.source, "of the simulated tenant")


@dataclass(frozen=True, slots=True)
class FileRead:
    """A settings file as it was found: how many names it holds, None where there is no such file."""

    path: str
    names: int | None
    error: CopilotMcpError | None = None


def given_findings(given: Sequence[Given]) -> list[Finding]:
    """A line for each value that somebody set, or that cannot be; and one for all defaults together."""
    rest = [each for each in given if each.name not in _CHECKED]
    defaults = [each for each in rest if each.source == "default" and each.value]
    findings = [
        _refused(f"option:{each.name}", each)
        if each.refusal
        else _finding(f"option:{each.name}", Verdict.OK, f"{each.name} = {each.value} ({each.origin}).", given=each)
        for each in rest
        if each.refusal or each.source != "default"
    ]
    if defaults:
        shown = ", ".join(f"{each.name} {each.value}" for each in defaults)
        facts = {each.name: each.value for each in defaults}
        findings.append(Finding(Section.CONFIGURATION, "defaults", Verdict.OK, f"By default: {shown}.", facts=facts))
    return findings


def value_findings(given: Sequence[Given], *, outside: bool) -> list[Finding]:
    """Cloud, tenant and app registration; with a token from outside, the last two are somebody else's matter."""
    judges = {"cloud": cloud_finding, "tenant": tenant_finding, "client-id": client_finding}
    by_name = {each.name: each for each in given}
    return [
        _refused(name, by_name[name]) if by_name[name].refusal else judge(by_name[name])
        for name, judge in judges.items()
        if by_name[name].refusal or name == "cloud" or not outside
    ]


def client_finding(given: Given) -> Finding:
    """The app registration."""
    if not given.value:
        what = "No app registration is set: --client-id (or COPILOT_MCP_CLIENT_ID) is missing."
        remedy = (
            'Register an app in your tenant (README, "Use a real tenant") and set its application (client) id. To try '
            "the tools without a tenant: `copilot-mcp serve --simulate`."
        )
        return _finding("client-id", Verdict.PROBLEM, what, remedy, given=given)
    return _finding("client-id", Verdict.OK, f"App registration {given.value} ({given.origin}).", given=given)


def tenant_finding(given: Given) -> Finding:
    """The tenant, as far as its form tells; whether it exists is asked at the sign-in service."""
    name = given.value.lower()
    if name == "organizations":
        what = f"Tenant organizations ({given.origin}): that works with a multi-tenant app registration only."
        remedy = "If a sign-in says that the app is single-tenant, set --tenant (or COPILOT_MCP_TENANT_ID)."
        return _finding("tenant", Verdict.NOTE, what, remedy, given=given)
    if name == "common":
        what = f"Tenant {name} ({given.origin}) admits personal Microsoft accounts, which cannot use the Copilot APIs."
        remedy = (
            "Set --tenant (or COPILOT_MCP_TENANT_ID) to your organisation's directory id or a verified domain of it."
        )
        return _finding("tenant", Verdict.WARNING, what, remedy, given=given)
    return _finding("tenant", Verdict.OK, f"Tenant {given.value} ({given.origin}).", given=given)


def cloud_finding(given: Given) -> Finding:
    """What the cloud offers, by Microsoft's pages."""
    cloud = CLOUDS[given.value]
    if cloud.chat == "yes" and cloud.retrieval:
        what = f"Cloud {cloud.name} ({given.origin}): it has Copilot Chat and Retrieval."
        return _finding("cloud", Verdict.OK, what, given=given)
    remedy = "Set --cloud (or COPILOT_MCP_CLOUD) if your tenant lives in another cloud; else there is no way round it."
    if cloud.chat == "no" and not cloud.retrieval:
        what = f"Cloud {cloud.name} ({given.origin}): Microsoft offers neither Copilot Chat nor Retrieval there."
        return _finding("cloud", Verdict.PROBLEM, what, remedy, given=given)
    what = (
        f"Cloud {cloud.name} ({given.origin}): there is no Retrieval, and Microsoft's own pages disagree whether there "
        "is Copilot Chat."
    )
    return _finding("cloud", Verdict.WARNING, what, remedy, given=given)


def _finding(topic: str, verdict: Verdict, what: str, remedy: str = "", *, given: Given) -> Finding:
    """A line about one option, with its source and its value."""
    facts = {"value": given.value or None, "source": given.source, "variable": given.variable or None}
    return Finding(Section.CONFIGURATION, topic, verdict, what, remedy, facts)


def _refused(topic: str, given: Given) -> Finding:
    """A line about what `serve` does not start with; the value, which may be anything, is not among the facts."""
    what = given.refusal if given.source == "together" else f"{given.name} ({given.origin}): {given.refusal}"
    return _finding(topic, Verdict.PROBLEM, what, given.remedy, given=given)


def settings_file_findings(files: Sequence[FileRead]) -> list[Finding]:
    """The files with names for sites, folders, labels and connections: which there are, whether they can be read."""
    findings = []
    for file in files:
        topic, facts = f"settings-file:{file.path}", {"path": file.path, "names": file.names}
        if file.error is not None:
            what, remedy = file.error.message, file.error.hint
            findings.append(Finding(Section.CONFIGURATION, topic, Verdict.PROBLEM, what, remedy, facts))
        elif file.names is not None:
            what = f"Settings file {file.path}: {file.names} name{'s' * (file.names != 1)}."
            findings.append(Finding(Section.CONFIGURATION, topic, Verdict.OK, what, facts=facts))
    if files and not findings:
        what = f"No settings file (looked for {' and '.join(file.path for file in files)}); none is needed."
        findings.append(Finding(Section.CONFIGURATION, "settings-file", Verdict.OK, what))
    return findings


def unknown_variable_findings(environment: Collection[str], known: Collection[str]) -> list[Finding]:
    """Variables that look like ours and are read by nobody: most often a slip of the pen. Values are not shown."""
    findings = []
    for name in sorted(name for name in environment if name.upper().startswith(_OURS) and name not in known):
        rests = sorted(each.removeprefix(_OURS) for each in known)
        near = get_close_matches(name.upper().removeprefix(_OURS), rests, n=1, cutoff=0.6)
        remedy = (
            f"Did you mean {_OURS}{near[0]}?"
            if near
            else "Remove it; `copilot-mcp serve --help` names those there are."
        )
        what = f"{name} is set, and no setting has that name."
        findings.append(Finding(Section.CONFIGURATION, f"variable:{name}", Verdict.WARNING, what, remedy))
    return findings


def host_environment_findings(given: Sequence[Given], environment: Collection[str]) -> list[Finding]:
    """What this shell knows and a host may not: hosts start a server with an environment of their own."""
    ours = [each.variable for each in given if each.source == "environment"]
    ours += [name for name in environment if name.upper() in _INHERITED]
    if not ours:
        return []
    names = ", ".join(sorted(set(ours)))
    what = f"These come from this shell's environment, which a host need not pass on to the server: {names}."
    remedy = "Give them in the host's configuration too, in the `env` of this server."
    facts = {"variables": sorted(set(ours))}
    return [Finding(Section.CONFIGURATION, "host-environment", Verdict.NOTE, what, remedy, facts)]


def secret_findings(secret: str | None, least: int, *, needed: bool = False) -> list[Finding]:
    """The start-up secret of the HTTP server, `needed` where one is to start; only its length is looked at."""
    if secret is None:
        return []
    if len(secret) >= least:
        what = "COPILOT_MCP_SECRET is set: the HTTP server asks for it."
        return [Finding(Section.CONFIGURATION, "secret", Verdict.OK, what)]
    what = f"COPILOT_MCP_SECRET has fewer than {least} characters, so `serve --transport http` will refuse to start."
    verdict = Verdict.PROBLEM if needed else Verdict.WARNING
    remedy = "Take a longer random one, or unset it to get a new one at each start."
    return [Finding(Section.CONFIGURATION, "secret", verdict, what, remedy)]
