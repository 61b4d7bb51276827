"""What the Copilot Chat API (beta) is sent."""

from typing import Annotated

from pydantic import Field, StringConstraints

from copilot_mcp.graph._base import GraphBody

NonBlank = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]


class CopilotConversationRequestMessage(GraphBody):
    """The prompt."""

    text: NonBlank = Field(description="The prompt.")


class CopilotContextMessage(GraphBody):
    """Extra grounding for one turn."""

    text: NonBlank = Field(description="Facts for this turn.")
    description: str | None = Field(None, description="What the text is.")


class CopilotConversationLocation(GraphBody):
    """Where the person is. Graph refuses Windows time zone names."""

    time_zone: NonBlank = Field(description="IANA name, such as Europe/Paris.")
    latitude: float | None = Field(None, ge=-90, le=90, description="Degrees.")
    longitude: float | None = Field(None, ge=-180, le=180, description="Degrees.")
    country_or_region: str | None = Field(None, description="Country or region.")
    country_or_region_confidence: float | None = Field(None, description="Confidence in it.")


class CopilotFile(GraphBody):
    """A file the answer may use."""

    uri: NonBlank = Field(description="Full OneDrive or SharePoint file URL.")


class CopilotWebContext(GraphBody):
    """Web grounding; Graph's own default is on, and the switch holds for one turn only."""

    is_web_enabled: bool = Field(description="May this turn search the web?")


class CopilotContextualResources(GraphBody):
    """What the answer may lean on."""

    files: list[CopilotFile] | None = Field(None, description="Files for this turn.")
    web_context: CopilotWebContext | None = Field(None, description="Web grounding for this turn.")


class ChatBody(GraphBody):
    """One chat turn, for `chat` and `chatOverStream` alike."""

    message: CopilotConversationRequestMessage = Field(description="The prompt.")
    location_hint: CopilotConversationLocation = Field(description="Where the person is.")
    additional_context: list[CopilotContextMessage] | None = Field(None, description="Extra facts for this turn.")
    contextual_resources: CopilotContextualResources | None = Field(None, description="Files and web.")
