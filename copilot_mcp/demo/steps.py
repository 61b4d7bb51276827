"""The steps of the demo, each a sentence or two about what is seen."""

import re
from collections.abc import Sized
from typing import Any

from copilot_mcp.demo.host import Host
from copilot_mcp.demo.person import Person
from copilot_mcp.demo.scenario import Scenario, site_of
from copilot_mcp.demo.screen import Screen
from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.simulator import Tenant

__all__ = [
    "NoAnswerError",
    "ask_as_both",
    "best_site",
    "build_filter",
    "chat",
    "farewell",
    "follow_up",
    "introduce",
    "list_tools",
    "retrieve",
    "send_raw",
    "send_through_us",
]

_CALLED = ("copilot_chat", "copilot_retrieve", "build_filter")
_SHOWN_LINES = 14
_SHOWN_HITS = 4


class NoAnswerError(CopilotMcpError):
    """The question that was given has no answer in this tenant, which is no fault of a step."""


def introduce(screen: Screen, tenant: Tenant, url: str) -> None:
    """Say what was started, and that it is not Microsoft's."""
    screen.say(tenant.about)
    screen.say(
        f"{_counted(tenant.documents, 'document')}, {_counted(tenant.sites, 'site')}, "
        f"{_counted(tenant.connections, 'connector')}; "
        f"people: {', '.join(user.name for user in tenant.users)}. Simulated Entra and Graph at {url}"
    )
    if tenant.left_out:
        screen.say(tenant.left_out_sentence)


async def list_tools(screen: Screen, host: Host) -> None:
    """The server as a host sees it.

    Raises:
        CopilotMcpError: It does not offer what the next steps call.
    """
    screen.say(f"Server: {host.server_title}")
    tools = await host.tools()
    for name, title in tools.items():
        screen.good(f"{name}: {title}")
    missing = [name for name in _CALLED if name not in tools]
    if missing:
        raise CopilotMcpError(f"The server does not offer {', '.join(missing)}.")


async def best_site(person: Person, tenant: Tenant, question: str) -> str:
    """The site of the best answer to `question`, found without any filter.

    Raises:
        NoAnswerError: Nothing answers it.
    """
    hits = await person.retrieve({"queryString": question, "dataSource": "sharePoint"})
    if not hits:
        raise NoAnswerError(f"No document answers {question!r}.", "Ask another question.")
    best = max(hits, key=lambda hit: max(extract.get("relevanceScore", 0.0) for extract in hit["extracts"]))
    return site_of(tenant, best["webUrl"])


async def send_raw(screen: Screen, person: Person, scenario: Scenario) -> None:
    """Graph answers a filter that it cannot read with 200 and everything.

    Raises:
        CopilotMcpError: It did not.
    """
    screen.say(f"filterExpression: {scenario.malformed}")
    plain = {"queryString": scenario.question, "dataSource": "sharePoint"}
    raw = await person.retrieve({**plain, "filterExpression": scenario.malformed})
    urls, unfiltered = _urls(raw), _urls(await person.retrieve(plain))
    if not urls or urls != unfiltered:
        raise CopilotMcpError("The raw filter was expected to be ignored, but it changed the hits.")
    outside = [url for url in urls if not url.startswith(scenario.scope)]
    if not outside:
        screen.bad(f"HTTP 200, {_hits(urls)}: the same as without any filter, and nothing says so.")
        return
    screen.bad(f"HTTP 200, {_hits(urls)}, {len(outside)} of them outside {scenario.scope} - without a word:")
    for url in outside[:_SHOWN_HITS]:
        screen.quote(url)


async def send_through_us(screen: Screen, host: Host, scenario: Scenario) -> None:
    """We refuse it before the network, and say what to write.

    Raises:
        CopilotMcpError: It was not refused, or for another reason.
    """
    text, _ = await host.call(
        "copilot_retrieve",
        {"queryString": scenario.question, "dataSource": "sharePoint", "filterExpression": scenario.malformed},
        refused=True,
    )
    if "[invalid_filter]" not in text:
        raise CopilotMcpError(f"The call was refused for another reason than its filter: {text}")
    screen.good("Refused, nothing was sent:")
    screen.quote(text)


async def build_filter(screen: Screen, host: Host, scenario: Scenario) -> str:
    """Typed conditions in, KQL out.

    Raises:
        CopilotMcpError: No filter could be made of them.
    """
    text, result = await host.call("build_filter", {"dataSource": "sharePoint", "all": scenario.conditions})
    screen.quote(text)
    if not result["valid"]:
        raise CopilotMcpError("build_filter made no filter of these conditions.")
    return str(result["filterExpression"])


async def retrieve(screen: Screen, host: Host, scenario: Scenario, expression: str) -> None:
    """Passages, all inside the filter.

    Raises:
        CopilotMcpError: There are none, or some lie outside.
    """
    screen.say(f"Question: {scenario.question}")
    text, result = await host.call(
        "copilot_retrieve",
        {
            "queryString": scenario.question,
            "dataSource": "sharePoint",
            "filterExpression": expression,
            "resourceMetadata": ["title", "author"],
            "maximumNumberOfResults": 3,
        },
    )
    outside = [hit["webUrl"] for hit in result["hits"] if not hit["webUrl"].startswith(scenario.scope)]
    if not result["hits"] or outside:
        raise CopilotMcpError(f"{len(result['hits'])} hits, {len(outside)} of them outside the filter.")
    screen.quote(text, most=_SHOWN_LINES)
    screen.good(f"{_hits(result['hits'])}, all inside the filter.")


async def ask_as_both(screen: Screen, host: Host, other: Host, scenario: Scenario) -> None:
    """Everybody sees what they may read, no more.

    Raises:
        CopilotMcpError: Both got the same, although the question is about what one of them may not read.
    """
    screen.say(f"Question: {scenario.rights_question}")
    found: list[list[str]] = []
    for user, client in ((scenario.first, host), (scenario.second, other)):
        _, result = await client.call(
            "copilot_retrieve", {"queryString": scenario.rights_question, "dataSource": "sharePoint"}
        )
        hits = result["hits"]
        found.append(_urls(hits))
        screen.good(f"{user.name} gets {_hits(hits)}{'; first:' if len(hits) > _SHOWN_HITS else ':'}")
        for hit in hits[:_SHOWN_HITS]:
            screen.quote(f"{hit['title']} <{hit['webUrl']}>")
    if found[0] == found[1]:
        if scenario.rights_show:
            raise CopilotMcpError(f"{scenario.first.name} and {scenario.second.name} got the same hits.")
        screen.say("Both may read all of it, so both get the same.")


async def chat(screen: Screen, host: Host, scenario: Scenario) -> str:
    """One turn; returns the conversation id.

    Raises:
        CopilotMcpError: The answer did not come whole, or without progress.
    """
    screen.say(f"{scenario.first.name} asks: {scenario.question}")
    result = await _turn(screen, host, {"message": {"text": scenario.question}})
    return str(result["conversationId"])


async def follow_up(screen: Screen, host: Host, scenario: Scenario, conversation_id: str) -> None:
    """The next turn of the same conversation.

    Raises:
        CopilotMcpError: It became a turn of another one, or its answer did not come whole.
    """
    screen.say(f"{scenario.first.name} asks: {scenario.follow_up}")
    result = await _turn(screen, host, {"message": {"text": scenario.follow_up}, "conversationId": conversation_id})
    if result["conversationId"] != conversation_id or result.get("turnCount") != 2:
        raise CopilotMcpError("The follow-up did not become the second turn of the conversation.")


async def _turn(screen: Screen, host: Host, arguments: dict[str, Any]) -> dict[str, Any]:
    sizes: list[int] = []
    _, result = await host.call("copilot_chat", arguments, on_text=lambda so_far: sizes.append(len(so_far)))
    if not sizes:
        raise CopilotMcpError("No progress arrived while the answer was being written.")
    if not result["complete"]:
        raise CopilotMcpError("The answer was cut before its end.")
    screen.say(f"progress: {' → '.join(str(size) for size in sizes)} characters")
    screen.quote(_without_addresses(result["answer"]), most=_SHOWN_LINES)
    for source in result["citations"]:
        if "number" in source:
            screen.quote(f"[{source['number']}] {source['title']} <{source['url']}>")
    web = "on" if result["webEnabled"] else "off"
    screen.good(f"Turn {result['turnCount']}, complete: {result['complete']}, web search {web}.")
    return result


def _without_addresses(markdown: str) -> str:
    """The answer for a terminal: the words of each link, without its address."""
    return re.sub(r"\[([^\[\]]+)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)", r"[\1]", markdown)


def _urls(hits: list[dict[str, Any]]) -> list[str]:
    return sorted(hit["webUrl"] for hit in hits)


def _hits(hits: Sized) -> str:
    return _counted(hits, "hit")


def _counted(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def farewell(screen: Screen, seconds: float) -> None:
    """What to do next."""
    screen.blank()
    screen.good(f"Done in {seconds:.1f} s. Everything above was simulated; nothing left this machine.")
    screen.say('Next: `copilot-mcp serve --simulate` in your MCP host, or the README\'s "Use a real tenant".')
