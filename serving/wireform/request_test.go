package wireform

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
)

// FuzzWireRequest compares the fast reader with the protobuf runtime: what it
// takes, the runtime takes and reads alike.
func FuzzWireRequest(f *testing.F) {
	for _, m := range []proto.Message{
		feastRequest(columnsOf{"user_id": texts("a", "")}, "users:f00", "users:f01"),
		feastRequest(columnsOf{"driver_id": longs(1, -1), "user_id": texts("a", "b")}, "pairs:f00"),
		&feastserving.GetOnlineFeaturesRequest{Kind: &feastserving.GetOnlineFeaturesRequest_FeatureService{FeatureService: "model"}, FullFeatureNames: true, IncludeFeatureViewVersionMetadata: true},
		ownRequest(columnsOf{"user_id": texts("a")}, sluicev1.Policy_POLICY_NULL, "users:*"),
		&sluicev1.GetFeaturesRequest{What: ownRequest(nil, 0, "accounts:excess").What, Keys: columnsOf{"user_id": texts("a")}, Context: columnsOf{"amount": longs(1), "merchant": texts("b")}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(append(slices.Clone(b), b...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		if err := r.Parse(b); err != nil {
			if !errors.Is(err, ErrUnusual) && !errors.Is(err, &feature.Error{Code: feature.CodeLimit}) {
				t.Fatalf("parse error %v is not ErrUnusual, nor of a limit", err)
			}
			return
		}
		refs, err := r.Refs()
		if err != nil {
			return
		}
		var want feastserving.GetOnlineFeaturesRequest
		if err := proto.Unmarshal(b, &want); err != nil {
			if wellFormedColumns(&r) {
				t.Fatalf("read %x as %+v, the runtime says %v", b, r, err)
			}
			return
		}
		if !slices.Equal(refs, want.GetFeatures().GetVal()) || string(r.Service) != want.GetFeatureService() ||
			(r.Flag != 0) != want.FullFeatureNames || len(r.Columns) != len(want.Entities) || len(r.Context) != len(want.RequestContext) {
			t.Fatalf("read %x as %v %+v, want %v", b, refs, r, &want)
		}
		for _, c := range r.Columns {
			if got := want.Entities[string(c.Name)]; got == nil {
				t.Fatalf("column %q is not in %v", c.Name, &want)
			}
		}
		for _, c := range r.Context {
			if got := want.RequestContext[string(c.Name)]; got == nil {
				t.Fatalf("context %q is not in %v", c.Name, &want)
			}
		}
	})
}

// wellFormedColumns reports whether the values of r, which parse leaves closed,
// can be read.
func wellFormedColumns(r *Request) bool {
	for _, c := range slices.Concat(r.Columns, r.Context) {
		for b := c.List; len(b) > 0; {
			number, value, rest, err := CutField(b)
			if err != nil || number != 1 {
				return false
			}
			if _, err := CutScalar(value); err != nil {
				return false
			}
			b = rest
		}
	}
	return true
}

// TestManyColumns names so many join keys, context values and versions that comparing each
// with each would take minutes: the request is refused before.
func TestManyColumns(t *testing.T) {
	many := columnsOf{}
	versions := map[string]uint64{}
	for i := range 20_000 {
		many[fmt.Sprint(i)] = &feasttypes.RepeatedValue{}
		versions[fmt.Sprint(i)] = 1
	}
	some := columnsOf{}
	for i := range mostColumns {
		some[fmt.Sprint(i)] = texts("a")
	}
	for name, tc := range map[string]struct {
		m    proto.Message
		code feature.Code
	}{
		"join keys": {feastRequest(many, "users:f00"), feature.CodeLimit},
		"context":   {&feastserving.GetOnlineFeaturesRequest{RequestContext: many}, feature.CodeLimit},
		"versions":  {&sluicev1.GetFeaturesRequest{AsOfVersions: versions}, feature.CodeLimit},
		"the most":  {&sluicev1.GetFeaturesRequest{Keys: some, Context: some}, ""},
	} {
		b, err := proto.Marshal(tc.m)
		if err != nil {
			t.Fatal(err)
		}
		var r Request
		err = r.Parse(b)
		if limited := errors.Is(err, &feature.Error{Code: feature.CodeLimit}); limited != (tc.code != "") || err != nil && !limited {
			t.Errorf("%s: %v, want code %q", name, err, tc.code)
		}
		if len(r.Columns) > mostColumns || len(r.Context) > mostColumns || len(r.past) > mostColumns {
			t.Errorf("%s: %d join keys, %d context values and %d versions were kept", name, len(r.Columns), len(r.Context), len(r.past))
		}
	}
}

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
