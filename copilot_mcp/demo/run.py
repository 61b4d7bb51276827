"""The demo from the first line to the last: brings the tenant up, takes the steps in order, ends everything."""

import time
from contextlib import AsyncExitStack
from secrets import token_urlsafe

from copilot_mcp.demo import steps
from copilot_mcp.demo.host import launched
from copilot_mcp.demo.person import signed_in
from copilot_mcp.demo.scenario import BUILT_IN_SCOPE, questions_for, scenario_for
from copilot_mcp.demo.screen import Screen
from copilot_mcp.demo.trace import Trace
from copilot_mcp.simulator import Simulator, Tenant

__all__ = ["run_demo"]

STREAM_PACE_S = 0.04
"""Seconds between two snapshots of an answer, so that it can be seen to arrive."""


async def run_demo(
    screen: Screen, tenant: Tenant, question: str | None = None, *, built_in: bool = True, trace: bool = False
) -> None:
    """Show the main job on `tenant`, the built-in company or another; ends what it started also when a step fails.

    Raises:
        CopilotMcpError: A step did not go as it should; the text says which and why.
    """
    started, key = time.perf_counter(), token_urlsafe()
    async with AsyncExitStack() as stack:
        with screen.step("A Microsoft 365 tenant on this machine"):
            simulator = stack.enter_context(Simulator(tenant, pace=STREAM_PACE_S, key=key))
            url = simulator.start()
            steps.introduce(screen, tenant, url)
        log = Trace(simulator, screen if trace else None)
        with screen.step("Sign in by device code"), log:
            person = await stack.enter_async_context(signed_in(screen, simulator, url, tenant.users[0]))
            asked = questions_for(tenant, question, built_in=built_in)
            known = built_in and question is None
            scope = BUILT_IN_SCOPE if known else await steps.best_site(person, tenant, asked[0])
            scenario = scenario_for(tenant, *asked, scope)
        with screen.step("Start `copilot-mcp serve` as a host does, and list its tools"), log:
            host = await stack.enter_async_context(launched(f"{url}#{key}", scenario.first.key))
            await steps.list_tools(screen, host)
        with screen.step("Why this exists: a malformed filter, sent raw to Graph"), log:
            await steps.send_raw(screen, person, scenario)
        with screen.step("The same filter through copilot_retrieve"), log:
            await steps.send_through_us(screen, host, scenario)
        with screen.step("build_filter makes one that holds"), log:
            expression = await steps.build_filter(screen, host, scenario)
        with screen.step("copilot_retrieve with that filter"), log:
            await steps.retrieve(screen, host, scenario, expression)
        with screen.step("The same question asked by two people with different rights"), log:
            other = await stack.enter_async_context(launched(f"{url}#{key}", scenario.second.key))
            await steps.ask_as_both(screen, host, other, scenario)
        with screen.step("copilot_chat, its text arriving as progress"), log:
            conversation_id = await steps.chat(screen, host, scenario)
        with screen.step("A follow-up in the same conversation"), log:
            await steps.follow_up(screen, host, scenario, conversation_id)
    steps.farewell(screen, time.perf_counter() - started)
