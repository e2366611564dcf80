"""The doors beside reads and writes."""

import pytest
import requests
from conftest import HTTP, feast_error


def test_health():
    answer = requests.get(HTTP + "/health", timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "path, body",
    [
        ("/materialize", {"start_ts": "2026-11-22T00:00:00", "end_ts": "2026-11-23T00:00:00", "feature_views": ["drivers"]}),
        ("/materialize?async=true", {"start_ts": "2026-11-22T00:00:00", "end_ts": "2026-11-23T00:00:00"}),
        ("/materialize", {"disable_event_timestamp": True}),
        ("/materialize-incremental", {"end_ts": "2026-11-23T00:00:00"}),
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
