"""Reads of services, of several views, of the past, and in parts, against the real binary."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pyarrow
import pytest

import sluice
from conftest import Platform
from shop import GOOD, definition, open_model, settle, window
from sluice import core


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[sluice.Client]:
    with sluice.Client(platform.http, timeout=20) as client:
        open_model(client, "bought")
        yield client


KEYS = [{"user": "u7", "card": 7}, {"user": "u7", "card": 8}, {"user": "nobody", "card": 7}]


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        (sluice.Service("fraud"), ("bought:amount", "limits:most")),
        (sluice.Features("limits:most", "bought:seen"), ("limits:most", "bought:seen")),
        (sluice.Features("limits:*", "bought:about.tags"), ("limits:most", "limits:opened", "bought:about.tags")),
    ],
)
def test_several_views(client: sluice.Client, source: sluice.Service, columns: tuple[str, ...]) -> None:
    rows = client.rows(source, KEYS, policy="flag")
    assert rows.view == "" and rows.features == columns and [r.key for r in rows] == KEYS
    sent = {f"bought:{f}": v for f, v in window(GOOD - 1)[7].items()} | {"limits:most": 100.5}
    sent |= {"limits:opened": window(0)[7]["event_time"], "bought:about.tags": ["t7"]}
    assert rows[0].values == {c: sent[c] for c in columns}
    for column in columns:
        view = column.partition(":")[0]
        assert rows[0].statuses[column] == "PRESENT"
        assert rows[1].statuses[column] == ("PRESENT" if view == "bought" else "NOT_FOUND")
        assert rows[2].statuses[column] == "NOT_FOUND" and rows[2].event_times[column] is None
    assert rows.provenances["bought"].version == GOOD and rows.provenances["limits"].version == 1
    about = rows.provenance  # versions of different views have nothing in common
    assert (about.version, about.verdict, about.generation, about.stale, about.fallback) == (0, "", 0, False, "")
    frame = rows.to_pandas(statuses=True)
    assert list(frame.columns)[:2] == ["user", "card"] and frame[columns[0] + "__status"][2] == "NOT_FOUND"
    table = rows.to_arrow()
    assert table.column("card").type == pyarrow.int64()
    assert set(json.loads(table.schema.metadata[b"sluice.provenances"])) == {"bought", "limits"}


def test_a_service_of_one_view_takes_keys_by_value(client: sluice.Client) -> None:
    row = client.row(sluice.Service("simple"), "u7")
    assert row["bought:amount"] == window(GOOD - 1)[7]["amount"] and row["bought:about.tags"] == ["t7"]
    assert row.provenance == row.provenances["bought"] and row.provenance.version == GOOD
    table = client.rows(sluice.Service("simple"), ["u7", "nobody"]).to_arrow()
    assert table.column("bought:about.tags").to_pylist() == ['["t7"]', None]


def test_the_past(client: sluice.Client) -> None:
    now = client.row("bought", "u1", ["amount"])
    client.push("bought", window(GOOD + 1), seal=True, wait=True).check()
    settle(client, "bought")
    assert client.row("bought", "u1", ["amount"]).provenance.version > GOOD
    past: list[Any] = [GOOD, {"bought": GOOD}]
    for as_of in past:
        then = client.row("bought", "u1", ["amount"], as_of=as_of)
        assert then.values == now.values and then.provenance.version == GOOD
        parts = [*client.stream("bought", ["u1"], ["amount"], as_of=as_of)]
        assert parts[0][0].values == now.values
    for source in (sluice.Features("bought:amount"), sluice.Service("simple")):
        assert client.row(source, "u1", as_of={"bought": GOOD})["bought:amount"] == now["amount"]


def test_the_past_is_not_kept(platform: Platform, client: sluice.Client) -> None:
    with sluice.Client(platform.http, timeout=20, keep=sluice.Keep(fresh=60)) as keeping:
        for _ in range(2):
            assert not keeping.row("bought", "u1", ["amount"], as_of=GOOD).provenance.cached
            assert not keeping.row("bought", "u1", ["amount"], policy="null").provenance.cached
        first = keeping.rows(sluice.Service("fraud"), KEYS)
        again = keeping.rows(sluice.Service("fraud"), KEYS[::-1])
        assert not first.provenance.cached and again.provenance.cached
        assert [r.values for r in again] == [r.values for r in first][::-1]
        assert again.provenances["limits"].cached and again.provenances["limits"].version == 1


def many(n: int) -> Iterator[str]:
    """Yields keys one by one: streams take iterators."""
    return (f"u{i % 200}" for i in range(n))


def test_streams(client: sluice.Client) -> None:
    parts = [*client.stream("bought", many(2500), ["visits", "country"], policy="flag")]
    assert [len(p) for p in parts] == [1000, 1000, 500]
    assert [r.key["user"] for p in parts for r in p] == [*many(2500)]
    whole = client.rows("bought", many(2500), ["visits", "country"])
    assert [r.values for p in parts for r in p] == whole.values and parts[0].features == ("visits", "country")
    assert {p.provenance.version for p in parts} == {whole.provenance.version}
    assert {p.provenance.verdict for p in parts} == {whole.provenance.verdict}
    assert len(next(iter(client.stream("bought", many(1)))).features) == 8  # all of the view


def test_streams_of_services(client: sluice.Client) -> None:
    keys = [{"user": f"u{i % 200}", "card": i % 200} for i in range(1500)]
    parts = [*client.stream(sluice.Service("fraud"), keys)]
    assert [len(p) for p in parts] == [1000, 500] and set(parts[1].provenances) == {"bought", "limits"}
    assert [r.values for p in parts for r in p] == client.rows(sluice.Service("fraud"), keys).values
    some = [*client.stream(sluice.Features("limits:most", "bought:amount"), keys[:3])]
    assert some[0].features == ("limits:most", "bought:amount")


def test_batches_are_one_table(client: sluice.Client) -> None:
    keys = [*many(2200), "nobody"]
    batches = [*client.batches("bought", keys, statuses=True, event_times=True)]
    table = pyarrow.Table.from_batches(batches)
    assert [b.num_rows for b in batches] == [1000, 1000, 201]
    assert table.equals(client.rows("bought", keys).to_arrow(statuses=True, event_times=True))
    about = json.loads(batches[2].schema.metadata[b"sluice.provenance"])
    assert about["verdict"] and not about["stale"]
    columns = pyarrow.Table.from_batches([*client.batches(sluice.Service("fraud"), KEYS)])
    assert columns.column_names == ["user", "card", "bought:amount", "limits:most"]
    assert batches[0].schema.field("seen").type == pyarrow.timestamp("s", "UTC")
    assert columns.column("limits:most").to_pylist() == [100.5, None, None]


def test_a_stream_that_is_left_gives_its_connection_back(platform: Platform) -> None:
    with sluice.Client(platform.http, timeout=20, connections=1) as client:
        for _ in range(3):
            for part in client.stream("bought", many(5000), ["visits"]):
                assert len(part) == 1000
                break
        assert client.row("bought", "u1", ["visits"]).found


def test_computed_features(platform: Platform, client: sluice.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [{"user": f"u{i}", "card": i} for i in range(1200)]
    rows = client.rows(sluice.Service("payment"), keys[:2], context={"asked": 40})
    assert [r["limits:left"] for r in rows] == [60.5, 60.5] and rows[0]["limits:low"] is False
    assert rows.to_arrow().column("limits:low").type == pyarrow.bool_()
    assert str(rows.to_pandas()["limits:left"].dtype) == "Float64"
    each: list[dict[str, Any]] = [{"asked": float(i % 90)} for i in range(1200)]
    left = [100.5 - i % 90 if i < 200 else None for i in range(1200)]
    assert [r["left"] for r in client.rows("limits", keys, ["left", "low"], context=each)] == left
    parts = client.stream(sluice.Service("payment"), iter(keys), context=iter(each))
    assert [r["limits:left"] for p in parts for r in p] == left
    table = pyarrow.Table.from_batches([*client.batches("limits", keys, ["left"], context=each)])
    assert table.column("left").to_pylist() == left
    for wrong in (each[:5], [*each, {"asked": 1}]):
        with pytest.raises(sluice.InvalidRequest, match="as many entries"):
            client.rows("limits", keys, ["left"], context=wrong)
        with pytest.raises(sluice.InvalidRequest, match="as many entries"):
            [*client.stream("limits", keys, ["left"], context=wrong)]
    monkeypatch.setattr(core, "_STREAM", 600)  # the keys are a multiple of it: the last stream is not a short one
    with pytest.raises(sluice.InvalidRequest, match="as many entries"):
        [*client.stream("limits", keys, ["left"], context=[*each, {"asked": 1}])]
    assert sum(len(p) for p in client.stream("limits", keys, ["left"], context=each)) == 1200
    with pytest.raises(sluice.InvalidRequest, match="asked") as caught:
        client.row("limits", keys[0], ["left"])
    assert "context" in caught.value.hint
    with sluice.Client(platform.http, timeout=20, keep=sluice.Keep(fresh=60)) as keeping:
        for asked in (1.0, 2.0):
            assert keeping.row("limits", keys[0], ["left"], context={"asked": asked})["left"] == 100.5 - asked

    async def run() -> None:
        async with sluice.AsyncClient(platform.http, timeout=20) as reader:
            asks = [reader.row("limits", keys[i], ["left"], context=each[i]) for i in range(100)]
            assert [r["left"] for r in await asyncio.gather(*asks)] == left[:100]

    asyncio.run(run())


def test_asyncio(platform: Platform, client: sluice.Client) -> None:
    async def run() -> None:
        async with sluice.AsyncClient(platform.http, timeout=20) as reader:
            parts = [p async for p in reader.stream("bought", many(2500), ["visits"])]
            assert [r.values for p in parts for r in p] == client.rows("bought", many(2500), ["visits"]).values
            batches = [b async for b in reader.batches(sluice.Service("fraud"), KEYS)]
            assert batches[0].num_rows == 3
            one, other = await asyncio.gather(
                reader.row(sluice.Service("simple"), "u1"), reader.row("bought", "u1", ["amount"], as_of=GOOD)
            )
            assert one["bought:amount"] and other.provenance.version == GOOD
            async for part in reader.stream("bought", many(5000), ["visits"]):
                assert len(part) == 1000
                break
            with pytest.raises(sluice.NotFound):
                [p async for p in reader.stream("bougt", ["u1"])]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("code", "hint", "ask"),
    [
        ("unknown_service", "did you mean fraud?", lambda c: c.rows(sluice.Service("frod"), KEYS)),
        ("unknown_view", "did you mean bought?", lambda c: c.rows(sluice.Features("bougt:amount"), KEYS)),
        ("unknown_feature", "", lambda c: c.rows(sluice.Features("bought:amuont"), ["u1"])),
        ("invalid_argument", "write features as view:feature", lambda c: c.rows(sluice.Features("amount"), KEYS)),
        ("invalid_argument", "name at least one", lambda c: c.rows(sluice.Features(), KEYS)),
        ("invalid_argument", "give a dict of them", lambda c: c.rows(sluice.Service("fraud"), ["u1"])),
        ("invalid_argument", "leave features out", lambda c: c.rows(sluice.Service("fraud"), KEYS, ["amount"])),
        ("invalid_argument", "give a list", lambda c: c.rows("bought", ["u1"], "amount")),
        ("invalid_argument", "give {view: version}", lambda c: c.rows(sluice.Service("fraud"), KEYS, as_of=1)),
        ("invalid_argument", "name only views", lambda c: c.rows("bought", ["u1"], as_of={"limits": 1})),
        ("invalid_argument", "sluice versions", lambda c: c.rows("bought", ["u1"], as_of=999)),
        ("invalid_argument", "", lambda c: [*c.stream("bought", ["u1"], as_of={"limits": 1})]),
        ("invalid_argument", "give at least one", lambda c: [*c.stream("bought", [])]),
        ("invalid_argument", "", lambda c: [*c.batches(sluice.Service("fraud"), [{"user": "u1"}])]),
        ("unknown_feature", "did you mean", lambda c: [*c.stream("bought", ["u1"], ["amuont"])]),
    ],
)
def test_mistakes(client: sluice.Client, code: str, hint: str, ask: Any) -> None:
    with pytest.raises(sluice.InvalidRequest) as caught:
        ask(client)
    assert caught.value.code == code and hint in caught.value.hint, caught.value


def test_a_changed_definition_is_noticed(client: sluice.Client) -> None:
    view = "grown"
    client.apply(definition(view))
    client.push(view, window(0), seal=True, wait=True).check()
    settle(client, view)
    client.row(sluice.Features(f"{view}:*"), "u1")
    with sluice.Client(client.server, timeout=20) as other:
        text = definition(view).replace("- {name: visits", "- {name: born, type: timestamp}\n      - {name: visits")
        other.apply(text)
    rows = [r | {"born": r["event_time"]} for r in window(1)]
    client.push(view, rows, seal=True, wait=True).check()
    settle(client, view)
    row = client.row(sluice.Features(f"{view}:*"), "u1")
    assert row[f"{view}:born"] == row[f"{view}:seen"] == rows[1]["event_time"]
