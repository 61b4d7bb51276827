"""Addresses for the files of a folder: one for each, and no two that a filter on `Path` would take for the same.

SharePoint compares addresses without case and knows neither `#` nor `%` in a plain one, a file system may tell `hr`
from `HR` and `a#` from `a_`. Where the addresses of two would be the same, the second is numbered.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection
from pathlib import PurePath

__all__ = ["Parts", "folded", "safe_segments"]

_UNSAFE = re.compile(r'["*:<>?/\\|#%\x00-\x1f]')

Parts = tuple[str, ...]


def safe_segments(paths: Collection[Parts]) -> dict[Parts, str]:
    """The last segment of the address of each path and of every folder on the way to it."""
    siblings: defaultdict[Parts, set[str]] = defaultdict(set)
    for path in paths:
        for depth, name in enumerate(path):
            siblings[path[:depth]].add(name)
    files, segments = frozenset(paths), {}
    for parent, names in siblings.items():
        taken: set[str] = set()
        # names that stay as they are come first, so that they do
        for name in sorted(names, key=lambda each: (_segment(each) != each, each)):
            stem, suffix = _segment(name), ""
            if (*parent, name) in files:
                stem, suffix = PurePath(stem).stem, PurePath(stem).suffix
            segments[(*parent, name)] = _numbered(stem, suffix, taken)
    return segments


def folded(name: str) -> str:
    """The form in which names are compared."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _numbered(stem: str, suffix: str, taken: set[str]) -> str:
    """The first of `a.md`, `a_2.md`, `a_3.md` … that is not taken; from now on it is."""
    number, name = 1, f"{stem}{suffix}"
    while folded(name) in taken:
        number += 1
        name = f"{stem}_{number}{suffix}"
    taken.add(folded(name))
    return name


def _segment(name: str) -> str:
    return _UNSAFE.sub("_", name).strip() or "_"
