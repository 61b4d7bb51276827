"""Answers that stand in the place of Entra's own when a fault asks for them."""

from collections.abc import Callable, Mapping
from typing import Any

from copilot_mcp.simulator.entra_errors import EntraRefusalError, entra_refusal
from copilot_mcp.simulator.entra_faults import asked_refusal
from copilot_mcp.simulator.replies import Reply

__all__ = ["stand_in"]


def stand_in(name: str, value: Any, base: str) -> Reply | EntraRefusalError | None:
    """The answer in the place of Entra's own, None where this module has none for the fault."""
    answers: Mapping[str, Callable[[], Reply | EntraRefusalError]] = {
        "not_an_object": lambda: Reply(200, value),
        "redirect_to_http": lambda: _redirect(base.replace("https://", "http://")),
        "redirect_to_another_host": lambda: _redirect("https://login.evil.example"),
        "outage": lambda: entra_refusal("temporarily_unavailable"),
        "discovery_missing": lambda: Reply(404, {"error": "not_found"}),
        "entra_error": lambda: asked_refusal(value),
        "slow_down": lambda: entra_refusal("slow_down", text="The client polls too often."),
    }
    return answers[name]() if name in answers else None


def _redirect(base: str) -> Reply:
    return Reply(307, {}, headers={"Location": f"{base}/elsewhere"})
