"""Hosts, TLS, proxies, certificates and the clock: every verdict, with injected names, transports and time."""

import ssl
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Any

import anyio
import httpx
import pytest

from copilot_mcp.auth import CLOUDS
from copilot_mcp.doctor import Finding, Verdict, Way, proxy_of
from copilot_mcp.doctor.asking import Answer, ask
from copilot_mcp.doctor.examination import addresses_of
from copilot_mcp.doctor.local_network import certificate_findings, proxy_findings
from copilot_mcp.doctor.network import clock_finding, discovery_url, host_findings, known_tenant_findings, reach_finding
from copilot_mcp.simulator import Simulator

pytestmark = pytest.mark.anyio
HOST, URL = "graph.microsoft.com", "https://graph.microsoft.com/v1.0/"
NOW = 1_772_452_800.0
Handler = Callable[[httpx.Request], Any]


def now() -> float:
    return NOW


async def known(name: str) -> Sequence[str]:
    return ["192.0.2.1", "192.0.2.2"]


async def unknown(name: str) -> Sequence[str]:
    raise OSError(name)


async def hangs(name: str) -> Sequence[str]:
    await anyio.sleep_forever()
    raise AssertionError


def json_answer(request: httpx.Request) -> httpx.Response:
    assert "authorization" not in request.headers
    return httpx.Response(200, json={}, headers={"date": formatdate(NOW, usegmt=True)})


def raising(error: Exception) -> Handler:
    def handle(request: httpx.Request) -> httpx.Response:
        raise error

    return handle


async def looked_at(
    handler: Handler, resolve: Any = known, proxy: str = "", **more: Any
) -> tuple[Finding, Answer | None]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        way = Way(http, resolve, lambda host: proxy, now, **more)
        (finding,), answer = await host_findings(way, HOST, URL)
    return finding, answer


async def test_a_host_that_is_found_and_answers_is_ok() -> None:
    finding, answer = await looked_at(json_answer)
    assert finding.verdict is Verdict.OK
    assert finding.what.startswith(f"{HOST} answers in ")
    assert finding.what.endswith("ms (2 addresses).")
    assert answer is not None
    assert (answer.date, answer.asked) == (NOW, NOW)


async def test_a_name_that_is_not_found_is_a_problem_of_names() -> None:
    finding, answer = await looked_at(json_answer, unknown)
    assert (finding.verdict, answer) == (Verdict.PROBLEM, None)
    assert finding.what == f"The name {HOST} cannot be looked up: no name server knows it."
    assert "set HTTPS_PROXY" in finding.remedy


async def test_a_name_server_that_never_answers_costs_its_limit_only() -> None:
    finding, _ = await looked_at(json_answer, hangs, resolve_limit_s=0.01)
    assert finding.what == f"The name {HOST} cannot be looked up: no name server answers."


async def test_behind_a_proxy_the_proxys_name_is_looked_up_and_its_password_never_shown() -> None:
    asked = []

    async def resolve(name: str) -> Sequence[str]:
        asked.append(name)
        return ["192.0.2.9"]

    finding, _ = await looked_at(json_answer, resolve, "http://user:SECRETMARK@proxy.example:8080")
    assert asked == ["proxy.example"]
    assert finding.what.endswith("(through the proxy http://proxy.example:8080).")
    lost, _ = await looked_at(json_answer, unknown, "http://user:SECRETMARK@proxy.example:8080")
    refused, _ = await looked_at(
        raising(httpx.ConnectError("no")), resolve, "http://user:SECRETMARK@proxy.example:8080"
    )
    assert f"{HOST} cannot be reached through the proxy http://proxy.example:8080: " in refused.what
    assert lost.what == "The proxy's name proxy.example cannot be looked up: no name server knows it."
    assert "SECRETMARK" not in repr((finding, lost, refused))


async def test_a_proxy_without_port_or_with_an_ipv6_address_is_looked_up_by_its_host() -> None:
    asked = []

    async def resolve(name: str) -> Sequence[str]:
        asked.append(name)
        return ["192.0.2.9"]

    for proxy in ("http://proxy.example", "http://[::1]:3128"):
        await looked_at(json_answer, resolve, proxy)
    assert asked == ["proxy.example", "::1"]


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx.ConnectError("no"), "offline", "the connection was refused or broken"),
        (httpx.ConnectTimeout("slow"), "offline", "no answer came in time"),
        (httpx.ProxyError("407 Proxy Authentication Required"), "captive_portal", "asks for a sign-in (407)"),
        (httpx.ProxyError("502"), "captive_portal", "the proxy refused or broke the connection"),
        (httpx.InvalidURL("bad"), "offline", "the connection was refused or broken"),
    ],
)
async def test_each_way_of_not_answering_is_told_apart(error: Exception, kind: str, words: str) -> None:
    finding, answer = await looked_at(raising(error))
    assert (finding.verdict, finding.facts["kind"], answer) == (Verdict.PROBLEM, kind, None)
    assert words in finding.what
    assert finding.remedy


@pytest.mark.parametrize(
    ("code", "words"), [(10, "has expired"), (62, "is for another name"), (99, "is not trusted by this computer")]
)
async def test_a_certificate_that_is_refused_is_told_by_its_reason(code: int, words: str) -> None:
    refused = ssl.SSLCertVerificationError("certificate verify failed")
    refused.verify_code = code
    broken = httpx.ConnectError("tls")
    broken.__cause__ = refused
    finding, _ = await looked_at(raising(broken))
    assert finding.facts["kind"] == "tls_intercepted"
    assert f"its certificate {words}" in finding.what


async def test_tls_that_breaks_otherwise_is_told_too() -> None:
    broken = httpx.ConnectError("tls")
    broken.__context__ = ssl.SSLError("wrong version number")
    finding, _ = await looked_at(raising(broken))
    assert "TLS could not be agreed upon" in finding.what


async def test_a_chain_of_causes_that_goes_round_ends() -> None:
    first, second = httpx.ConnectError("a"), OSError("b")
    first.__cause__, second.__cause__ = second, first
    finding, _ = await looked_at(raising(first))
    assert finding.facts["kind"] == "offline"


async def test_a_host_that_accepts_and_never_answers_costs_its_limit_only() -> None:
    async def silent(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    finding, _ = await looked_at(silent, answer_limit_s=0.01)
    assert "no answer came in time" in finding.what


async def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    async def endless() -> Any:
        while True:
            yield b"x" * 50_000

    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=endless())

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        answer = await ask(http, URL, clock=now)
    assert isinstance(answer, Answer)
    assert (len(answer.body), answer.date) == (65_536, None)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>Welcome to the hotel</html>"),
        httpx.Response(200, text="  <!doctype html>"),
        httpx.Response(511, text=""),
        httpx.Response(407, text=""),
    ],
)
async def test_a_page_in_between_is_a_captive_portal(answer: httpx.Response) -> None:
    finding, kept = await looked_at(lambda request: answer)
    assert (finding.verdict, finding.facts["kind"], kept) == (Verdict.PROBLEM, "captive_portal", None)


async def test_a_busy_service_is_a_warning() -> None:
    finding, _ = await looked_at(lambda request: httpx.Response(503))
    assert (finding.verdict, finding.facts["status"]) == (Verdict.WARNING, 503)


async def test_a_refusal_without_a_token_is_an_answer_too() -> None:
    finding, _ = await looked_at(lambda request: httpx.Response(401, json={"error": {}}))
    assert finding.verdict is Verdict.OK


@pytest.mark.parametrize(
    ("issuer", "verdict"),
    [("Microsoft Corporation", Verdict.OK), ("DigiCert Inc", Verdict.OK), ("Zscaler Inc.", Verdict.NOTE)],
)
def test_an_unusual_issuer_is_noted(issuer: str, verdict: Verdict) -> None:
    finding = reach_finding("host:x", "x", Answer(200, "", None, NOW, 0.1, issuer), "1 address")
    assert finding.verdict is verdict
    assert issuer in finding.what


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        ("good", "Simulated authority"),
        ("untrusted", "its certificate comes from an authority that this computer does not know"),
        ("expired", "its certificate has expired"),
        ("wrong_name", "its certificate is for another name"),
    ],
)
async def test_real_certificates_are_judged_over_a_socket(
    simulator: Simulator, certificate: Any, expected: str
) -> None:
    url = await anyio.to_thread.run_sync(lambda: simulator.start(certificate=certificate))
    context = ssl.create_default_context(cadata=simulator.authority_pem)
    async with httpx.AsyncClient(verify=context, trust_env=False) as http:
        answer = await ask(http, f"{url}/v1.0/", clock=now)
    assert expected == (answer.issuer if isinstance(answer, Answer) else answer.reason)


@pytest.mark.parametrize(
    ("ahead", "verdict", "words"),
    [
        (0.5, Verdict.OK, "The clock is right within 1 s"),
        (-59.0, Verdict.OK, "The clock is right within 60 s"),
        (100.0, Verdict.WARNING, "clock is 100 seconds fast"),
        (-200.0, Verdict.WARNING, "clock is 3 minutes slow"),
        (400.0, Verdict.PROBLEM, "clock is 7 minutes fast; tokens will be refused"),
        (-31_536_000.0, Verdict.PROBLEM, "clock is 525600 minutes slow; tokens will be refused"),
    ],
)
def test_the_clock_is_held_against_the_hosts(ahead: float, verdict: Verdict, words: str) -> None:
    answers = [Answer(200, "", None, NOW, 0.1), Answer(200, "", NOW, NOW + ahead, 0.1)]
    found = clock_finding(answers)
    assert found.verdict is verdict
    assert words in found.what


def test_no_date_is_no_verdict_on_the_clock() -> None:
    assert clock_finding([Answer(200, "", None, NOW, 0.1)]).verdict is Verdict.NOTE


async def test_a_date_that_cannot_be_read_is_none() -> None:
    _, answer = await looked_at(lambda request: httpx.Response(200, headers={"date": "yesterday"}))
    assert answer is not None
    assert answer.date is None


def tenant_answer(status: int, body: bytes) -> Answer:
    return Answer(status, "application/json", None, NOW, 0.1, body=body)


def test_the_sign_in_service_tells_whether_it_knows_the_tenant() -> None:
    cloud, name = CLOUDS["global"], "contoso.onmicrosoft.com"
    assert discovery_url(cloud, "a b").startswith("https://login.microsoftonline.com/a%20b/v2.0/")
    (no,) = known_tenant_findings(cloud, name, tenant_answer(400, b'{"error": "invalid_tenant"}'))
    assert (no.verdict, no.what) == (
        Verdict.PROBLEM,
        f'The sign-in service of the cloud global knows no tenant "{name}".',
    )
    (yes,) = known_tenant_findings(
        cloud, name, tenant_answer(200, b'{"issuer": "x", "msgraph_host": "graph.microsoft.com"}')
    )
    assert yes.verdict is Verdict.OK
    (elsewhere,) = known_tenant_findings(cloud, name, tenant_answer(200, b'{"msgraph_host": "graph.microsoft.us"}'))
    assert (elsewhere.verdict, elsewhere.facts["cloud"]) == (Verdict.WARNING, "usgov-l4")
    assert known_tenant_findings(cloud, "organizations", tenant_answer(200, b'{"issuer": "x"}')) == []
    assert known_tenant_findings(cloud, name, tenant_answer(200, b"[1]")) == []
    assert known_tenant_findings(cloud, name, tenant_answer(500, b"{")) == []


def test_proxies_are_shown_without_user_and_password() -> None:
    environment = {"HTTPS_PROXY": "http://me:SECRETMARK@proxy.example:8080", "NO_PROXY": "localhost,.corp"}
    (found,) = proxy_findings(environment, {})
    assert found.what == "Proxy: HTTPS_PROXY http://proxy.example:8080. Without it (NO_PROXY): localhost,.corp."
    assert "SECRETMARK" not in repr(found)


def test_the_proxy_of_the_operating_system_counts_where_the_environment_names_none() -> None:
    (found,) = proxy_findings({}, {"https": "http://proxy.example:1", "ftp": "x"})
    assert found.what == "Proxy of the operating system: https http://proxy.example:1."
    assert proxy_findings({"HTTPS_PROXY": " "}, {})[0].what == "No proxy is set."


def test_two_spellings_and_a_proxy_that_does_not_count_are_told() -> None:
    both = proxy_findings({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, {})
    assert [(each.topic, each.verdict) for each in both] == [
        ("proxy", Verdict.OK),
        ("proxy:https_proxy", Verdict.WARNING),
    ]
    alone = proxy_findings({"HTTP_PROXY": "http://a:1"}, {})
    assert [(each.topic, each.verdict) for each in alone] == [("proxy", Verdict.OK), ("proxy:https", Verdict.NOTE)]


def test_the_proxy_of_a_host_is_the_one_that_httpx_takes() -> None:
    assert (
        proxy_of("x.example", lambda: {"https": "http://a:1", "all": "http://b:1"}, lambda host: False) == "http://a:1"
    )
    assert proxy_of("x.example", lambda: {"all": "http://b:1"}, lambda host: False) == "http://b:1"
    assert proxy_of("x.example", lambda: {"https": "http://a:1"}, lambda host: True) == ""
    assert proxy_of("x.example", dict, lambda host: 0) == ""


@pytest.mark.parametrize(
    ("platform", "there", "verdict", "words"),
    [
        ("linux", True, Verdict.NOTE, "take the place of the system's file"),
        ("linux", False, Verdict.WARNING, "does not exist"),
        ("win32", True, Verdict.NOTE, "has no effect on this system"),
        ("darwin", True, Verdict.NOTE, "has no effect on this system"),
    ],
)
def test_ssl_cert_file_is_judged_by_the_system(platform: str, there: bool, verdict: Verdict, words: str) -> None:
    _, found = certificate_findings({"SSL_CERT_FILE": "/ca.pem"}, platform, "0.10", lambda path: there)
    assert found.verdict is verdict
    assert words in found.what


def test_bundles_of_other_programs_are_not_read() -> None:
    plain = certificate_findings({}, "linux", "0.10.1")
    assert [each.what for each in plain] == ["TLS trusts what the operating system trusts (truststore 0.10.1)."]
    _, folder, others = certificate_findings(
        {"SSL_CERT_DIR": "/certs", "REQUESTS_CA_BUNDLE": "/x"}, "linux", "0.10", lambda path: True
    )
    assert folder.what == "SSL_CERT_DIR: certificates are also read from /certs."
    same = {"SSL_CERT_FILE": "/ca.pem", "CURL_CA_BUNDLE": "/ca.pem"}
    assert len(certificate_findings(same, "linux", "0.10", lambda path: True)) == 2
    assert others.what == "REQUESTS_CA_BUNDLE is set, for other programs."


def test_this_machine_has_an_address() -> None:
    assert "127.0.0.1" in addresses_of("127.0.0.1")
    with pytest.raises(OSError):
        addresses_of("no-such-host.invalid")


async def test_a_certificate_that_cannot_be_read_has_no_issuer() -> None:
    class Tls:
        def get_extra_info(self, name: str) -> Any:
            return self

        def getpeercert(self, binary_form: bool) -> bytes:
            return b"nonsense"

    _, answer = await looked_at(lambda request: httpx.Response(200, extensions={"network_stream": Tls()}))
    assert answer is not None
    assert answer.issuer == ""


async def test_a_packed_answer_is_not_unpacked() -> None:
    _, answer = await looked_at(lambda request: httpx.Response(200, content=b"", headers={"content-encoding": "gzip"}))
    assert answer is not None
    assert answer.body == b""
