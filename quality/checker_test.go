package quality

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

// viewOf returns a view of features named a, b, c and so on.
func viewOf(features ...feature.Feature) *feature.View {
	v := &feature.View{ID: 1, Name: "test", Features: features}
	for i := range v.Features {
		v.Features[i].ID, v.Features[i].Name = uint32(i+1), string(rune('a'+i))
	}
	return v
}

func one(t feature.Type, e feature.Expect) *feature.View {
	return viewOf(feature.Feature{Type: t, Expect: e})
}

func TestCheckValue(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	between := feature.Expect{Min: new(-120.0), Max: new(2000.0)}
	airports := feature.Expect{In: []string{"EWR", "JFK", "LGA"}}
	list := func(v ...float64) feature.Value {
		var values []feature.Value
		for _, x := range v {
			values = append(values, feature.Float64Value(x))
		}
		return feature.ListValue(feature.Float64, values)
	}
	for name, tc := range map[string]struct {
		typ    feature.Type
		expect feature.Expect
		value  feature.Value
		reason string // empty: holds
	}{
		"nothing expected":        {feature.Float64, feature.Expect{}, feature.Float64Value(math.NaN()), ""},
		"at min":                  {feature.Float64, between, feature.Float64Value(-120), ""},
		"at max":                  {feature.Float64, between, feature.Float64Value(2000), ""},
		"below min":               {feature.Float64, between, feature.Float64Value(-120.5), "a: -120.5 is below min -120"},
		"above max":               {feature.Float64, between, feature.Float64Value(1e9), "a: 1e+09 is above max 2000"},
		"infinite":                {feature.Float64, between, feature.Float64Value(math.Inf(1)), "a: +Inf is above max 2000"},
		"infinite without max":    {feature.Float64, feature.Expect{Min: new(0.0)}, feature.Float64Value(math.Inf(1)), ""},
		"not-a-number":            {feature.Float64, between, feature.Float64Value(math.NaN()), "a: NaN is not between min -120 and max 2000"},
		"null":                    {feature.Float64, between, feature.Null, ""},
		"integer above max":       {feature.Int32, between, feature.Int32Value(2001), "a: 2001 is above max 2000"},
		"timestamp below min":     {feature.Timestamp, feature.Expect{Min: new(2e9)}, feature.TimestampValue(at), "a: 2026-01-02T03:04:05Z is below min 2e+09"},
		"every element":           {feature.ListOf(feature.Float64), between, list(1, 2), ""},
		"one element above":       {feature.ListOf(feature.Float64), between, list(1, 3000, 2), "a: 3000 is above max 2000"},
		"empty list":              {feature.ListOf(feature.Float64), between, list(), ""},
		"allowed text":            {feature.String, airports, feature.StringValue("JFK"), ""},
		"null text":               {feature.String, airports, feature.Null, ""},
		"unknown text":            {feature.String, airports, feature.StringValue("jfk\n"), `a: "jfk\n" is not in [EWR JFK LGA]`},
		"long text is cut":        {feature.String, airports, feature.StringValue(strings.Repeat("x", 1000)), `a: "` + strings.Repeat("x", 64) + `" is not in [EWR JFK LGA]`},
		"allowed integer":         {feature.Int64, feature.Expect{In: []string{"1", "-2"}}, feature.Int64Value(-2), ""},
		"unknown integer":         {feature.Int64, feature.Expect{In: []string{"1", "-2"}}, feature.Int64Value(2), "a: 2 is not in [1 -2]"},
		"allowed float32":         {feature.Float32, feature.Expect{In: []string{"0.1"}}, feature.Float32Value(.1), ""},
		"negative zero":           {feature.Float64, feature.Expect{In: []string{"0"}}, feature.Float64Value(math.Copysign(0, -1)), ""},
		"not-a-number in a list":  {feature.Float64, feature.Expect{In: []string{"0"}}, feature.Float64Value(math.NaN()), "a: NaN is not in [0]"},
		"forbidden bool":          {feature.Bool, feature.Expect{In: []string{"false"}}, feature.BoolValue(true), "a: true is not in [false]"},
		"allowed timestamp":       {feature.Timestamp, feature.Expect{In: []string{"2026-01-02T03:04:05Z"}}, feature.TimestampValue(at), ""},
		"unknown bytes":           {feature.Bytes, feature.Expect{In: []string{"x"}}, feature.BytesValue([]byte{0xff}), `a: "\xff" is not in [x]`},
		"bounds before the list":  {feature.Int32, feature.Expect{Min: new(0.0), In: []string{"-1"}}, feature.Int32Value(-1), "a: -1 is below min 0"},
		"the list after bounds":   {feature.Int32, feature.Expect{Min: new(0.0), In: []string{"1"}}, feature.Int32Value(2), "a: 2 is not in [1]"},
		"unknown text in a list":  {feature.ListOf(feature.String), airports, feature.ListValue(feature.String, []feature.Value{feature.StringValue("EWR"), feature.StringValue("X")}), `a: "X" is not in [EWR JFK LGA]`},
		"share bounds do nothing": {feature.Float64, feature.Expect{Nulls: new(0.0), Bad: new(0.0)}, feature.Null, ""},
	} {
		t.Run(name, func(t *testing.T) {
			checkOne(t, one(tc.typ, tc.expect), []feature.Value{tc.value}, tc.reason)
		})
	}
}

// checkOne wants feature 0 to break with reason, or nothing if it is empty.
func checkOne(t *testing.T, view *feature.View, values []feature.Value, reason string) {
	t.Helper()
	c, err := NewChecker(view)
	if err != nil {
		t.Fatal(err)
	}
	at, got, ok := c.Check(&feature.Write{View: view, Values: values})
	if ok != (reason == "") || got != reason || ok != (at == -1) {
		t.Errorf("Check = %d, %q, %t, want %q", at, got, ok, reason)
	}
}

func TestCheckExpr(t *testing.T) {
	view := func(expr string) *feature.View {
		return viewOf(
			feature.Feature{Type: feature.Float64, Expect: feature.Expect{Expr: expr}},
			feature.Feature{Type: feature.Int64}, feature.Feature{Type: feature.String}, feature.Feature{Type: feature.JSON},
			feature.Feature{Type: feature.ListOf(feature.Int32)}, feature.Feature{Type: feature.Timestamp}, feature.Feature{Type: feature.Bool})
	}
	row := []feature.Value{
		feature.Float64Value(2.5), feature.Int64Value(3), feature.StringValue("x"), feature.JSONValue(`{"k":[1,2]}`),
		feature.ListValue(feature.Int32, []feature.Value{feature.Int32Value(7)}), feature.UnixSecondsValue(1e9), feature.BoolValue(true),
	}
	nulls := make([]feature.Value, len(row))
	for name, tc := range map[string]struct {
		expr   string
		values []feature.Value
		reason string
	}{
		"true":                   {"a > 0.0 && b <= 3", row, ""},
		"numbers of two types":   {"a > 0 && a < b", row, ""},
		"false":                  {"a > b", row, `a: expr "a > b" is false; a = 2.5`},
		"every type":             {`c == "x" && d.k[1] == 2 && e[0] == 7 && f == timestamp("2001-09-09T01:46:40Z") && g`, row, ""},
		"null is null":           {"a == null && b == null && c == null && d == null && f == null && g == null && dyn(e) == null", nulls, ""},
		"null or positive":       {"a == null || a > 0.0", nulls, ""},
		"null where a number is": {"a > 0.0", nulls, `a: expr "a > 0.0": "a is null, where a value is needed"; a = null`},
		"two nulls":              {"a + double(b) > 1.0 && c == null", nulls, `a: expr "a + double(b) > 1.0 && c == null": "a, b are null, where a value is needed"; a = null`},
		"division by zero":       {"1 / (b - 3) == 1", row, `a: expr "1 / (b - 3) == 1": "division by zero"; a = 2.5`},
		"missing json key":       {"d.none == 1", row, `a: expr "d.none == 1": "no such key: none"; a = 2.5`},
	} {
		t.Run(name, func(t *testing.T) {
			checkOne(t, view(tc.expr), tc.values, tc.reason)
		})
	}
}

// An expression that would run long is cut off, and breaks.
func TestCheckExprCost(t *testing.T) {
	view := one(feature.ListOf(feature.Int32), feature.Expect{Expr: "a.all(x, a.all(y, a.all(z, x + y + z >= 0)))"})
	values := make([]feature.Value, 100)
	for i := range values {
		values[i] = feature.Int32Value(1)
	}
	checkOne(t, view, []feature.Value{feature.ListValue(feature.Int32, values)},
		`a: expr "a.all(x, a.all(y, a.all(z, x + y + z >= 0)))": "operation cancelled: actual cost limit exceeded"; a = list of 100`)
}

func TestCheckFirstBroken(t *testing.T) {
	below := feature.Expect{Max: new(1.0)}
	view := viewOf(feature.Feature{Type: feature.Float64}, feature.Feature{Type: feature.Float64, Expect: below}, feature.Feature{Type: feature.Float64, Expect: below})
	c, err := NewChecker(view)
	if err != nil {
		t.Fatal(err)
	}
	five := feature.Float64Value(5)
	for name, tc := range map[string]struct {
		write feature.Write
		at    int
	}{
		"two broken":     {feature.Write{Values: []feature.Value{five, five, five}}, 1},
		"last broken":    {feature.Write{Values: []feature.Value{five, feature.Null, five}}, 2},
		"deletion":       {feature.Write{Delete: true}, -1},
		"short of three": {feature.Write{Values: []feature.Value{five}}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			if at, reason, ok := c.Check(&tc.write); at != tc.at || ok != (tc.at < 0) {
				t.Errorf("Check = %d, %q, %t, want %d", at, reason, ok, tc.at)
			}
		})
	}
}

func TestNewCheckerErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		typ    feature.Type
		expect feature.Expect
		want   string
	}{
		"bound of a string":   {feature.String, feature.Expect{Min: new(1.0)}, "min, max: type string has no order"},
		"min above max":       {feature.Int32, feature.Expect{Min: new(2.0), Max: new(1.0)}, "min 2, max 1: no value lies between"},
		"bound not-a-number":  {feature.Int32, feature.Expect{Min: new(math.NaN())}, "no value lies between"},
		"no int32":            {feature.Int32, feature.Expect{In: []string{"3000000000"}}, `in: "3000000000" is no int32`},
		"no float":            {feature.Float64, feature.Expect{In: []string{"NaN"}}, `in: "NaN" is no float64`},
		"no bool":             {feature.Bool, feature.Expect{In: []string{"yes"}}, `in: "yes" is no bool`},
		"no timestamp":        {feature.Timestamp, feature.Expect{In: []string{"today"}}, `in: "today" is no timestamp`},
		"json has no values":  {feature.JSON, feature.Expect{In: []string{"{}"}}, `in: "{}" is no json`},
		"share above one":     {feature.Int32, feature.Expect{Nulls: new(1.5)}, "nulls: 1.5 is not a share between 0 and 1"},
		"share below zero":    {feature.Int32, feature.Expect{Bad: new(-.5)}, "bad: -0.5 is not a share between 0 and 1"},
		"syntax":              {feature.Int32, feature.Expect{Expr: "a >"}, `expr "a >": column 4: Syntax error`},
		"unknown feature":     {feature.Int32, feature.Expect{Expr: "z > 1"}, "undeclared reference to 'z'"},
		"text against number": {feature.String, feature.Expect{Expr: "a > 1"}, "found no matching overload"},
		"not a bool":          {feature.Int32, feature.Expect{Expr: "a + 1"}, `expr "a + 1": gives int, want bool`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewChecker(one(tc.typ, tc.expect))
			if !errors.Is(err, ErrExpect) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "feature a") {
				t.Errorf("NewChecker: %v, want ErrExpect that says %q", err, tc.want)
			}
		})
	}
}

// Every problem is reported at once.
func TestNewCheckerJoinsErrors(t *testing.T) {
	_, err := NewChecker(viewOf(
		feature.Feature{Type: feature.String, Expect: feature.Expect{Min: new(1.0), Expr: "a +"}},
		feature.Feature{Type: feature.Bool, Expect: feature.Expect{In: []string{"maybe"}}}))
	for _, want := range []string{"type string has no order", `expr "a +"`, `"maybe" is no bool`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewChecker: %v, want it to say %q", err, want)
		}
	}
}

// A feature may have a name that CEL uses itself.
func TestExprNames(t *testing.T) {
	for _, name := range []string{"int", "type", "size", "timestamp", "list", "has"} {
		view := one(feature.Float64, feature.Expect{Expr: name + " > 0.0"})
		view.Features[0].Name = name
		c, err := NewChecker(view)
		if err != nil {
			t.Errorf("NewChecker with feature %s: %v", name, err)
			continue
		}
		if _, reason, ok := c.Check(&feature.Write{Values: []feature.Value{feature.Float64Value(1)}}); !ok {
			t.Errorf("feature %s: %s", name, reason)
		}
	}
}

func TestReasonIsShort(t *testing.T) {
	long := strings.Repeat("\x01", 100)
	view := one(feature.String, feature.Expect{In: []string{long, long + "x"}})
	view.Features[0].Name = strings.Repeat("n", 63)
	c, err := NewChecker(view)
	if err != nil {
		t.Fatal(err)
	}
	if _, reason, _ := c.Check(&feature.Write{Values: []feature.Value{feature.StringValue("<" + long)}}); len(reason) > 256 {
		t.Errorf("reason of %d bytes, want at most 256", len(reason))
	}
}

func checkedView(t testing.TB, expr string) (*Checker, *feature.Write) {
	t.Helper()
	view := viewOf(
		feature.Feature{Type: feature.Float64, Expect: feature.Expect{Min: new(0.0), Max: new(9.0), Expr: expr}},
		feature.Feature{Type: feature.String, Expect: feature.Expect{In: []string{"EWR", "JFK"}}},
		feature.Feature{Type: feature.Int64, Expect: feature.Expect{In: []string{"1", "2"}}})
	c, err := NewChecker(view)
	if err != nil {
		t.Fatal(err)
	}
	return c, &feature.Write{View: view, Values: []feature.Value{feature.Float64Value(1), feature.StringValue("JFK"), feature.Int64Value(2)}}
}

// formedView is a view of one text with a pattern, a length and a token.
func formedView(t testing.TB) (*Checker, *feature.Write) {
	t.Helper()
	view := one(feature.String, feature.Expect{Pattern: "tok_[0-9a-f]{16}", Length: &feature.Length{Max: new(20)}, Token: true})
	c, err := NewChecker(view)
	if err != nil {
		t.Fatal(err)
	}
	return c, &feature.Write{View: view, Values: []feature.Value{feature.StringValue("tok_9f2c00d1aa4e77b1")}}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	c, w := checkedView(t, "")
	if n := testing.AllocsPerRun(100, func() { c.Check(w) }); n != 0 {
		t.Errorf("Check allocates %v times, want 0", n)
	}
	c, w = formedView(t)
	if n := testing.AllocsPerRun(100, func() { c.Check(w) }); n != 0 {
		t.Errorf("Check of pattern, length and token allocates %v times, want 0", n)
	}
}

// BenchmarkCheck measures a write of three features with bounds and lists of
// values, and with an expression as well.
func BenchmarkCheck(b *testing.B) {
	for name, expr := range map[string]string{"expr=no": "", "expr=yes": "a > 0.0 && c <= 2"} {
		c, w := checkedView(b, expr)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Check(w)
			}
		})
	}
}

// BenchmarkCheckForm measures a write of one text, by what is expected of it.
func BenchmarkCheckForm(b *testing.B) {
	for name, e := range map[string]feature.Expect{
		"pattern": {Pattern: "tok_[0-9a-f]{16}"}, "length": {Length: &feature.Length{Max: new(20)}}, "token": {Token: true},
	} {
		c, err := NewChecker(one(feature.String, e))
		if err != nil {
			b.Fatal(err)
		}
		w := &feature.Write{Values: []feature.Value{feature.StringValue("tok_9f2c00d1aa4e77b1")}}
		b.Run("expect="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Check(w)
			}
		})
	}
}
