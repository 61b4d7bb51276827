"""What this machine says about the way out: proxies, and whose certificates are trusted."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

from copilot_mcp.doctor.findings import Finding, Section, Verdict, shown_address

__all__ = ["certificate_findings", "proxy_findings", "proxy_of"]

_PROXIES = ("https_proxy", "http_proxy", "all_proxy")
_OTHERS_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
MAX_SHOWN = 200


def proxy_of(
    host: str,
    proxies: Callable[[], Mapping[str, str]] = getproxies,
    bypass: Callable[[str], object] = proxy_bypass,
) -> str:
    """The proxy on the way to an https address of this host, empty where there is none."""
    known = proxies()
    return "" if bypass(host) else known.get("https") or known.get("all", "")


def proxy_findings(environment: Mapping[str, str], proxies: Mapping[str, str]) -> list[Finding]:
    """The proxies in the environment, and those of the operating system where the environment names none."""
    named = {name: value for name, value in environment.items() if name.lower() in _PROXIES and value.strip()}
    bypass = next((value for name, value in environment.items() if name.lower() == "no_proxy" and value.strip()), "")
    shown = {name: shown_address(value) for name, value in sorted(named.items())}
    facts = {"variables": shown, "noProxy": bypass or None}
    findings = []
    if named:
        listed = ", ".join(f"{name} {value}" for name, value in shown.items())
        without = f" Without it (NO_PROXY): {bypass[:MAX_SHOWN]}." if bypass else ""
        what = f"Proxy: {listed}.{without}"
        findings.append(Finding(Section.NETWORK, "proxy", Verdict.OK, what, facts=facts))
    elif system := {name: shown_address(value) for name, value in sorted(proxies.items()) if name in ("http", "https")}:
        listed = ", ".join(f"{name} {value}" for name, value in system.items())
        what = f"Proxy of the operating system: {listed}."
        findings.append(Finding(Section.NETWORK, "proxy", Verdict.OK, what, facts={"system": system}))
    else:
        findings.append(Finding(Section.NETWORK, "proxy", Verdict.OK, "No proxy is set.", facts=facts))
    if named and not any(name.lower() != "http_proxy" for name in named):
        what = "HTTP_PROXY alone does not count here: everything goes to https addresses."
        remedy = "Set HTTPS_PROXY to the same address, if that proxy is the way out."
        findings.append(Finding(Section.NETWORK, "proxy:https", Verdict.NOTE, what, remedy))
    for name in _PROXIES:
        lower, upper = environment.get(name, ""), environment.get(name.upper(), "")
        if lower and upper and lower != upper:
            what = f"{name} and {name.upper()} name different proxies."
            remedy = f"{name} counts; set both to the same, or leave one."
            findings.append(Finding(Section.NETWORK, f"proxy:{name}", Verdict.WARNING, what, remedy))
    return findings


def certificate_findings(
    environment: Mapping[str, str],
    platform: str,
    version: str,
    exists: Callable[[str], bool] = lambda path: Path(path).exists(),
) -> list[Finding]:
    """Whose certificates are trusted. `version` is truststore's."""
    what = f"TLS trusts what the operating system trusts (truststore {version})."
    findings = [Finding(Section.NETWORK, "certificates", Verdict.OK, what, facts={"truststore": version})]
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = environment.get(name, "")
        if path:
            findings.append(_named_certificates(name, path, openssl=platform not in ("win32", "darwin"), exists=exists))
    ours = environment.get("SSL_CERT_FILE")
    if others := [name for name in _OTHERS_BUNDLES if environment.get(name, ours) != ours]:
        what = f"{' and '.join(others)} {'is' if len(others) == 1 else 'are'} set, for other programs."
        remedy = "Nothing of it is read here: a certificate in it must be in the operating system too."
        findings.append(Finding(Section.NETWORK, "certificates:others", Verdict.NOTE, what, remedy))
    return findings


def _named_certificates(name: str, path: str, *, openssl: bool, exists: Callable[[str], bool]) -> Finding:
    topic, facts = f"certificates:{name}", {"path": path}
    if not openssl:
        what = f"{name} is set, and has no effect on this system."
        remedy = "Install the certificate in the operating system instead."
        return Finding(Section.NETWORK, topic, Verdict.NOTE, what, remedy, facts)
    if not exists(path):
        what = f"{name} names {path}, which does not exist; the system's certificates are used."
        return Finding(Section.NETWORK, topic, Verdict.WARNING, what, "Correct it, or unset it.", facts)
    what = f"{name}: certificates are also read from {path}."
    if name == "SSL_CERT_FILE":
        what = f"{name}: the certificates in {path} take the place of the system's file."
    return Finding(Section.NETWORK, topic, Verdict.NOTE, what, facts=facts)
