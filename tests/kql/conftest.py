"""The shared vectors, how their contexts become properties, and how many generated examples are tried.

`pytest tests/kql --hypothesis-profile=long` tries 20,000 examples of each law, other ones each time. An ordinary run
tries the same few each time. Neither keeps a database, and what Hypothesis caches goes with the process.
"""

import atexit
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

from copilot_mcp.kql import Properties, SchemaProperty, properties_for

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
settings.register_profile("long", max_examples=20_000, database=None, deadline=None, suppress_health_check=SLOW)
settings.register_profile(
    "ordinary", max_examples=100, database=None, deadline=None, derandomize=True, suppress_health_check=SLOW
)
settings.load_profile("ordinary")
home = tempfile.TemporaryDirectory(prefix="hypothesis-")
atexit.register(home.cleanup)
set_hypothesis_home_dir(home.name)

VECTORS = Path(__file__).parent.parent / "data" / "kql" / "vectors.json"


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """The whole file of parse vectors and evaluation cases."""
    data: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return data


@pytest.fixture(scope="session")
def properties_of(vectors: dict[str, Any]) -> Callable[[dict[str, Any]], Properties]:
    """Properties for a vector's context."""

    def make(context: dict[str, Any]) -> Properties:
        rows = vectors["schemas"].get(context.get("schema"))
        schema = None if rows is None else [SchemaProperty.of(row) for row in rows]
        return properties_for(context.get("dataSource", "sharePoint"), schema)

    return make


@pytest.fixture(scope="session")
def site() -> Properties:
    """The properties of SharePoint."""
    return properties_for("sharePoint")


@pytest.fixture(scope="session")
def now() -> datetime:
    """A fixed clock: Wednesday at noon."""
    return datetime(2025, 6, 18, 12, tzinfo=UTC)
