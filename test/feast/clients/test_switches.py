"""The same reads and pushes of a platform whose `feast` section says what Feast's own server does."""

import os

import grpc
import pandas as pd
import pytest
import requests
from conftest import remote_store
from feast.protos.feast.serving import GrpcServer_pb2_grpc, ServingService_pb2, ServingService_pb2_grpc
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.protos.feast.types.Value_pb2 import RepeatedValue, Value
from repository import NOW

HTTP = "http://" + os.environ["SLUICE_SWITCHED_HTTP"]
GRPC = os.environ["SLUICE_SWITCHED_GRPC"]
DRIVERS = [1001, 1003, 1004, 9]  # a value, a null rating, older than the ttl, not there


@pytest.fixture(scope="module")
def switched():
    store = remote_store({"registry_type": "remote", "path": GRPC}, http=HTTP)
    yield store
    store.registry.close()


def test_values_are_the_same(store, switched):
    ask = {"features": ["drivers:rating", "drivers:trips", "drivers:city"], "entity_rows": [{"driver_id": d} for d in DRIVERS]}
    assert switched.get_online_features(**ask).to_dict() == store.get_online_features(**ask).to_dict()


def test_every_status_is_present(store, switched):
    ask = {"features": ["drivers:rating", "drivers:trips"], "entity_rows": [{"driver_id": d} for d in DRIVERS]}
    for got in switched.get_online_features(**ask).proto.results:
        assert list(got.statuses) == [FieldStatus.PRESENT] * 4
    rating = store.get_online_features(**ask).proto.results[1]
    assert list(rating.statuses) == [FieldStatus.PRESENT, FieldStatus.NULL_VALUE, FieldStatus.OUTSIDE_MAX_AGE, FieldStatus.NOT_FOUND]


@pytest.mark.parametrize("stub", [ServingService_pb2_grpc.ServingServiceStub, GrpcServer_pb2_grpc.GrpcFeatureServerStub])
def test_stubs(stub):
    request = ServingService_pb2.GetOnlineFeaturesRequest()
    request.features.val.extend(["drivers:rating"])
    request.entities["driver_id"].CopyFrom(RepeatedValue(val=[Value(int64_val=d) for d in DRIVERS]))
    with grpc.insecure_channel(GRPC) as channel:
        got = stub(channel).GetOnlineFeatures(request, timeout=10).results[1]
    assert list(got.statuses) == [FieldStatus.PRESENT] * 4
    assert [v.WhichOneof("val") for v in got.values] == ["double_val", None, "double_val", None]
    assert got.event_timestamps[3].ToJsonString() == "1970-01-01T00:00:00Z"


def test_unknown_columns_are_passed_over(switched):
    df = pd.DataFrame({"driver_id": [5001], "clicks": [1], "score": [1.0], "note": ["x"], "extra": ["{}"], "clics": [2], "event_time": [NOW]})
    switched.push("live", df)
    body = {"push_source_name": "live", "df": {"driver_id": [5002], "clics": [2], "event_timestamp": ["2026-11-23T12:07:00"]}}
    assert requests.post(HTTP + "/push", json=body, timeout=10).status_code == 200
    assert requests.post(HTTP + "/push", json={**body, "push_source_name": "life"}, timeout=10).status_code == 422
