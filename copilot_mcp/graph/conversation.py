"""What the Copilot Chat API (beta) answers with."""

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from copilot_mcp.graph._base import ONLY_OBJECTS, GraphAnswer, GraphResource
from copilot_mcp.graph.labels import OptionalLabel

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
        """The answer: the last message, unless it is only the echo of the prompt."""
        if not self.messages or (len(self.messages) == 1 and same_text(self.messages[0].text, prompt)):
            return None
        return self.messages[-1]

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
