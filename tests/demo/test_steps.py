"""Each step of the demo says what failed, in a sentence; the faults come from the tenant."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer

from copilot_mcp.demo import Screen, steps
from copilot_mcp.demo.host import Host
from copilot_mcp.demo.person import Person, signed_in
from copilot_mcp.demo.scenario import BUILT_IN_SCOPE, Scenario, questions_for, scenario_for
from copilot_mcp.errors import CopilotMcpError
from copilot_mcp.simulator import Simulator, Tenant

pytestmark = pytest.mark.anyio


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def screen(lines: list[str]) -> Screen:
    return Screen(lines.append, colour=False)


@pytest.fixture
def scenario(company: Tenant) -> Scenario:
    return scenario_for(company, *questions_for(company, None, built_in=True), BUILT_IN_SCOPE)


@pytest.fixture
def host(client: Client) -> Host:
    return Host(client)


@pytest.fixture
async def person(screen: Screen, simulator: Simulator, company: Tenant) -> AsyncIterator[Person]:
    async with signed_in(screen, simulator, simulator.start(), company.users[0]) as known:
        yield known


async def test_a_server_without_the_tools_is_named(screen: Screen, era: Any) -> None:
    async with Client(MCPServer("empty"), mode=era) as client:
        with pytest.raises(CopilotMcpError, match="does not offer copilot_chat, copilot_retrieve, build_filter"):
            await steps.list_tools(screen, Host(client))


async def test_a_tenant_that_reads_the_malformed_filter_fails_the_step(
    screen: Screen, person: Person, scenario: Scenario
) -> None:
    readable = replace(scenario, malformed=f'Path:"{BUILT_IN_SCOPE}"')
    with pytest.raises(CopilotMcpError, match="it changed the hits"):
        await steps.send_raw(screen, person, readable)


async def test_a_filter_that_leaves_nothing_outside_is_still_said_to_be_ignored(
    screen: Screen, person: Person, scenario: Scenario, lines: list[str]
) -> None:
    await steps.send_raw(screen, person, replace(scenario, scope="https://"))
    assert "the same as without any filter" in " ".join(lines)


@pytest.mark.parametrize("fault", ["server_error", "cut_body", "html", "drop_connection"])
async def test_a_graph_that_gives_no_hits_is_said(
    screen: Screen, person: Person, simulator: Simulator, scenario: Scenario, company: Tenant, fault: str
) -> None:
    simulator.faults.add(fault, operation="retrieval", times=None)
    with pytest.raises(CopilotMcpError, match="Graph did not answer with hits"):
        await steps.send_raw(screen, person, scenario)
    with pytest.raises(CopilotMcpError, match="Graph did not answer with hits"):
        await steps.best_site(person, company, scenario.question)


async def test_a_filter_that_is_sent_fails_the_step(screen: Screen, host: Host, scenario: Scenario) -> None:
    readable = replace(scenario, malformed=f'Path:"{BUILT_IN_SCOPE}"')
    with pytest.raises(CopilotMcpError, match="copilot_retrieve was not refused"):
        await steps.send_through_us(screen, host, readable)


async def test_a_refusal_for_another_reason_fails_the_step(screen: Screen, host: Host, scenario: Scenario) -> None:
    with pytest.raises(CopilotMcpError, match=r"another reason than its filter: .*\[invalid_arguments\]"):
        await steps.send_through_us(screen, host, replace(scenario, question="x" * 1501))


async def test_conditions_that_make_no_filter_fail_the_step(screen: Screen, host: Host, scenario: Scenario) -> None:
    unknown: list[dict[str, object]] = [{"property": "Owner", "operator": "equals", "values": ["Adele"]}]
    with pytest.raises(CopilotMcpError, match="build_filter made no filter"):
        await steps.build_filter(screen, host, replace(scenario, conditions=unknown))


async def test_hits_outside_the_filter_fail_the_step(
    screen: Screen, host: Host, simulator: Simulator, scenario: Scenario
) -> None:
    expression = await steps.build_filter(screen, host, scenario)
    elsewhere = replace(scenario, scope="https://contoso.sharepoint.com/sites/Legal/")
    with pytest.raises(CopilotMcpError, match="3 of them outside the filter"):
        await steps.retrieve(screen, host, elsewhere, expression)
    simulator.faults.add("forbidden", operation="retrieval", times=None)
    with pytest.raises(CopilotMcpError, match=r"copilot_retrieve was refused: .*\[forbidden\]"):
        await steps.retrieve(screen, host, scenario, expression)


async def test_two_people_with_the_same_hits_fail_the_step(
    screen: Screen, connect: Callable[..., Any], scenario: Scenario, lines: list[str]
) -> None:
    adele, also_adele = Host(await connect()), Host(await connect())
    with pytest.raises(CopilotMcpError, match="got the same hits"):
        await steps.ask_as_both(screen, adele, also_adele, scenario)
    await steps.ask_as_both(screen, adele, also_adele, replace(scenario, rights_show=False))
    assert "so both get the same" in " ".join(lines)


async def test_a_chat_that_does_not_come_whole_fails_the_step(
    screen: Screen, host: Host, simulator: Simulator, scenario: Scenario
) -> None:
    simulator.faults.add("cut_stream")
    with pytest.raises(CopilotMcpError, match="cut before its end"):
        await steps.chat(screen, host, scenario)
    simulator.faults.add("empty_answer")
    with pytest.raises(CopilotMcpError, match=r"copilot_chat was refused: .*gave no answer"):
        await steps.chat(screen, host, scenario)


async def test_a_chat_without_progress_fails_the_step(
    screen: Screen, connect: Callable[..., Any], scenario: Scenario
) -> None:
    with pytest.raises(CopilotMcpError, match="No progress arrived"):
        await steps.chat(screen, Host(await connect(chat="sync")), scenario)


async def test_a_follow_up_that_is_not_the_second_turn_fails_the_step(
    screen: Screen, host: Host, scenario: Scenario
) -> None:
    conversation_id = await steps.chat(screen, host, scenario)
    await steps.follow_up(screen, host, scenario, conversation_id)
    with pytest.raises(CopilotMcpError, match="did not become the second turn"):
        await steps.follow_up(screen, host, scenario, conversation_id)
