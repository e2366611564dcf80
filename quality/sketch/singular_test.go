package sketch

import (
	"fmt"
	"math"
	"testing"

	"sluice/feature"
)

// Columns of texts of which so many are their own and so many come in all.
func TestSingular(t *testing.T) {
	view := &feature.View{ID: 1, Name: "v", Features: []feature.Feature{{ID: 1, Name: "x", Type: feature.String}}}
	for _, tc := range []struct{ own, shared, windows int }{{0, 5, 8}, {1, 5, 8}, {0, 2000, 8}, {1000, 0, 8}, {300, 700, 8}, {50, 0, 2}, {10, 3, 1}} {
		t.Run(fmt.Sprintf("%d own of %d in %d", tc.own, tc.own+tc.shared, tc.windows), func(t *testing.T) {
			columns := []*Column{nil}
			for w := range tc.windows {
				p := NewProfile(view, Unbinned(view), HashKey{7})
				for i := range tc.own + tc.shared {
					text := fmt.Sprintf("shared %d", i)
					if i < tc.own {
						text = fmt.Sprintf("own %d %d", w, i)
					}
					p.Add(&feature.Write{View: view, Topic: "t", Offset: int64(i), EventID: fmt.Sprint(w, i), Values: []feature.Value{feature.StringValue(text)}})
				}
				columns = append(columns, p.Column(1))
			}
			want, all := float64(tc.own), float64(tc.own*tc.windows+tc.shared)
			if tc.windows == 1 {
				want = all // nothing else has any
			}
			slack := .5 + 3*HLLError*all*boolean(all > 20)
			for i, got := range Singular(columns) {
				if i == 0 && got != 0 || i > 0 && math.Abs(got-want) > slack {
					t.Errorf("column %d has %.1f values of its own, want %.0f within %.1f", i, got, want, slack)
				}
			}
		})
	}
}

func boolean(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
