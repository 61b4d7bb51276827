"""Microsoft Graph's Copilot Chat and Retrieval APIs: models, client, and answers as Markdown.

Knows neither MCP nor where tokens come from. Only the bodies come with this package; what Graph answers
with, and the client, is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from copilot_mcp.graph._base import GraphAnswer, GraphBody, GraphResource
from copilot_mcp.graph.chat import (
    ChatBody,
    CopilotContextMessage,
    CopilotContextualResources,
    CopilotConversationLocation,
    CopilotConversationRequestMessage,
    CopilotFile,
    CopilotWebContext,
    NonBlank,
)
from copilot_mcp.graph.retrieval import (
    DATA_SOURCES,
    RETRIEVAL_LIMIT_S,
    ConnectionItem,
    DataSource,
    DataSourceConfiguration,
    ExternalItemConfiguration,
    QueryString,
    RetrievalBody,
    SharePointEmbeddedConfiguration,
    SourceName,
)
from copilot_mcp.graph.scopes import CHAT_SCOPES, RETRIEVAL_SCOPES

if TYPE_CHECKING:
    from copilot_mcp.graph.client import GraphClient
    from copilot_mcp.graph.conversation import (
        CopilotConversation,
        CopilotConversationAttribution,
        CopilotConversationResponseMessage,
    )
    from copilot_mcp.graph.forbidden import TokenReader
    from copilot_mcp.graph.hits import RetrievalExtract, RetrievalHit, RetrievalResponse, RetrievalThumbnail
    from copilot_mcp.graph.labels import SearchSensitivityLabelInfo
    from copilot_mcp.graph.stream import StreamReader, read_events
    from copilot_mcp.graph.text import AnswerText, Citation, to_markdown
    from copilot_mcp.graph.tokens import TokenSource
    from copilot_mcp.graph.turn import ChatSnapshot, ChatTurn

__all__ = [
    "CHAT_SCOPES",
    "DATA_SOURCES",
    "RETRIEVAL_LIMIT_S",
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
    "NonBlank",
    "QueryString",
    "RetrievalBody",
    "RetrievalExtract",
    "RetrievalHit",
    "RetrievalResponse",
    "RetrievalThumbnail",
    "SearchSensitivityLabelInfo",
    "SharePointEmbeddedConfiguration",
    "SourceName",
    "StreamReader",
    "TokenReader",
    "TokenSource",
    "read_events",
    "to_markdown",
]

_HOMES = {
    "AnswerText": "text",
    "ChatSnapshot": "turn",
    "ChatTurn": "turn",
    "Citation": "text",
    "CopilotConversation": "conversation",
    "CopilotConversationAttribution": "conversation",
    "CopilotConversationResponseMessage": "conversation",
    "GraphClient": "client",
    "RetrievalExtract": "hits",
    "RetrievalHit": "hits",
    "RetrievalResponse": "hits",
    "RetrievalThumbnail": "hits",
    "SearchSensitivityLabelInfo": "labels",
    "StreamReader": "stream",
    "TokenReader": "forbidden",
    "TokenSource": "tokens",
    "read_events": "stream",
    "to_markdown": "text",
}
"""Where each name lives that is imported when it is first asked for: a server lists its tools without any of them."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"copilot_mcp.graph.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
