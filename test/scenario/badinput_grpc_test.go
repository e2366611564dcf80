package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
)

// The methods of the gRPC door.
const (
	callOwn   = "/sluice.v1.FeatureService/GetFeatures"
	callFeast = "/feast.serving.ServingService/GetOnlineFeatures"
	callInfo  = "/feast.serving.ServingService/GetFeastServingInfo"
	callRead  = "/GrpcFeatureServer/GetOnlineFeatures"
	callPush  = "/GrpcFeatureServer/Push"
	callWrite = "/GrpcFeatureServer/WriteToOnlineStore"
)

// bytesCodec sends and receives bytes as they stand.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = slices.Clone(data)
	return nil
}

// dial opens the gRPC door.
func (h *house) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(h.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// invoke calls a method with bytes and returns the status.
func (h *house) invoke(t *testing.T, conn *grpc.ClientConn, method string, request []byte) *grpcstatus.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if h.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+h.token)
	}
	var reply []byte
	return grpcstatus.Convert(conn.Invoke(ctx, method, &request, &reply, grpc.ForceCodec(bytesCodec{})))
}

func encoded(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

func textValue(text string) *feasttypes.Value {
	return &feasttypes.Value{Val: &feasttypes.Value_StringVal{StringVal: text}}
}

// own is a request of the platform's own read.
func own(n int, join string, value *feasttypes.Value, refs ...string) []byte {
	return encoded(&sluicev1.GetFeaturesRequest{
		What: &sluicev1.GetFeaturesRequest_Features{Features: &sluicev1.FeatureRefs{Val: refs}},
		Keys: map[string]*feasttypes.RepeatedValue{join: {Val: slices.Repeat([]*feasttypes.Value{value}, n)}},
	})
}

func feastRead(n int, join string, value *feasttypes.Value, refs ...string) []byte {
	return encoded(&feastserving.GetOnlineFeaturesRequest{
		Kind:     &feastserving.GetOnlineFeaturesRequest_Features{Features: &feastserving.FeatureList{Val: refs}},
		Entities: map[string]*feasttypes.RepeatedValue{join: {Val: slices.Repeat([]*feasttypes.Value{value}, n)}},
	})
}

// badCalls sends to the gRPC door what no client should.
func (h *house) badCalls(t *testing.T) {
	conn := h.dial(t)
	a, number := textValue("a"), &feasttypes.Value{Val: &feasttypes.Value_Int64Val{Int64Val: 5}}
	push := func(view string, row map[string]string) []byte {
		return encoded(&feastserving.PushRequest{StreamFeatureView: view, Features: row, To: "online"})
	}
	type call struct {
		method  string
		request []byte
		code    codes.Code
		reason  string
		says    string
	}
	cases := map[string]call{
		"unknown service":   {"/none.Service/Get", nil, codes.Unimplemented, "", "none.Service"},
		"unknown method":    {"/sluice.v1.FeatureService/Drop", nil, codes.Unimplemented, "", "Drop"},
		"above 4 MiB":       {callOwn, make([]byte, 5<<20), codes.ResourceExhausted, "", "4194304"},
		"push malformed":    {callPush, []byte{0xff, 0xff, 0xff}, codes.InvalidArgument, "invalid_argument", "decoded"},
		"write malformed":   {callWrite, []byte("\x0a\xff\x01"), codes.InvalidArgument, "invalid_argument", "decoded"},
		"push unknown view": {callPush, push("typde", map[string]string{"id": "a", "event_timestamp": "2026-05-01T00:00:00Z"}), codes.InvalidArgument, "invalid_argument", "typed"},
		"push no time":      {callPush, push("typed", map[string]string{"id": "a"}), codes.InvalidArgument, "invalid_argument", "event times"},
		"push wrong type":   {callPush, push("typed", map[string]string{"id": "a", "i32": "x", "event_timestamp": "2026-05-01T00:00:00Z"}), codes.InvalidArgument, "type", "i32"},
		"push overflow":     {callPush, push("typed", map[string]string{"id": "a", "i32": "2147483648", "event_timestamp": "2026-05-01T00:00:00Z"}), codes.InvalidArgument, "type", "i32"},
		"push nothing":      {callPush, nil, codes.InvalidArgument, "invalid_argument", "typed"},
		"unknown policy": {callOwn, encoded(&sluicev1.GetFeaturesRequest{Policy: 77,
			What: &sluicev1.GetFeaturesRequest_Features{Features: &sluicev1.FeatureRefs{Val: []string{"typed:f64"}}},
			Keys: map[string]*feasttypes.RepeatedValue{"id": {Val: []*feasttypes.Value{a}}}}), codes.InvalidArgument, "invalid_argument", "77"},
		"unknown service of features": {callOwn, encoded(&sluicev1.GetFeaturesRequest{What: &sluicev1.GetFeaturesRequest_Service{Service: "modle"},
			Keys: map[string]*feasttypes.RepeatedValue{"id": {Val: []*feasttypes.Value{a}}}}), codes.NotFound, "unknown_service", "model"},
	}
	for name, read := range map[string]struct {
		method  string
		request func(n int, join string, value *feasttypes.Value, refs ...string) []byte
	}{"own": {callOwn, own}, "feast": {callFeast, feastRead}, "feast's Python": {callRead, feastRead}} {
		add := func(what string, request []byte, code codes.Code, reason, says string) {
			cases[name+": "+what] = call{read.method, request, code, reason, says}
		}
		for what, garbage := range map[string][]byte{
			"garbage": []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "length beyond the end": {0x12, 0x7f, 1}, "JSON": []byte(`{"features":[]}`),
			"groups": slices.Repeat([]byte{0x0b}, 10_000), "field 0": {0x00, 0x00}, "cut off": read.request(3, "id", a, "typed:f64")[:9],
		} {
			add(what, garbage, codes.InvalidArgument, "invalid_argument", "")
		}
		add("empty", nil, codes.InvalidArgument, "invalid_argument", "")
		add("unknown view", read.request(1, "id", a, "typde:f64"), codes.NotFound, "unknown_view", "typed")
		add("unknown feature", read.request(1, "id", a, "typed:f640"), codes.NotFound, "unknown_feature", "f64")
		add("feature of no view", read.request(1, "id", a, "f64"), codes.InvalidArgument, "invalid_argument", "view:feature")
		add("feature twice", read.request(1, "id", a, "typed:f64", "typed:f64"), codes.InvalidArgument, "invalid_argument", "f64")
		add("no features", read.request(1, "id", a), codes.InvalidArgument, "invalid_argument", "")
		add("no entities", read.request(0, "id", a, "typed:f64"), codes.InvalidArgument, "invalid_argument", "")
		add("wrong join key", read.request(1, "di", a, "typed:f64"), codes.InvalidArgument, "invalid_argument", "id")
		add("wrong type", read.request(1, "id", number, "typed:f64"), codes.InvalidArgument, "type", "id")
		add("no value", read.request(1, "id", &feasttypes.Value{}, "typed:f64"), codes.InvalidArgument, "type", "id")
		add("1,001 entities", read.request(1001, "id", a, "typed:f64"), codes.ResourceExhausted, "limit", "1000")
		add("501 features", read.request(1, "id", a, slices.Repeat([]string{"typed:f64"}, 501)...), codes.ResourceExhausted, "limit", "500")
		add("hostile view", read.request(1, "id", a, "<!channel>\x1b[2J\x00:f64"), codes.NotFound, "unknown_view", "not defined")
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := h.invoke(t, conn, tc.method, tc.request)
			reason := ""
			for _, d := range s.Details() {
				if info, ok := d.(*errdetails.ErrorInfo); ok && info.Domain == "sluice" {
					reason = info.Reason
				}
			}
			if s.Code() != tc.code || reason != tc.reason || !strings.Contains(s.Message(), tc.says) || s.Message() == "" {
				t.Errorf("%s of %.40q: %s %s %q, want %s %s that says %q", tc.method, tc.request, s.Code(), reason, s.Message(), tc.code, tc.reason, tc.says)
			}
			if strings.ContainsFunc(s.Message(), func(r rune) bool { return r < ' ' }) || len(s.Message()) > 2000 {
				t.Errorf("%s: message %.200q has control characters or %d bytes", tc.method, s.Message(), len(s.Message()))
			}
		})
	}
	if s := h.invoke(t, conn, callOwn, own(1, "id", textValue("clean1"), "typed:f64")); s.Code() != codes.OK {
		t.Errorf("a good call after the bad ones: %s, want OK", fmt.Sprint(s))
	}
}
