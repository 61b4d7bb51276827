"""The package's front door is light."""

import os
import subprocess
import sys

import pytest

from copilot_mcp import auth

CODE = """
import sys
import copilot_mcp.auth
heavy = [name for name in ("msal", "httpx", "requests", "platformdirs", "truststore") if name in sys.modules]
sys.stdout.write(",".join(heavy))
"""

SERVED = """
import sys
import anyio
from mcp import Client
from copilot_mcp.cli._services import GraphServices
from copilot_mcp.cli._simulated import StartedTenant, simulated_settings
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings

IDENTITY = ("msal", "msal_extensions", "requests", "secretstorage", "jeepney")

async def main():
    settings = simulated_settings(Settings())
    async with (
        GraphServices(settings, StartedTenant(None, "adele", signs_in=True)) as services,
        Client(build_server(services, settings, person=services.person)) as client,
    ):
        tools = await client.list_tools()
        await client.call_tool("build_filter", {"filterExpression": "Author:Adele"})
        print(len(tools.tools), [name for name in IDENTITY if name in sys.modules])
        found = await client.call_tool("copilot_retrieve", {"queryString": "leave", "dataSource": "sharePoint"})
        print(found.is_error, "msal" in sys.modules)

anyio.run(main)
"""


def test_import_brings_in_neither_msal_nor_httpx() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == ""


def test_identity_libraries_are_imported_by_the_first_graph_call_and_not_before() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", SERVED], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["3 []", "False True"]


def test_every_listed_name_is_there() -> None:
    assert [name for name in auth.__all__ if not hasattr(auth, name)] == []


def test_unlisted_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = auth.nothing


LISTING = """
import sys
import anyio
from mcp import Client
from copilot_mcp.cli._services import GraphServices
from copilot_mcp.server import build_server
from copilot_mcp.settings import Settings

async def main():
    settings = Settings(client_id="00001111-aaaa-2222-bbbb-3333cccc4444", cache="memory")
    async with (
        GraphServices(settings) as services,
        Client(build_server(services, settings, person=services.person)) as client,
    ):
        await client.list_tools()
        await client.call_tool("build_filter", {"dataSource": "sharePoint", "expression": "FileType:pdf"})
        print("msal" in sys.modules)
        called = await client.call_tool("copilot_retrieve", {"queryString": "x", "dataSource": "sharePoint"})
        print("msal" in sys.modules, called.is_error)

anyio.run(main)
"""


def test_msal_comes_in_with_the_first_graph_call_and_not_before() -> None:
    """Nobody is signed in and the network is a dead proxy, so that call fails; it is the first that needs msal."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", LISTING], env=environment, capture_output=True, text=True, timeout=90, check=True
    )
    assert done.stdout.splitlines() == ["False", "True True"]
