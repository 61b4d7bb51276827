"""`--trace`: every Graph request and answer of a step, without secrets, as the tenant saw them."""

import json
from types import TracebackType

from copilot_mcp.demo.screen import Screen
from copilot_mcp.simulator import Simulator

__all__ = ["Trace"]

_SHOWN_LINES = 40
_GRAPH = ("/v1.0/", "/beta/")


class Trace:
    """A context around each step; shows at its end what the tenant recorded since the last one."""

    def __init__(self, simulator: Simulator, screen: Screen | None) -> None:
        self._simulator = simulator
        self._screen = screen
        self._seen = 0

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        exchanges = list(self._simulator.exchanges)
        if self._screen is not None:
            for exchange in (each for each in exchanges[self._seen :] if each["path"].startswith(_GRAPH)):
                self._screen.say("trace:")
                self._screen.quote(json.dumps(exchange, indent=1, ensure_ascii=False), most=_SHOWN_LINES)
        self._seen = len(exchanges)
