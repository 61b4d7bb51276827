"""Which file a profile's sign-in is kept in, and whether files can be trusted there.

The name is derived, so that no input reaches a path; the folder is the user's own data directory, which is neither
the working directory nor one that is synchronised.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

from copilot_mcp.errors import SettingsError

__all__ = ["cache_file_name", "checked_profile", "data_directory", "network_file_system"]

_PROFILE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_DEVICES = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")

MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = re.compile(
    r"(fuse\.)?(nfs4?|cifs|smb3|smbfs|afs|ncpfs|ceph|lustre|gpfs|beegfs|glusterfs|sshfs|rclone|s3fs|davfs)"
)
"""File systems whose locks cannot be trusted between machines, by the names that Linux gives them."""

_ESCAPED = re.compile(r"\\([0-7]{3})")
_DRIVE_REMOTE = 4


def checked_profile(profile: str) -> str:
    """The profile's name, where it is usable.

    Lower case only, so that no two names share a file on a system that ignores case.

    Raises:
        SettingsError: It is not `[a-z0-9][a-z0-9_-]{0,31}`, or it is a device name of Windows.
    """
    if not _PROFILE.fullmatch(profile) or _DEVICES.fullmatch(profile):
        raise SettingsError(
            "The profile name (--profile or COPILOT_MCP_PROFILE) is not usable.",
            "Use 1 to 32 lower-case letters, digits, `-` and `_`, beginning with a letter or digit; `con`, `nul` and "
            "the other device names of Windows are not allowed.",
        )
    return profile


def cache_file_name(profile: str, cloud: str, tenant: str, client_id: str) -> str:
    """The file for a profile: derived, so that no input reaches a path and two tenants never share a file.

    Raises:
        SettingsError: See `checked_profile`.
    """
    identity = json.dumps([checked_profile(profile), cloud, tenant.lower(), client_id.lower()])
    return f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"


def data_directory() -> Path:
    """The folder of every profile: the user's own, not roaming, never relative to the working directory."""
    from platformdirs import user_data_dir

    return Path.home() / user_data_dir("copilot-mcp", appauthor=False, roaming=False)


def network_file_system(directory: Path, mounts: Path = MOUNTS) -> str:
    """The kind of network file system that the folder is on; empty when it is local or that cannot be told.

    `mounts` is Linux's table of mounts. macOS tells only by a call that Python does not have.
    """
    if sys.platform == "win32":  # pragma: no cover - the other branch is the one this system has
        import ctypes

        anchor = directory.absolute().anchor
        remote = ctypes.windll.kernel32.GetDriveTypeW(anchor) == _DRIVE_REMOTE
        return "network drive" if remote or anchor.startswith("\\\\") else ""
    try:
        table = mounts.read_text("utf-8", "replace")
    except OSError:
        return ""
    real = directory.resolve()
    kind, longest = "", -1
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields, types = before.split(), after.split()
        if len(fields) < 5 or not types:
            continue
        point = Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4]))
        # Of two mounts at one point the later one hides the earlier one.
        if real.is_relative_to(point) and len(point.parts) >= longest:
            kind, longest = types[0], len(point.parts)
    return kind if _NETWORK.fullmatch(kind) else ""
