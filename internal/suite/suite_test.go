package suite

import (
	"errors"
	"os"
	"strings"
	"testing"

	"sluice/internal/definition"
)

func read(t *testing.T, name string) Result {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Read(text, "payments")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Both forms, as the package itself wrote them, say the same; what they became is valid.
func TestRead(t *testing.T) {
	old, now := read(t, "suite_0.json"), read(t, "suite_1.json")
	text := now.YAML()
	if other := old.YAML(); other != text {
		t.Errorf("the old form became\n%s\nthe new one\n%s", other, text)
	}
	defs, err := definition.Parse([]definition.File{{Name: "a.yaml", Text: text}})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if now.Understood != 20 || len(now.Unread) != 4 {
		t.Errorf("%d understood, %d not: %v", now.Understood, len(now.Unread), now.Unread)
	}
	want, err := os.ReadFile("testdata/payments.yaml")
	if err != nil || string(want) != text {
		t.Errorf("YAML, %v, is\n%s", err, text)
	}
	v := &defs.Views[0]
	amount := v.Features[v.FeatureAt("amount")].Expect
	if *amount.Max != 100000 || *amount.Bad != .001 || *amount.Nulls != .01 || *amount.Quantiles["0.99"].Max != 5000 || v.Source.Map["booked_at"] != "Booked At" {
		t.Errorf("amount expects %+v, map %v", amount, v.Source.Map)
	}
	for _, why := range []string{"(?=x)x", "expect_column_values_to_be_increasing", "expect_column_stdev_to_be_between", "expect_table_column_count_to_equal"} {
		if _, rest, _ := strings.Cut(text, "# not understood:\n"); !strings.Contains(rest, why) {
			t.Errorf("comments do not tell of %s:\n%s", why, rest)
		}
	}
}

func TestReadWhatIsNotUnderstood(t *testing.T) {
	for name, tc := range map[string]struct{ kind, kwargs, why string }{
		"unknown":            {"expect_the_unexpected", `{"column":"a"}`, "it has no counterpart"},
		"no type":            {"", `{}`, "it has no type"},
		"arguments":          {"expect_column_values_to_be_between", `{"column":7}`, "its arguments are not of the types that they have"},
		"some rows":          {"expect_column_values_to_be_unique", `{"column":"a","row_condition":"b==1"}`, "it holds for some rows alone"},
		"mostly":             {"expect_column_values_to_be_unique", `{"column":"a","mostly":7}`, "mostly is no share"},
		"dates":              {"expect_column_values_to_be_between", `{"column":"a","min_value":"2020-01-01"}`, "bounds that are no numbers"},
		"no bounds":          {"expect_column_values_to_be_between", `{"column":"a"}`, "neither min_value nor max_value"},
		"bounds upside down": {"expect_column_values_to_be_between", `{"column":"a","min_value":3,"max_value":1}`, "min_value is above max_value"},
		"mixed set":          {"expect_column_values_to_be_in_set", `{"column":"a","value_set":[1,"b"]}`, "texts and numbers"},
		"null in a set":      {"expect_column_values_to_be_in_set", `{"column":"a","value_set":[null]}`, "neither a text nor a number"},
		"references back":    {"expect_column_values_to_match_regex", `{"column":"a","regex":"(a)\\1"}`, "no RE2 expression"},
		"no name":            {"expect_column_to_exist", `{"column":"Ж"}`, "no name of a feature can be made"},
		"meaning of its own": {"expect_column_to_exist", `{"column":"op"}`, "op has a meaning of its own in records"},
		"no such type":       {"expect_column_values_to_be_of_type", `{"column":"a","type_":"GEOGRAPHY"}`, "is known"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Read([]byte(`{"expectations":[{"type":"`+tc.kind+`","kwargs":`+tc.kwargs+`}]}`), "v")
			if err != nil || len(r.Unread) != 1 || r.Understood != 0 || !strings.Contains(r.Unread[0].Why, tc.why) {
				t.Errorf("Read = %+v, %v, want one not understood: %s", r, err, tc.why)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want error
	}{
		"empty":     {"", ErrSuite},
		"no JSON":   {"expectations: []", ErrSuite},
		"a list":    {"[]", ErrSuite},
		"no list":   {`{"expectation_suite_name":"x"}`, ErrSuite},
		"deep":      {`{"expectations":` + strings.Repeat("[", 20_000), ErrSuite},
		"many":      {`{"expectations":[` + strings.Repeat(`{},`, MaxExpectations) + `{}]}`, ErrLimit},
		"too large": {strings.Repeat(" ", MaxBytes+1), ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read([]byte(tc.text), "v"); !errors.Is(err, tc.want) {
				t.Errorf("Read = %v, want %v", err, tc.want)
			}
		})
	}
}

// Whatever a suite holds, what comes of it can be read as definitions.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"suite_0.json", "suite_1.json"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Read(text, "v")
		if err != nil {
			if !errors.Is(err, ErrSuite) && !errors.Is(err, ErrLimit) {
				t.Fatalf("error %v is not a named one", err)
			}
			return
		}
		_, err = definition.Parse([]definition.File{{Name: "a.yaml", Text: r.YAML()}})
		if err != nil && strings.Contains(err.Error(), "a.yaml:") && strings.Contains(err.Error(), "did not find") {
			t.Fatalf("%v in\n%s", err, r.YAML())
		}
	})
}

// Several ranges of one number all hold: what the suite says first is not forgotten for what it
// says later.
func TestReadRangesOfOneNumber(t *testing.T) {
	const text = `{"expectations":[
	{"type":"expect_column_mean_to_be_between","kwargs":{"column":"a","min_value":1,"max_value":5}},
	{"type":"expect_column_mean_to_be_between","kwargs":{"column":"a","min_value":2,"max_value":9}},
	{"type":"expect_column_median_to_be_between","kwargs":{"column":"a","min_value":1,"max_value":9}},
	{"type":"expect_column_quantile_values_to_be_between","kwargs":{"column":"a","quantile_ranges":{"quantiles":[0.5,0.9],"value_ranges":[[null,5],[2,8]]}}},
	{"type":"expect_column_unique_value_count_to_be_between","kwargs":{"column":"b","max_value":9}},
	{"type":"expect_column_unique_value_count_to_be_between","kwargs":{"column":"b","min_value":2,"max_value":90}},
	{"type":"expect_column_unique_value_count_to_be_between","kwargs":{"column":"b","min_value":50}},
	{"type":"expect_column_median_to_be_between","kwargs":{"column":"a","min_value":6}}]}`
	r, err := Read([]byte(text), "v")
	if err != nil || r.Understood != 6 || len(r.Unread) != 2 {
		t.Fatalf("Read = %d understood, %v, %v; want 6 of 8", r.Understood, r.Unread, err)
	}
	for _, u := range r.Unread {
		if u.Why != "another one allows none of these values" {
			t.Errorf("%s: %s", u.Type, u.Why)
		}
	}
	got := r.YAML()
	for _, want := range []string{"mean: {min: 2,max: 5}", `"0.5":{min: 1,max: 5}`, `"0.9":{min: 2,max: 8}`, "distinct: {min: 2,max: 9}"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
