"""Every fault that can be asked for: when it strikes, where, what it does, and what else it can be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from copilot_mcp.simulator.entra_faults import ENTRA_FAULTS, OPTIONS

__all__ = ["FAULTS", "GROUPS", "FaultKind", "Stage"]

Stage = Literal["connect", "wait", "answer", "turn", "filter", "batch", "values", "sign_in", "stream", "body"]
"""In the order in which a request meets them. `answer` stands in for the real answer and comes before sign-in is
checked; the stages behind it spoil an answer that was really worked out."""

_ENTRA: Final = frozenset({"discovery", "keys", "authorize", "devicecode", "token"})
_TURNS: Final = frozenset({"chat", "chatOverStream"})
_GRAPH: Final = _TURNS | {"conversations", "retrieval", "batch"}
GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "*": _GRAPH | _ENTRA,
    "graph": _GRAPH,
    "entra": _ENTRA,
    "turns": _TURNS,
}
"""The names that stand for several operations."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that can be asked for.

    Attributes:
        operation: where it strikes when nothing else is said.
        options: what it can be told besides operation, count, person and probability.
    """

    stage: Stage
    operation: str
    about: str
    options: tuple[str, ...] = ()


def _stage(
    stage: Stage, operation: str, rows: Mapping[str, str], *, options: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, FaultKind]:
    """The rows of one stage. `options`: what single faults can be told."""
    known = options or {}
    return {name: FaultKind(stage, operation, about, known.get(name, ())) for name, about in rows.items()}


FAULTS: Final[Mapping[str, FaultKind]] = {
    **_stage("connect", "*", {"refused": "no connection; on a socket, which is open by then, a reset at once"}),
    **_stage("wait", "*", {"slow": "waits `seconds` before anything else"}, options={"slow": ("seconds",)}),
    **_stage(
        "answer",
        "graph",
        {
            "unauthorized": "401, as for a token that Graph no longer takes",
            "forbidden": "403 without any reason",
            "no_licence": "403 with the code NoLicense",
            "not_found": "404",
            "conflict": "409, as for a conversation that is busy",
            "throttled": "429 with Retry-After in seconds, or what `retry_after` says",
            "throttled_date": "429 with Retry-After as an HTTP date, `seconds` (7) ahead",
            "throttled_decimal": "429 with Retry-After: 2.5",
            "throttled_silent": "429 without Retry-After and with an unrecognisable body",
            "throttled_garbage": "429 with Retry-After: soon",
            "throttled_negative": "429 with Retry-After: -5",
            "throttled_huge": "429 with Retry-After: 1000000000",
            "server_error": "500",
            "bad_gateway": "502; `form` is json, html or empty",
            "unavailable": "503; `form` is json, html or empty",
            "gateway_timeout": "504; `form` is json, html or empty",
            "html": "an HTML page with `status`, 200 when not said",
            "empty": "no body at all with `status`, 200 when not said",
        },
        options={
            "throttled": ("retry_after",),
            "throttled_date": ("seconds",),
            "bad_gateway": ("retry_after", "form"),
            "unavailable": ("retry_after", "form"),
            "gateway_timeout": ("retry_after", "form"),
            "html": ("status",),
            "empty": ("status",),
        },
    ),
    **_stage(
        "answer",
        "turns",
        {
            "refusal": "403 whose body is a conversation that explains itself",
            "wrapped_refusal": "500 that wraps the `status` (403) of a back end",
            "conversation_gone": "404, the conversation is forgotten",
        },
        options={"wrapped_refusal": ("status",)},
    ),
    **_stage("answer", "entra", {"entra_down": "503 with an HTML page from the sign-in service"}),
    **_stage(
        "turn",
        "turns",
        {
            "disengaged": "the turn ends the conversation: disengagedForRai",
            "empty_answer": "an answer without text",
        },
    ),
    **_stage("filter", "retrieval", {"drop_filters": "the filter is ignored although it is well formed"}),
    **_stage(
        "batch",
        "batch",
        {
            "batch_reordered": "answers in the reverse order of the requests",
            "batch_missing": "the first answer is left out",
            "batch_doubled": "the first answer comes twice",
            "batch_unknown_id": "an answer with an id that nobody asked for",
            "batch_item_424": "the first item failed with 424",
            "batch_item_429": "the first item failed with 429 and its own Retry-After",
            "batch_item_401": "the first item failed with 401, as for a token that its service no longer takes",
            "batch_item_claims": "the first item failed with `status`, 401 or 403, and asks for claims",
        },
        options={"batch_item_429": ("retry_after",), "batch_item_claims": ("status",)},
    ),
    **_stage(
        "values",
        "graph",
        {
            "unknown_members": "unknown fields in every object",
            "unknown_values": "unknown values in every enumeration",
            "null_labels": "every label is there and all its members are null",
            "missing_scores": "no extract has a score",
            "nan_scores": "every score is NaN",
        },
    ),
    **_stage(
        "stream",
        "chatOverStream",
        {
            "cut_stream": "ends after event `at`, before the final one",
            "cut_event": "ends in the middle of event `at`",
            "reset_stream": "the connection is reset after event `at`",
            "stream_error": "an error object instead of event `at`; its message may name the `status` of a back end",
            "disengaged_event": "from event `at` on the state is disengagedForRai",
            "no_final": "the final event is missing",
            "empty_final": "the answer in the final event has no text",
            "deltas": "growing events carry only what is new",
            "rewrites": "one event takes back words already sent",
            "crlf": "CRLF line ends and comment lines",
            "comments": "comment lines before and inside every event",
            "no_blank_lines": "no empty line between two events",
            "multi_line": "the JSON of every event is spread over lines without `data:`",
            "data_lines": "the JSON of every event is spread over lines that each begin with `data:`",
            "line_breaks": "real line breaks inside the final event",
            "whole_body": "one JSON conversation instead of a stream",
        },
        options={
            **dict.fromkeys(("cut_stream", "cut_event", "reset_stream", "disengaged_event"), ("at",)),
            "stream_error": ("at", "status"),
        },
    ),
    **_stage(
        "body",
        "graph",
        {
            "drop_connection": "the request is carried out, then the connection is reset before the headers",
            "reset_after_headers": "the connection is reset between headers and body",
            "slow_first_byte": "headers at once, the body after `seconds` (90)",
            "trickle": "one byte of the body every `seconds` (1)",
            "cut_body": "the body ends in the middle",
            "wrong_type": "the media type is wrong",
            "big_body": "100 MB more in the body",
            "gzip_bomb": "100 MB more in the body, compressed to almost nothing",
            "deep_json": "brackets 100,000 deep in the body",
        },
        options=dict.fromkeys(("slow_first_byte", "trickle"), ("seconds",)),
    ),
    **{
        name: FaultKind(cast(Stage, stage), where, about, OPTIONS.get(name, ("value",)))
        for name, (stage, where, about) in ENTRA_FAULTS.items()
    },
}
