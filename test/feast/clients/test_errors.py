"""Errors, as Feast's SDK raises them."""

import pytest
from conftest import feast_error
from feast.errors import FeastObjectNotFoundException, FeatureViewNotFoundException

RETRIED = {429, 500, 502, 503, 504}  # by the SDK's session, three times


def test_unknown_view(store):
    with pytest.raises(FeatureViewNotFoundException, match="did you mean drivers"):
        store.get_online_features(features=["driver:trips"], entity_rows=[{"driver_id": 1}])


def test_unknown_feature(store):
    with pytest.raises(FeastObjectNotFoundException, match="did you mean drivers:trips"):
        store.get_online_features(features=["drivers:trip"], entity_rows=[{"driver_id": 1}])


def test_unknown_service(post):
    answer = post("/get-online-features", {"feature_service": "drivers_model", "entities": {"driver_id": [1]}})
    assert answer.status_code == 404
    assert feast_error(answer)["class"] == "FeatureServiceNotFoundException"


@pytest.mark.parametrize("rows, text", [([{"driver_id": "x"}], "a string where int64 is declared"), ([{"user": 1}], "no join key"), ([{"driver_id": None}], "null")])
def test_wrong_entities(store, rows, text):
    with pytest.raises(RuntimeError, match=text):
        store.get_online_features(features=["drivers:trips"], entity_rows=rows)


@pytest.mark.parametrize(
    "path, body",
    [
        ("/get-online-features", {}),
        ("/get-online-features", {"features": ["drivers:trips"]}),
        ("/get-online-features", {"features": ["drivers:trips"], "entities": {}}),
        ("/get-online-features", {"features": ["drivers:trips"], "entities": {"driver_id": []}}),
        ("/get-online-features", {"features": ["drivers:trips"], "entities": {"driver_id": [1.5]}}),
        ("/get-online-features", {"features": ["drivers:trips"], "entities": {"driver_id": list(range(5000))}}),
        ("/get-online-features", {"features": ["trips"], "entities": {"driver_id": [1]}}),
        ("/get-online-features", {"features": "drivers:trips", "entities": {"driver_id": [1]}}),
        ("/push", {"push_source_name": "drivers"}),
        ("/push", {"push_source_name": "drivers", "df": {"driver_id": [1]}, "to": "offline"}),
        ("/push", {"push_source_name": "nobody", "df": {"driver_id": [1]}}),
        ("/write-to-online-store", {"feature_view_name": "nobody", "df": {"driver_id": [1]}}),
        ("/write-to-online-store", {"feature_view_name": "live", "df": {"driver_id": [1, 2], "event_timestamp": ["2026-11-23"]}}),
        ("/materialize", {}),
        ("/materialize-incremental", {"end_ts": "2020-01-01T00:00:00"}),
    ],
)
def test_mistakes_are_not_retried(post, path, body):
    answer = post(path, body)
    assert 400 <= answer.status_code < 500 and answer.status_code not in RETRIED, answer.text


def test_malformed_body(post):
    """What FastAPI says of a body that does not fit."""
    answer = post("/get-online-features", {"features": 1, "entities": {}})
    assert answer.status_code == 422
    assert {"type", "loc", "msg", "input"} <= set(answer.json()["detail"][0])
    assert answer.json()["detail"][0]["loc"] == ["body", "features"]


def test_unknown_push_source(post):
    answer = post("/push", {"push_source_name": "life", "df": {"driver_id": [1], "event_timestamp": ["2026-11-23"]}})
    assert answer.status_code == 422
    assert feast_error(answer)["class"] == "PushSourceNotFoundException"
