"""How soon a host sees our tools, and what an idle server holds, beside a bare SDK server."""

import time
from collections.abc import Callable
from typing import Any

ROUNDS = 10


def test_spawn_to_tools_list(
    spawn: Callable[..., Any], compare: Callable[..., float], ours: list[str], bare: list[str]
) -> None:
    figures: dict[str, list[float]] = {"ours": [], "bare": []}
    memory: dict[str, list[float]] = {"ours": [], "bare": []}
    counts = set()
    for round_number in range(ROUNDS + 1):
        for name, command in (("ours", ours), ("bare", bare)):
            started = time.perf_counter()
            server = spawn(command)
            server.initialize()
            counts.add(len(server.request("tools/list")["tools"]))
            took = time.perf_counter() - started
            if round_number:  # the first round warms the file cache
                figures[name].append(took * 1000)
                memory[name].append(server.resident_kib() / 1024)
            server.close()
    assert counts == {3}
    compare("spawn to tools/list answered", figures["ours"], figures["bare"], unit="ms", bound=1.10, rounds=True)
    compare("resident memory, idle", memory["ours"], memory["bare"], unit="MiB", bound=1.15)
