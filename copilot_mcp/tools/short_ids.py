"""Short ids for documents and passages, so that an answer can cite one and be checked."""

import base64
import hashlib
from collections.abc import Iterable

__all__ = ["short_ids"]

LEAST_CHARACTERS = 4
"""A million ids: among the hundred of a large result two meet once in two hundred results."""

_KEPT_BYTES, _KEPT_CHARACTERS = 10, 16
"""Nobody sees the rest. Base32 makes whole characters of every five bytes, so that many digests can go in one text."""


def short_ids(keys: Iterable[str]) -> dict[str, str]:
    """An id for each key, made from the key alone and therefore the same whenever it comes back.

    Where two of these keys would share one, theirs are lengthened until they differ; the short form stays their
    beginning.
    """
    once = list(dict.fromkeys(keys))
    hashed = b"".join(hashlib.sha256(key.encode()).digest()[:_KEPT_BYTES] for key in once)
    text = base64.b32encode(hashed).decode().lower()
    digests = {key: text[at * _KEPT_CHARACTERS : (at + 1) * _KEPT_CHARACTERS] for at, key in enumerate(once)}
    ids: dict[str, str] = {}
    waiting, length = list(digests), LEAST_CHARACTERS
    while waiting:
        holders: dict[str, list[str]] = {}
        for key in waiting:
            holders.setdefault(digests[key][:length], []).append(key)
        ids.update((alone[0], short) for short, alone in holders.items() if len(alone) == 1)
        waiting = [key for several in holders.values() if len(several) > 1 for key in several]
        length += 1
    return ids
