"""Copilot's inline marks and attributions -> Markdown with citations. Pure.

An answer holds entity tags (`<File>Plan.docx</File>`), citation markers (`[^1^]`) and `[^external^]`, and beside it a
list of attributions that no key ties to them. Streamed answers also carry an adaptive card: the same text with the
marks already replaced by links. The card is therefore asked first; without it, order of appearance decides, and the
result says that this is a guess.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from copilot_mcp.graph.conversation import CopilotConversationAttribution, CopilotConversationResponseMessage
from copilot_mcp.graph.markdown import is_web, link, links_labelled, readable_name, words_in_url
from copilot_mcp.quoting import prose_and_code

GUESSED_NOTE = "Links were matched to the text by their order, which is a guess."
UNPLACED_NOTE = "Some sources have no place in the text; they are listed all the same."
EXTERNAL_NOTE = "[external] marks a statement taken from the additional context of the request."

_MARK = re.compile(
    r"\[\^(?P<number>\d{1,4})\^\]|(?P<external>\[\^external\^\])"
    r"|<(?P<kind>[A-Z][A-Za-z]{0,39})>(?P<name>[^\n]{0,400}?)</(?P=kind)>"
)
_TAG = re.compile(r"</?[A-Z][A-Za-z]{0,39}>")


@dataclass(frozen=True, slots=True)
class Citation:
    """One attribution of an answer, placed or not.

    Attributes:
        number: the marker that points here, or the next free number; None for the link of an entity.
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
    """The answer's text with links where its marks were. Code is left alone, unknown marks stay as they are."""
    parts = prose_and_code(message.text)
    marks = [match for part, is_code in parts if not is_code for match in _MARK.finditer(part)]
    places = _Places(message, marks)
    places.fill()
    turn = iter(marks)
    text = "".join(
        part if is_code else _MARK.sub(lambda _: places.rendered(next(turn)), part) for part, is_code in parts
    )
    return AnswerText(text, places.citations(), places.notes())


@dataclass(slots=True)
class _Source:
    """An attribution on its way to becoming a citation."""

    attribution: CopilotConversationAttribution
    number: int | None = None
    name: str = ""
    placed: bool = False

    @property
    def is_citation(self) -> bool:
        return self.attribution.attribution_type != "annotation"

    @property
    def url(self) -> str:
        return self.attribution.see_more_web_url


@dataclass(slots=True)
class _Places:
    """Which mark leads where."""

    message: CopilotConversationResponseMessage
    marks: list[re.Match[str]]
    sources: list[_Source] = field(default_factory=list)
    urls: dict[str, list[str]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    guessed: bool = False
    external: bool = False

    def fill(self) -> None:
        """Decide the place of every mark: by the card, then by order."""
        self.sources = [_Source(attribution) for attribution in self.message.attributions]
        card = _card_text(self.message.adaptive_cards)
        for key, label in self._distinct().items():
            found = [url for url in links_labelled(label, card, self.message.text) if is_web(url)]
            count = sum(1 for mark in self.marks if _key(mark) == key)
            if len(found) == count or (found and len(set(found)) == 1):
                self.urls[key] = found
                for url in dict.fromkeys(found):
                    self._claim(key, label, url)
        self._by_order()

    def _distinct(self) -> dict[str, str]:
        """Key -> label of every mark that can hold a link, in order of appearance."""
        return {_key(mark): _label(mark) for mark in self.marks if not mark["external"]}

    def _claim(self, key: str, label: str, url: str) -> None:
        """Tie the attribution with this address to a mark; one that only the card knows is added."""
        number = _number(key)
        candidates = [
            source for source in self.sources if source.url == url and source.is_citation == (number is not None)
        ]
        source = next((one for one in candidates if not one.placed), candidates[0] if candidates else None)
        if source is None:
            kind = "annotation" if number is None else "citation"
            source = _Source(CopilotConversationAttribution(attribution_type=kind, see_more_web_url=url))
            self.sources.append(source)
        self._place(source, number, label)

    def _place(self, source: _Source, number: int | None, label: str) -> None:
        source.placed = True
        if number is None:
            source.name = source.name or readable_name(label)
        elif source.number is None:
            source.number = number

    def _by_order(self) -> None:
        """Without a card: the n-th citation for marker n, the k-th annotation for the k-th distinct tag."""
        distinct = self._distinct()
        open_keys = [key for key in distinct if key not in self.urls]
        tags = [key for key in distinct if _number(key) is None]
        citations = [source for source in self.sources if source.is_citation]
        annotations = [source for source in self.sources if not source.is_citation]
        for key in open_keys:
            number = _number(key)
            source: _Source | None = None
            if number is not None:
                source = citations[number - 1] if 1 <= number <= len(citations) else None
            elif len(tags) == len(annotations):
                source = annotations[tags.index(key)]
            else:
                source = _only_match(distinct[key], annotations)
            if source is not None and is_web(source.url):
                self.guessed = True
                self.urls[key] = [source.url]
                self._place(source, number, distinct[key])

    def rendered(self, mark: re.Match[str]) -> str:
        """The Markdown for one mark; call in order of appearance."""
        if mark["external"]:
            self.external = True
            # With an address right behind it, it would become a link.
            return "[external]\\" if mark.string[mark.end() : mark.end() + 1] in ("(", "[", ":") else "[external]"
        key, label = _key(mark), _label(mark)
        urls = self.urls.get(key, [])
        turn = self.seen.get(key, 0)
        self.seen[key] = turn + 1
        shown = label if mark["number"] else readable_name(label)
        if urls:
            linked = link(shown, urls[min(turn, len(urls) - 1)])
            return f" {linked}" if mark["number"] else linked
        return mark[0] if mark["number"] else shown

    def citations(self) -> tuple[Citation, ...]:
        """Every attribution; citations without a marker take the numbers that are free."""
        taken = {source.number for source in self.sources}
        taken |= {_number(_key(mark)) for mark in self.marks}
        found = []
        for source in self.sources:
            number = source.number
            if number is None and source.is_citation:
                number = next(free for free in range(1, len(taken) + 2) if free not in taken)
                taken.add(number)
            found.append(_citation(source, number))
        return tuple(found)

    def notes(self) -> tuple[str, ...]:
        """What the reader should know, one sentence each."""
        unplaced = any(not source.placed for source in self.sources)
        said = ((self.guessed, GUESSED_NOTE), (unplaced, UNPLACED_NOTE), (self.external, EXTERNAL_NOTE))
        return tuple(note for holds, note in said if holds)


def _citation(source: _Source, number: int | None) -> Citation:
    attribution = source.attribution
    title = attribution.provider_display_name or source.name or source.url
    origin = attribution.attribution_source
    return Citation(number, title, source.url, attribution.attribution_type, origin, source.placed)


def _key(mark: re.Match[str]) -> str:
    """What makes two marks the same: the number, or kind and name of the entity."""
    return f"^{int(mark['number'])}" if mark["number"] else f"{mark['kind']}\n{mark['name']}"


def _label(mark: re.Match[str]) -> str:
    if mark["number"]:
        return str(int(mark["number"]))
    return _TAG.sub("", mark["name"] or "")


def _number(key: str) -> int | None:
    return int(key[1:]) if key.startswith("^") else None


def _only_match(name: str, annotations: list[_Source]) -> _Source | None:
    """The one annotation whose address holds every word of the name."""
    words = set(name.casefold().split())
    found = [source for source in annotations if words and words <= words_in_url(source.url)]
    return found[0] if len(found) == 1 else None


def _card_text(cards: list[dict[str, Any]]) -> str:
    """The text blocks of the adaptive cards. Cards are untyped: what is not a list of elements holds no text."""
    bodies = [body for card in cards if isinstance(body := card.get("body"), list)]
    blocks = [block for body in bodies for block in body if isinstance(block, dict)]
    return "\n".join(text for block in blocks if isinstance(text := block.get("text"), str))
