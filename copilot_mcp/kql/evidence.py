"""Does a search hit prove that it lies outside the filter: what can be said from its address and a few properties.

`matches` knows an item whole. A hit is known in part, in the service's spelling and not in ours, so only what cannot
be a matter of spelling counts as proof: another host or site on a direct address, another file extension, a date more
than a day off, another value of a property that was tested with `=`. An address that does not show where a file lies
(`_layouts`, sharing links, SharePoint Embedded), words broken in another way and values that are missing prove nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from html import unescape
from itertools import chain
from typing import Final, Literal, TypeAlias

from ._address import Place, extension_of, place_of
from ._dates import TICKS_PER_DAY, instant_ticks
from .match import (
    Item,
    Judgement,
    break_words,
    compare,
    decide,
    decimal_of,
    fold,
    judge,
    number_of,
    period_of,
    phrase_in,
    truth,
)
from .properties import Properties
from .tree import (
    AnyValue,
    BoolValue,
    DateValue,
    IntervalValue,
    Node,
    Operator,
    RangeValue,
    Restriction,
    Term,
    TextValue,
    Value,
    walk,
)

__all__ = ["Verdict", "asked_for_proof", "verdict"]

Verdict: TypeAlias = Literal["inside", "outside", "unclear"]

_ADDRESSED: Final = ("sharePoint", "oneDriveBusiness")
"""Sources whose addresses say where an item lies. Connectors and SharePoint Embedded choose theirs freely."""


def asked_for_proof(node: Node, properties: Properties) -> tuple[str, ...]:
    """The properties whose values a search should return so that its hits can be judged, in the filter's order.

    `Path` is not among them: a hit's address tells it. Nor are properties that the service may not know.
    """
    names = []
    for part in walk(node):
        known = properties.find(part.property) if isinstance(part, Restriction) else None
        if known and known.match != "path" and known.status not in ("undocumented", "not queryable"):
            names.append(known.name)
    return tuple(dict.fromkeys(names))


def verdict(node: Node, web_url: str, metadata: Mapping[str, str], properties: Properties, *, now: datetime) -> Verdict:
    """Where a hit lies, as far as its address and the property values that came with it tell.

    Args:
        node: the filter that was sent.
        web_url: the hit's address as the service wrote it.
        metadata: property values by name in any case; several values of one are joined with `;`.
        properties: those of the data source that was searched.
        now: what date keywords are relative to (UTC).
    """
    place = place_of(web_url) if properties.data_source in _ADDRESSED else None
    readings = {name.casefold(): _readings(value) for name, value in metadata.items() if value.strip()}
    hit = _Hit(place, readings, properties, now)
    if decide(node, hit.proof) is False:
        return "outside"
    values = {name: tuple(dict.fromkeys(chain.from_iterable(found))) for name, found in readings.items()}
    item = Item({**_told_by(place), **values})
    return "inside" if judge(node, item, properties, now=now) else "unclear"


_Reading: TypeAlias = tuple[str, ...]


def _readings(value: str) -> tuple[_Reading, ...]:
    """The values that a returned text may stand for: as it is or unescaped, as one value or as several."""
    found: dict[_Reading, None] = {}
    for text in dict.fromkeys((unescape(value), value)):
        several = tuple(part for part in text.split(";") if part.strip())
        found[several if len(several) == 1 else (text,)] = None
        found[several] = None
    return tuple(found)


def _told_by(place: Place | None) -> dict[str, tuple[str, ...]]:
    if place is None:
        return {}
    told: dict[str, tuple[str, ...]] = {"path": (place.address,)}
    extension = extension_of(place)
    return told if extension is None else {**told, "fileextension": (extension,), "filetype": (extension,)}


@dataclass(frozen=True, slots=True)
class _Hit:
    place: Place | None
    readings: Mapping[str, tuple[_Reading, ...]]
    properties: Properties
    now: datetime

    def proof(self, leaf: Restriction | Term) -> Judgement:
        """Whether the hit certainly satisfies the leaf, certainly not, or neither (None)."""
        if isinstance(leaf, Term):
            return None
        if leaf.op == "<>":
            equal = self._restriction(leaf, "=")
            return None if equal is None else not equal
        return self._restriction(leaf, leaf.op)

    def _restriction(self, node: Restriction, op: Operator) -> Judgement:
        value, known = node.value, self.properties.find(node.property)
        match = known.match if known else "words"
        readings = self.readings.get(node.property.casefold(), ())
        if isinstance(value, AnyValue):
            return _certain(True if any(map(str.strip, reading)) else None for reading in readings)
        if isinstance(value, TextValue) and match == "path":
            return None if self.place is None else _path(self.place, op, value)
        if isinstance(value, TextValue) and match == "extension":
            told = extension_of(self.place) if self.place else None
            readings = readings or (((told,),) if told else ())
        test = self._test(op, value, match)
        return None if test is None else _certain(_any(map(test, reading)) for reading in readings)

    def _test(self, op: Operator, value: Value, match: str) -> Callable[[str], Judgement] | None:
        """What one returned value proves; None where no value can prove anything."""
        if isinstance(value, DateValue | IntervalValue):
            return partial(_date, limits=period_of(value, self.now), op=op)
        if isinstance(value, RangeValue) and isinstance(value.start, DateValue | IntervalValue):
            start, end = period_of(value.start, self.now), period_of(value.end, self.now)
            return partial(_date, limits=(start[0], end[1]), op=":")
        if isinstance(value, TextValue) and match == "extension":
            return partial(_extension, wanted=fold(value.text), prefix=value.prefix)
        if op != "=":
            return None
        if isinstance(value, TextValue):
            return None if value.prefix else partial(_equal_text, wanted=value.text, broken=match not in _WHOLE)
        if isinstance(value, BoolValue):
            return lambda text: None if truth(text) is None else truth(text) is value.value
        if isinstance(value, AnyValue):
            return None
        ends = (value.start, value.end) if isinstance(value, RangeValue) else (value, value)
        limits = number_of(ends[0]), number_of(ends[1])
        return lambda text: compare(decimal_of(text), limits, ":")


_WHOLE: Final = ("guid", "exact")


def _any(found: Iterable[Judgement]) -> Judgement:
    """Any value may satisfy: all must fail to prove the contrary."""
    judgements = list(found)
    if True in judgements:
        return True
    return None if None in judgements or not judgements else False


def _certain(found: Iterable[Judgement]) -> Judgement:
    """What every reading of a property's value comes to."""
    judgements = set(found)
    return judgements.pop() if len(judgements) == 1 else None


def _path(place: Place, op: Operator, value: TextValue) -> Judgement:
    """An address that is cut off or escaped may be that of another item, so it proves no equality."""
    wanted = place_of(value.text)
    if wanted is None:
        return None
    part_of_host = not wanted.path and (op != "=" or value.prefix)
    under = _at_or_under(place, wanted, part_of_host=part_of_host)
    undecoded = replace(wanted, path=wanted.written)
    if under is False and _at_or_under(place, undecoded, part_of_host=part_of_host) is False:
        return False
    if op != "=" or value.prefix:
        return under if wanted.plain and place.site_is_plain else None
    same = place.plain and wanted.plain and place.address.rstrip("/") == wanted.address.rstrip("/")
    return True if same else None


def _at_or_under(place: Place, wanted: Place, *, part_of_host: bool) -> Judgement:
    """Decided by host and site alone; which folder of a site an address is in, it does not tell for certain.

    Nor is it certain whether the service lets a name without its final slash go on, as `HR` in `HR-archive`.
    """
    if part_of_host:
        return place.host.startswith(wanted.host)
    if place.host != wanted.host:
        return False
    root = f"{place.site}/"
    if root.startswith(wanted.path):
        return True if wanted.path.endswith("/") or root == f"{wanted.path}/" else None
    if place.site:
        return None if wanted.path.startswith(root) else False
    return False if wanted.below_managed_path and not place.in_managed_path else None


def _extension(text: str, wanted: str, prefix: bool) -> Judgement:
    return fold(text).startswith(wanted) if prefix else fold(text) == wanted


def _date(text: str, limits: tuple[int, int], op: Operator) -> Judgement:
    """A day either way is a matter of time zones."""
    ticks = instant_ticks(text)
    if ticks is None:
        return None
    if op in (":", "="):
        start, end = limits
        if not start - TICKS_PER_DAY <= ticks <= end + TICKS_PER_DAY:
            return False
        return True if start + TICKS_PER_DAY <= ticks <= end - TICKS_PER_DAY else None
    earlier, later = (compare(ticks + shift, limits, op) for shift in (-TICKS_PER_DAY, TICKS_PER_DAY))
    return earlier if earlier == later else None


def _equal_text(text: str, wanted: str, broken: bool) -> Judgement:
    """Whether a returned text is the wanted one. If cut off, it may be; words inside a longer one tell nothing."""
    if fold(text) == fold(wanted):
        return True if not broken or break_words(wanted) == break_words(text) != [] else None
    if text.rstrip().endswith(("…", "...")):
        return None
    if broken:
        found, asked = break_words(text), break_words(wanted)
        return None if phrase_in(found, asked) or "".join(asked) in "".join(found) else False
    return None if fold(wanted) in fold(text) else False
