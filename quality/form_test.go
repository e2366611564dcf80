package quality

import (
	"errors"
	"strings"
	"testing"

	"sluice/feature"
)

func TestCheckForm(t *testing.T) {
	iban := feature.Expect{Pattern: `[A-Z]{2}[0-9]{2}[A-Z0-9]{4,30}`}
	short := feature.Expect{Length: &feature.Length{Min: new(2), Max: new(3)}}
	words := func(v ...string) feature.Value {
		var values []feature.Value
		for _, s := range v {
			values = append(values, feature.StringValue(s))
		}
		return feature.ListValue(feature.String, values)
	}
	for name, tc := range map[string]struct {
		typ    feature.Type
		expect feature.Expect
		value  feature.Value
		reason string
	}{
		"matches":               {feature.String, iban, feature.StringValue("DE89370400440532013000"), ""},
		"matches a part":        {feature.String, iban, feature.StringValue("IBAN DE89370400440532013000"), `a: "IBAN DE89370400440532013000" does not match pattern "[A-Z]{2}[0-9]{2}[A-Z0-9]{4,30}"`},
		"line behind":           {feature.String, feature.Expect{Pattern: "a|b"}, feature.StringValue("b\n"), `a: "b\n" does not match pattern "a|b"`},
		"either":                {feature.String, feature.Expect{Pattern: "a|b"}, feature.StringValue("b"), ""},
		"null":                  {feature.String, iban, feature.Null, ""},
		"empty text":            {feature.String, feature.Expect{Pattern: ".*"}, feature.StringValue(""), ""},
		"every element":         {feature.ListOf(feature.String), feature.Expect{Pattern: "[a-z]+"}, words("a", "b"), ""},
		"one element":           {feature.ListOf(feature.String), feature.Expect{Pattern: "[a-z]+"}, words("a", "B"), `a: "B" does not match pattern "[a-z]+"`},
		"text beyond the limit": {feature.String, feature.Expect{Pattern: "x*"}, feature.StringValue(strings.Repeat("x", maxMatched+1)), "a: 65537 bytes, and patterns match at most 65536"},
		"characters":            {feature.String, short, feature.StringValue("äöü"), ""},
		"too many characters":   {feature.String, short, feature.StringValue("äöüß"), "a: 4 characters, above length max 3"},
		"too few characters":    {feature.String, short, feature.StringValue("ä"), "a: 1 characters, below length min 2"},
		"bytes":                 {feature.Bytes, short, feature.BytesValue([]byte("äö")), "a: 4 bytes, above length max 3"},
		"elements":              {feature.ListOf(feature.String), short, words("a", "b"), ""},
		"too many elements":     {feature.ListOf(feature.String), short, words("a", "b", "c", "d"), "a: 4 elements, above length max 3"},
		"empty list":            {feature.ListOf(feature.String), short, words(), "a: 0 elements, below length min 2"},
		"one end":               {feature.String, feature.Expect{Length: &feature.Length{Max: new(1)}}, feature.StringValue(""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			checkOne(t, one(tc.typ, tc.expect), []feature.Value{tc.value}, tc.reason)
		})
	}
}

func TestCheckRow(t *testing.T) {
	view := viewOf(feature.Feature{Type: feature.Float64, Expect: feature.Expect{Max: new(100.0)}}, feature.Feature{Type: feature.Bool})
	view.Expect = []feature.Expectation{
		{Name: "many", Rows: &feature.Range{Min: new(1.0)}},
		{Name: "paid", Expr: "a > 0 || b"},
		{Name: "small", Expr: "a < 50"},
	}
	c, err := NewChecker(view)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		amount float64
		refund bool
		at     int
		reason string
	}{
		"both hold":             {5, false, -1, ""},
		"the other side":        {-5, true, -1, ""},
		"first":                 {-5, false, 3, `expectation paid: expr "a > 0 || b" is false`},
		"second":                {60, false, 4, `expectation small: expr "a < 50" is false`},
		"features come first":   {160, false, 0, "a: 160 is above max 100"},
		"first of both of them": {-5, false, 3, `expectation paid: expr "a > 0 || b" is false`},
	} {
		t.Run(name, func(t *testing.T) {
			w := &feature.Write{View: view, Values: []feature.Value{feature.Float64Value(tc.amount), feature.BoolValue(tc.refund)}}
			if at, reason, ok := c.Check(w); at != tc.at || reason != tc.reason || ok != (reason == "") {
				t.Errorf("Check = %d, %q, %t, want %d, %q", at, reason, ok, tc.at, tc.reason)
			}
		})
	}
}

func TestNewCheckerFaults(t *testing.T) {
	feat := func(typ feature.Type, e feature.Expect) *feature.View { return one(typ, e) }
	own := func(e feature.Expectation) *feature.View {
		v := viewOf(feature.Feature{Type: feature.Float64}, feature.Feature{Type: feature.JSON})
		v.Entities = []feature.Entity{{Name: "u", Type: feature.String}, {Name: "w", Type: feature.String}}
		e.Name = "e"
		v.Expect = []feature.Expectation{e}
		return v
	}
	r := func(low, high float64) *feature.Range { return &feature.Range{Min: &low, Max: &high} }
	for name, tc := range map[string]struct {
		view *feature.View
		key  string
		want string
	}{
		"pattern of a number":     {feat(feature.Int32, feature.Expect{Pattern: "x"}), "pattern", "a int32 is no text"},
		"pattern":                 {feat(feature.String, feature.Expect{Pattern: "(x"}), "pattern", `"(x" is no RE2 expression: error parsing regexp: missing closing )`},
		"pattern that looks back": {feat(feature.String, feature.Expect{Pattern: `(x)\1`}), "pattern", "is no RE2 expression"},
		"long pattern":            {feat(feature.String, feature.Expect{Pattern: strings.Repeat("x", 1001)}), "pattern", "1001 bytes, and at most 1000 are read"},
		"large program":           {feat(feature.String, feature.Expect{Pattern: strings.Repeat("(?:[a-z]{20}[0-9]{20}){24}", 6)}), "pattern", "steps, and at most 5000 are taken"},
		"length of a number":      {feat(feature.Float64, feature.Expect{Length: &feature.Length{Max: new(1)}}), "length", "a float64 has no length"},
		"empty length":            {feat(feature.String, feature.Expect{Length: &feature.Length{}}), "length", "empty: give min, max or both"},
		"length upside down":      {feat(feature.String, feature.Expect{Length: &feature.Length{Min: new(3), Max: new(2)}}), "length", "3 to 2: want 0 <= min <= max"},
		"token of a bool":         {feat(feature.Bool, feature.Expect{Token: true}), "token", "a bool holds no card number"},
		"unique list":             {feat(feature.ListOf(feature.Int32), feature.Expect{Unique: true}), "unique", "a list<int32> is not told from others"},
		"order of a text":         {feat(feature.String, feature.Expect{Monotonic: true}), "monotonic", "a string has no order"},
		"mean of a time":          {feat(feature.Timestamp, feature.Expect{Mean: r(1, 2)}), "mean", "a window of a timestamp has none"},
		"mean upside down":        {feat(feature.Int64, feature.Expect{Mean: r(2, 1)}), "mean", "min 2 is above max 1: swap them"},
		"rank":                    {feat(feature.Int64, feature.Expect{Quantiles: map[string]feature.Range{"95": *r(1, 2)}}), "quantiles.95", `"95": want a rank from 0 to 1`},
		"empty range":             {feat(feature.Int64, feature.Expect{Distinct: &feature.Range{}}), "distinct", "empty: give min, max or both"},
		"nothing":                 {own(feature.Expectation{}), "", "0 of expr, unique, monotonic, completeness, rows and late are given: want one"},
		"two":                     {own(feature.Expectation{Expr: "true", Late: new(.1)}), "", "2 of expr,"},
		"unknown unique":          {own(feature.Expectation{Unique: []string{"z"}}), "unique", `"z" is neither a feature nor a join key`},
		"unique twice":            {own(feature.Expectation{Unique: []string{"a", "a"}}), "unique", `"a" is listed twice`},
		"unique of nothing":       {own(feature.Expectation{Unique: []string{}}), "unique", "empty: list features"},
		"unique json":             {own(feature.Expectation{Unique: []string{"b"}}), "unique", `"b": a json is not told from others`},
		"part of the key":         {own(feature.Expectation{Unique: []string{"u", "a"}}), "unique", "1 of 2 join keys: they are taken together"},
		"order of nothing":        {own(feature.Expectation{Monotonic: "b"}), "monotonic", `"b": want event_time, or a feature`},
		"completeness":            {own(feature.Expectation{Completeness: new(99.95)}), "completeness", "99.95 is not a share between 0 and 1"},
		"bad of rows":             {own(feature.Expectation{Rows: r(1, 2), Bad: new(.1)}), "bad", "only expr, unique and monotonic"},
		"own expression":          {own(feature.Expectation{Expr: "a >"}), "expr", `expr "a >": column 4: Syntax error`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewChecker(tc.view)
			var faults Faults
			if !errors.As(err, &faults) || !errors.Is(err, ErrExpect) || faults[0].Key != tc.key || !strings.Contains(faults[0].Text(), tc.want) {
				t.Errorf("NewChecker = %v, want a fault of key %q that says %q", err, tc.key, tc.want)
			}
		})
	}
}
