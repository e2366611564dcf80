"""Measures what the client costs beside plain httpx asking the same questions in the same run.

    PYTHONPATH=src python tests/overhead.py

Prints processor time and wall time of this process in microseconds per read: the median of rounds that alternate.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

import sluice
from conftest import start, stop
from shop import definition, window

ROUNDS, READS = 15, 200


def measure(work: dict[str, Callable[[], int]]) -> None:
    """Runs each kind of work in turn and prints its cost."""
    cost: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for turn in range(ROUNDS + 1):
        for name, run in work.items():
            cpu, wall = time.process_time(), time.perf_counter()
            reads = run()
            if turn:  # the first warms up
                cost[name].append(
                    ((time.process_time() - cpu) / reads * 1e6, (time.perf_counter() - wall) / reads * 1e6)
                )
    for name, seen in cost.items():
        cpu, wall = (statistics.median(s[i] for s in seen) for i in (0, 1))
        print(f"{name:44} {cpu:8.0f} µs processor {wall:8.0f} µs wall a read")


def main() -> None:
    """Starts a platform, publishes a window, and measures."""
    process, platform = start(Path(tempfile.mkdtemp()), "manual")
    try:
        with (
            sluice.Client(platform.http, timeout=30) as client,
            sluice.Client(platform.http, timeout=30, keep=sluice.Keep(fresh=3600)) as caching,
            httpx.Client(base_url=platform.http) as raw,
            asyncio.Runner() as loop,
        ):
            client.apply(definition("v"))
            client.push("v", window(0), seal=True, wait=True).check()
            reader, path, names = (
                sluice.AsyncClient(platform.http, timeout=30),
                "/api/v1/views/v/rows",
                ["amount", "visits", "country"],
            )

            def plain(keys: int) -> int:
                body = {"keys": [{"user": f"u{i}"} for i in range(keys)], "features": names, "policy": "serve"}
                for _ in range(READS):
                    raw.post(path, content=json.dumps(body)).json()
                return READS

            def ours(asked: sluice.Client, keys: int) -> int:
                for _ in range(READS):
                    asked.rows("v", [f"u{i}" for i in range(keys)], names)
                return READS

            async def together() -> int:
                await asyncio.gather(*(reader.row("v", f"u{i}", names) for i in range(READS)))
                return READS

            measure(
                {
                    "httpx, 1 key": lambda: plain(1),
                    "Client.rows, 1 key": lambda: ours(client, 1),
                    "Client.rows, 1 key, kept": lambda: ours(caching, 1),
                    "AsyncClient.row, 200 at the same time": lambda: loop.run(together()),
                    "httpx, 100 keys": lambda: plain(100),
                    "Client.rows, 100 keys": lambda: ours(client, 100),
                }
            )
            loop.run(reader.aclose())
    finally:
        stop(process)


if __name__ == "__main__":
    main()
