"""What the chosen cloud does not offer, said before anything is sent.

Microsoft's pages: Retrieval exists in the global cloud only; Chat there and, where the pages disagree with each other,
perhaps in the clouds of the US government; neither in China.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from copilot_mcp.auth import CLOUDS
from copilot_mcp.errors import PermissionDeniedError, SettingsError
from copilot_mcp.tools._tool import ToolContext

__all__ = ["where_offered"]

_NAMES = {"chat": "Chat", "retrieval": "Retrieval"}

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")
Handle = Callable[[RequestT, ToolContext], Awaitable[ResultT]]


def where_offered(api: Literal["chat", "retrieval"], handle: Handle[RequestT, ResultT]) -> Handle[RequestT, ResultT]:
    """The same tool, which refuses locally in a cloud without the API, and names a doubtful cloud in its refusals."""

    async def offered(request: RequestT, context: ToolContext) -> ResultT:
        cloud = CLOUDS[context.settings.cloud]
        state = cloud.chat if api == "chat" else ("yes" if cloud.retrieval else "no")
        if state == "no":
            raise SettingsError(
                f"Microsoft does not offer the Copilot {_NAMES[api]} API in the cloud {cloud.name}; nothing was sent.",
                "No argument changes that. The cloud of another tenant is chosen with --cloud at the server's start.",
                kind="not_in_cloud",
            )
        try:
            return await handle(request, context)
        except PermissionDeniedError as error:
            doubt = (
                f"Microsoft's pages disagree on whether this API exists in the cloud {cloud.name}, which may be the "
                "reason."
            )
            if state == "maybe" and doubt not in error.hint:  # the error of a kept turn is raised at each fetch
                error.hint = f"{error.hint} {doubt}"
            raise

    return offered
