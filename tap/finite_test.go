package tap

import (
	"fmt"
	"strings"
	"testing"

	"sluice/feature"
)

// finite is a view with a feature of each policy, and one of none.
func finite(policies ...string) feature.View {
	v := feature.View{Project: "test", Name: "finite", Entities: []feature.Entity{{Name: "id", Type: feature.String}}, Window: delays().Window}
	for i, p := range policies {
		v.Features = append(v.Features, feature.Feature{Name: fmt.Sprint("f", i), Type: feature.Float64, NotFinite: p})
	}
	return v
}

func finiteRecord(id, values string) Out {
	return Out{Key: []byte(id), Value: fmt.Appendf(nil, `{"view":"finite","key":{"id":%q},"event_time":%q,"values":{%s}}`, id, day.Format("2006-01-02T15:04:05Z"), values)}
}

// stored returns what the row store has of an entity's newest record.
func (r *rig) stored(view, id string) map[uint32]string {
	r.Helper()
	v := r.view(view)
	key, err := feature.NewKey(v, []feature.Value{feature.StringValue(id)})
	if err != nil {
		r.Fatal(err)
	}
	chains, err := r.rows.Read(r.ctx, v.ID, []feature.Key{key}, nil)
	if err != nil || len(chains[0]) == 0 {
		r.Fatalf("row of %s: %v, %v", id, chains, err)
	}
	values := map[uint32]string{}
	err = feature.EachValue(chains[0][0].Row, func(id uint32, value []byte) {
		one, err := feature.DecodeValue(value)
		if err != nil {
			r.Error(err)
		}
		values[id] = fmt.Sprint(one.Float())
	})
	if err != nil {
		r.Fatal(err)
	}
	return values
}

// What is not finite is kept, stored as null or refused, as its feature's definition says;
// row, profile, accounting and dead letters agree. A policy changes while the window is
// open: that goes on, over the same layout.
func TestNotFinitePolicies(t *testing.T) {
	r := newRig(t, 1, finite("", feature.NotFinitePass, feature.NotFiniteNull, feature.NotFiniteReject))
	r.start()
	r.send("sluice.writes",
		finiteRecord("a", `"f0":"NaN","f1":"Infinity","f2":"-Infinity","f3":1`),
		finiteRecord("b", `"f0":1,"f1":2,"f2":"NaN","f3":3`),
		finiteRecord("c", `"f3":"NaN"`),
		finiteRecord("d", `"f2":"NaN","f3":"Infinity"`),
		finiteRecord("e", `"f0":-0.0,"f1":5e-324,"f2":null,"f3":null`),
	)
	if counts, want := r.drain(), (feature.Counts{Received: 5, Accepted: 3, Quarantined: 2}); counts != want {
		t.Fatalf("counts = %+v, want %+v", counts, want)
	}
	ids := r.view("finite").Features
	if got, want := fmt.Sprint(r.stored("finite", "a")), fmt.Sprint(map[uint32]string{ids[0].ID: "NaN", ids[1].ID: "+Inf", ids[3].ID: "1"}); got != want {
		t.Errorf("row of a = %s, want %s", got, want)
	}
	p, rows := r.merged("finite", day)
	c := p.Columns
	if rows != 3 || c[0].NaN != 1 || c[1].PosInf != 1 || c[2].NegInf != 1 || c[2].NaN != 1 || c[2].Nulls != 1 || c[3].Refused != 2 || c[3].NaN+c[3].PosInf != 0 {
		t.Errorf("profile of %d rows: %+v", rows, c)
	}
	letters := r.letters()
	if len(letters) != 2 {
		t.Fatalf("%d dead letters, want 2", len(letters))
	}
	for i, says := range []string{"f3: NaN", "f3: Infinity"} {
		if l := letters[i]; l.Kind != Quarantined || l.Reason != feature.CodeNotFinite || l.Feature != "f3" || !strings.Contains(l.Text, says) || !strings.Contains(l.Text, "not_finite: reject") {
			t.Errorf("letter %d: %+v, want one that says %s", i, l, says)
		}
	}

	changed := finite(feature.NotFiniteNull, feature.NotFiniteReject, "", feature.NotFinitePass)
	r.apply(changed)
	r.send("sluice.writes",
		finiteRecord("f", `"f0":"NaN","f3":"NaN"`),
		finiteRecord("g", `"f1":"Infinity"`),
	)
	if counts, want := r.drain(), (feature.Counts{Received: 7, Accepted: 4, Quarantined: 3}); counts != want {
		t.Fatalf("counts after the change = %+v, want %+v", counts, want)
	}
	if got, want := fmt.Sprint(r.stored("finite", "f")), fmt.Sprint(map[uint32]string{ids[3].ID: "NaN"}); got != want {
		t.Errorf("row of f = %s, want %s", got, want)
	}
	after, rows := r.merged("finite", day)
	c = after.Columns
	if rows != 4 || after.Layout().Digest() != p.Layout().Digest() || c[0].NaN != 2 || c[1].Refused != 1 || c[3].NaN != 1 || c[3].Refused != 2 {
		t.Errorf("the same window after the change: %d rows, %+v", rows, c)
	}
	if spans := r.spans("finite", day); len(spans) != 1 || spans[0].First != 0 || spans[0].Last != 6 {
		t.Errorf("spans %+v, want one window of all records", spans)
	}
}
