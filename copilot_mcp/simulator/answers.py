"""Words a chat answer out of what the signed-in person may read. There are no canned answers.

Every statement is taken from a passage that the search found and carries the marker of its document; who wrote a
document and when it changed is read from its properties. When nothing is found, the answer says so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_plus, unquote

from copilot_mcp.simulator.prose import (
    Answer,
    Cite,
    External,
    Segment,
    Source,
    file_tag,
    person_tag,
    source_of,
    strictest,
)
from copilot_mcp.simulator.search import Extract, Hit, Index
from copilot_mcp.simulator.sentences import best_statements, statements_of
from copilot_mcp.simulator.tenant import Document, Tenant, User
from copilot_mcp.simulator.words import query_terms, stems

__all__ = ["Memory", "Question", "compose"]

MAX_DOCUMENTS = 3
STATEMENTS_PER_DOCUMENT = 3
STATEMENTS_OF_OPENING = 5
PASSAGES_OF_OPENING = 2
_SHARE_OF_BEST = 0.8
_MIN_COVERAGE = 0.5
_POINTING = re.compile(
    r"\b(it|its|they|them|their|theirs|that|this|those|these|he|she|him|her|else|more|there|former|latter)\b", re.I
)
_GOING_ON = re.compile(r"\s*(and|but|or|also|what about|how about|why|ok|so)\b", re.I)
_WHO_WROTE = re.compile(r"\b(author|written|wrote|who (made|created|owns|edited|changed|updated))\b", re.I)
_WHEN_CHANGED = re.compile(
    r"\bwhen\b.*\b(updated|changed|modified|edited|written|revised)\b|\blast (updated|modified)\b", re.I
)
_MORE_WANTED = re.compile(r"\b(else|more|further|another|other|continue|go on)\b", re.I)
_VERBATIM_WANTED = re.compile(r"\b(quote|verbatim|word for word)\b", re.I)
_NOTHING_MORE = "I found nothing more about this in the files, drives and connectors that you can read."
_NOTHING = "I found nothing about this in the files, drives and connectors that you can read."


@dataclass(slots=True)
class Memory:
    """What a conversation remembers: its topic, the documents of the last answer, the passages already used."""

    topic: str = ""
    documents: tuple[int, ...] = ()
    used: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Question:
    """One turn's question with what came along."""

    text: str
    files: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    web: bool = True


@dataclass(slots=True)
class _Draft:
    segments: list[Segment] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    said: set[str] = field(default_factory=set)

    def cite(self, source: Source) -> Cite:
        if source not in self.sources:
            self.sources.append(source)
        return Cite(self.sources.index(source) + 1)

    def say(self, *segments: Segment) -> None:
        self.segments.extend(segments)

    def answer(self, hits: Sequence[Hit]) -> Answer:
        while self.segments and isinstance(last := self.segments[-1], str) and last != last.rstrip():
            self.segments[-1:] = [last.rstrip()] if last.rstrip() else []
        return Answer(tuple(self.segments), tuple(self.sources), strictest(hit.document.label for hit in hits))


def compose(tenant: Tenant, index: Index, user: User, question: Question, memory: Memory) -> Answer:
    """Answer one turn and bring `memory` up to date."""
    finder = _Finder(tenant, index, memory, tenant.readable_by(user))
    follows = bool(memory.topic) and _follows_up(question.text)
    topic = f"{memory.topic} {question.text}" if follows else question.text
    attached = finder.attached(question.files)
    hits = finder.hits(question.text, topic, follows, attached)
    draft = _Draft()
    if len(attached) < len(question.files):
        draft.say(f"I could not open {len(question.files) - len(attached)} of the files you named.\n\n")
    for statement in best_statements([("", each) for each in question.context], question.text, STATEMENTS_PER_DOCUMENT):
        draft.say(f"From what you added: {statement}", External(), "\n\n")
    about_properties = bool(_WHO_WROTE.search(question.text) or _WHEN_CHANGED.search(question.text))
    _say_hits(draft, finder, hits, topic, about_properties)
    if not draft.segments:
        draft.say(_NOTHING_MORE if follows else _NOTHING)
    if question.web:
        _say_web(draft, question.text)
    memory.topic = topic if follows else question.text
    if hits:
        memory.documents = tuple(hit.number for hit in hits)
    if not about_properties:
        memory.used |= {(hit.number, each.passage.ordinal) for hit in hits for each in hit.extracts}
    return draft.answer(hits)


def _follows_up(text: str) -> bool:
    """Whether a prompt leans on the one before: it points back, goes on, or says too little alone."""
    return bool(_POINTING.search(text) or _GOING_ON.match(text)) or len(query_terms(text)) < 2


@dataclass(frozen=True, slots=True)
class _Finder:
    """Chooses the documents that an answer stands on, among those the person may read."""

    tenant: Tenant
    index: Index
    memory: Memory
    readable: frozenset[int]

    def attached(self, uris: Sequence[str]) -> list[int]:
        """The documents among the file addresses, compared without escapes, query and case."""
        by_address = {_address(document.url): number for number, document in enumerate(self.tenant.documents)}
        found = (by_address.get(_address(uri)) for uri in uris)
        return [number for number in dict.fromkeys(found) if number is not None and number in self.readable]

    def hits(self, text: str, topic: str, follows: bool, attached: Sequence[int]) -> list[Hit]:
        """The attached files, else what the last answer stood on, else whatever the search finds."""
        if attached:
            found = self.index.search(topic, attached, limit=MAX_DOCUMENTS)
            missing = [number for number in attached if number not in {hit.number for hit in found}]
            return (found + [self.opening(number) for number in missing])[:MAX_DOCUMENTS]
        earlier = self.readable.intersection(self.memory.documents) if follows else frozenset()
        for scope in (earlier, self.readable):
            found = self.index.search(topic, scope)
            if follows and _MORE_WANTED.search(text):
                found = [fresh for hit in found if (fresh := self._fresh(hit))]
            enough = follows or max((hit.coverage for hit in found), default=0.0) >= _MIN_COVERAGE
            if found and enough and (scope is self.readable or _fits(text, found)):
                floor = found[0].relevance * _SHARE_OF_BEST
                return [hit for hit in found if hit.relevance >= floor][:MAX_DOCUMENTS]
        return []

    def opening(self, number: int) -> Hit:
        """A document from its beginning, for a question that is about the whole of it."""
        passages = self.index.passages(number)[:PASSAGES_OF_OPENING]
        return Hit(number, self.tenant.documents[number], tuple(Extract(passage, 0.5) for passage in passages))

    def _fresh(self, hit: Hit) -> Hit | None:
        """The hit with passages the conversation has not used yet, None when the document has no more."""
        used = self.memory.used
        fresh = [each for each in hit.extracts if (hit.number, each.passage.ordinal) not in used]
        if not fresh:
            unused = [each for each in self.index.passages(hit.number) if (hit.number, each.ordinal) not in used]
            fresh = [Extract(passage, hit.relevance) for passage in unused[:2]]
        return Hit(hit.number, hit.document, tuple(fresh)) if fresh else None


def _fits(text: str, hits: Sequence[Hit]) -> bool:
    """Whether earlier documents can answer a follow-up: it brings no words of its own, or they hold some of them."""
    own = stems(text)
    about_properties = _WHO_WROTE.search(text) or _WHEN_CHANGED.search(text)
    held = frozenset(stem for hit in hits for each in hit.extracts for stem in stems(each.passage.text))
    return bool(about_properties or not own or own & held)


def _address(url: str) -> str:
    return unquote(url.split("?", 1)[0].split("#", 1)[0]).rstrip("/").casefold()


def _say_hits(draft: _Draft, finder: _Finder, hits: Sequence[Hit], topic: str, about_properties: bool) -> None:
    names = [hit.document.filename for hit in hits]
    for hit in hits:
        document = hit.document
        # two files of one name are told apart by their titles; an external item has no file name
        filed = not document.connection and names.count(document.filename) == 1
        name = document.filename if filed else document.title
        named: Segment = document.title if document.connection else file_tag(name, document.url)
        if about_properties:
            _say_properties(draft, document, named)
            continue
        if _VERBATIM_WANTED.search(topic):
            _quote_document(draft, document, named, hit)
            continue
        statements = _statements(finder, hit, topic)
        # copies of a document add nothing
        fresh = [each for each in statements if each not in draft.said]
        draft.said.update(fresh)
        if fresh:
            _say_document(draft, document, named, fresh)


def _statements(finder: _Finder, hit: Hit, topic: str) -> list[str]:
    """What of a document answers the question; its beginning, when the question only names the document."""
    title = hit.document.title
    if stems(topic) <= stems(title):
        hit = finder.opening(hit.number)
        return statements_of("\n\n".join(each.passage.text for each in hit.extracts))[:STATEMENTS_OF_OPENING]
    passages = [(each.passage.heading, each.passage.text) for each in hit.extracts]
    statements = best_statements(passages, topic, STATEMENTS_PER_DOCUMENT, title=title)
    return statements or statements_of(passages[0][1])[:STATEMENTS_PER_DOCUMENT]


def _say_document(draft: _Draft, document: Document, named: Segment, statements: Sequence[str]) -> None:
    cite = draft.cite(source_of(document.title, document.url))
    draft.say("**", named, "**")
    if document.author:
        draft.say(" by ", person_tag(document.author[0]))
    draft.say(":\n\n")
    for statement in statements:
        draft.say(f"- {statement}", cite, "\n")
    draft.say("\n")


def _quote_document(draft: _Draft, document: Document, named: Segment, hit: Hit) -> None:
    """The passages as they stand, with whatever is in them: Copilot quotes code and markup too."""
    cite = draft.cite(source_of(document.title, document.url))
    draft.say(named, cite, ":\n\n")
    for each in hit.extracts:
        draft.say(each.passage.text, "\n\n")


def _say_properties(draft: _Draft, document: Document, named: Segment) -> None:
    cite = draft.cite(source_of(document.title, document.url))
    draft.say(named)
    if document.author:
        draft.say(" was written by ", person_tag(document.author[0]))
        for name in document.author[1:]:
            draft.say(" and ", person_tag(name))
    else:
        draft.say(" names no author")
    draft.say(f"; it was last changed on {document.modified:%Y-%m-%d}")
    if document.modified_by:
        draft.say(" by ", person_tag(document.modified_by))
    draft.say(".", cite, "\n\n")


def _say_web(draft: _Draft, text: str) -> None:
    """The simulated web has one page, so that web grounding can be seen to be on."""
    source = Source("Simulated web result", f"https://www.example.com/search?q={quote_plus(text[:200])}")
    draft.say("\n\nThe web was searched as well; this tenant's web is simulated.", draft.cite(source))
