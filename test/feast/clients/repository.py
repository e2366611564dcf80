"""Feast definitions of what the platform under test serves, as a team has them."""

from datetime import datetime, timedelta, timezone

import pandas as pd
from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource
from feast.types import Float64, Int64, Json, String
from feast.value_type import ValueType

NOW = datetime(2026, 11, 23, 12, 7, tzinfo=timezone.utc)


def objects(folder):
    """Returns the objects for FeatureStore.apply; their batch sources lie in folder."""
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    files = {}
    for name, columns in {"drivers": {"trips": 1, "rating": 1.0, "city": "x"}, "live": {"clicks": 1, "score": 1.0, "note": "x", "extra": "{}"}}.items():
        path = str(folder / f"{name}.parquet")
        pd.DataFrame({"driver_id": [1], "event_timestamp": [NOW], **{k: [v] for k, v in columns.items()}}).to_parquet(path)
        files[name] = FileSource(name=f"{name}_file", path=path, timestamp_field="event_timestamp")
    drivers = FeatureView(
        name="drivers",
        entities=[driver],
        ttl=timedelta(days=1),
        schema=[Field(name="trips", dtype=Int64), Field(name="rating", dtype=Float64), Field(name="city", dtype=String)],
        source=files["drivers"],
    )
    live = FeatureView(
        name="live",
        entities=[driver],
        schema=[Field(name="clicks", dtype=Int64), Field(name="score", dtype=Float64), Field(name="note", dtype=String), Field(name="extra", dtype=Json)],
        source=PushSource(name="live", batch_source=files["live"]),
    )
    service = FeatureService(name="driver_model", features=[drivers[["trips", "rating", "city"]]])
    return [driver, drivers, live, service]
