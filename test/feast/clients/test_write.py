"""Writes through FeatureStore, with the registry file that a team has already."""

from datetime import timedelta

import pandas as pd
import pytest
from conftest import eventually, remote_store
from feast.data_source import PushMode
from repository import NOW, objects


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A FeatureStore with a registry file of its own; nothing was applied to the platform."""
    folder = tmp_path_factory.mktemp("repository")
    store = remote_store(str(folder / "registry.db"))
    store.apply(objects(folder))
    return store


def rows(first, **columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"driver_id": range(first, first + n), "event_timestamp": [NOW + timedelta(seconds=i) for i in range(n)], **columns})


def read(store, features, drivers):
    """Reads until every row is there."""

    def visible():
        got = store.get_online_features(features=features, entity_rows=[{"driver_id": int(d)} for d in drivers])
        return all(s != 3 for v in got.proto.results for s in v.statuses) and got.to_dict()

    return eventually(visible)


def test_service_object(own):
    got = own.get_online_features(features=own.get_feature_service("driver_model"), entity_rows=[{"driver_id": 1001}]).to_dict()
    assert got == {"driver_id": [1001], "trips": [11], "rating": [5.0], "city": ["Zürich"]}


@pytest.fixture(scope="module")
def written(own):
    """Everything is written first: it takes the platform some seconds to stage what it read."""
    own.push("live", rows(2001, clicks=[1, 2], score=[0.5, -1.0], note=["a", "b"], extra=['{"a":[1]}', "[]"]))
    own.write_to_online_store("live", rows(2011, clicks=[3], score=[5.0], note=["c"], extra=["{}"]))
    own.write_to_online_store("live", rows(2021, clicks=[4, 5], score=[None, 1.0], note=["d", None], extra=[None, "1"]))
    newer = rows(2031, clicks=[9], score=[9.0], note=["new"], extra=["{}"])
    own.push("live", newer)
    own.push("live", newer.assign(clicks=[8], note=["old"], event_timestamp=[NOW - timedelta(seconds=5)]))
    own.push("live", rows(2032, clicks=[1], score=[1.0], note=["last"], extra=["{}"]))
    read(own, ["live:clicks"], [2001, 2002, 2011, 2021, 2022, 2031, 2032])
    return own


def test_push(written):
    got = read(written, ["live:clicks", "live:score", "live:note", "live:extra"], [2001, 2002])
    assert got == {"driver_id": [2001, 2002], "clicks": [1, 2], "score": [0.5, -1.0], "note": ["a", "b"], "extra": ['{"a":[1]}', "[]"]}


def test_write_to_online_store(written):
    assert read(written, ["live:clicks", "live:score"], [2011]) == {"driver_id": [2011], "clicks": [3], "score": [5.0]}


def test_nulls(written):
    got = read(written, ["live:score", "live:note", "live:extra"], [2021, 2022])
    assert got == {"driver_id": [2021, 2022], "score": [None, 1.0], "note": ["d", None], "extra": [None, "1"]}


def test_newer_row_wins(written):
    assert read(written, ["live:note"], [2031])["note"] == ["new"]


def test_materialize(written):
    """The SDK has the server materialize, which says whether what was written is read."""
    span = {"start_date": NOW - timedelta(minutes=1), "end_date": NOW + timedelta(minutes=1)}
    written.materialize(**span, feature_views=["live"])
    written.materialize(**span, feature_views=["live"], run_async=True, force=True)
    written.materialize_incremental(end_date=span["end_date"], feature_views=["live"])
    with pytest.raises(RuntimeError, match="sluice push live FILE"):
        written.materialize(start_date=NOW - timedelta(days=900), end_date=NOW - timedelta(days=899), feature_views=["live"])
    with pytest.raises(RuntimeError, match="did you mean live"):
        written.materialize(**span, feature_views=["life"])


def test_materialize_too_early(own, sluice, tmp_path):
    file = tmp_path / "visits.jsonl"
    file.write_text('{"driver_id": 9, "city_id": "BE", "trips": 1, "rating": 1.0, "event_time": "2026-11-23T12:11:30Z"}\n')
    sluice("push", "visits", str(file))
    at = NOW + timedelta(minutes=4.5)
    with pytest.raises(RuntimeError, match=r"conflict \(409\): window .* of view visits is not judged yet"):
        own.materialize(start_date=at, end_date=at + timedelta(seconds=1), feature_views=["visits"])


def test_push_offline_is_refused(own, post):
    answer = post("/push", {"push_source_name": "live", "df": {"driver_id": [1], "event_timestamp": ["2026-11-23T12:00:00"]}, "to": PushMode.OFFLINE.name.lower()})
    assert answer.status_code == 422 and "online_and_offline" in answer.text


def test_types_are_checked(own, post):
    body = {"feature_view_name": "live", "df": {"driver_id": [1], "clicks": ["many"], "event_timestamp": ["2026-11-23T12:06:00"], "created": [None]}}
    answer = post("/write-to-online-store", body)
    assert answer.status_code == 422 and "clicks" in answer.text
    wrong = {"feature_view_name": "live", "df": {"driver_id": [1], "clics": [1], "event_timestamp": ["2026-11-23T12:06:00"]}}
    answer = post("/write-to-online-store", wrong)
    assert 400 <= answer.status_code < 500 and "did you mean clicks" in answer.text
