"""Where a person's count of retrievals is kept."""

import hashlib
import json
from pathlib import Path

from copilot_mcp.settings import Settings
from copilot_mcp.tools.quota import MemoryStore, Quota

__all__ = ["open_quota", "quota_path"]


def quota_path(cloud: str, person: str, directory: Path | None = None) -> Path:
    """The file of a person's count, in the user's state directory unless told otherwise; it names nobody.

    The limit is the person's, whatever app registration is used, so every process of theirs shares this one file.
    """
    if directory is None:
        from platformdirs import user_state_dir

        directory = Path(user_state_dir("copilot-mcp", appauthor=False))
    identity = hashlib.sha256(json.dumps([cloud, person]).encode()).hexdigest()[:16]
    return directory / f"quota-{identity}.json"


def open_quota(settings: Settings, person: str | None, directory: Path | None = None) -> Quota:
    """The count of the person with this account id. In memory for a simulated tenant, for nobody, and by setting."""
    from copilot_mcp.auth import SharedFile

    in_memory = settings.simulated or settings.cache == "memory" or person is None
    store = MemoryStore() if in_memory else SharedFile(quota_path(settings.cloud, person or "", directory))
    return Quota(store, refuses=settings.quota == "refuse", per_day=settings.max_requests_per_day)
