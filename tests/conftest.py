"""Fixtures that every test may use."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """asyncio alone: the SDK's servers and uvicorn run on nothing else."""
    return "asyncio"
