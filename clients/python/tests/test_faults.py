"""What the package does when the server does not: over real sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Any

import pytest

import sluice
from faults import Behaviour, busy, drip, drop, faulty, rows, saying, silent, torn, well

QUICK = sluice.Retry(base=0.001)


def ask(url: str, asynchronous: bool, call: str = "row", *args: Any, **options: Any) -> Any:
    """Makes one call by either client."""
    args = args or ("v", 1)
    if not asynchronous:
        with sluice.Client(url, **options) as client:
            return getattr(client, call)(*args)

    async def run() -> Any:
        async with sluice.AsyncClient(url, **options) as client:
            return await getattr(client, call)(*args)

    return asyncio.run(run())


both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@both
@pytest.mark.parametrize(
    "fault",
    [drop, torn, busy(), saying(502, "bad gateway"), saying(429, {"error": {"message": "slow down"}}, Retry_After="0")],
)
def test_reads_are_tried_again(asynchronous: bool, fault: Behaviour) -> None:
    with faulty(fault, fault, well) as server:
        assert ask(server.url, asynchronous, retry=QUICK)["f"] == 1.5
        assert len(server.asked) == 3


@both
def test_the_servers_wish_is_kept(asynchronous: bool) -> None:
    with faulty(busy("0.3"), well) as server:
        begun = time.monotonic()
        ask(server.url, asynchronous, retry=QUICK)
        assert time.monotonic() - begun >= 0.3
    soon = {"Date": "Sun, 29 Nov 2026 12:00:00 GMT", "Retry_After": "Sun, 29 Nov 2026 12:00:01 GMT"}
    with faulty(saying(429, {"error": {"message": "slow down"}}, **soon), well) as server:  # by the server's own clock
        begun = time.monotonic()
        ask(server.url, asynchronous, retry=QUICK)
        assert 1 <= time.monotonic() - begun < 4
    with faulty(busy("60"), well) as server:  # beyond the deadline: no use in waiting
        with pytest.raises(sluice.Unavailable, match="overloaded"):
            ask(server.url, asynchronous, retry=QUICK, timeout=5)
        assert len(server.asked) == 1


@both
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (saying(400, {"error": {"code": "type", "message": "wrong", "hint": "mend it"}}), sluice.InvalidRequest),
        (saying(404, {"error": {"code": "unknown_view", "message": "none", "hint": "look"}}), sluice.NotFound),
        (saying(413, {"error": {"code": "limit", "message": "many", "hint": "split"}}), sluice.LimitExceeded),
        (saying(401, {"error": {"code": "unauthenticated", "message": "who", "hint": "say"}}), sluice.Unauthenticated),
        (saying(403, {"error": {"code": "forbidden", "message": "no", "hint": "ask"}}), sluice.Forbidden),
        (saying(500, {"error": {"code": "internal", "message": "oh", "hint": "log"}}), sluice.ServerFailure),
        (
            saying(503, {"error": {"code": "unavailable", "message": "old", "hint": "flag"}}, Sluice_Refused="true"),
            sluice.Refused,
        ),
        (saying(404, "not a Sluice"), sluice.NotFound),
        (saying(429, {"error": {"code": "limit", "message": "too much", "hint": "less"}}), sluice.Unavailable),
    ],
)
def test_what_another_try_cannot_help_is_not_tried_again(
    asynchronous: bool, fault: Behaviour, kind: type[sluice.SluiceError]
) -> None:
    keep = sluice.Keep(last_good=60)
    with faulty(fault) as server:
        with pytest.raises(kind) as caught:
            ask(server.url, asynchronous, retry=QUICK, keep=keep)
        assert len(server.asked) == 1 and caught.value.message and caught.value.hint and caught.value.status >= 400


@both
def test_actions_are_not_sent_twice(asynchronous: bool) -> None:
    with faulty(drop) as server:
        with pytest.raises(sluice.Unavailable):
            ask(server.url, asynchronous, "rollback", "v", 3, "bad", retry=QUICK)
        assert len(server.asked) == 1


def test_retries_have_a_budget() -> None:
    retry = sluice.Retry(base=0.001, ratio=0.1, burst=5)
    with faulty(busy()) as server, sluice.Client(server.url, retry=retry, timeout=20) as client:
        for _ in range(100):
            with pytest.raises(sluice.Unavailable):
                client.row("v", 1)
        assert 100 + 5 <= len(server.asked) <= 100 + 5 + 11


@both
@pytest.mark.parametrize("fault", [silent, drip])
def test_deadlines(asynchronous: bool, fault: Behaviour) -> None:
    with faulty(fault) as server:
        begun = time.monotonic()
        with pytest.raises(sluice.DeadlineExceeded, match=r"0\.4 s"):
            ask(server.url, asynchronous, timeout=0.4)
        assert 0.3 < time.monotonic() - begun < 3


@both
def test_a_slow_try_leaves_time_for_another(asynchronous: bool) -> None:
    with faulty(silent, well) as server:
        retry = sluice.Retry(base=0.001, try_timeout=0.2)
        assert ask(server.url, asynchronous, retry=retry, timeout=5)["f"] == 1.5


def test_last_known_good() -> None:
    keep = sluice.Keep(rows=100, last_good=60)
    with faulty(well, well, busy()) as server, sluice.Client(server.url, retry=QUICK, keep=keep) as client:
        fresh = client.rows("v", [1, 2])
        assert not fresh.provenance.stale and client.row("v", 9)["f"] == 9.5
        kept = client.rows("v", [2, 1, 3])
        assert kept.provenance.stale and kept.provenance.fallback == "client" and kept.provenance.version == 3
        assert [r["f"] for r in kept] == [2.5, 1.5, None]
        assert kept[0].provenance.age_seconds > 1 and kept[2].statuses == {"f": "UNAVAILABLE"}
        with pytest.raises(sluice.Unavailable):
            client.row("v", 4)  # never read
        for policy in ("null", "refuse"):
            with pytest.raises(sluice.Unavailable):
                client.row("v", 1, policy=policy)


def test_a_newer_generation_empties_what_is_kept() -> None:
    keep = sluice.Keep(rows=100, last_good=60)
    newer: Behaviour = lambda _, request: rows(request, generation=2)  # noqa: E731
    older: Behaviour = lambda _, request: rows(request, generation=1)  # noqa: E731
    with faulty(well, newer, older, busy()) as server, sluice.Client(server.url, retry=QUICK, keep=keep) as client:
        for key in (1, 2, 3):
            client.row("v", key)
        assert client.row("v", 2).provenance.generation == 2
        for key in (1, 3):  # of before, and of a server that lags behind
            with pytest.raises(sluice.Unavailable):
                client.row("v", key)


def test_connections_are_used_again() -> None:
    with faulty(well) as server, sluice.Client(server.url) as client:
        for key in range(50):
            assert client.row("v", key)["f"] == key + 0.5
        assert server.connections == 1


def test_one_hanging_call_does_not_hold_others() -> None:
    taken = threading.Event()

    def hang(conn: socket.socket, request: bytes) -> None:
        taken.set()
        silent(conn, request)

    async def run(url: str) -> None:
        async with sluice.AsyncClient(url, timeout=20) as client:
            await client.row("v", 0)
            hanging = asyncio.ensure_future(client.row("v", 1, timeout=1))
            assert await asyncio.to_thread(taken.wait, 10)
            assert (await client.row("v", 2, timeout=0.8))["f"] == 2.5
            with pytest.raises(sluice.DeadlineExceeded):
                await hanging

    with faulty(well, hang, well) as server:
        asyncio.run(run(server.url))
