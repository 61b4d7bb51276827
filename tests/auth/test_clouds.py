"""The table of clouds, and which page a person may be sent to."""

import pytest

from copilot_mcp.auth import CLOUDS, LOOPBACK_HOSTS, Cloud
from copilot_mcp.auth.refusals import Asked


def test_every_cloud_has_its_own_graph_and_an_https_authority() -> None:
    assert {name: cloud.hosts for name, cloud in CLOUDS.items()} == {
        "global": ("login.microsoftonline.com", "graph.microsoft.com"),
        "usgov-l4": ("login.microsoftonline.us", "graph.microsoft.us"),
        "usgov-l5": ("login.microsoftonline.us", "dod-graph.microsoft.us"),
        "china": ("login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn"),
        "simulated": ("login.copilot-mcp.test", "graph.copilot-mcp.test"),
    }
    assert all(root.startswith("https://") for cloud in CLOUDS.values() for root in (cloud.authority, cloud.graph_root))


def test_availability_is_that_of_the_documentation() -> None:
    assert {name: (cloud.chat, cloud.retrieval) for name, cloud in CLOUDS.items()} == {
        "global": ("yes", True),
        "usgov-l4": ("maybe", False),
        "usgov-l5": ("maybe", False),
        "china": ("no", False),
        "simulated": ("yes", True),
    }


def test_only_the_simulated_cloud_has_a_tenant_and_an_app_of_its_own() -> None:
    simulated = CLOUDS["simulated"]
    assert (simulated.tenant_id, simulated.client_id) == (
        "00000000-0000-4000-8000-000000000001",
        "00000000-0000-4000-8000-00000000c0de",
    )
    real = [cloud for cloud in CLOUDS.values() if not cloud.simulated]
    assert {(cloud.tenant_id, cloud.client_id, cloud.loopback_approval) for cloud in real} == {(None, None, False)}
    assert sorted(LOOPBACK_HOSTS) == ["graph.copilot-mcp.test", "login.copilot-mcp.test"]


def test_scope_carries_the_prefix_of_its_cloud_and_loses_it_again() -> None:
    cloud = CLOUDS["usgov-l4"]
    assert cloud.scope("Files.Read.All") == "https://graph.microsoft.us/Files.Read.All"
    assert [
        cloud.scope_name(scope)
        for scope in ("https://Graph.Microsoft.us/Files.Read.All", "Mail.Read", "https://graph.microsoft.com/Mail.Read")
    ] == ["Files.Read.All", "Mail.Read", "https://graph.microsoft.com/Mail.Read"]


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("global", "https://microsoft.com/devicelogin"),
        ("global", "https://www.microsoft.com:443/link"),
        ("global", "https://login.microsoftonline.com/common/oauth2/deviceauth"),
        ("china", "https://login.chinacloudapi.cn/deviceauth"),
        ("simulated", "http://127.0.0.1:8123/devicelogin"),
        ("simulated", "http://localhost/devicelogin"),
        ("simulated", "https://login.copilot-mcp.test/devicelogin"),
    ],
)
def test_listed_pages_may_be_shown(name: str, page: str) -> None:
    assert CLOUDS[name].may_show(page)


@pytest.mark.parametrize(
    "page",
    [
        "",
        "microsoft.com/devicelogin",
        "http://microsoft.com/devicelogin",
        "http://127.0.0.1/devicelogin",
        "https://127.0.0.1/devicelogin",
        "https://microsoft.com:8443/devicelogin",
        "https://microsoft.com:port/devicelogin",
        "https://microsoft.com./devicelogin",
        "https://microsoft.com@evil.example/",
        "https://evil.example/?microsoft.com",
        "https://microsoft.com/device login",
        "https://microsoft.com/\x1b[31m",
        "https://xn--mirosoft-29a.com/",
        "https://microsoft.com/" + "a" * 200,
        "javascript:alert(1)",
        "https://[::1",
    ],
)
def test_other_pages_may_not_be_shown(page: str) -> None:
    assert not CLOUDS["global"].may_show(page)


def test_simulated_page_off_this_machine_may_not_be_shown() -> None:
    assert not CLOUDS["simulated"].may_show("http://192.0.2.1/devicelogin")
    assert not CLOUDS["simulated"].may_show("http://127.0.0.1@evil.example/devicelogin")


def test_consent_link_names_the_scopes_of_its_cloud() -> None:
    cloud: Cloud = CLOUDS["usgov-l5"]
    assert Asked(cloud, "contoso example", "app", ("Mail.Read",)).consent_link() == (
        "https://login.microsoftonline.us/contoso%20example/v2.0/adminconsent"
        "?client_id=app&scope=https%3A%2F%2Fdod-graph.microsoft.us%2FMail.Read"
        "&redirect_uri=https%3A%2F%2Flogin.microsoftonline.us%2Fcommon%2Foauth2%2Fnativeclient"
    )
