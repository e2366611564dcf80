"""Reads by FeatureStore with online_store: {type: remote}."""

import math

import pytest
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

ROWS = [{"driver_id": i} for i in (1001, 1002, 1003, 1004, 9)]
PRESENT, NULL, MISSING, EXPIRED = FieldStatus.PRESENT, FieldStatus.NULL_VALUE, FieldStatus.NOT_FOUND, FieldStatus.OUTSIDE_MAX_AGE


def statuses(response):
    names = response.proto.metadata.feature_names.val
    return {name: list(vector.statuses) for name, vector in zip(names, response.proto.results)}


def test_feature_references(store):
    got = store.get_online_features(features=["drivers:rating", "drivers:trips", "drivers:city"], entity_rows=ROWS).to_dict()
    assert got == {
        "driver_id": [1001, 1002, 1003, 1004, 9],
        "rating": [5.0, -0.228, None, 4.0, None],
        "trips": [11, 9007199254740993, 7, 4, None],
        "city": ["Zürich", "", None, "Bern", None],
    }
    # Feast's own server returns them in the order of a set.
    assert list(got) == ["driver_id", "rating", "trips", "city"]
    assert isinstance(got["rating"][0], float), "5.0 must not become an integer on the way"


@pytest.mark.parametrize(
    "name, want",
    [
        ("trips", [11, 9007199254740993, 7, 4]),
        ("grade", [3, -2147483648, None, 1]),
        ("rating", [5.0, -0.228, None, 4.0]),
        ("share", [0.9486494064331055, 0.25, None, 0.5]),  # a float32, widened
        ("city", ["Zürich", "", None, "Bern"]),
        ("active", [True, False, None, True]),
        ("seen", [1795431600, 1795433400, None, 1795172400]),  # seconds, as Feast sends them
        ("photo", ["AAEC/w==", "", None, None]),  # base64, as Feast sends it
        ("tags", [["new", "vip"], ["x"], None, ["a"]]),
        ("scores", [[1.0, 2.5], [0.5], None, [1.0]]),
        ("extra", ['{"depth":{"list":[1,2]}}', "[1]", None, '{"k":1}']),
    ],
)
def test_types(store, name, want):
    got = store.get_online_features(features=["drivers:" + name], entity_rows=ROWS[:4]).to_dict()[name]
    assert got == want
    assert [type(x) for x in got] == [type(x) for x in want]


def test_statuses(store):
    got = statuses(store.get_online_features(features=["drivers:trips", "drivers:rating"], entity_rows=ROWS))
    assert got["trips"] == [PRESENT, PRESENT, PRESENT, EXPIRED, MISSING]
    assert got["rating"] == [PRESENT, PRESENT, NULL, EXPIRED, MISSING]
    assert got["driver_id"] == [PRESENT] * 5


def test_full_feature_names(store):
    asked = ["drivers:trips", "visits:trips", "visits:rating"]
    got = store.get_online_features(features=asked, entity_rows=[{"driver_id": 1001, "city_id": "ZRH"}], full_feature_names=True).to_dict()
    assert got == {"driver_id": [1001], "city_id": ["ZRH"], "drivers__trips": [11], "visits__trips": [2], "visits__rating": [4.5]}


def test_columns_of_entities(store):
    got = store.get_online_features(features=["visits:rating"], entity_rows={"driver_id": [1001, 1001, 1001], "city_id": ["BRN", "ZRH", "BRN"]}).to_dict()
    assert got["rating"] == [3.5, 4.5, 3.5]


def test_to_df(store):
    df = store.get_online_features(features=["drivers:trips", "drivers:city"], entity_rows=ROWS).to_df()
    assert list(df.columns) == ["driver_id", "trips", "city"]
    assert list(df["driver_id"]) == [1001, 1002, 1003, 1004, 9]
    assert math.isnan(df["trips"][4]) and df["city"][0] == "Zürich"


def test_to_df_with_times(store):
    # The remote store drops event times; the lists that are left must have equal lengths.
    assert store.get_online_features(features=["drivers:trips"], entity_rows=ROWS).to_dict(include_event_timestamps=True)["trips"] == [11, 9007199254740993, 7, 4, None]


def test_to_arrow_and_many(store):
    got = store.get_online_features(features=["drivers:trips"], entity_rows=[{"driver_id": i} for i in range(500, 1500)]).to_dict()
    assert [k for k, v in zip(got["driver_id"], got["trips"]) if v is not None] == [1001, 1002, 1003, 1004]


def test_older_clients(post):
    """Versions before this one read view by view and want statuses unasked."""
    answer = post("/get-online-features", {"features": ["drivers:trips"], "entities": {"driver_id": [1001, 9]}}).json()
    assert answer["metadata"]["feature_names"] == ["driver_id", "trips"]
    assert answer["results"][1] == {"values": [11, None], "statuses": ["PRESENT", "NOT_FOUND"], "event_timestamps": ["2026-11-23T12:00:10Z", "1970-01-01T00:00:00Z"]}
    assert post("/get-online-features?status=true", {"features": ["drivers:trips"], "entities": {"driver_id": [1001, 9]}}).json() == answer


def test_service_by_name(post):
    answer = post("/get-online-features", {"feature_service": "driver_model", "entities": {"driver_id": [1001]}}).json()
    assert answer["metadata"]["feature_names"] == ["driver_id", "trips", "rating", "city"]
    assert [r["values"] for r in answer["results"]] == [[1001], [11], [5.0], ["Zürich"]]
