"""The package against the real binary."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pandas
import pyarrow
import pytest

import sluice
from conftest import Platform
from shop import BEGIN, GOOD, definition, open_shop, settle, window


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[sluice.Client]:
    with sluice.Client(platform.http, timeout=20) as client:
        open_shop(client, "sales")
        yield client


def test_rows(client: sluice.Client) -> None:
    rows = client.rows("sales", ["u7", {"user": "u0"}, "nobody"])
    want = {r["user"]: r for r in window(GOOD - 1)}
    for row in rows[:2]:
        sent = want[row.key["user"]]
        assert row.values == {f: sent[f] for f in row.values}
        assert set(row.event_times.values()) == {sent["event_time"]}
        assert row.found
    assert rows[0]["visits"] == 2**53 + 1
    assert rows[0].statuses["amount"] == "PRESENT" and rows[1].statuses["known"] == "NULL_VALUE"
    assert not rows[2].found and rows[2].statuses["amount"] == "NOT_FOUND" and rows[2]["amount"] is None
    about = rows.provenance
    assert about.version == GOOD and not about.stale and about.fallback == "" and not about.cached
    assert client.verdict(about.verdict).decision == "publish"
    assert [r.values for r in rows] == rows.values and len(rows.statuses) == len(rows.event_times) == 3


def test_frames(client: sluice.Client) -> None:
    rows = client.rows("sales", ["u7", "nobody"], ["amount", "visits", "seen", "last", "about", "photo", "known"])
    frame = rows.to_pandas(statuses=True, event_times=True)
    assert frame["visits"].dtype == "Int64" and int(frame["visits"][0]) == 2**53 + 1
    assert pandas.isna(frame["visits"][1]) and str(frame["seen"].dtype) == "datetime64[ns, UTC]"
    assert list(frame["amount__status"]) == ["PRESENT", "NOT_FOUND"] and pandas.isna(frame["amount__event_time"][1])
    table = rows.to_arrow(event_times=True)
    assert table.schema.field("last").type == pyarrow.list_(pyarrow.float64())
    assert table.column("photo").to_pylist() == [b"\x07", None]
    assert b'"verdict": "vd_' in table.schema.metadata[b"sluice.provenance"]


def test_large_reads_are_split(platform: Platform, client: sluice.Client) -> None:
    keys = [f"u{i % 200}" for i in range(950)]
    whole = client.rows("sales", keys, ["amount"]).to_dict()
    with sluice.Client(platform.http, timeout=20, max_entities=100) as split:
        assert split.rows("sales", keys, ["amount"]).to_dict() == whole
    greedy = sluice.Client(platform.http, timeout=20, max_entities=100_000)
    with greedy, pytest.raises(sluice.LimitExceeded, match="more than the limit") as caught:
        greedy.rows("sales", keys * 20, ["amount"])
    assert caught.value.code == "limit" and "max_entities" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "code", "ask"),
    [
        (sluice.NotFound, "unknown_view", lambda c: c.rows("salse", ["u1"])),
        (sluice.NotFound, "unknown_feature", lambda c: c.row("sales", "u1", ["amuont"])),
        (sluice.InvalidRequest, "type", lambda c: c.row("sales", 5)),
        (sluice.InvalidRequest, "invalid_argument", lambda c: c.row("sales", {"usr": "u1"})),
        (sluice.InvalidRequest, "invalid_argument", lambda c: c.row("sales", "u1", policy="perhaps")),
        (sluice.InvalidRequest, "invalid_argument", lambda c: c.rows("sales", [])),
        (sluice.NotFound, "invalid_argument", lambda c: c.verdict("vd_none")),
        (sluice.InvalidRequest, "", lambda c: c.push("sales", [{"user": "u1", "amout": 1.0}])),
        (sluice.InvalidRequest, "invalid_argument", lambda c: c.apply("project: [")),
    ],
)
def test_mistakes(client: sluice.Client, kind: type[sluice.SluiceError], code: str, ask: Any) -> None:
    with pytest.raises(kind) as caught:
        ask(client)
    assert caught.value.code == code and caught.value.message and caught.value.hint


def test_a_bad_batch(client: sluice.Client) -> None:
    view = "orders"
    open_shop(client, view)
    good = client.row(view, "u1", ["amount"])
    last = client.verdicts(view).next

    pushed = client.push(view, pandas.DataFrame(window(GOOD, scale=100)), seal=True, wait=True)
    with pytest.raises(sluice.Blocked, match="fail, reject") as caught:
        pushed.check()
    assert caught.value.pushed.blocked[0].version == GOOD + 1
    verdict = client.wait_verdict(view, after=last, timeout=30)
    assert verdict.id == pushed.windows[0].verdict and client.verify(verdict.id)
    assert "amount" in {r.feature for r in verdict.reasons} and "amount: " in verdict.explain()
    assert client.row(view, "u1", ["amount"]).values == good.values

    acted = client.approve(view, GOOD + 1, "we sell gold now", by="eve")
    settle(client, view)
    assert client.row(view, "u1", ["amount"])["amount"] == window(GOOD, scale=100)[1]["amount"]
    with pytest.raises(sluice.Conflict):
        client.rollback(view, acted.visible[-1], "no", if_generation=1)
    client.rollback(view, acted.visible[-1], "we do not")
    settle(client, view)
    assert client.row(view, "u1", ["amount"]).values == good.values
    assert [v.state for v in client.versions(view).items][-2:] == ["rejected", "rolled_back"]
    assert {"approve", "rollback"} <= {a["action"] for a in client.audit()}
    client.freeze(view, "a pause")
    assert client.view(view).state == "frozen" and view in {v.name for v in client.views()}
    client.thaw(view, "go on")
    assert client.wait_window(view, BEGIN, timeout=30).state == "judged" == client.windows(view)[-1].state


def test_pushes_of_arrow_and_rows_that_are_refused(client: sluice.Client) -> None:
    view = "visits"
    client.apply(definition(view))
    table = pyarrow.Table.from_pylist([{k: v for k, v in r.items() if k != "about"} for r in window(0)])
    assert client.push(view, table, seal=True, wait=True).check().sent == 200
    settle(client, view)
    sent = window(0)[3]
    assert client.row(view, "u3", ["visits", "photo", "last", "seen"]).values == {
        f: sent[f] for f in ("visits", "photo", "last", "seen")
    }
    refused = client.push(view, [r | {"amount": -1.0} for r in window(1, rows=3)], seal=True, wait=True)
    assert [w.decision for w in refused.windows] != ["publish"]
    assert {d["reason"] for d in client.dead_letters(view)} == {"expect"}
    with pytest.raises(sluice.DeadlineExceeded, match="not judged"):
        client.push(view, window(5), wait=True, timeout=0.5)
    assert client.plan(definition(view)).changes == ()


def test_a_row_that_is_sent_twice_counts_once(client: sluice.Client) -> None:
    view = "once"
    client.apply(definition(view))
    rows = [r | {"event_id": f"id{i}"} for i, r in enumerate(window(0))]
    client.push(view, rows)
    client.push(view, rows, seal=True, wait=True).check()
    assert client.windows(view)[0].rows == 200


def test_rows_of_long_ago_are_served_and_not_judged(platform: Platform, client: sluice.Client) -> None:
    view = "longago"
    open_shop(client, view)
    client.push(view, window(GOOD, scale=100), seal=True, wait=True, backfill=True).check()
    settle(client, view)
    assert client.row(view, "u1", ["amount"])["amount"] == window(GOOD, scale=100)[1]["amount"]

    async def once() -> sluice.Pushed:
        async with sluice.AsyncClient(platform.http, timeout=20) as client:
            return await client.push(view, window(GOOD + 1, scale=100), seal=True, wait=True, backfill=True)

    assert {w.decision for w in asyncio.run(once()).windows} == {"publish"}
    with pytest.raises(sluice.Blocked):
        client.push(view, window(GOOD + 2, scale=100), seal=True, wait=True).check()


def test_cache(platform: Platform, client: sluice.Client) -> None:
    view = "cached"
    open_shop(client, view, windows=2)
    with sluice.Client(platform.http, timeout=20, keep=sluice.Keep(rows=2, fresh=60)) as keeping:
        first = keeping.row(view, "u1", ["amount"])
        again = keeping.rows(view, ["u1", "u2"], ["amount"])
        assert again[0].values == first.values and again[0].provenance.cached and not again[1].provenance.cached
        assert again.provenance.cached and not again.provenance.stale
        client.push(view, window(2), seal=True, wait=True).check()
        settle(client, view)
        assert keeping.row(view, "u1", ["amount"]).provenance.version == first.provenance.version
        keeping.row(view, "u9", ["amount"])  # tells of the new generation
        assert keeping.row(view, "u1", ["amount"]).provenance.version == first.provenance.version + 1


def test_async_reads_go_out_together(platform: Platform, client: sluice.Client) -> None:
    def served() -> float:
        from urllib.request import urlopen

        with urlopen(platform.http + "/metrics") as answer:
            lines = [
                li
                for li in answer.read().decode().splitlines()
                if li.startswith("sluice_serve_request_duration_seconds_count")
            ]
        return sum(float(line.split()[-1]) for line in lines if "rows" in line)

    async def read() -> None:
        async with sluice.AsyncClient(platform.http, timeout=20) as reader:
            await reader.row("sales", "u0")
            before = served()
            rows = await asyncio.gather(*(reader.row("sales", f"u{i}", ["amount"]) for i in range(200)))
            assert [r.key["user"] for r in rows] == [f"u{i}" for i in range(200)]
            assert 1 <= served() - before <= 2
            mixed = await asyncio.gather(*(reader.row("sales", k) for k in ("u1", 5, "u2")), return_exceptions=True)
            assert isinstance(mixed[1], sluice.InvalidRequest)
            assert [r.key["user"] for r in mixed if isinstance(r, sluice.Row)] == ["u1", "u2"]

    asyncio.run(read())


def test_async_has_the_same_surface(platform: Platform) -> None:
    def public(kind: type) -> set[str]:
        return {n for n in vars(kind) if not n.startswith("_")} - {"close", "aclose"}

    assert public(sluice.Client) == public(sluice.AsyncClient)

    async def day() -> None:
        async with sluice.AsyncClient(platform.http, timeout=20, max_entities=50) as client:
            await client.apply(definition("aio"))
            rows = [row for at in range(2) for row in window(at)]
            (await client.push("aio", rows, seal=True, wait=True)).check()
            assert len(await client.rows("aio", [f"u{i}" for i in range(200)])) == 200
            assert (await client.verdicts("aio"))[0].decision == "publish"
            assert (await client.clock(BEGIN + timedelta(hours=9))) == BEGIN + timedelta(hours=9)

    asyncio.run(day())


def test_rows_that_are_too_old_are_refused(platform: Platform, client: sluice.Client) -> None:
    view = "aged"
    client.apply(definition(view).replace("window:", "ttl: 1h\n    window:"))
    client.push(view, window(0), seal=True, wait=True).check()
    settle(client, view)
    with sluice.Client(platform.http, timeout=20, keep=sluice.Keep()) as keeping:
        keeping.row(view, "u1", ["amount"])
        client.clock(BEGIN + timedelta(hours=9))
        with pytest.raises(sluice.Refused, match="ttl") as caught:
            keeping.row(view, "u1", ["amount"], policy="refuse")
        assert caught.value.status == 503 and "flag" in caught.value.hint
        row = keeping.row(view, "u1", ["amount"], policy="flag")
        assert row.provenance.stale and row.provenance.fallback == "" and row.statuses["amount"] == "OUTSIDE_MAX_AGE"
        assert keeping.row(view, "u1", ["amount"], policy="null")["amount"] is None
