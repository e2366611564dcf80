package serving

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
	"sluice/serving/refusal"
)

func TestGRPCErrors(t *testing.T) {
	f := newFixture(t, func(c *Config, _ *Deps) { c.MaxEntities, c.MaxFeatures, c.MaxBody = 2, 3, 4096 })
	f.write(t, "drivers", 1, ago(30*time.Hour), driver(7), values...)
	client := sluicev1.NewFeatureServiceClient(f.dial(t))
	nan := &feasttypes.RepeatedValue{Val: []*feasttypes.Value{{Val: &feasttypes.Value_DoubleVal{DoubleVal: math.NaN()}}}}
	list := &feasttypes.RepeatedValue{Val: []*feasttypes.Value{{Val: &feasttypes.Value_Int64ListVal{Int64ListVal: &feasttypes.Int64List{Val: []int64{1}}}}}}
	uuid := &feasttypes.RepeatedValue{Val: []*feasttypes.Value{{Val: &feasttypes.Value_UuidVal{UuidVal: "x"}}}}
	for name, tc := range map[string]struct {
		request *sluicev1.GetFeaturesRequest
		code    codes.Code
		reason  string
		message string
	}{
		"nothing":          {&sluicev1.GetFeaturesRequest{}, codes.InvalidArgument, "invalid_argument", "the list of features is empty"},
		"unknown view":     {ownRequest(nil, 0, "userz:f00"), codes.NotFound, "unknown_view", "did you mean users?"},
		"unknown feature":  {ownRequest(nil, 0, "users:f0"), codes.NotFound, "unknown_feature", "did you mean users:f00?"},
		"unknown service":  {&sluicev1.GetFeaturesRequest{What: &sluicev1.GetFeaturesRequest_Service{Service: "x"}}, codes.NotFound, "unknown_service", "defined are model"},
		"unknown policy":   {ownRequest(columnsOf{"user_id": texts("a")}, 9, "users:f00"), codes.InvalidArgument, "invalid_argument", "policy 9 is not known"},
		"negative policy":  {ownRequest(columnsOf{"user_id": texts("a")}, -1, "users:f00"), codes.InvalidArgument, "invalid_argument", "cannot be decoded"},
		"policy refuse":    {ownRequest(columnsOf{"driver_id": longs(7)}, sluicev1.Policy_POLICY_REFUSE, "drivers:rate"), codes.FailedPrecondition, "unavailable", "view drivers"},
		"no key":           {ownRequest(nil, 0, "users:f00"), codes.InvalidArgument, "invalid_argument", "join key user_id is missing"},
		"empty key column": {ownRequest(columnsOf{"user_id": {}}, 0, "users:f00"), codes.InvalidArgument, "invalid_argument", "join key user_id has no values"},
		"type":             {ownRequest(columnsOf{"driver_id": texts("5")}, 0, "drivers:rate"), codes.InvalidArgument, "type", "join key driver_id, row 0: string where int64 is declared"},
		"null":             {ownRequest(columnsOf{"driver_id": {Val: []*feasttypes.Value{{}}}}, 0, "drivers:rate"), codes.InvalidArgument, "type", "null; a join key has a value"},
		"NaN for an int":   {ownRequest(columnsOf{"driver_id": nan}, 0, "drivers:rate"), codes.InvalidArgument, "type", "float64 where int64 is declared"},
		"a list":           {ownRequest(columnsOf{"driver_id": list}, 0, "drivers:rate"), codes.InvalidArgument, "type", "a value of kind 14; join keys are scalars"},
		"another kind":     {ownRequest(columnsOf{"driver_id": uuid}, 0, "drivers:rate"), codes.InvalidArgument, "type", "a value of kind 36; join keys are scalars"},
		"feature twice":    {ownRequest(nil, 0, "users:f00", "users:f00"), codes.InvalidArgument, "invalid_argument", "two columns would be named users:f00"},
		"too many rows":    {ownRequest(columnsOf{"user_id": texts("a", "b", "c")}, 0, "users:f00"), codes.ResourceExhausted, "limit", "the limit of 2 entities"},
		"too many names":   {ownRequest(nil, 0, "a:a", "a:b", "a:c", "a:d"), codes.ResourceExhausted, "limit", "4 features are more than the limit of 3"},
		"too many of all":  {ownRequest(nil, 0, "users:*"), codes.ResourceExhausted, "limit", "5 features are more than the limit of 3"},
		"too long":         {ownRequest(nil, 0, strings.Repeat("x", 5000)), codes.ResourceExhausted, "", "larger than max"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.GetFeatures(t.Context(), tc.request)
			st := status.Convert(err)
			reason := ""
			for _, d := range st.Details() {
				if info, ok := d.(*errdetails.ErrorInfo); ok && info.Domain == "sluice" {
					reason = info.Reason
				}
			}
			if st.Code() != tc.code || reason != tc.reason || !strings.Contains(st.Message(), tc.message) {
				t.Errorf("GetFeatures(%v) = %v (%s), want %v (%s) with %s", tc.request, err, reason, tc.code, tc.reason, tc.message)
			}
		})
	}
}

// failing is a store that cannot be read.
type failing struct{ err error }

func (r failing) Read(context.Context, feature.ViewID, []feature.Key, [][]feature.Record) ([][]feature.Record, error) {
	return nil, r.err
}

func TestStoreFails(t *testing.T) {
	for name, tc := range map[string]struct {
		rows   Rows
		cancel bool
		want   codes.Code
	}{
		"it fails":            {failing{errors.New("disk")}, false, codes.Unavailable},
		"it answers too few":  {failing{}, false, codes.Unavailable},
		"it takes too long":   {failing{context.DeadlineExceeded}, false, codes.Unavailable},
		"the caller has left": {failing{context.Canceled}, true, codes.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(_ *Config, d *Deps) { d.Rows = tc.rows })
			in, err := proto.Marshal(feastRequest(columnsOf{"user_id": texts("a")}, "users:f00"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tc.cancel {
				cancel()
			}
			_, err = f.readWire(ctx, in, false)
			if got := status.Code(refusal.GRPC(err)); got != tc.want {
				t.Errorf("code = %v (%v), want %v", got, err, tc.want)
			}
		})
	}
}
