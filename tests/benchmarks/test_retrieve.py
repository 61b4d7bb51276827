"""What our server adds to a retrieval, beside a no-op tool call plus the same body posted raw."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from copilot_mcp.simulator import Simulator, load_company

ROUNDS, WARM_UP = 120, 4
BODY = {
    "queryString": "What does the policy say about parental leave, annual leave, sick leave, notice periods "
    "and allowances?",
    "dataSource": "sharePoint",
    "resourceMetadata": ["title", "author", "lastModifiedTime", "filename"],
    "maximumNumberOfResults": 25,
}


def token(url: str, simulator: Simulator) -> str:
    with httpx.Client(base_url=url, trust_env=False) as http:
        form = {
            "client_id": "00000000-0000-4000-8000-00000000c0de",
            "scope": "https://graph.copilot-mcp.test/Files.Read.All https://graph.copilot-mcp.test/Sites.Read.All",
        }
        flow = http.post("/organizations/oauth2/v2.0/devicecode", data=form).json()
        simulator.approve(flow["user_code"], "adele")
        grant = {
            "client_id": form["client_id"],
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": flow["device_code"],
        }
        return str(http.post("/organizations/oauth2/v2.0/token", data=grant).json()["access_token"])


def test_retrieve_over_stdio(
    spawn: Callable[..., Any], compare: Callable[..., float], ours: list[str], bare: list[str]
) -> None:
    with Simulator(load_company(), hourly_limit=None) as simulator:
        url = simulator.start()
        server, yardstick = spawn([*ours, "--simulate-url", url]), spawn(bare)
        server.initialize()
        yardstick.initialize()
        headers = {"authorization": f"Bearer {token(url, simulator)}"}
        figures: dict[str, list[float]] = {"ours": [], "raw": []}
        with httpx.Client(base_url=url, trust_env=False, headers=headers) as http:
            for round_number in range(ROUNDS + WARM_UP):
                for side in ("ours", "raw") if round_number % 2 else ("raw", "ours"):
                    started = time.perf_counter()
                    if side == "ours":
                        result = server.request("tools/call", {"name": "copilot_retrieve", "arguments": BODY})
                    else:
                        yardstick.request("tools/call", {"name": "first", "arguments": {"text": BODY["queryString"]}})
                        answer = http.post("/v1.0/copilot/retrieval", json=BODY)
                        answer.json()
                    if round_number >= WARM_UP:
                        figures[side].append((time.perf_counter() - started) * 1000)
        assert len(result["structuredContent"]["hits"]) == len(answer.json()["retrievalHits"])
        title = f"copilot_retrieve over stdio, an answer of {len(answer.content):,} bytes"
        compare(title, figures["ours"], figures["raw"], unit="ms", bound=1.6, rounds=True)
        server.close()
        yardstick.close()
