package expression

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

// account is a view with a feature of every type.
func account(computed ...feature.Computed) *feature.View {
	v := &feature.View{Name: "account", Computed: computed, Context: map[string]feature.Type{
		"amount": feature.Float64, "at": feature.Timestamp, "merchant": feature.String, "count": feature.Int64, "recent": feature.ListOf(feature.Float64),
	}}
	for i, f := range []feature.Feature{
		{Name: "mean", Type: feature.Float64}, {Name: "sd", Type: feature.Float32}, {Name: "n", Type: feature.Int64}, {Name: "small", Type: feature.Int32},
		{Name: "country", Type: feature.String}, {Name: "raw", Type: feature.Bytes}, {Name: "active", Type: feature.Bool},
		{Name: "seen", Type: feature.Timestamp}, {Name: "profile", Type: feature.JSON}, {Name: "tags", Type: feature.ListOf(feature.String)},
	} {
		f.ID = uint32(i + 1)
		v.Features = append(v.Features, f)
	}
	return v
}

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// known are values of account's features and context, by name.
var known = map[string]feature.Value{
	"mean": feature.Float64Value(40), "sd": feature.Float32Value(8), "n": feature.Int64Value(7), "small": feature.Int32Value(-3),
	"country": feature.StringValue("DE"), "raw": feature.BytesValue([]byte{1, 2}), "active": feature.BoolValue(true),
	"seen": feature.TimestampValue(noon.Add(-90 * time.Minute)), "profile": feature.JSONValue(`{"city":"Ulm","age":41,"gone":null,"items":[{"price":2.5}]}`),
	"tags":   feature.ListValue(feature.String, []feature.Value{feature.StringValue("gold"), feature.StringValue("new")}),
	"amount": feature.Float64Value(56), "at": feature.TimestampValue(noon), "merchant": feature.StringValue("FR"), "count": feature.Int64Value(0),
	"recent": feature.ListValue(feature.Float64, []feature.Value{feature.Float64Value(1), feature.Float64Value(5)}),
}

// rowOf returns a row of set's inputs: known ones, but for those that are given otherwise.
func rowOf(set *Set, given map[string]feature.Value) *Row {
	r := set.NewRow()
	value := func(name string) feature.Value {
		if v, ok := given[name]; ok {
			return v
		}
		return known[name]
	}
	for i, f := range set.view.Features {
		r.SetFeature(i, value(f.Name))
	}
	for i, name := range set.Context() {
		r.SetContext(i, value(name))
	}
	return r
}

func TestCompute(t *testing.T) {
	null := func(names ...string) map[string]feature.Value {
		m := map[string]feature.Value{}
		for _, name := range names {
			m[name] = feature.Null
		}
		return m
	}
	f64, i64, text := feature.Float64Value, feature.Int64Value, feature.StringValue
	for name, tc := range map[string]struct {
		typ   feature.Type
		expr  string
		given map[string]feature.Value
		want  feature.Value
		fails Reason
	}{
		"arithmetic":             {typ: feature.Float64, expr: "(amount - mean) / sd", want: f64(2)},
		"float32":                {typ: feature.Float32, expr: "amount / 3.0", want: feature.Float32Value(float32(56.0 / 3))},
		"float32 too large":      {typ: feature.Float32, expr: "amount * 1e300", fails: ReasonOverflow},
		"infinite float32":       {typ: feature.Float32, expr: "amount / 0.0", want: feature.Float32Value(float32(math.Inf(1)))},
		"int":                    {typ: feature.Int64, expr: "n * 2 + count", want: i64(14)},
		"int32":                  {typ: feature.Int32, expr: "small * 2", want: feature.Int32Value(-6)},
		"int32 too large":        {typ: feature.Int32, expr: "n * 1000000000", fails: ReasonOverflow},
		"int overflow":           {typ: feature.Int64, expr: "9223372036854775807 + n", fails: ReasonOverflow},
		"division of ints":       {typ: feature.Int64, expr: "n / count", fails: ReasonDivision},
		"modulus by zero":        {typ: feature.Int64, expr: "n % count", fails: ReasonDivision},
		"division of doubles":    {typ: feature.Float64, expr: "mean / double(count)", want: f64(math.Inf(1))},
		"zero by zero":           {typ: feature.Float64, expr: "(mean - 40.0) / double(count)", want: f64(math.NaN())},
		"NaN in":                 {typ: feature.Float64, expr: "mean + 1.0", given: map[string]feature.Value{"mean": f64(math.NaN())}, want: f64(math.NaN())},
		"NaN asked":              {typ: feature.Float64, expr: "math.isNaN(mean) ? -1.0 : mean", given: map[string]feature.Value{"mean": f64(math.NaN())}, want: f64(-1)},
		"NaN compared":           {typ: feature.Bool, expr: "mean > 1.0", given: map[string]feature.Value{"mean": f64(math.NaN())}, want: feature.BoolValue(false)},
		"bool":                   {typ: feature.Bool, expr: "country != merchant && active", want: feature.BoolValue(true)},
		"numbers of two types":   {typ: feature.Bool, expr: "amount > n", want: feature.BoolValue(true)},
		"string":                 {typ: feature.String, expr: `country + "-" + merchant.lowerAscii()`, want: text("DE-fr")},
		"string too long":        {typ: feature.String, expr: `country + merchant`, given: map[string]feature.Value{"country": text(strings.Repeat("x", 60<<10)), "merchant": text(strings.Repeat("x", 6<<10))}, fails: ReasonSize},
		"bytes":                  {typ: feature.Bytes, expr: `raw + b"\x03"`, want: feature.BytesValue([]byte{1, 2, 3})},
		"time":                   {typ: feature.Int64, expr: "(at - seen).getSeconds()", want: i64(5400)},
		"timestamp":              {typ: feature.Timestamp, expr: `at + duration("1h")`, want: feature.TimestampValue(noon.Add(time.Hour))},
		"timestamp overflow":     {typ: feature.Timestamp, expr: `timestamp("9999-12-31T23:59:59Z") + (at - seen)`, fails: ReasonOverflow},
		"hour":                   {typ: feature.Int64, expr: `at.getHours("Asia/Tokyo")`, want: i64(21)},
		"list":                   {typ: feature.ListOf(feature.Float64), expr: "recent.map(x, x / amount)", want: feature.ListValue(feature.Float64, []feature.Value{f64(1.0 / 56), f64(5.0 / 56)})},
		"list of int32":          {typ: feature.ListOf(feature.Int32), expr: "[small, 7]", want: feature.ListValue(feature.Int32, []feature.Value{feature.Int32Value(-3), feature.Int32Value(7)})},
		"in a list":              {typ: feature.Bool, expr: `"gold" in tags`, want: feature.BoolValue(true)},
		"logarithm":              {typ: feature.Float64, expr: "math.log(amount)", want: f64(math.Log(56))},
		"of what has none":       {typ: feature.Float64, expr: "math.log(-amount)", want: f64(math.NaN())},
		"log1p, exp, pow":        {typ: feature.Float64, expr: "math.pow(math.exp(math.log1p(1.0)), 2.0)", want: f64(math.Pow(math.Exp(math.Log1p(1)), 2))},
		"least and greatest":     {typ: feature.Float64, expr: "math.least(math.greatest(amount, 100.0), 90.0)", want: f64(90)},
		"square root":            {typ: feature.Float64, expr: "math.sqrt(amount * amount)", want: f64(56)},
		"document":               {typ: feature.String, expr: "string(profile.city)", want: text("Ulm")},
		"number of a document":   {typ: feature.Float64, expr: "profile.age + 0.5", want: f64(41.5)},
		"dyn":                    {typ: feature.Float64, expr: "profile.items[0].price", want: f64(2.5)},
		"dyn of another type":    {typ: feature.Int64, expr: "profile.age", fails: ReasonType},
		"no such key":            {typ: feature.String, expr: "string(profile.street)", want: feature.Null},
		"null under a key":       {typ: feature.Float64, expr: "profile.gone * 2.0", want: feature.Null},
		"no such index":          {typ: feature.Float64, expr: "profile.items[3].price", want: feature.Null},
		"no such index of list":  {typ: feature.String, expr: "tags[5]", want: feature.Null},
		"has":                    {typ: feature.Bool, expr: "has(profile.street) || has(profile.gone)", want: feature.BoolValue(false)},
		"optional":               {typ: feature.Float64, expr: "profile.?gone.orValue(-1.0)", want: f64(-1)},
		"text that is no number": {typ: feature.Float64, expr: "double(country)", fails: ReasonType},
		"null feature":           {typ: feature.Float64, expr: "amount - mean", given: null("mean"), want: feature.Null},
		"null context":           {typ: feature.Float64, expr: "amount - mean", given: null("amount"), want: feature.Null},
		"null and equality":      {typ: feature.Bool, expr: "country == merchant", given: null("country"), want: feature.Null},
		"null and short circuit": {typ: feature.Bool, expr: "active || mean > 1.0", given: null("mean"), want: feature.Null},
		"asked":                  {typ: feature.Float64, expr: "mean == null ? 0.0 : amount - mean", given: null("mean"), want: f64(0)},
		"asked, not null":        {typ: feature.Bool, expr: "mean != null && mean > 1.0", given: null("mean"), want: feature.BoolValue(false)},
		"asked of a list":        {typ: feature.Int64, expr: "dyn(tags) == null ? 0 : size(tags)", given: null("tags"), want: i64(0)},
		"asked, other null":      {typ: feature.Float64, expr: "mean == null ? 0.0 : amount - mean", given: null("amount"), want: feature.Null},
		"asked, not dealt with":  {typ: feature.Float64, expr: "mean == null || amount > 1.0 ? mean * 2.0 : 0.0", given: null("mean"), want: feature.Null},
		"null as result":         {typ: feature.Float64, expr: "mean == null ? mean : 1.0", given: null("mean"), want: feature.Null},
		"coalesce":               {typ: feature.Float64, expr: "coalesce(mean, 3.0)", given: null("mean"), want: f64(3)},
		"coalesce of two":        {typ: feature.Float64, expr: "coalesce(mean, amount)", given: null("mean"), want: f64(56)},
		"coalesce of three":      {typ: feature.Float64, expr: "coalesce(mean, amount, 1.0) * 2.0", given: null("mean", "amount"), want: f64(2)},
		"coalesce of nulls":      {typ: feature.Float64, expr: "coalesce(mean, amount)", given: null("mean", "amount"), want: feature.Null},
		"coalesce of a term":     {typ: feature.Float64, expr: "coalesce(double(n) / amount, -1.0)", given: null("n"), want: f64(-1)},
		"coalesce of a document": {typ: feature.String, expr: `coalesce(string(profile.street), string(profile.gone), "none")`, want: text("none")},
		"coalesce of a failure":  {typ: feature.Int64, expr: "coalesce(n / count, 1)", fails: ReasonDivision},
		"coalesce and others":    {typ: feature.Float64, expr: "coalesce(mean, 1.0) + amount", given: null("amount"), want: feature.Null},
		"coalesce, nothing null": {typ: feature.Float64, expr: "coalesce(mean, 3.0)", want: f64(40)},
		"a name of its own":      {typ: feature.Bool, expr: `tags.exists(mean, mean == "new")`, given: null("mean"), want: feature.BoolValue(true)},
		"too many steps":         {typ: feature.Bool, expr: "recent.all(x, recent.all(y, recent.all(z, x + y + z >= 0.0)))", given: map[string]feature.Value{"recent": hundred()}, fails: ReasonCost},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := Compile(account(feature.Computed{Name: "out", Type: tc.typ, Expr: tc.expr}))
			if err != nil {
				t.Fatal(err)
			}
			row := rowOf(set, tc.given)
			got, failure := row.Compute(0)
			if reason := reasonOf(failure); !got.Equal(tc.want) || reason != tc.fails {
				t.Errorf("%s = %v, %v, want %v, %q", tc.expr, got, failure, tc.want, tc.fails)
			}
		})
	}
}

func reasonOf(f *Failure) Reason {
	if f == nil {
		return ""
	}
	return f.Reason
}

func hundred() feature.Value {
	list := make([]feature.Value, 100)
	for i := range list {
		list[i] = feature.Float64Value(float64(i))
	}
	return feature.ListValue(feature.Float64, list)
}

func TestComputedOfComputed(t *testing.T) {
	set, err := Compile(account(
		feature.Computed{Name: "far", Type: feature.Bool, Expr: "z > 3.0"},
		feature.Computed{Name: "z", Type: feature.Float64, Expr: "(amount - mean) / sd"},
		feature.Computed{Name: "rate", Type: feature.Int64, Expr: "n / count"},
		feature.Computed{Name: "twice", Type: feature.Int64, Expr: "coalesce(rate, 1) * 2"},
		feature.Computed{Name: "alone", Type: feature.Float64, Expr: "amount"},
	))
	if err != nil {
		t.Fatal(err)
	}
	row := rowOf(set, map[string]feature.Value{"amount": feature.Float64Value(100)})
	if got, failure := row.Compute(0); failure != nil || !got.Bool() {
		t.Errorf("far = %v, %v, want true", got, failure)
	}
	if _, failure := row.Compute(3); reasonOf(failure) != ReasonInput || !strings.Contains(failure.Error(), "rate") {
		t.Errorf("what reads a failed one gives %v, want the reason input and its name", failure)
	}
	row = rowOf(set, map[string]feature.Value{"n": feature.Null})
	if got, failure := row.Compute(3); failure != nil || got.Int() != 2 {
		t.Errorf("twice of null = %v, %v, want 2", got, failure)
	}
	names := func(positions []int, of func(int) string) string {
		var out []string
		for _, at := range positions {
			out = append(out, of(at))
		}
		return strings.Join(out, " ")
	}
	for i, want := range []string{"mean sd | amount", "mean sd | amount", "n | count", "n | count", " | amount"} {
		got := names(set.Features(i), func(at int) string { return set.view.Features[at].Name }) + " | " + names(set.Needs(i), func(at int) string { return set.Context()[at] })
		if got != want {
			t.Errorf("%s reads %q, want %q", set.view.Computed[i].Name, got, want)
		}
	}
	if !set.Reads(0, 1) || set.Reads(1, 0) {
		t.Error("Reads does not follow the arrows")
	}
}

func TestFailureTellsNoValue(t *testing.T) {
	set, err := Compile(account(feature.Computed{Name: "out", Type: feature.Float64, Expr: "1.0 + double(country)"}))
	if err != nil {
		t.Fatal(err)
	}
	_, failure := rowOf(set, map[string]feature.Value{"country": feature.StringValue("4111111111111111x")}).Compute(0)
	if failure == nil || strings.Contains(failure.Error(), "4111") || failure.Column != 13 {
		t.Errorf("failure %v, want one at column 13 without the value", failure)
	}
}

func TestCompileFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		typ  feature.Type
		expr string
		want string
	}{
		"syntax":            {feature.Float64, "amount >", "column 9: Syntax error"},
		"unknown name":      {feature.Float64, "amuont / mean", "column 1: undeclared reference to 'amuont': did you mean amount?"},
		"unknown function":  {feature.Float64, "math.lg(mean)", "did you mean math.log?"},
		"two kinds":         {feature.Float64, "mean * n", "write double(x) for the int"},
		"int for float":     {feature.Float64, "n", "gives int, and float64 is declared: write double(…) around it"},
		"float for int":     {feature.Int64, "mean", "gives double, and int64 is declared: write int(…) around it"},
		"bool for string":   {feature.String, "active", "gives bool, and string is declared"},
		"duration":          {feature.Int64, "at - seen", "write .getSeconds() after it"},
		"list of another":   {feature.ListOf(feature.String), "recent", "gives list(double), and list<string> is declared"},
		"json":              {feature.JSON, "profile", "cannot be json"},
		"null":              {feature.Float64, "null", "gives null"},
		"optional":          {feature.Float64, "profile.?age", "gives optional_type(dyn), and float64 is declared"},
		"itself":            {feature.Float64, "out + 1.0", "reads itself: out reads out"},
		"too many steps":    {feature.Int64, "size([" + strings.Repeat("[1,2,3,4,5,6,7,8,9].map(x, x + n),", 90) + "[1]])", "costs at least"},
		"assignment to map": {feature.Float64, `{"a": mean}`, "gives map(string, double)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(account(feature.Computed{Name: "out", Type: tc.typ, Expr: tc.expr}))
			if !errors.Is(err, ErrExpression) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "out") {
				t.Errorf("Compile(%s) gave %v, want an ErrExpression with %q", tc.expr, err, tc.want)
			}
		})
	}
	_, err := Compile(account(
		feature.Computed{Name: "a", Type: feature.Float64, Expr: "b + 1.0"}, feature.Computed{Name: "b", Type: feature.Float64, Expr: "c"},
		feature.Computed{Name: "c", Type: feature.Float64, Expr: "a + nowhere"}, feature.Computed{Name: "mean", Type: feature.Float64, Expr: "1.0"},
	))
	if err == nil || !strings.Contains(err.Error(), "computed feature mean: the view has two of this name") {
		t.Errorf("a name that is taken gave %v", err)
	}
	_, err = Compile(account(
		feature.Computed{Name: "a", Type: feature.Float64, Expr: "b + 1.0"}, feature.Computed{Name: "b", Type: feature.Float64, Expr: "c"},
		feature.Computed{Name: "c", Type: feature.Float64, Expr: "a + mean"}, feature.Computed{Name: "d", Type: feature.Float64, Expr: "nowhere"},
	))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 2 || !strings.Contains(err.Error(), "reads itself: a reads b reads c reads a") {
		t.Errorf("a circle and an unknown name gave %v, want both", err)
	}
}
