"""Microsoft Graph's Copilot Chat and Retrieval APIs: models, client, and answers as Markdown.

Knows neither MCP nor where tokens come from. httpx is imported with the first request, not with this package.
"""

from copilot_mcp.graph._base import GraphAnswer, GraphBody, GraphResource
from copilot_mcp.graph.chat import (
    ChatBody,
    CopilotContextMessage,
    CopilotContextualResources,
    CopilotConversation,
    CopilotConversationAttribution,
    CopilotConversationLocation,
    CopilotConversationRequestMessage,
    CopilotConversationResponseMessage,
    CopilotFile,
    CopilotWebContext,
)
from copilot_mcp.graph.client import GraphClient
from copilot_mcp.graph.labels import SearchSensitivityLabelInfo
from copilot_mcp.graph.retrieval import (
    ConnectionItem,
    DataSource,
    DataSourceConfiguration,
    ExternalItemConfiguration,
    RetrievalBody,
    RetrievalExtract,
    RetrievalHit,
    RetrievalResponse,
    RetrievalThumbnail,
    SharePointEmbeddedConfiguration,
)
from copilot_mcp.graph.scopes import CHAT_SCOPES, RETRIEVAL_SCOPES
from copilot_mcp.graph.stream import StreamReader, read_events
from copilot_mcp.graph.text import AnswerText, Citation, to_markdown
from copilot_mcp.graph.transport import TokenSource
from copilot_mcp.graph.turn import ChatSnapshot, ChatTurn

__all__ = [
    "CHAT_SCOPES",
    "RETRIEVAL_SCOPES",
    "AnswerText",
    "ChatBody",
    "ChatSnapshot",
    "ChatTurn",
    "Citation",
    "ConnectionItem",
    "CopilotContextMessage",
    "CopilotContextualResources",
    "CopilotConversation",
    "CopilotConversationAttribution",
    "CopilotConversationLocation",
    "CopilotConversationRequestMessage",
    "CopilotConversationResponseMessage",
    "CopilotFile",
    "CopilotWebContext",
    "DataSource",
    "DataSourceConfiguration",
    "ExternalItemConfiguration",
    "GraphAnswer",
    "GraphBody",
    "GraphClient",
    "GraphResource",
    "RetrievalBody",
    "RetrievalExtract",
    "RetrievalHit",
    "RetrievalResponse",
    "RetrievalThumbnail",
    "SearchSensitivityLabelInfo",
    "SharePointEmbeddedConfiguration",
    "StreamReader",
    "TokenSource",
    "read_events",
    "to_markdown",
]
