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


def test_import_brings_in_neither_msal_nor_httpx() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == ""


def test_every_listed_name_is_there() -> None:
    assert [name for name in auth.__all__ if not hasattr(auth, name)] == []


def test_unlisted_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = auth.nothing
