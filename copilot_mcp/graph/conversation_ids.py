"""Conversation ids -> paths. An id is opaque: whatever it holds is percent-encoded, so long as it stays one segment."""

from urllib.parse import quote, unquote

from copilot_mcp.errors import ArgumentError, ServiceUnavailableError

_CALLERS_MAX_CHARACTERS = 200
_MAX_CHARACTERS = 2_000
"""Of an id that Graph itself gave; servers take addresses of about 8,000 bytes, and a character may need twelve."""


def conversation_path(conversation_id: str) -> str:
    """The path of the conversation that a caller names.

    Raises:
        ArgumentError: Empty, over 200 characters, or made to lead elsewhere, be it only when it is decoded twice.
    """
    readings = conversation_id + _decoded_twice(conversation_id)
    forbidden = any(character in "/\\" for character in readings) or _leads_elsewhere(conversation_id)
    if forbidden or not 0 < len(conversation_id) <= _CALLERS_MAX_CHARACTERS:
        raise ArgumentError(
            "conversationId is not the id of a conversation.", "Pass the one an earlier answer gave, or leave it out."
        )
    return _path(conversation_id)


def new_conversation_path(conversation_id: str) -> str:
    """The path of a conversation by the id that Graph has just given it.

    Raises:
        ServiceUnavailableError: It would lead elsewhere when it is decoded, or no address could hold it.
    """
    if _leads_elsewhere(conversation_id) or len(conversation_id) > _MAX_CHARACTERS:
        raise ServiceUnavailableError(
            "Microsoft Graph gave the new conversation an id that cannot be part of an address. The question was not "
            "sent.",
            "Try again later.",
        )
    return _path(conversation_id)


def _leads_elsewhere(conversation_id: str) -> bool:
    """Whether a server that decodes the id, once or twice, could take it for a way to somewhere else."""
    readings = (conversation_id, unquote(conversation_id), _decoded_twice(conversation_id))
    return any(
        not reading.isprintable()
        or any(not segment.strip(". ") for segment in reading.replace("\\", "/").strip("/").split("/"))
        for reading in readings
    )


def _decoded_twice(conversation_id: str) -> str:
    return unquote(unquote(conversation_id))


def _path(conversation_id: str) -> str:
    return f"/beta/copilot/conversations/{quote(conversation_id, safe='')}"
