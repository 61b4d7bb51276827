"""Short ids for documents and passages, so that an answer can cite one and be checked."""

import base64
import hashlib
from collections.abc import Iterable

__all__ = ["short_ids"]

LEAST_CHARACTERS = 4
"""A million ids: among the hundred of a large result two meet once in two hundred results."""

_KEPT_BYTES = 10  # 16 characters; base32 is slow, and nobody sees the rest


def short_ids(keys: Iterable[str]) -> dict[str, str]:
    """An id for each key, made from the key alone and therefore the same whenever it comes back.

    Where two of these keys would share one, theirs are lengthened until they differ; the short form stays their
    beginning.
    """
    digests = {
        key: base64.b32encode(hashlib.sha256(key.encode()).digest()[:_KEPT_BYTES]).decode().lower() for key in keys
    }
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
