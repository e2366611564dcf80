package load

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
)

// Question is what each request asks: some features of random entities.
type Question struct {
	Features []string // as view:feature; empty: of Service
	Service  string   // a feature service
	Columns  []Column // of join keys
	Entities int      // of a request
	Full     bool     // full_feature_names
}

// Column is a join key and where its values come from: Key returns the value of a
// row, an int64 or a string.
type Column struct {
	Name string
	Key  func(rng *rand.Rand) any
}

// Encode returns n requests for protocol p, of entities drawn with seed.
func (q Question) Encode(p Protocol, n int, seed uint64) ([][]byte, error) {
	rng, out := rand.New(rand.NewPCG(seed, 1)), make([][]byte, n)
	for i := range out {
		rows := map[string][]any{}
		for _, c := range q.Columns {
			for range q.Entities {
				rows[c.Name] = append(rows[c.Name], c.Key(rng))
			}
		}
		encode := q.message
		if p == HTTP {
			encode = q.document
		}
		var err error
		if out[i], err = encode(rows); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	return out, nil
}

// message is a feast.serving.GetOnlineFeaturesRequest.
func (q Question) message(rows map[string][]any) ([]byte, error) {
	m := &feastserving.GetOnlineFeaturesRequest{Entities: map[string]*feasttypes.RepeatedValue{}, FullFeatureNames: q.Full}
	if len(q.Features) > 0 {
		m.Kind = &feastserving.GetOnlineFeaturesRequest_Features{Features: &feastserving.FeatureList{Val: q.Features}}
	} else {
		m.Kind = &feastserving.GetOnlineFeaturesRequest_FeatureService{FeatureService: q.Service}
	}
	for name, values := range rows {
		list := &feasttypes.RepeatedValue{}
		for _, v := range values {
			switch v := v.(type) {
			case int64:
				list.Val = append(list.Val, &feasttypes.Value{Val: &feasttypes.Value_Int64Val{Int64Val: v}})
			case string:
				list.Val = append(list.Val, &feasttypes.Value{Val: &feasttypes.Value_StringVal{StringVal: v}})
			default:
				return nil, fmt.Errorf("join key %s is a %T, not an int64 or a string", name, v)
			}
		}
		m.Entities[name] = list
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// document is the body of POST /get-online-features.
func (q Question) document(rows map[string][]any) ([]byte, error) {
	d := map[string]any{"entities": rows, "full_feature_names": q.Full}
	if len(q.Features) > 0 {
		d["features"] = q.Features
	} else {
		d["feature_service"] = q.Service
	}
	return json.Marshal(d)
}
