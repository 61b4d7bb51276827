"""Statements: the sentences, list items and table rows of a passage, ready to stand in an answer."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log

from copilot_mcp.simulator.words import stems

__all__ = ["Statement", "best_statements", "statements_of"]

MAX_STATEMENT_CHARACTERS = 320
MIN_PROSE_CHARACTERS = 60

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(*A-Z0-9ÄÖÜ])")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_RULE_CELL = re.compile(r":?-+:?$")
_MARKER = re.compile(r"\[\^[^\]\s]*\^?\]")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_NUMBER_WANTED = re.compile(r"\b(how (many|much|long|often|old|far)|when|what (date|time|percentage))\b", re.I)
_SHARE_OF_BEST = 0.4
_RANK_FACTOR = 0.7
_ESCAPE = re.compile(r"\\([*_\[\]#|<>])")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement and where it stands in the passage. `weight` is how well it fits the question."""

    text: str
    order: int
    weight: float = 0.0


def statements_of(text: str) -> list[str]:
    """Split a passage into plain statements; code blocks and quoted directives are left out."""
    found: list[str] = []
    prose: list[str] = []
    table: list[list[str]] = []
    in_code = in_list = False

    def close() -> None:
        sentences = _SENTENCE_END.split(" ".join(prose))
        found.extend(each for each in sentences if in_list or not _is_heading(each))
        prose.clear()
        found.extend(_rows(table))
        table.clear()

    for line in text.split("\n"):
        stripped = line.strip()
        if stripped.startswith(("```", "~~~")):
            close()
            in_code = not in_code
        elif in_code:
            continue
        elif stripped.startswith("|"):
            table.append([cell.strip() for cell in stripped.strip("|").split("|")])
        elif not stripped or stripped.startswith((":::", "> [!", "#")):
            close()
            in_list = False
        elif _ITEM.match(line):
            close()
            in_list = True
            prose.append(_ITEM.sub("", line, count=1).strip())
        else:
            prose.append(stripped.removeprefix(">").strip())
    close()
    return [each for each in (_plain(one) for one in found) if len(each) > 2]


def _is_heading(text: str) -> bool:
    """Short text without an end: a heading that stands in the passage, no statement."""
    text = _plain(text)
    return len(text) < MIN_PROSE_CHARACTERS and not text.endswith((".", "!", "?", ":", ")", '"'))


def _rows(table: list[list[str]]) -> list[str]:
    """Rows with the column names: a row alone would not say what its numbers mean."""
    body = [row for row in table if not all(_RULE_CELL.match(cell) or not cell for cell in row)]
    if len(body) < 2:
        return [", ".join(cell for cell in row if cell) for row in body]
    head, *rows = body
    return [
        "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(head, row, strict=False) if cell)
        for row in rows
    ]


def _plain(text: str) -> str:
    """No links, tags and markers: in an answer those are the service's own."""
    text = _MARKER.sub("", _TAG.sub("", _LINK.sub(r"\1", text)))
    text = " ".join(_ESCAPE.sub(r"\1", text).split())
    if len(text) <= MAX_STATEMENT_CHARACTERS:
        return text
    return text[:MAX_STATEMENT_CHARACTERS].rsplit(" ", 1)[0] + " …"


def best_statements(passages: Sequence[tuple[str, str]], question: str, count: int, *, title: str = "") -> list[str]:
    """The statements of some (heading, text) passages, the best passage first, that answer the question best.

    They come in reading order; statements that share nothing with the question are left out, unless their heading
    does. A word that few statements hold counts more, one of the document's title less: the whole document is
    about it. Asked for a number, statements with digits count more. What follows a lone best statement explains it.
    """
    wanted = stems(question)
    found = {
        text: place for place, (_, passage) in reversed(list(enumerate(passages))) for text in statements_of(passage)
    }
    pool = sorted(found, key=lambda text: found[text])
    headings = [wanted & stems(heading.rsplit(" > ", 1)[-1]) for heading, _ in passages]
    held = {text: wanted & stems(text) for text in pool}
    worth = _worth(held.values(), stems(title), len(pool))
    for_number = bool(_NUMBER_WANTED.search(question))
    weighed = []
    for order, text in enumerate(pool):
        place = found[text]
        value = sum(worth[stem] for stem in held[text]) + sum(worth.get(stem, 0.5) for stem in headings[place]) / 2
        if value:
            weighed.append(Statement(text, order, _weight(text, value * _RANK_FACTOR**place, for_number)))
    best = sorted(weighed, key=lambda each: (-each.weight, each.order))[:count]
    orders = {each.order for each in best if each.weight >= best[0].weight * _SHARE_OF_BEST}
    if len(orders) == 1:
        orders |= {order + 1 for order in orders if order + 1 < len(pool)}
    return [pool[order] for order in sorted(orders)]


def _worth(held: Collection[frozenset[str]], title: frozenset[str], total: int) -> dict[str, float]:
    spread = Counter(stem for each in held for stem in each)
    worth = {stem: log(1 + total / count) for stem, count in spread.items()}
    return worth | {stem: worth[stem] / 4 for stem in title & worth.keys()}


def _weight(text: str, worth: float, for_number: bool) -> float:
    worth /= 1 + len(text) / 2000
    return worth * 1.5 if for_number and any(each.isdigit() for each in text) else worth
