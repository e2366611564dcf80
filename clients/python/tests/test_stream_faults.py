"""What streams do when the server, or the way to it, breaks: over real sockets."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

import sluice
from faults import (
    Behaviour,
    Parts,
    asked_for,
    busy,
    drop,
    error_line,
    faulty,
    half_a_part,
    hang,
    part,
    reset,
    saying,
    silent,
    torn,
)

QUICK = sluice.Retry(base=0.001)
both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def read(url: str, asynchronous: bool, keys: Any, **options: Any) -> list[tuple[int, float]]:
    """Reads a stream by either client, and returns keys with their values."""
    got: list[tuple[int, float]] = []
    options = {"retry": QUICK, **options}

    def take(rows: sluice.Rows) -> None:
        got.extend((row.key["id"], row["f"]) for row in rows)

    async def run() -> None:
        async with sluice.AsyncClient(url, **options) as client:
            async for rows in client.stream("v", keys):
                take(rows)

    try:
        if asynchronous:
            asyncio.run(run())
        else:
            with sluice.Client(url, **options) as client:
                for rows in client.stream("v", keys):
                    take(rows)
    except sluice.SluiceError as err:
        err.add_note(json.dumps(got))
        raise
    return got


def want(n: int) -> list[tuple[int, float]]:
    return [(i, i + 0.5) for i in range(n)]


@both
@pytest.mark.parametrize(
    "fault",
    [
        drop,
        torn,
        busy(),
        saying(502, "bad gateway"),
        Parts(3, 1, reset),
        Parts(3, 2, half_a_part),
        Parts(3, 1, error_line("unavailable")),
        Parts(3, 2, error_line("limit")),
        Parts(3, 1, lambda conn: conn.sendall(b"0\r\n\r\n")),
    ],
    ids=["closed", "reset", "503", "502", "reset after a part", "cut in a part", "unavailable", "shed", "early end"],
)
def test_streams_go_on_behind_the_last_part(asynchronous: bool, fault: Behaviour) -> None:
    with faulty(fault, fault, Parts(3)) as server:
        assert read(server.url, asynchronous, range(20)) == want(20)
        assert len(server.asked) == 3
        done = 20 - len(asked_for(server.asked[2]))
        after = fault.after * 2 * 3 if isinstance(fault, Parts) and fault.after else 0
        lost = isinstance(fault, Parts) and fault.end is reset  # takes along what had not been read
        assert done == after or (lost and done < after), (
            "the third stream asks for what had not come, and for nothing else"
        )


WRONG = part(0, [{"id": 1}])  # a part that was there before


@both
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Parts(3, 2, error_line("conflict")), sluice.Conflict),
        (Parts(3, 2, error_line("unknown_view")), sluice.NotFound),
        (Parts(3, 2, lambda conn: conn.sendall(b"2\r\n{\n\r\n")), sluice.ServerFailure),
        (Parts(3, 2, lambda conn: conn.sendall(b"%x\r\n" % len(WRONG) + WRONG + b"\r\n")), sluice.ServerFailure),
    ],
)
def test_what_another_try_cannot_help_ends_a_stream(
    asynchronous: bool, fault: Behaviour, kind: type[sluice.SluiceError]
) -> None:
    with faulty(fault) as server:
        with pytest.raises(kind) as caught:
            read(server.url, asynchronous, range(20))
        assert len(server.asked) == 1
        assert json.loads(caught.value.__notes__[0]) == [list(row) for row in want(6)], "parts before it are good"


@both
def test_streams_have_a_budget(asynchronous: bool) -> None:
    with faulty(busy()) as server:
        with pytest.raises(sluice.Unavailable, match="overloaded"):
            read(server.url, asynchronous, range(5), retry=sluice.Retry(attempts=50, base=0.001, burst=3, ratio=0))
        assert len(server.asked) == 4
    with faulty(busy()) as server:
        with pytest.raises(sluice.Unavailable, match="overloaded"):
            read(server.url, asynchronous, range(5), retry=sluice.Retry(attempts=3, base=0.001))
        assert len(server.asked) == 3


@both
def test_the_servers_wish_is_kept(asynchronous: bool) -> None:
    with faulty(busy("0.3"), Parts(3)) as server:
        begun = time.monotonic()
        assert read(server.url, asynchronous, range(5)) == want(5)
        assert time.monotonic() - begun >= 0.3
    with faulty(busy("60"), Parts(3)) as server:  # longer than anybody waits for a part
        with pytest.raises(sluice.Unavailable, match="overloaded"):
            read(server.url, asynchronous, range(5))
        assert len(server.asked) == 1


@both
@pytest.mark.parametrize("fault", [silent, Parts(3, 2, hang)])
def test_a_part_that_does_not_come(asynchronous: bool, fault: Behaviour) -> None:
    with faulty(fault) as server:
        begun = time.monotonic()
        with pytest.raises(sluice.DeadlineExceeded, match=r"0\.4 s"):
            read(server.url, asynchronous, range(20), timeout=0.4)
        assert 0.3 < time.monotonic() - begun < 3


@both
def test_timeout_is_of_a_part(asynchronous: bool) -> None:
    with faulty(Parts(3, pause=0.3)) as server:
        assert read(server.url, asynchronous, range(9), timeout=0.8) == want(9)


def test_many_keys_are_several_streams() -> None:
    with faulty(Parts(10_000)) as server:
        assert read(server.url, False, iter(range(21_000))) == want(21_000)
        assert [len(asked_for(r)) for r in server.asked] == [20_000, 1_000]
        assert server.connections == 1
