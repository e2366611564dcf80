"""Makes a Feast repository with the view that package yardstick serves, and writes its rows.

fill.py FOLDER REDIS VIEW KEY ENTITIES FEATURES: REDIS is host:port; the view is keyed by
KEY, a string, and has FEATURES features f00, f01, ... of type Float64, whose values are
random. `feast -c FOLDER serve` then serves the rows from Redis.
"""

import datetime
import pathlib
import sys

import numpy
import pandas
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64

CONFIG = """project: feast_peer
provider: local
registry: {folder}/registry.db
online_store:
  type: redis
  connection_string: "{redis}"
offline_store:
  type: file
entity_key_serialization_version: 3
"""


def main(folder: str, redis: str, name: str, key: str, entities: int, features: int) -> None:
    path = pathlib.Path(folder)
    (path / "feature_store.yaml").write_text(CONFIG.format(folder=folder, redis=redis))
    columns = [f"f{i:02d}" for i in range(features)]
    rows = pandas.DataFrame({c: numpy.random.default_rng(i).normal(size=entities) for i, c in enumerate(columns)})
    rows[key] = [f"u{i}" for i in range(entities)]
    rows["event_timestamp"] = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    rows.head(1).to_parquet(path / "rows.parquet")  # Feast wants a source that is there
    user = Entity(name=key, join_keys=[key], value_type=ValueType.STRING)
    view = FeatureView(
        name=name,
        entities=[user],
        ttl=datetime.timedelta(days=1),
        schema=[Field(name=c, dtype=Float64) for c in columns],
        source=FileSource(path=str(path / "rows.parquet"), timestamp_field="event_timestamp"),
        online=True,
    )
    store = FeatureStore(repo_path=folder)
    store.apply([user, view])
    for begin in range(0, entities, 2000):
        store.write_to_online_store(name, rows[begin : begin + 2000])


if __name__ == "__main__":
    folder, redis, name, key, entities, features = sys.argv[1:]
    main(folder, redis, name, key, int(entities), int(features))
