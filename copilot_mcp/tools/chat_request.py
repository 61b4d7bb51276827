"""What copilot_chat is asked: Graph's chat body, the conversation, and the turn whose rest is wanted."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from copilot_mcp.graph import (
    ChatBody,
    CopilotContextMessage,
    CopilotContextualResources,
    CopilotConversationLocation,
    CopilotConversationRequestMessage,
    CopilotFile,
    CopilotWebContext,
    GraphBody,
)
from copilot_mcp.tools.addresses import file_address
from copilot_mcp.tools.time_zone import checked_zone, local_zone

__all__ = ["ChatRequest"]

_ALONE = frozenset({"pending_turn", "conversation_id"})


def _says_nothing(value: Any) -> bool:
    """Whether a member holds nothing: an entry of a list is something, `isWebEnabled` false is as good as none."""
    if isinstance(value, dict):
        return all(map(_says_nothing, value.values()))
    return value is None or value is False or value == [] or (isinstance(value, str) and not value.strip())


class ChatRequest(GraphBody):
    """Graph's chat body and the conversation it belongs to; the words are for the model that fills it in."""

    message: CopilotConversationRequestMessage | None = Field(
        None, description="The question, complete in itself. Required, except with pendingTurn."
    )
    conversation_id: str | None = Field(
        None, max_length=200, description="From an earlier result, to follow up; left out: a new conversation."
    )
    additional_context: list[CopilotContextMessage] | None = Field(
        None, description="Facts that Copilot should know for this turn."
    )
    location_hint: CopilotConversationLocation | None = Field(
        None, description="Default: this machine's time zone. timeZone is an IANA name."
    )
    contextual_resources: CopilotContextualResources | None = Field(
        None, description="Files to read (https addresses in SharePoint or OneDrive); web search, default off."
    )
    pending_turn: str | None = Field(
        None, max_length=100, description="From a result with complete false, alone: waits for the rest of that answer."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empties(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Models that fill in every member leave most of them empty, which says no more than null.

        An empty question stays, to be refused, unless it stands beside a pendingTurn.
        """
        said = {name: value for name, value in given.items() if not _says_nothing(value)}
        if "message" in given and not said.keys() & {"pendingTurn", "pending_turn"}:
            said["message"] = given["message"]
        return said

    @field_validator("location_hint")
    @classmethod
    def _known_zone(cls, hint: CopilotConversationLocation | None) -> CopilotConversationLocation | None:
        if hint is not None:
            try:
                checked_zone(hint.time_zone)
            except ValueError as error:
                raise ValueError(f".timeZone {error}") from None
        return hint

    @field_validator("contextual_resources")
    @classmethod
    def _known_files(cls, resources: CopilotContextualResources | None) -> CopilotContextualResources | None:
        for place, file in enumerate((resources.files if resources else None) or ()):
            try:
                file_address(file.uri)
            except ValueError as error:
                raise ValueError(f".files[{place}].uri {error}") from None
        return resources

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.message is None and self.pending_turn is None:
            raise ValueError("need `message`, the question; or `pendingTurn` alone, for the rest of an earlier answer.")
        others = {name for name in self.model_fields_set if getattr(self, name) is not None} - _ALONE
        if self.pending_turn is not None and others:
            raise ValueError(
                "hold `pendingTurn` and more: it goes alone, since it fetches the rest of a turn that was sent."
            )
        return self

    def body(self, message: CopilotConversationRequestMessage, settings_zone: str | None) -> ChatBody:
        """What is sent with `message`: the web switch is said on every turn, since Graph's own default is on."""
        hint = self.location_hint or CopilotConversationLocation(time_zone=settings_zone or local_zone())
        return ChatBody(
            message=message,
            additional_context=self.additional_context,
            location_hint=hint,
            contextual_resources=CopilotContextualResources(
                files=[CopilotFile(uri=file_address(uri)) for uri in self._uris] or None,
                web_context=CopilotWebContext(is_web_enabled=self.web_enabled),
            ),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was read differently from how it was written."""
        return tuple(
            f"A file link was read as {address}" for uri in self._uris if (address := file_address(uri)) != uri
        )

    @property
    def _uris(self) -> list[str]:
        resources = self.contextual_resources
        return [file.uri for file in (resources.files if resources else None) or ()]

    @property
    def web_enabled(self) -> bool:
        """True only where the call says so: a passage in a document must not send company text to a web search."""
        resources = self.contextual_resources
        web = resources.web_context if resources else None
        return bool(web and web.is_web_enabled)
