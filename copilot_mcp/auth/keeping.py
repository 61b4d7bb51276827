"""Where a sign-in is kept and what protects it, as facts for `login`, `status` and whoever else tells a person."""

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Keeping"]


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a sign-in is kept, or would be.

    Attributes:
        path: the file; None when the sign-in ends with the process.
        protected_by: what encrypts the file, for a sentence; empty when nothing does.
        reason: why nothing encrypts or keeps it, as the end of a sentence.
        remedy: what a person can do about that, a sentence without its full stop.
        occupied: there is an encrypted file whose key cannot be had now; nothing takes its place.
    """

    path: Path | None
    protected_by: str = ""
    reason: str = ""
    remedy: str = ""
    occupied: bool = field(default=False, repr=False, compare=False)

    @property
    def encrypted(self) -> bool:
        """Whether the file is encrypted; False without a file, too."""
        return self.path is not None and bool(self.protected_by)
