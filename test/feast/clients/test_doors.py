"""The doors beside reads and writes."""

import json

import pytest
import requests
from conftest import HTTP, feast_error


def test_health():
    answer = requests.get(HTTP + "/health", timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "path, body",
    [
        ("/materialize", {"start_ts": "2020-11-22T00:00:00", "end_ts": "2020-11-23T00:00:00", "feature_views": ["drivers"]}),
        ("/materialize?async=true", {"start_ts": "2020-11-22T00:00:00", "end_ts": "2020-11-23T00:00:00"}),
        ("/materialize-incremental", {"end_ts": "2020-11-23T00:00:00"}),
    ],
)
def test_materialize_says_what_to_do(post, path, body):
    answer = post(path, body)
    error = feast_error(answer)
    assert answer.status_code == 422 and error["class"] == "FeastProviderNotImplementedError"
    assert "sluice push" in error["message"] and "/write-to-online-store" in error["message"]


def test_materialize_names_what_is_wrong(post):
    unknown = post("/materialize-incremental", {"end_ts": "2026-11-23T00:00:00", "feature_views": ["driver"]})
    assert unknown.status_code == 404 and feast_error(unknown)["class"] == "FeatureViewNotFoundException"
    late = post("/materialize", {"start_ts": "2026-11-24T00:00:00", "end_ts": "2026-11-23T00:00:00"})
    assert late.status_code == 422 and late.json()["detail"][0]["loc"] == ["body", "start_ts"]


def test_materialize_of_what_was_pushed(post, sluice, tmp_path):
    """A job that wrote its rows asks whether they are read: when their window is judged, and not before."""
    file = tmp_path / "visits.jsonl"
    row = {"driver_id": 1, "city_id": "ZH", "trips": 5, "rating": 4.5}
    file.write_text("".join(json.dumps({**row, "driver_id": i, "event_time": f"2026-11-23T12:05:{i:02d}Z"}) + "\n" for i in range(20)))
    asked = {"start_ts": "2026-11-23T12:05:00", "end_ts": "2026-11-23T12:05:30", "feature_views": ["visits"]}
    sluice("push", "visits", str(file))
    early = post("/materialize", asked)
    assert early.status_code == 409 and early.json()["feature_views"] == ["visits"], early.text
    assert "is not judged yet" in early.json()["error"]
    accepted = post("/materialize?async=true", asked)
    assert (accepted.status_code, accepted.json()) == (202, {"status": "accepted", "feature_views": ["visits"]})
    sluice("push", "visits", str(file), "--seal")
    for path, body in (("/materialize", asked), ("/materialize-incremental", {"end_ts": asked["end_ts"], "feature_views": ["visits"]})):
        done = post(path, body)
        assert (done.status_code, done.json()) == (200, None), done.text
    got = post("/get-online-features", {"features": ["visits:trips"], "entities": {"driver_id": [1], "city_id": ["ZH"]}})
    assert got.json()["results"][2]["values"] == [5]
