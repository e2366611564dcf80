"""Feast's own stubs, against both of its services and the health service."""

import grpc
import pytest
from conftest import GRPC, eventually
from feast.protos.feast.serving import GrpcServer_pb2, GrpcServer_pb2_grpc, ServingService_pb2, ServingService_pb2_grpc
from feast.protos.feast.types.Value_pb2 import Int64List, RepeatedValue, StringList, Value

FieldStatus = ServingService_pb2.FieldStatus


@pytest.fixture(scope="module")
def channel():
    with grpc.insecure_channel(GRPC) as channel:
        yield channel


@pytest.fixture(params=["feast.serving.ServingService", "GrpcFeatureServer"])
def stub(request, channel):
    """Both answer GetOnlineFeatures with the same messages."""
    if request.param == "GrpcFeatureServer":
        return GrpcServer_pb2_grpc.GrpcFeatureServerStub(channel)
    return ServingService_pb2_grpc.ServingServiceStub(channel)


def read(stub, features=None, service=None, full=False, **entities):
    request = ServingService_pb2.GetOnlineFeaturesRequest(full_feature_names=full)
    if service:
        request.feature_service = service
    else:
        request.features.val.extend(features)
    for name, values in entities.items():
        kind = "string_val" if isinstance(values[0], str) else "int64_val"
        request.entities[name].CopyFrom(RepeatedValue(val=[Value(**{kind: v}) for v in values]))
    return stub.GetOnlineFeatures(request, timeout=10)


def test_info(channel):
    stub = ServingService_pb2_grpc.ServingServiceStub(channel)
    assert stub.GetFeastServingInfo(ServingService_pb2.GetFeastServingInfoRequest(), timeout=10).version


def test_read(stub):
    got = read(stub, ["drivers:rating", "drivers:trips"], driver_id=[1001, 1003, 1004, 9])
    assert list(got.metadata.feature_names.val) == ["driver_id", "rating", "trips"]
    _, rating, trips = got.results
    assert [v.WhichOneof("val") for v in rating.values] == ["double_val", None, "double_val", None]
    assert rating.values[0].double_val == 5.0
    assert [v.int64_val for v in trips.values] == [11, 7, 4, 0]
    assert list(trips.statuses) == [FieldStatus.PRESENT, FieldStatus.PRESENT, FieldStatus.OUTSIDE_MAX_AGE, FieldStatus.NOT_FOUND]
    assert list(rating.statuses) == [FieldStatus.PRESENT, FieldStatus.NULL_VALUE, FieldStatus.OUTSIDE_MAX_AGE, FieldStatus.NOT_FOUND]
    assert [t.ToJsonString() for t in trips.event_timestamps] == ["2026-11-23T12:00:10Z", "2026-11-23T12:00:30Z", "2026-11-20T12:00:10Z", "1970-01-01T00:00:00Z"]
    for vector in got.results:
        assert len(vector.values) == len(vector.statuses) == len(vector.event_timestamps) == 4


def test_types(stub):
    names = ["grade", "share", "city", "active", "seen", "photo", "tags", "scores", "extra"]
    got = read(stub, ["drivers:" + n for n in names], driver_id=[1001])
    want = [
        Value(int32_val=3),
        Value(float_val=0.9486494064331055),
        Value(string_val="Zürich"),
        Value(bool_val=True),
        Value(unix_timestamp_val=1795431600),
        Value(bytes_val=b"\x00\x01\x02\xff"),
        Value(string_list_val=StringList(val=["new", "vip"])),
        None,
        Value(json_val='{"depth":{"list":[1,2]}}'),
    ]
    for name, vector, value in zip(names, got.results[1:], want):
        assert value is None or vector.values[0] == value, name
    assert list(got.results[8].values[0].double_list_val.val) == [1.0, 2.5]


def test_service_and_full_names(stub):
    got = read(stub, service="visit_model", full=True, driver_id=[1001], city_id=["ZRH"])
    assert sorted(got.metadata.feature_names.val[:2]) == ["city_id", "driver_id"]
    assert list(got.metadata.feature_names.val[2:]) == ["visits__rating", "drivers__trips"]


@pytest.mark.parametrize(
    "features, service, entities, code, text",
    [
        (["driver:trips"], None, {"driver_id": [1]}, grpc.StatusCode.NOT_FOUND, "did you mean drivers"),
        (["drivers:trip"], None, {"driver_id": [1]}, grpc.StatusCode.NOT_FOUND, "did you mean drivers:trips"),
        (None, "driver_models", {"driver_id": [1]}, grpc.StatusCode.NOT_FOUND, "did you mean driver_model"),
        (["drivers:trips"], None, {"driver_id": ["x"]}, grpc.StatusCode.INVALID_ARGUMENT, "driver_id"),
        (["drivers:trips"], None, {"user": [1]}, grpc.StatusCode.INVALID_ARGUMENT, "driver_id"),
    ],
)
def test_errors(stub, features, service, entities, code, text):
    with pytest.raises(grpc.RpcError) as caught:
        read(stub, features, service, **entities)
    assert caught.value.code() == code and text in caught.value.details()


def test_push(channel):
    stub = GrpcServer_pb2_grpc.GrpcFeatureServerStub(channel)
    row = {"driver_id": "3001", "clicks": "5", "score": "0.5", "note": "by text", "event_timestamp": "2026-11-23T12:06:00Z"}
    assert stub.Push(GrpcServer_pb2.PushRequest(stream_feature_view="live", features=row, to="online"), timeout=10).status
    typed = {"driver_id": Value(int64_val=3002), "clicks": Value(int64_val=6), "note": Value(string_val="typed"), "event_timestamp": Value(unix_timestamp_val=1795435560)}
    assert stub.WriteToOnlineStore(GrpcServer_pb2.WriteToOnlineStoreRequest(feature_view_name="live", typed_features=typed), timeout=10).status

    def visible():
        got = read(stub, ["live:clicks", "live:note"], driver_id=[3001, 3002])
        return all(s == FieldStatus.PRESENT for s in got.results[1].statuses) and got

    got = eventually(visible)
    assert [v.int64_val for v in got.results[1].values] == [5, 6]
    assert [v.string_val for v in got.results[2].values] == ["by text", "typed"]


def test_push_errors(channel):
    stub = GrpcServer_pb2_grpc.GrpcFeatureServerStub(channel)
    both = GrpcServer_pb2.PushRequest(stream_feature_view="live", features={"driver_id": "1"}, typed_features={"driver_id": Value(int64_val=1)})
    for request, code in [(both, grpc.StatusCode.INVALID_ARGUMENT), (GrpcServer_pb2.PushRequest(stream_feature_view="life", features={"driver_id": "1"}), grpc.StatusCode.INVALID_ARGUMENT)]:
        with pytest.raises(grpc.RpcError) as caught:
            stub.Push(request, timeout=10)
        assert caught.value.code() == code, caught.value


def test_health(channel):
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"", timeout=10) == b"\x08\x01"  # SERVING
