"""Delegated permissions of each operation, without the cloud's prefix."""

from collections.abc import Mapping
from types import MappingProxyType

CHAT_SCOPES: tuple[str, ...] = (
    "Sites.Read.All",
    "Mail.Read",
    "People.Read.All",
    "OnlineMeetingTranscript.Read.All",
    "Chat.Read",
    "ChannelMessage.Read.All",
    "ExternalItem.Read.All",
)
"""Every chat operation needs all seven."""

RETRIEVAL_SCOPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sharePoint": ("Files.Read.All", "Sites.Read.All"),
        "oneDriveBusiness": ("Files.Read.All", "Sites.Read.All"),
        "externalItem": ("ExternalItem.Read.All",),
        "sharePointEmbedded": ("FileStorageContainer.Selected",),
    }
)
"""Data source -> the permissions a retrieval from it needs, all of them."""
