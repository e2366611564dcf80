"""A platform that stops, and starts again at the same place."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import sluice
from conftest import start, stop
from patience import Patience
from shop import definition, settle, window


def test_restart(tmp_path: Path) -> None:
    """A client that is patient loses no read; one that is not answers from what it read before; and both work again
    with the connections that they have, actions included, which have one try."""
    process, platform = start(tmp_path, "manual")
    retry = sluice.Retry(attempts=10_000, cap=0.2, burst=10_000)  # it outlasts what start allows
    patient = sluice.Client(platform.http, timeout=1000, retry=retry)
    hasty = sluice.Client(platform.http, timeout=5, retry=sluice.Retry(attempts=1), keep=sluice.Keep(last_good=600))
    ended = threading.Event()
    failed: list[Exception] = []
    reads: list[sluice.Row] = []

    def read() -> None:
        while not ended.is_set():
            try:
                row = patient.row("v", "u1", ["amount"])
                assert row["amount"] == sent and not row.provenance.stale
            except Exception as err:
                failed.append(err)
                return
            reads.append(row)

    sent = window(0)[1]["amount"]
    readers = [threading.Thread(target=read) for _ in range(2)]
    try:
        with patient, hasty:
            hasty.apply(definition("v"))
            hasty.push("v", window(0), seal=True, wait=True).check()
            settle(hasty, "v")
            hasty.rows("v", ["u1", "u2"], ["amount"])
            for reader in readers:
                reader.start()
            stop(process)
            row = hasty.row("v", "u1", ["amount"])
            assert row["amount"] == sent and row.provenance.stale and row.provenance.fallback == "client"
            with pytest.raises(sluice.Unavailable, match="sluice run"):
                hasty.versions("v")
            with pytest.raises(sluice.Unavailable):
                next(hasty.stream("v", ["u1"]))
            down = len(reads)
            process, platform = start(tmp_path, "manual", platform.http.removeprefix("http://"))
            patience = Patience()
            while len(reads) < down + 4 or hasty.row("v", "u1", ["amount"]).provenance.stale:
                assert not failed
                patience.see(len(reads), f"{len(reads) - down} reads since the restart")
            ended.set()
            for reader in readers:
                reader.join()
            assert not failed
            assert hasty.freeze("v", "a test").generation > row.provenance.generation
    finally:
        ended.set()
        stop(process)


def test_asyncio_restart(tmp_path: Path) -> None:
    process, platform = start(tmp_path, "manual")

    async def run() -> None:
        nonlocal process
        retry = sluice.Retry(attempts=10_000, cap=0.2, burst=10_000)
        async with sluice.AsyncClient(platform.http, timeout=1000, retry=retry) as client:
            await client.apply(definition("v"))
            (await client.push("v", window(0), seal=True, wait=True)).check()
            while (await client.row("v", "u1")).provenance.version == 0:
                pass
            await asyncio.to_thread(stop, process)
            reads = [asyncio.ensure_future(client.row("v", f"u{i}", ["amount"])) for i in range(50)]
            parts = asyncio.ensure_future(anext(aiter(client.stream("v", ["u1"], ["amount"]))))
            at = platform.http.removeprefix("http://")
            process, _ = await asyncio.to_thread(start, tmp_path, "manual", at)
            rows = await asyncio.gather(*reads)
            assert [r["amount"] for r in rows] == [r["amount"] for r in window(0)[:50]]
            assert (await parts)[0]["amount"] == window(0)[1]["amount"]

    try:
        asyncio.run(run())
    finally:
        stop(process)
