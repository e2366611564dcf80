"""sluice import feast of a registry that Feast made, and the same data read from both."""

import json
import os
from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest
from conftest import remote_store
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Bool, Float32, Float64, Int32, Int64, String, UnixTimestamp
from feast.value_type import ValueType

IMPORT_HTTP = "http://" + os.environ["SLUICE_IMPORT_HTTP"]
IMPORT_GRPC = os.environ["SLUICE_IMPORT_GRPC"]
NOW = datetime(2026, 11, 23, 12, 0, 10, tzinfo=timezone.utc)
DRIVERS = list(range(1, 41))


def frame():
    return pd.DataFrame(
        {
            "driver_id": DRIVERS,
            "event_timestamp": [NOW + timedelta(seconds=i) for i in range(len(DRIVERS))],
            "trips": [i * 7 for i in DRIVERS],
            "grade": pd.array([i % 5 for i in DRIVERS], dtype="int32"),
            "rating": [i / 3 for i in DRIVERS],
            "share": pd.array([i / 64 for i in DRIVERS], dtype="float32"),
            "city": [f"city {i}" for i in DRIVERS],
            "active": [i % 2 == 0 for i in DRIVERS],
            "seen": [NOW - timedelta(minutes=i) for i in DRIVERS],
            "tags": [[f"t{i}", "all"] for i in DRIVERS],
        }
    )


@pytest.fixture(scope="module")
def feast_store(tmp_path_factory):
    """A Feast project as a team has it: file source, SQLite, materialized."""
    folder = tmp_path_factory.mktemp("feast")
    path = str(folder / "drivers.parquet")
    frame().to_parquet(path)
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    source = FileSource(name="drivers_file", path=path, timestamp_field="event_timestamp")
    drivers = FeatureView(
        name="driver_stats",
        entities=[driver],
        ttl=timedelta(days=36500),
        schema=[
            Field(name="trips", dtype=Int64, description="of a day"), Field(name="grade", dtype=Int32), Field(name="rating", dtype=Float64), Field(name="share", dtype=Float32),
            Field(name="city", dtype=String), Field(name="active", dtype=Bool), Field(name="seen", dtype=UnixTimestamp), Field(name="tags", dtype=Array(String)),
        ],  # fmt: skip
        source=source,
        tags={"team": "fleet", "Not A Name": "x"},
        owner="fleet@example.com",
    )
    pushed = FeatureView(name="driver_live", entities=[driver], schema=[Field(name="clicks", dtype=Int64)], source=PushSource(name="live", batch_source=FileSource(name="live_file", path=path, timestamp_field="event_timestamp")))

    @on_demand_feature_view(sources=[drivers, RequestSource(name="ride", schema=[Field(name="km", dtype=Float64)])], schema=[Field(name="per_km", dtype=Float64)])
    def ride(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"per_km": inputs["rating"] / inputs["km"]})

    store = FeatureStore(
        config=RepoConfig(project="fleet", provider="local", registry=str(folder / "registry.db"), online_store={"type": "sqlite", "path": str(folder / "online.db")}, offline_store={"type": "dask"}, entity_key_serialization_version=3)
    )
    model = FeatureService(name="ride_model", features=[drivers[["rating", "trips", "city"]]])
    computed = FeatureService(name="ride_model_v2", features=[drivers[["rating"]], ride])
    renamed = FeatureService(name="renamed", features=[drivers[["trips"]].with_name("stats").with_join_key_map({"driver_id": "other_id"})])
    store.apply([driver, source, drivers, pushed, ride, model, computed, renamed])
    store.materialize(NOW - timedelta(days=1), NOW + timedelta(days=1), feature_views=["driver_stats"])
    return store, folder


@pytest.fixture(scope="module")
def imported(feast_store, sluice):
    """The same project, imported, applied, and filled from the same file."""
    _, folder = feast_store
    sluice("import", "feast", str(folder / "registry.db"), "-o", str(folder / "features"))
    sluice("apply", "-f", str(folder / "features"), server=IMPORT_HTTP)
    sluice("push", "driver_stats", str(folder / "drivers.parquet"), "--seal", "--wait", server=IMPORT_HTTP)
    store = remote_store({"registry_type": "remote", "path": IMPORT_GRPC}, http=IMPORT_HTTP, project="fleet")
    yield store
    store.registry.close()


def test_report(feast_store, sluice):
    _, folder = feast_store
    got = json.loads(sluice("import", "feast", str(folder / "registry.db"), "--format", "json").stdout)
    assert (got["project"], got["views"], got["services"]) == ("fleet", 2, 1)
    left = {(n["kind"], n["name"]): n["why"] for n in got["left_out"]}
    assert set(left) == {("on demand view", "ride"), ("service", "ride_model_v2"), ("service", "renamed"), ("tag", '"driver_stats Not A Name"')}
    assert "pickled Python" in left["on demand view", "ride"] and "ride" in left["service", "ride_model_v2"] and "join key map" in left["service", "renamed"]
    assert ("entity", "driver") in {(n["kind"], n["name"]) for n in got["changed"]}


def test_refusals(feast_store, sluice, tmp_path):
    _, folder = feast_store
    assert "no registry of Feast" in sluice("import", "feast", str(folder / "drivers.parquet"), code=1).stderr
    assert "a SQLite database" in sluice("import", "feast", str(folder / "online.db"), code=1).stderr
    assert "--project" in sluice("import", "feast", str(folder / "registry.db"), "--project", "shop", code=2).stderr
    assert "left out" in sluice("import", "feast", str(folder / "registry.db"), "--strict", code=1).stderr
    sluice("import", "feast", str(folder / "registry.db"), "-o", str(tmp_path))
    assert "--force" in sluice("import", "feast", str(folder / "registry.db"), "-o", str(tmp_path), code=1).stderr
    sluice("import", "feast", str(folder / "registry.db"), "-o", str(tmp_path), "--force")


FEATURES = ["driver_stats:" + n for n in ("trips", "grade", "rating", "share", "city", "active", "tags")]


@pytest.mark.parametrize("full", [False, True])
def test_same_answers(feast_store, imported, full):
    """Feast reading its own store, and the same client reading Sluice."""
    rows = [{"driver_id": d} for d in [*DRIVERS, 999, 1]]
    want = feast_store[0].get_online_features(features=FEATURES, entity_rows=rows, full_feature_names=full).to_dict()
    got = imported.get_online_features(features=FEATURES, entity_rows=rows, full_feature_names=full).to_dict()
    assert got == want


def test_same_times(feast_store, imported):
    """Timestamps come back as seconds through the remote store, as from Feast's own server."""
    rows = [{"driver_id": d} for d in DRIVERS]
    want = feast_store[0].get_online_features(features=["driver_stats:seen"], entity_rows=rows).to_dict()["seen"]
    got = imported.get_online_features(features=["driver_stats:seen"], entity_rows=rows).to_dict()["seen"]
    assert got == [int(t.timestamp()) for t in want]


def test_same_service(feast_store, imported):
    rows = [{"driver_id": d} for d in DRIVERS]
    want = feast_store[0].get_online_features(features=feast_store[0].get_feature_service("ride_model"), entity_rows=rows).to_dict()
    got = imported.get_online_features(features=imported.get_feature_service("ride_model"), entity_rows=rows).to_dict()
    assert got == want


def test_same_definitions(feast_store, imported):
    want, got = feast_store[0].get_feature_view("driver_stats"), imported.get_feature_view("driver_stats")
    assert [(f.name, f.dtype, f.description) for f in got.features] == [(f.name, f.dtype, f.description) for f in want.features]
    assert (got.ttl, got.owner, got.join_keys, got.batch_source.timestamp_field) == (want.ttl, want.owner, want.join_keys, "event_timestamp")
