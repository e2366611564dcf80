"""FeatureStore with registry: {registry_type: remote}, which Sluice answers from its definitions."""

from datetime import timedelta

import pandas as pd
import pytest
from conftest import GRPC, eventually, remote_store
from feast import Entity, FeatureService, PushSource
from feast.errors import EntityNotFoundException, FeatureServiceNotFoundException, FeatureViewNotFoundException, FeastObjectNotFoundException, PushSourceNotFoundException, ReadOnlyRegistryException
from feast.types import Array, Bool, Bytes, Float32, Float64, Int32, Int64, Json, String, UnixTimestamp
from feast.value_type import ValueType
from repository import NOW

REMOTE = {"registry_type": "remote", "path": GRPC}


@pytest.fixture(scope="module")
def own():
    store = remote_store(REMOTE)
    yield store
    store.registry.close()


def test_list_entities(own):
    assert {e.name: (e.join_key, e.value_type) for e in own.list_entities()} == {"driver_id": ("driver_id", ValueType.INT64), "city_id": ("city_id", ValueType.STRING)}


def test_list_feature_views(own):
    views = {v.name: v for v in own.list_feature_views()}
    assert set(views) == {"drivers", "live", "visits"}
    drivers = views["drivers"]
    assert (drivers.ttl, drivers.owner, drivers.description, drivers.tags, drivers.entities, drivers.online) == (timedelta(days=1), "fleet@example.com", "How a driver does", {"team": "fleet"}, ["driver_id"], True)
    assert {f.name: f.dtype for f in drivers.features} == {
        "trips": Int64, "grade": Int32, "rating": Float64, "share": Float32, "city": String, "active": Bool, "seen": UnixTimestamp,
        "photo": Bytes, "tags": Array(String), "scores": Array(Float64), "extra": Json,
    }  # fmt: skip
    assert drivers.features[0].description == "Trips of the last day"
    assert [(f.name, f.dtype) for f in drivers.entity_columns] == [("driver_id", Int64)]
    assert isinstance(drivers.stream_source, PushSource) and drivers.stream_source.name == "drivers"
    assert views["visits"].join_keys == ["driver_id", "city_id"] and views["visits"].ttl == timedelta(0)


def test_list_by_tags(own):
    assert [v.name for v in own.list_feature_views(tags={"team": "fleet"})] == ["drivers"]
    assert own.list_feature_views(tags={"team": "other"}) == []


def test_list_the_rest(own):
    assert {v.name for v in own.list_all_feature_views()} == {"drivers", "live", "visits"}
    assert {s.name for s in own.list_feature_services()} == {"driver_model", "visit_model"}
    assert {s.name for s in own.list_data_sources()} == {n + s for n in ("drivers", "live", "visits") for s in ("", "_rows")}
    assert own.list_on_demand_feature_views() == own.list_stream_feature_views() == own.list_label_views() == []
    assert own.list_saved_datasets() == own.list_permissions() == own.list_validation_references() == []
    assert [p.name for p in own.list_projects()] == ["shop"] and own.get_project("shop").name == "shop"


def test_get(own):
    assert own.get_feature_view("drivers").name == "drivers"
    assert own.registry.get_any_feature_view("visits", "shop").name == "visits"
    assert own.get_entity("driver_id").join_key == "driver_id"
    assert own.get_data_source("live").name == "live"
    own.refresh_registry()
    assert {v.spec.name for v in own.registry.proto().feature_views} == {"drivers", "live", "visits"}


def test_service_objects(own):
    service = own.get_feature_service("visit_model")
    assert [(p.name, [f.name for f in p.features]) for p in service.feature_view_projections] == [("visits", ["rating"]), ("drivers", ["trips"])]
    got = own.get_online_features(features=service, entity_rows=[{"driver_id": 1001, "city_id": "ZRH"}], full_feature_names=True).to_dict()
    assert got == {"driver_id": [1001], "city_id": ["ZRH"], "visits__rating": [4.5], "drivers__trips": [11]}


def test_push(own):
    """FeatureStore.push with nothing of its own: views and their push sources come from the platform."""
    df = pd.DataFrame({"driver_id": [4001], "clicks": [1], "score": [2.0], "note": ["remote"], "extra": ["{}"], "event_time": [NOW]})
    own.push("live", df)
    with pytest.raises(PushSourceNotFoundException):
        own.push("life", df)

    def visible():
        got = own.get_online_features(features=["live:note", "live:score"], entity_rows=[{"driver_id": 4001}]).to_dict()
        return got["note"] == ["remote"] and got

    assert eventually(visible)["score"] == [2.0]


@pytest.mark.parametrize(
    "ask, error, text",
    [
        (lambda s: s.get_feature_view("driver"), FeatureViewNotFoundException, "did you mean drivers"),
        (lambda s: s.get_entity("driver"), EntityNotFoundException, "driver"),
        (lambda s: s.get_feature_service("visit"), FeatureServiceNotFoundException, "visit"),
        (lambda s: s.registry.get_any_feature_view("x", "shop"), FeatureViewNotFoundException, "x"),
        (lambda s: s.registry.get_saved_dataset("x", "shop"), FeastObjectNotFoundException, "x"),
        (lambda s: s.registry.get_feature_view("drivers", "shopp"), FeatureViewNotFoundException, "the project is shop"),
        (lambda s: s.get_project("shopp"), FeastObjectNotFoundException, "the project is shop"),
    ],
)
def test_what_is_not_there(own, ask, error, text):
    with pytest.raises(error, match=text):
        ask(own)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.registry.apply_entity(Entity(name="rider", join_keys=["rider_id"], value_type=ValueType.INT64), "shop"),
        lambda s: s.registry.apply_feature_service(FeatureService(name="new", features=[]), "shop"),
        lambda s: s.registry.apply_feature_view(s.get_feature_view("drivers"), "shop"),
        lambda s: s.registry.apply_materialization(s.get_feature_view("drivers"), "shop", NOW, NOW),
        lambda s: s.registry.delete_feature_view("drivers", "shop"),
        lambda s: s.registry.delete_entity("driver_id", "shop"),
        lambda s: s.apply([Entity(name="rider", join_keys=["rider_id"], value_type=ValueType.INT64)]),
    ],
)
def test_changes_are_refused(own, change):
    with pytest.raises(ReadOnlyRegistryException, match="sluice apply"):
        change(own)
    assert {v.name for v in own.list_feature_views()} == {"drivers", "live", "visits"}


def test_another_project(own):
    other = remote_store(REMOTE, project="other")
    assert other.list_feature_views() == [] and other.list_entities() == []
    other.registry.close()
