"""What the Copilot Chat API (beta) answers with."""

import re
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, PrivateAttr, model_validator

from copilot_mcp.graph._base import ONLY_OBJECTS, GraphAnswer, GraphResource
from copilot_mcp.graph.labels import OptionalLabel
from copilot_mcp.quoting import prose_and_code

_MARKER = re.compile(r"\[\^(\d{1,4})\^\]", re.ASCII)

INTERMEDIATE_TITLE = "Intermediate Conversation Update"
"""`displayName` of the events before the last one; the service may translate it."""

DISENGAGED = "disengagedForRai"
"""`state` of a conversation that the responsible-AI filter closed."""


class CopilotConversationAttribution(GraphResource):
    """A source (`citation`) or the link of a named entity (`annotation`). No key says which mark in the text it is."""

    attribution_type: str = ""
    attribution_source: str = ""
    provider_display_name: str = ""
    see_more_web_url: str = ""
    image_web_url: str = ""
    image_fav_icon: str = ""
    image_width: float = 0
    image_height: float = 0


def _cards_with_content(value: Any) -> Any:
    return [card for card in value if isinstance(card, dict) and card] if isinstance(value, list) else []


class CopilotConversationResponseMessage(GraphResource):
    """The echo of a prompt or an answer; nothing but the position tells which."""

    id: str = ""
    text: str = ""
    created_date_time: str = ""
    adaptive_cards: Annotated[list[dict[str, Any]], BeforeValidator(_cards_with_content)] = Field(default_factory=list)
    attributions: Annotated[list[CopilotConversationAttribution], ONLY_OBJECTS] = Field(default_factory=list)
    sensitivity_label: OptionalLabel = None
    _joins: "tuple[str, tuple[CopilotConversationResponseMessage, ...]]" = PrivateAttr(("", ()))

    @property
    def parts(self) -> "tuple[CopilotConversationResponseMessage, ...]":
        """The messages that this one joins, each with numbers of its own, or this one alone.

        It is also alone where its text was replaced, then without cards: their numbers are those of the parts.
        """
        text, parts = self._joins
        if not parts:
            return (self,)
        return parts if text == self.text else (self.model_copy(update={"adaptive_cards": []}),)


class CopilotConversation(GraphAnswer):
    """A conversation after one turn. `messages` holds that turn alone: the echo of the prompt, then the answer.

    `created_date_time` is the time of the turn's prompt, as sent; `display_name` the first prompt of the conversation.
    """

    id: str = ""
    created_date_time: str = ""
    display_name: str = ""
    state: str = Field("", validation_alias=AliasChoices("state", "status"))
    turn_count: int = 0
    messages: Annotated[list[CopilotConversationResponseMessage], ONLY_OBJECTS] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _drop_service_internals(cls, value: Any) -> Any:
        # The context names an internal host in streams, and the agent is always null.
        if isinstance(value, dict):
            return {name: member for name, member in value.items() if name not in ("@odata.context", "agentId")}
        return value

    @property
    def disengaged(self) -> bool:
        """Whether the responsible-AI filter closed the conversation; later turns are refused."""
        return self.state == DISENGAGED

    def answer(self, prompt: str) -> CopilotConversationResponseMessage | None:
        """The answer: what comes beside the echo of the prompt, several messages as one; None for the echo alone."""
        beside = self._beside_echo(prompt)
        parts = [message for message in beside if message.text.strip() or message.attributions]
        if not beside or len(parts) == 1:
            return parts[0] if parts else None
        return _as_one(parts) if parts else beside[-1]

    def _beside_echo(self, prompt: str) -> list[CopilotConversationResponseMessage]:
        """The messages without the echo: the one that equals the prompt, else the first of several."""
        for place, message in enumerate(self.messages):
            if same_text(message.text, prompt):
                return self.messages[:place] + self.messages[place + 1 :]
        return self.messages[1:] or self.messages

    def is_final(self, prompt: str) -> bool:
        """Whether this has everything that the last event of a turn has: echo, answer, turn count and title.

        The echo may be worded differently. A title that the service translated passes for a real one here.
        """
        return len(self.messages) > 1 and self.turn_is_counted and self.answer(prompt) is not None

    @property
    def turn_is_counted(self) -> bool:
        """Whether title and turn count are those of a finished turn."""
        return self.turn_count >= 1 and self.display_name != INTERMEDIATE_TITLE


def same_text(text: str, prompt: str) -> bool:
    """Equality that survives changed white space."""
    return text == prompt or text.split() == prompt.split()


def _as_one(messages: list[CopilotConversationResponseMessage]) -> CopilotConversationResponseMessage:
    """One message of several: their texts as paragraphs, all their sources, and the strictest label.

    Marks speak of the sources of their own message, so the markers are numbered on. Where one alone has sources, they
    are those of all.
    """
    parts = _without_snapshots(messages)
    apart = sum(bool(part.attributions or part.adaptive_cards) for part in parts) > 1
    texts: list[str] = []
    taken = 0
    for part in parts:
        text, highest = _renumbered(part.text, taken if apart else 0)
        texts += [text] if text.strip() else []
        cited = sum(source.attribution_type == "citation" for source in part.attributions)
        taken = max(taken + cited, highest)
    labels = [message.sensitivity_label for message in messages if message.sensitivity_label is not None]
    joined = parts[-1].model_copy(
        update={
            "text": "\n\n".join(texts),
            "attributions": [source for part in parts for source in part.attributions],
            "adaptive_cards": [card for part in parts for card in part.adaptive_cards],
            "sensitivity_label": max(labels, key=lambda label: label.priority or 0, default=None),
        }
    )
    joined._joins = (joined.text, tuple(parts) if apart else ())
    return joined


def _without_snapshots(
    messages: list[CopilotConversationResponseMessage],
) -> list[CopilotConversationResponseMessage]:
    """The messages without those that the next one repeats and goes on from; it takes over what sources it lacks."""
    growing: list[list[CopilotConversationResponseMessage]] = []
    for message in messages:
        before = growing[-1][-1].text if growing else ""
        if before.strip() and message.text.startswith(before):
            growing[-1].append(message)
        else:
            growing.append([message])
    return [each[-1] if len(each) == 1 else _grown(each) for each in growing]


def _grown(messages: list[CopilotConversationResponseMessage]) -> CopilotConversationResponseMessage:
    """The last of these, with the sources that only those before it have behind its own."""
    newest = messages[-1]
    sources = {_identity(source): source for source in newest.attributions}
    known = len(sources)
    for message in messages[:-1]:
        for source in message.attributions:
            sources.setdefault(_identity(source), source)
    lacking = list(sources.values())[known:]
    cards = next((each.adaptive_cards for each in reversed(messages) if each.adaptive_cards), [])
    return newest.model_copy(update={"attributions": [*newest.attributions, *lacking], "adaptive_cards": cards})


def _identity(source: CopilotConversationAttribution) -> tuple[str, str, str]:
    return source.attribution_type, source.provider_display_name, source.see_more_web_url


def _renumbered(text: str, by: int) -> tuple[str, int]:
    """The text with its citation markers moved on, outside of code, and the highest of them; 0 where there is none."""
    pieces = prose_and_code(text)
    numbers = [int(marker[1]) for part, is_code in pieces if not is_code for marker in _MARKER.finditer(part)]
    moved = (
        part if is_code else _MARKER.sub(lambda marker: f"[^{int(marker[1]) + by}^]", part) for part, is_code in pieces
    )
    return "".join(moved) if by else text, max(numbers, default=-by) + by
