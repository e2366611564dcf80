package comparison

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/store/tabular"
)

// counted profiles the rows of two files over bins that the first one's give, and
// returns what the counts say of each column.
func counted(t *testing.T, baseline, current []map[string]feature.Value) map[string]Counted {
	t.Helper()
	view := &feature.View{Name: "v", Window: feature.WindowSpec{Size: time.Hour}, Features: []feature.Feature{
		{ID: 1, Name: "few", Type: feature.Float64}, {ID: 2, Name: "normal", Type: feature.Float64}, {ID: 3, Name: "country", Type: feature.String},
		{ID: 4, Name: "note", Type: feature.JSON},
	}}
	fill := func(layout *sketch.Layout, rows []map[string]feature.Value) *sketch.Profile {
		p := sketch.NewProfile(view, layout, sketch.HashKey{1})
		for i, row := range rows {
			values := make([]feature.Value, len(view.Features))
			for k, f := range view.Features {
				values[k] = feature.Null
				if v, ok := row[f.Name]; ok {
					values[k] = v
				}
			}
			p.Add(&feature.Write{View: view, Values: values, Topic: "t", Offset: int64(i), EventID: fmt.Sprint(i)})
		}
		return p
	}
	layout, err := sketch.BuildLayout(view, fill(sketch.Unbinned(view), baseline))
	if err != nil {
		t.Fatal(err)
	}
	var before *sketch.Profile
	if baseline != nil {
		before = fill(layout, baseline)
	}
	out := map[string]Counted{}
	for _, c := range OfCounts(drift.Comparisons(view, layout, fill(layout, current), before)) {
		out[strings.TrimSuffix(c.Feature+"/"+c.Part, "/")] = c
	}
	return out
}

// exact compares the same rows by their values.
func exact(t *testing.T, baseline, current []map[string]feature.Value) map[string]Column {
	t.Helper()
	contents := func(rows []map[string]feature.Value) *tabular.Contents {
		few, normal, country := &tabular.Values{Name: "few"}, &tabular.Values{Name: "normal"}, &tabular.Values{Name: "country", Counts: map[string]uint64{}}
		for _, row := range rows {
			few.Numbers, normal.Numbers = append(few.Numbers, row["few"].Float()), append(normal.Numbers, row["normal"].Float())
			country.Counts[row["country"].Text()]++
		}
		all := []*tabular.Values{few, normal, country}
		for _, v := range all {
			v.Rows = uint64(len(rows))
		}
		return &tabular.Contents{Rows: uint64(len(rows)), Columns: all}
	}
	out := map[string]Column{}
	for _, c := range Compare(contents(baseline), contents(current)).Columns {
		out[c.Column] = c
	}
	return out
}

func draw(seed uint64, n int, shift float64, countries string) (rows []map[string]feature.Value) {
	r := rand.New(rand.NewPCG(seed, 1))
	for range n {
		rows = append(rows, map[string]feature.Value{
			"few": feature.Float64Value(min(4, float64(r.IntN(5))+math.Round(shift))), "normal": feature.Float64Value(r.NormFloat64() + shift),
			"country": feature.StringValue(string(countries[r.IntN(len(countries))])), "note": feature.JSONValue(`{"a":1}`),
		})
	}
	return rows
}

// TestCountedAgainstValues holds what counts say against the statistics of the values: the
// same where each value has a bin of its own, and within the stated bounds else.
func TestCountedAgainstValues(t *testing.T) {
	before, now := draw(1, 500, 0, "aaabbcd"), draw(2, 300, 1, "aabbbbc")
	counts, values := counted(t, before, now), exact(t, before, now)
	same := func(what string, got, want Number, within float64) {
		t.Helper()
		if !(math.Abs(float64(got-want)) <= within) {
			t.Errorf("%s = %v, want %v within %v", what, got, want, within)
		}
	}
	few, of := counts["few"], values["few"]
	same("ks", few.KS.Statistic, of.KS.Statistic, 1e-12)
	same("ks, bound", few.KS.Bound, 0, 0)
	same("ks, p", few.KS.PValue, of.KS.PValue, 1e-12)
	same("wasserstein", few.Wasserstein, of.Wasserstein, 1e-3)
	same("median", few.Quantiles["0.5"], of.Quantiles["0.5"], 0)
	for _, name := range []string{"few", "normal"} {
		got, want := counts[name], values[name]
		same(name+", mean", got.Mean, want.Mean, 1e-3)
		same(name+", std", got.Std, want.Std, 1e-3)
		same(name+", max", got.Max, want.Max, 0)
		same(name+", mean before", got.Before.Mean, want.Before.Mean, 1e-3)
		if d := want.KS.Statistic; d < got.KS.Statistic-1e-12 || d > got.KS.Statistic+got.KS.Bound+1e-12 {
			t.Errorf("%s: distance %v, by the counts %v to %v", name, d, got.KS.Statistic, got.KS.Statistic+got.KS.Bound)
		}
		if got.NBaseline != 500 || got.NCurrent != 300 || got.Kind != Numeric || got.UnseenShare.Defined() {
			t.Errorf("%s: %+v, want 500 and 300 numbers", name, got)
		}
	}
	same("wasserstein of many values", counts["normal"].Wasserstein, values["normal"].Wasserstein, .1)
	far, wide := draw(2, 300, 900, "a"), counted(t, before, draw(2, 300, 900, "a"))["normal"] // all beyond the last edge
	same("wasserstein of other values", wide.Wasserstein, exact(t, before, far)["normal"].Wasserstein, .1)
	country, of := counts["country"], values["country"]
	same("tvd", country.TVD, of.TVD, 1e-12)
	same("js", country.JS, of.JS, 1e-12)
	same("entropy", country.Entropy, of.Entropy, 1e-12)
	same("chi-square", country.ChiSquare.Statistic, of.ChiSquare.Statistic, 1e-9)
	same("chi-square, p", country.ChiSquare.PValue, of.ChiSquare.PValue, 1e-12)
	same("goodness of fit", country.Fit.Statistic, of.Fit.Statistic, 1e-9)
	same("unseen", country.UnseenShare, 0, 0)
	if country.ChiSquare.DOF != of.ChiSquare.DOF || country.Kind != Categorical || country.KS.Statistic.Defined() {
		t.Errorf("country: %+v, want a categorical one", country)
	}
	if note := counts["note"]; note.Kind != "nulls" || note.NCurrent != 300 || note.PSI.Defined() {
		t.Errorf("note: %+v, want its presence alone", note)
	}
}

// TestCountedUnseen: a category that the baseline lacks has no expected number.
func TestCountedUnseen(t *testing.T) {
	c := counted(t, draw(1, 500, 0, "ab"), draw(2, 400, 0, "abx"))["country"]
	if c.Fit.Statistic.Defined() || !(c.UnseenShare > .2 && c.UnseenShare < .45) || !(c.TVD > .2) {
		t.Errorf("country: %+v, want a third unseen", c)
	}
}

// TestCountedWithoutBaseline: nothing is compared, and the window is described.
func TestCountedWithoutBaseline(t *testing.T) {
	rows := draw(1, 300, 0, "ab")
	view := &feature.View{Name: "v", Window: feature.WindowSpec{Size: time.Hour}, Features: []feature.Feature{{ID: 1, Name: "normal", Type: feature.Float64}}}
	p := sketch.NewProfile(view, sketch.Unbinned(view), sketch.HashKey{1})
	for i, row := range rows {
		p.Add(&feature.Write{View: view, Values: []feature.Value{row["normal"]}, Topic: "t", Offset: int64(i)})
	}
	layout, err := sketch.BuildLayout(view, p)
	if err != nil {
		t.Fatal(err)
	}
	current := sketch.NewProfile(view, layout, sketch.HashKey{1})
	for i, row := range rows {
		current.Add(&feature.Write{View: view, Values: []feature.Value{row["normal"]}, Topic: "t", Offset: int64(i)})
	}
	for name, l := range map[string]*sketch.Layout{"bins": layout, "no bins": sketch.Unbinned(view)} {
		now := current
		if name == "no bins" {
			now = p
		}
		all := OfCounts(drift.Comparisons(view, l, now, nil))
		if len(all) != 1 || all[0].NCurrent != 300 || all[0].NBaseline != 0 || all[0].KS.Statistic.Defined() || all[0].TVD.Defined() {
			t.Errorf("%s: %+v, want 300 rows and no distance", name, all)
		}
		if all[0].Mean.Defined() != (name == "bins") || all[0].Before.Mean.Defined() {
			t.Errorf("%s: mean %v and %v", name, all[0].Mean, all[0].Before.Mean)
		}
		text, err := json.Marshal(all)
		if err != nil || !strings.Contains(string(text), `"psi":null`) {
			t.Errorf("%s: %s, %v; want null for what is not known", name, text, err)
		}
	}
}
