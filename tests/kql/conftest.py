"""The shared vectors and how their contexts become properties."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from copilot_mcp.kql import Properties, SchemaProperty, properties_for

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
