package serving

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
	"sluice/internal/auth"
)

func texts(v ...string) *feasttypes.RepeatedValue {
	out := &feasttypes.RepeatedValue{}
	for _, s := range v {
		out.Val = append(out.Val, &feasttypes.Value{Val: &feasttypes.Value_StringVal{StringVal: s}})
	}
	return out
}

func longs(v ...int64) *feasttypes.RepeatedValue {
	out := &feasttypes.RepeatedValue{}
	for _, n := range v {
		out.Val = append(out.Val, &feasttypes.Value{Val: &feasttypes.Value_Int64Val{Int64Val: n}})
	}
	return out
}

type columnsOf = map[string]*feasttypes.RepeatedValue

func feastRequest(entities columnsOf, refs ...string) *feastserving.GetOnlineFeaturesRequest {
	return &feastserving.GetOnlineFeaturesRequest{
		Kind:     &feastserving.GetOnlineFeaturesRequest_Features{Features: &feastserving.FeatureList{Val: refs}},
		Entities: entities,
	}
}

func ownRequest(keys columnsOf, policy sluicev1.Policy, refs ...string) *sluicev1.GetFeaturesRequest {
	return &sluicev1.GetFeaturesRequest{
		What: &sluicev1.GetFeaturesRequest_Features{Features: &sluicev1.FeatureRefs{Val: refs}},
		Keys: keys, Policy: policy,
	}
}

// sameText compares a message with its text form.
func sameText(t *testing.T, got proto.Message, want string) {
	t.Helper()
	expected := got.ProtoReflect().New().Interface()
	if err := prototext.Unmarshal([]byte(want), expected); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, expected) {
		t.Errorf("got  %s\nwant %s", prototext.Format(got), prototext.Format(expected))
	}
}

func TestFeastGRPC(t *testing.T) {
	f := newFixture(t)
	f.write(t, "users", 1, ago(time.Hour+time.Millisecond), user("u7"), float(-0.5), float(5))
	conn := f.dial(t)
	const want = `
		metadata { feature_names { val: "user_id" val: "f01" val: "f02" } }
		results { values { string_val: "u7" } values { string_val: "nobody" } statuses: PRESENT statuses: PRESENT event_timestamps {} event_timestamps {} }
		results { values { double_val: 5 } values {} statuses: PRESENT statuses: NOT_FOUND event_timestamps { seconds: 1795431599 nanos: 999000000 } event_timestamps {} }
		results { values {} values {} statuses: NULL_VALUE statuses: NOT_FOUND event_timestamps { seconds: 1795431599 nanos: 999000000 } event_timestamps {} }`
	request := feastRequest(columnsOf{"user_id": texts("u7", "nobody")}, "users:f01", "users:f02")
	got, err := feastserving.NewServingServiceClient(conn).GetOnlineFeatures(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	sameText(t, got, want)
	if got, err = feastserving.NewGrpcFeatureServerClient(conn).GetOnlineFeatures(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	sameText(t, got, want)
	info, err := feastserving.NewServingServiceClient(conn).GetFeastServingInfo(t.Context(), &feastserving.GetFeastServingInfoRequest{})
	if err != nil || info.Version != servingVersion {
		t.Errorf("GetFeastServingInfo = %v, %v, want %s", info, err, servingVersion)
	}
}

// TestUnusualEncoding sends what only the protobuf runtime reads.
func TestUnusualEncoding(t *testing.T) {
	f := newFixture(t)
	f.write(t, "users", 1, ago(time.Hour), user("u7"), float(1), float(2))
	f.write(t, "pairs", 1, ago(time.Hour), []feature.Value{feature.Int64Value(1), feature.StringValue("u7")}, float(3), float(4))
	usualForm := feastRequest(columnsOf{"user_id": texts("u7")}, "users:f00")
	split := feastRequest(columnsOf{"user_id": texts("u7")}, "users:f00", "users:f01")
	context := proto.Clone(usualForm).(*feastserving.GetOnlineFeaturesRequest)
	context.RequestContext = columnsOf{"x": longs(1)}
	context.IncludeFeatureViewVersionMetadata = true
	unknownField := proto.Clone(usualForm)
	unknownField.ProtoReflect().SetUnknown([]byte{99<<3&0x7f | 0x80, 6, 5})
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first, second := marshal(feastRequest(nil, "users:f00")), marshal(feastRequest(columnsOf{"user_id": texts("u7")}, "users:f01"))
	for name, tc := range map[string]struct {
		in   []byte
		want []string
		err  string
	}{
		"usual":                 {marshal(split), []string{"user_id", "f00", "f01"}, ""},
		"context and metadata":  {marshal(context), []string{"user_id", "f00"}, ""},
		"unknown field":         {marshal(unknownField), []string{"user_id", "f00"}, ""},
		"the list in two parts": {append(first, second...), []string{"user_id", "f00", "f01"}, ""},
		"cut short":             {marshal(split)[:10], nil, "cannot be decoded"},
		"no UTF-8":              {marshal(split)[:2:2], nil, "cannot be decoded"},
		"empty":                 {nil, nil, "the list of features is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			buffer, err := f.readWire(t.Context(), tc.in, false)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error = %v, want %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var reply feastserving.GetOnlineFeaturesResponse
			if err := proto.Unmarshal(buffer.ReadOnlyData(), &reply); err != nil {
				t.Fatal(err)
			}
			if got := reply.Metadata.FeatureNames.Val; strings.Join(got, ",") != strings.Join(tc.want, ",") || len(reply.Results) != len(tc.want) {
				t.Errorf("columns %v, want %v", got, tc.want)
			}
		})
	}
}

func TestOwnGRPC(t *testing.T) {
	f := newFixture(t)
	f.registry.infos[1] = feature.VersionInfo{Version: 1, Step: feature.StepDecided, Verdict: "v-1"}
	f.renew(t)
	f.write(t, "users", 1, ago(time.Hour), user("u7"), float(-0.5), float(5))
	f.write(t, "pairs", 1, ago(30*time.Hour), []feature.Value{feature.Int64Value(1), feature.StringValue("u7")}, float(3), float(4))
	client := sluicev1.NewFeatureServiceClient(f.dial(t))
	got, err := client.GetFeatures(t.Context(), ownRequest(columnsOf{"user_id": texts("u7", "x"), "driver_id": longs(1, 1)}, sluicev1.Policy_POLICY_FLAG, "pairs:*", "users:f01"))
	if err != nil {
		t.Fatal(err)
	}
	sameText(t, got, `
		views { view: "pairs" event_times: 1795327200000000000 event_times: 0
			columns { feature: "rate" values { double_val: 3 } values {} statuses: PRESENT statuses: NOT_FOUND }
			columns { feature: "f00" values { double_val: 4 } values {} statuses: PRESENT statuses: NOT_FOUND }
			provenance { version: 1 verdict: "v-1" generation: 3 age_seconds: 108000 } }
		views { view: "users" event_times: 1795431600000000000 event_times: 0
			columns { feature: "f01" values { double_val: 5 } values {} statuses: PRESENT statuses: NOT_FOUND }
			provenance { version: 1 verdict: "v-1" generation: 3 age_seconds: 3600 } }`)

	got, err = client.GetFeatures(t.Context(), &sluicev1.GetFeaturesRequest{
		What: &sluicev1.GetFeaturesRequest_Service{Service: "model"}, Keys: columnsOf{"user_id": texts("u7"), "driver_id": longs(1)},
	})
	if err != nil || len(got.Views) != 2 || got.Views[0].View != "users" || got.Views[1].Columns[0].Feature != "trips" {
		t.Errorf("service model = %v, %v, want users:f01 and drivers:trips", got, err)
	}
}

func TestGRPCAuthorize(t *testing.T) {
	authorize := func(token string, need auth.Role) (string, error) {
		switch {
		case token == "":
			return "", &feature.Error{Code: feature.CodeUnauthenticated, Message: "no token"}
		case token == "reader" && need > auth.Reader:
			return "", &feature.Error{Code: feature.CodeForbidden, Message: "too low"}
		}
		return token, nil
	}
	f := newFixture(t, func(_ *Config, d *Deps) { d.Authorize = authorize })
	conn := f.dial(t)
	read := func(ctx context.Context) error {
		_, err := feastserving.NewServingServiceClient(conn).GetOnlineFeatures(ctx, feastRequest(columnsOf{"user_id": texts("a")}, "users:f00"))
		return err
	}
	push := func(ctx context.Context) error {
		_, err := feastserving.NewGrpcFeatureServerClient(conn).Push(ctx, &feastserving.PushRequest{
			StreamFeatureView: "users", Features: map[string]string{"user_id": "a", "at": "2026-01-01T00:00:00Z"},
		})
		return err
	}
	health := func(ctx context.Context) error {
		_, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		return err
	}
	for name, tc := range map[string]struct {
		call  func(context.Context) error
		token string
		want  codes.Code
	}{
		"read without":   {read, "", codes.Unauthenticated},
		"read":           {read, "reader", codes.OK},
		"push as reader": {push, "reader", codes.PermissionDenied},
		"push as writer": {push, "writer", codes.OK},
		"health without": {health, "", codes.OK},
		"list without":   {func(ctx context.Context) error { return listServices(ctx, conn, nil) }, "", codes.Unauthenticated},
		"list":           {func(ctx context.Context) error { return listServices(ctx, conn, nil) }, "reader", codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if tc.token != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+tc.token)
			}
			if err := tc.call(ctx); status.Code(err) != tc.want {
				t.Errorf("code = %v, want %v", err, tc.want)
			}
		})
	}
}

// listServices asks the reflection service which services there are.
func listServices(ctx context.Context, conn *grpc.ClientConn, names *[]string) error {
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return err
	}
	// A refused stream takes nothing more; why it was refused comes with Recv.
	err = stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	answer, err := stream.Recv()
	if err != nil {
		return err
	}
	if names != nil {
		for _, s := range answer.GetListServicesResponse().GetService() {
			*names = append(*names, s.Name)
		}
	}
	return stream.CloseSend()
}

func TestGRPCServices(t *testing.T) {
	f := newFixture(t)
	conn := f.dial(t)
	var names []string
	if err := listServices(t.Context(), conn, &names); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GrpcFeatureServer", "feast.serving.ServingService", "sluice.v1.FeatureService", "grpc.health.v1.Health"} {
		if !strings.Contains(strings.Join(names, " ")+" ", want+" ") {
			t.Errorf("services %v, want %s", names, want)
		}
	}
	watch, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{healthpb.HealthCheckResponse_SERVING, healthpb.HealthCheckResponse_NOT_SERVING} {
		if got, err := watch.Recv(); err != nil || got.Status != want {
			t.Errorf("watched health = %v, %v, want %v", got, err, want)
		}
		got, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil || got.Status != want {
			t.Errorf("health = %v, %v, want %v", got, err, want)
		}
		f.lease.current.Store(nil)
	}
}

// TestGRPCCompressed reads with compressed messages, for which both sides use what the
// server brings, and sends one that is larger than allowed once it is undone.
func TestGRPCCompressed(t *testing.T) {
	f := newFixture(t)
	f.write(t, "users", 1, ago(time.Minute), user("a"), float(1))
	client := feastserving.NewServingServiceClient(f.dial(t))
	reply, err := client.GetOnlineFeatures(t.Context(), usersRequest(1), grpc.UseCompressor("gzip"))
	if err != nil || len(reply.GetResults()) != 2 || reply.Results[1].Values[0].GetDoubleVal() != 1 {
		t.Errorf("a compressed request is answered with %v, %v", reply, err)
	}
	_, err = client.GetOnlineFeatures(t.Context(), &feastserving.GetOnlineFeaturesRequest{
		Kind: &feastserving.GetOnlineFeaturesRequest_FeatureService{FeatureService: strings.Repeat("a", f.config.MaxBody+1)},
	}, grpc.UseCompressor("gzip"), grpc.MaxCallSendMsgSize(2*f.config.MaxBody))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one that is too large once it is undone: %v, want RESOURCE_EXHAUSTED", err)
	}
}
