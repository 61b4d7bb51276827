"""Copilot's inline marks and attributions -> Markdown with citations. Pure.

An answer holds entity tags (`<File>Plan.docx</File>`), citation markers (`[^1^]`) and `[^external^]`, and beside it a
list of attributions that no key ties to them. Streamed answers also carry an adaptive card: the same text with the
marks already replaced by links. The card is therefore asked first; without it, order of appearance decides, and the
result says that this is a guess.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Any

from copilot_mcp.graph.conversation import CopilotConversationAttribution, CopilotConversationResponseMessage
from copilot_mcp.graph.markdown import CardLinks, Written, is_web, link, within_label, words_in_url
from copilot_mcp.graph.marks import Mark, marks_of, number_of
from copilot_mcp.quoting import prose_and_code

GUESSED_NOTE = "Sources were matched to the text by their order, which is a guess."
UNPLACED_NOTE = "Some sources have no place in the text; they are listed all the same."
EXTERNAL_NOTE = "[external] marks a statement taken from the additional context of the request."

# Members of adaptive cards that hold elements which are shown with the rest; not what stands in for another, or behind
# a button.
_HOLDS_ELEMENTS = ("body", "items", "columns", "rows", "cells", "pages")
_CITATION, _ANNOTATION = "citation", "annotation"
_ASKED = 1_000  # distinct marks that are looked up one by one: each time the whole card or every address is read


@dataclass(frozen=True, slots=True)
class Citation:
    """One attribution of an answer, placed or not.

    Attributes:
        number: of the marker that points here, as it stands in the text, or one that no marker has; None for the link
            of an entity and for kinds that nobody knows, unless the card says otherwise.
        kind: `citation` or `annotation`, other words as the service sends them.
        origin: `grounding`, `model` or empty.
        placed: whether the Markdown links to it.
    """

    number: int | None
    title: str
    url: str
    kind: str
    origin: str
    placed: bool


@dataclass(frozen=True, slots=True)
class AnswerText:
    """An answer as Markdown, every attribution kept, and what the reader should know about their places."""

    markdown: str
    citations: tuple[Citation, ...]
    notes: tuple[str, ...]


def to_markdown(message: CopilotConversationResponseMessage) -> AnswerText:
    """The answer's text with links where its marks were. Code is left alone, unknown marks stay as they are.

    Of several messages in one, each is read against its own card and sources, and their numbers do not meet.
    """
    texts: list[str] = []
    citations: list[Citation] = []
    said: set[str] = set()
    taken = 0
    for part in message.parts:
        written, places = _read(part, taken)
        texts += [written] if written.strip() else []
        citations += places.citations()
        said.update(places.notes())
        taken = places.highest
    notes = (GUESSED_NOTE, UNPLACED_NOTE, EXTERNAL_NOTE)
    return AnswerText("\n\n".join(texts), tuple(citations), tuple(note for note in notes if note in said))


def _read(message: CopilotConversationResponseMessage, taken: int) -> "tuple[str, _Places]":
    """The text of one message with links where its marks were. Its numbers come behind those that are taken."""
    parts = prose_and_code(message.text)
    marks = marks_of(parts)
    places = _Places(message, [mark for of_part in marks for mark in of_part], taken)
    written = Written()
    for (part, _), of_part in zip(parts, marks, strict=True):
        position = 0
        for mark in of_part:
            shown = places.rendered(mark)
            written.add(part[position : mark.start])
            written.add(shown, ours=mark.number is None or not shown.startswith("[^"))
            position = mark.end
        written.add(part[position:])
    return written.text(), places


@dataclass(slots=True, eq=False)
class _Source:
    """An attribution on its way to becoming a citation. `named`: a mark of the text stands for it, linked or not."""

    attribution: CopilotConversationAttribution
    number: int | None = None
    name: str = ""
    placed: bool = False
    named: bool = False

    @property
    def kind(self) -> str:
        return self.attribution.attribution_type

    @property
    def url(self) -> str:
        return self.attribution.see_more_web_url


def _sources(attributions: list[CopilotConversationAttribution]) -> list[_Source]:
    """Those of the two known kinds in their order, then the others: what they are is unknown, so they do not count."""
    known = [_Source(each) for each in attributions if each.attribution_type in (_CITATION, _ANNOTATION)]
    others = [_Source(each) for each in attributions if each.attribution_type not in (_CITATION, _ANNOTATION)]
    return known + [each for each in others if each.url or each.attribution.provider_display_name]


class _Places:
    """Which mark leads where. Asks the card first, then the order; everything is decided once it is made."""

    def __init__(self, message: CopilotConversationResponseMessage, marks: list[Mark], taken: int) -> None:
        self._taken = taken
        self.sources = _sources(message.attributions)
        self.urls: dict[str, list[str]] = {}
        self.seen: dict[str, int] = {}
        self.guessed = False
        self.external = False
        # Key -> label of every mark that can hold a link, in order of appearance.
        self._labels = {mark.key: mark.label for mark in marks if not mark.external}
        self._can_link = {mark.key for mark in marks if not mark.in_label}
        self._in_text = {number for key in self._labels if (number := number_of(key)) is not None}
        self._by_card(message, Counter(mark.key for mark in marks))
        self._number_by_order()
        self._annotate_by_order()
        self._number_the_rest()

    def _by_card(self, message: CopilotConversationResponseMessage, counts: Counter[str]) -> None:
        card = _card_text(message.adaptive_cards)
        if "](" not in card:
            return
        links = CardLinks(card, message.text)
        of_address: dict[str, list[_Source]] = {}
        for source in self.sources:
            of_address.setdefault(source.url, []).append(source)
        for key, label in list(self._labels.items())[:_ASKED]:
            found = links.labelled(label)
            if found and len(found) in (1, counts[key]):
                self.urls[key] = found
                for url in dict.fromkeys(found):
                    self._claim(key, label, of_address.setdefault(url, []), url)

    def _claim(self, key: str, label: str, candidates: list[_Source], url: str) -> None:
        """Tie an attribution with this address to a mark; one that only the card knows is added."""
        number = number_of(key)
        kind, other = (_ANNOTATION, _CITATION) if number is None else (_CITATION, _ANNOTATION)
        fitting = sorted((each for each in candidates if each.kind != other), key=lambda each: each.kind != kind)
        source = next((each for each in fitting if not each.named), fitting[0] if fitting else None)
        if source is None:
            source = _Source(CopilotConversationAttribution(attribution_type=kind, see_more_web_url=url))
            self.sources.append(source)
            candidates.append(source)
        elif number is not None and source.number not in (None, number):  # a second number needs an entry of its own
            again = _Source(source.attribution)
            self.sources.insert(self.sources.index(source) + 1, again)
            source = again
        source.named = True
        source.placed |= key in self._can_link
        if number is None:
            source.name = source.name or label
        else:
            source.number = number

    def _number_by_order(self) -> None:
        """Marker n names the n-th citation; where the card says otherwise of that, the next that nobody claimed."""
        citations = [each for each in self.sources if each.kind == _CITATION]
        open_numbers = self._in_text - {each.number for each in self.sources}
        for number in sorted(open_numbers):
            source = citations[number - 1] if 1 <= number <= len(citations) else None
            if source is not None and source.number is None:
                source.number = number
        unclaimed = [each for each in citations if each.number is None]
        left = sorted(open_numbers.intersection(range(1, len(citations) + 1)) - {each.number for each in citations})
        for number, source in zip(left, unclaimed, strict=False):
            source.number = number
        for source in citations:
            if source.number in open_numbers:
                self._guess(f"^{source.number}", source)

    def _annotate_by_order(self) -> None:
        """The k-th distinct tag has the k-th annotation where their counts agree; else the name may tell."""
        annotations = [each for each in self.sources if each.kind == _ANNOTATION]
        tags = [key for key in self._labels if number_of(key) is None and key not in self.urls]
        unclaimed: list[_Source | None] = [each for each in annotations if not each.named]
        if len(tags) != len(unclaimed):
            tags = tags[:_ASKED]
            words = [words_in_url(each.url) for each in annotations]
            unclaimed = [_only_match(self._labels[key], annotations, words) for key in tags]
        for key, source in zip(tags, unclaimed, strict=True):
            if source is not None and is_web(source.url):
                source.name = source.name or self._labels[key]
                self._guess(key, source)

    def _guess(self, key: str, source: _Source) -> None:
        self.guessed = source.named = True
        if is_web(source.url):
            source.placed |= key in self._can_link
            self.urls[key] = [source.url]

    def _number_the_rest(self) -> None:
        """Citations that nothing names: their own place where neither the text nor another has it, or a free number."""
        taken = {each.number for each in self.sources} | self._in_text
        citations = [each for each in self.sources if each.kind == _CITATION]
        for place, source in enumerate(citations, 1):
            if source.number is None and place not in taken:
                source.number = place
                taken.add(place)
        free = (number for number in count(1) if number not in taken)
        for source in citations:
            if source.number is None:
                source.number = next(free)

    def rendered(self, mark: Mark) -> str:
        """The Markdown for one mark; call in order of appearance."""
        if mark.external:
            self.external = True
            return "[external]"
        urls = self.urls.get(mark.key, [])
        turn = self.seen.get(mark.key, 0)
        self.seen[mark.key] = turn + 1
        linked = urls[min(turn, len(urls) - 1)] if urls else ""
        if mark.number is None:
            if mark.in_label:  # a link of ours would put an end to the one around it
                return within_label(mark.label)
            return link(mark.label, linked) if linked else mark.label
        number = str(mark.number + self._taken)
        if not linked:
            return f"[^{number}^]" if self._taken else mark.written
        return f"[{number}]" if mark.in_label else f" {link(number, linked)}"

    @property
    def highest(self) -> int:
        """The highest number in the text or of a source, with those that were taken before."""
        numbers = {each.number for each in self.sources if each.number is not None} | self._in_text
        return self._taken + max(numbers, default=0)

    def citations(self) -> tuple[Citation, ...]:
        """Every attribution."""
        return tuple(_citation(each, self._taken) for each in self.sources)

    def notes(self) -> tuple[str, ...]:
        """What the reader should know, one sentence each."""
        unplaced = any(not source.named for source in self.sources)
        said = ((self.guessed, GUESSED_NOTE), (unplaced, UNPLACED_NOTE), (self.external, EXTERNAL_NOTE))
        return tuple(note for holds, note in said if holds)


def _citation(source: _Source, taken: int) -> Citation:
    attribution = source.attribution
    number = None if source.number is None else source.number + taken
    title = attribution.provider_display_name or source.name or source.url
    return Citation(number, title, source.url, source.kind, attribution.attribution_source, source.placed)


def _only_match(name: str, annotations: list[_Source], words_of: list[set[str]]) -> _Source | None:
    """The one annotation whose address holds every word of the name."""
    words = set(name.casefold().split())
    found = [source for source, its in zip(annotations, words_of, strict=True) if words and words <= its]
    return found[0] if len(found) == 1 else None


def _card_text(cards: list[dict[str, Any]]) -> str:
    """The text blocks of the adaptive cards, in order, out of containers, columns and tables too.

    Cards are untyped: what does not look like an element holds no text.
    """
    texts: list[str] = []
    waiting: list[Any] = [cards]
    while waiting:
        element = waiting.pop()
        if isinstance(element, list):
            waiting += reversed(element)
        elif isinstance(element, dict):
            if isinstance(text := element.get("text"), str):
                texts.append(text)
            waiting += [element[name] for name in _HOLDS_ELEMENTS if isinstance(element.get(name), list)]
    return "\n".join(texts)
