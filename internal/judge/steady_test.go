package judge

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// TestReasonsKeepTheirOrder judges the same writes under the keys of several
// installations, which draw other row samples: reasons come in one order, and did not as
// long as their severities alone decided.
func TestReasonsKeepTheirOrder(t *testing.T) {
	now, before := map[string]int{}, map[string]int{}
	for key := range byte(8) {
		f := newFlights()
		f.key = sketch.HashKey{key + 1}
		f.pin(t)
		other := rand.New(rand.NewPCG(6, 7))
		e := f.evidence(t, 24, f.window(30, 300, func(v []feature.Value) {
			v[0] = feature.Float64Value(v[0].Float() * 1.5)
			if other.Float64() < .45 {
				v[1] = feature.Int64Value(int64(500 + 100*other.NormFloat64()))
			}
		}))
		v, c := judged(t, e)
		now[order(v.Reasons)]++
		head, blobs, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var h map[string]any
		if err := json.Unmarshal(head, &h); err != nil {
			t.Fatal(err)
		}
		h["format"] = steadyFormat - 1
		head, err = json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		old, err := DecodeCase(head, fetch(blobs))
		if err != nil {
			t.Fatal(err)
		}
		stored, err := Judge(old)
		if err != nil {
			t.Fatal(err)
		}
		before[order(stored.Reasons)]++
		if !slices.IsSortedFunc(stored.Reasons, func(a, b rules.Reason) int { return int(b.Severity*1e6 - a.Severity*1e6) }) {
			t.Error("a verdict of before is recomputed in another order than that of severity")
		}
	}
	if len(now) != 1 {
		t.Errorf("orders of reasons: %v, want one", now)
	}
	if len(before) < 2 {
		t.Errorf("orders by severity alone: %v: they do not differ, and the test says nothing", before)
	}
}

// order names the methods of reasons in their order.
func order(reasons []rules.Reason) string {
	var all []string
	for _, r := range reasons {
		all = append(all, fmt.Sprint(r.Outcome, " ", r.Method))
	}
	return strings.Join(all, ", ")
}
