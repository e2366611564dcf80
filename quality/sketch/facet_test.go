package sketch

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sluice/feature"
)

// writesOf returns writes of a view of one feature.
func writesOf(view *feature.View, values ...feature.Value) []*feature.Write {
	writes := make([]*feature.Write, len(values))
	for i := range values {
		writes[i] = &feature.Write{View: view, Topic: "t", Offset: int64(i), Values: values[i : i+1]}
	}
	return writes
}

func TestHourOfWeek(t *testing.T) {
	for text, want := range map[string]struct {
		hour int
		name string
	}{
		"1970-01-01T00:00:00Z":      {72, "Thursday 00:00"},
		"2024-01-01T00:00:00Z":      {0, "Monday 00:00"},
		"2024-01-07T23:59:59Z":      {167, "Sunday 23:00"},
		"2024-01-08T01:30:00+02:00": {167, "Sunday 23:00"},
		"1969-12-31T23:59:59Z":      {71, "Wednesday 23:00"},
		"1907-03-04T05:06:07Z":      {5, "Monday 05:00"},
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := HourOfWeek(at.Unix()); got != want.hour || HourName(got) != want.name {
			t.Errorf("HourOfWeek(%s) = %d, %q, want %d, %q", text, got, HourName(got), want.hour, want.name)
		}
	}
	for _, edge := range []int64{math.MinInt64, math.MaxInt64} {
		if got := HourOfWeek(edge); got < 0 || got >= HoursOfWeek {
			t.Errorf("HourOfWeek(%d) = %d", edge, got)
		}
	}
}

// Timestamps count in the hour of their own time, with bins and without.
func TestHours(t *testing.T) {
	view := testView(feature.Timestamp)
	monday5 := time.Date(2024, 1, 1, 5, 0, 0, 0, time.UTC)
	var values []feature.Value
	for i := range 300 {
		values = append(values, feature.TimestampValue(monday5.AddDate(0, 0, -7*i).Add(time.Duration(i%2)*time.Hour)))
	}
	values = append(values, feature.Null)
	writes := writesOf(view, values...)
	for _, l := range []*Layout{Unbinned(view), layoutOf(t, view, writes)} {
		part := profileOf(view, l, writes).Columns[0].Part
		if part.Facet != Hours || part.N != 300 || part.Bins()[5] != 150 || part.Bins()[6] != 150 {
			t.Errorf("hours = %+v, %d", part, part.Bins())
		}
	}
}

func TestElements(t *testing.T) {
	view := testView(feature.ListOf(feature.Float64), feature.ListOf(feature.String), feature.ListOf(feature.Bool))
	var writes []*feature.Write
	for i := range 300 {
		x := feature.Float64Value(float64(i % 10))
		writes = append(writes, &feature.Write{View: view, Topic: "t", Offset: int64(i), Values: []feature.Value{
			feature.ListValue(feature.Float64, []feature.Value{x, feature.Null, feature.Float64Value(math.NaN()), x}),
			feature.ListValue(feature.String, []feature.Value{feature.StringValue("a"), feature.StringValue("b"), feature.StringValue("a")}),
			feature.ListValue(feature.Bool, []feature.Value{feature.BoolValue(i%3 == 0)}),
		}})
	}
	layout := layoutOf(t, view, writes)
	p := profileOf(view, layout, append(writes, &feature.Write{View: view, Values: []feature.Value{
		feature.Null, feature.ListValue(feature.String, []feature.Value{feature.StringValue("new")}), feature.ListValue(feature.Bool, nil)}}))
	numbers, texts, truths := p.Columns[0].Part, p.Columns[1].Part, p.Columns[2].Part
	if numbers.N != 600 || numbers.Nulls != 300 || numbers.NaN != 300 || math.Abs(numbers.Mean()-4.5) > 1e-3 || numbers.Min != 0 || numbers.Max != 9 {
		t.Errorf("numbers = %+v with mean %v", numbers, numbers.Mean())
	}
	if !slices.Equal(texts.Layout().Categories, []string{"a", "b"}) || !slices.Equal(texts.Bins(), []uint64{600, 300, 0, 1}) {
		t.Errorf("texts: %d in %q", texts.Bins(), texts.Layout().Categories)
	}
	if truths.N != 300 || truths.Bins()[1] != 100 {
		t.Errorf("truths: %d", truths.Bins())
	}
	if p.Columns[0].N != 300 || p.Columns[0].Mean() != 4 {
		t.Errorf("the length of lists is %v in %d rows", p.Columns[0].Mean(), p.Columns[0].N)
	}
}

// A long list's sample is spread over all of it.
func TestSampledElements(t *testing.T) {
	view := testView(feature.ListOf(feature.Int64))
	var values []feature.Value
	for range 400 {
		list := make([]feature.Value, 1000)
		for i := range list {
			list[i] = feature.Int64Value(int64(i))
		}
		values = append(values, feature.ListValue(feature.Int64, list))
	}
	writes := writesOf(view, values...)
	for i, w := range writes {
		w.Key = feature.Key(fmt.Sprint(i)) // rows that are the same have the same elements sampled
	}
	layout := layoutOf(t, view, writes)
	if part := layout.Features[0].Part; part.Sample != 400*SampledElements || math.Abs(part.Centre-500) > 50 {
		t.Errorf("%d sampled elements with median %v", part.Sample, part.Centre)
	}
}

// walked returns the names of a value's paths, sorted.
func walked(text string) (names []string, cut, ok bool) {
	var w pathWalker
	h := newHasher(testKey)
	ok = w.walk(text, &h, true)
	names = slices.Clone(w.names)
	slices.Sort(names)
	return names, w.cut, ok
}

func TestPaths(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)
	for name, tc := range map[string]struct {
		text string
		want string
		cut  bool
		ok   bool
	}{
		"flat":               {`{"a":1,"b":"x"}`, "$.a $.b", false, true},
		"nested":             {`{"device":{"os":"x","v":[1,2]}}`, "$.device $.device.os $.device.v $.device.v[]", false, true},
		"null is absent":     {`{"a":null,"b":{"c":null}}`, "$.b", false, true},
		"a list of objects":  {`[{"a":1},{"b":2},{"a":null}]`, "$[] $[].a $[].b", false, true},
		"spaces":             {" { \"a\" :\t[ 1 , 2 ] }\n", "$.a $.a[]", false, true},
		"odd keys":           {`{"a.b":1,"":2,"x[]":3,"é":4}`, `$.é $[""] $["a.b"] $["x[]"]`, false, true},
		"escaped key":        {`{"\u0061\"":1}`, `$["a\""]`, false, true},
		"escapes in a text":  {`{"a":"\\","b":"\"}","c":1}`, "$.a $.b $.c", false, true},
		"number":             {"12", "", false, true},
		"null":               {"null", "", false, true},
		"too deep":           {deep, "", true, true},
		"nothing":            {"", "", false, false},
		"cut short":          {`{"a":{"b":1}`, "", false, false},
		"two values":         {`{} {}`, "", false, false},
		"no value":           {`{"a":}`, "", false, false},
		"unclosed text":      {`{"a\`, "", false, false},
		"a word like null":   {`{"a":nul}`, "", false, false},
		"long keys are cut":  {`{"` + strings.Repeat("k", 500) + `":{"x":1}}`, "", false, true},
		"brackets that miss": {`[1}`, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			names, cut, ok := walked(tc.text)
			if cut != tc.cut || ok != tc.ok {
				t.Fatalf("walk(%s) = %v, cut %v, want %v, %v", tc.text, ok, cut, tc.ok, tc.cut)
			}
			if got := strings.Join(names, " "); tc.want != "" && got != tc.want {
				t.Errorf("paths %s, want %s", got, tc.want)
			}
			for _, name := range names {
				if len(name) > MaxText {
					t.Errorf("a path of %d bytes", len(name))
				}
			}
		})
	}
}

// A value of more paths than are kept says so, and the next one starts anew.
func TestManyPaths(t *testing.T) {
	wide := map[string]int{}
	for i := range 1000 {
		wide[strings.Repeat("k", i+1)] = i
	}
	text, err := json.Marshal(wide)
	if err != nil {
		t.Fatal(err)
	}
	view := testView(feature.JSON)
	p := profileOf(view, Unbinned(view), writesOf(view, feature.JSONValue(string(text)), feature.JSONValue(`{"a":1}`), feature.JSONValue("{"), feature.Null))
	part := p.Columns[0].Part
	if part.N != 2 || part.Clipped != 1 || part.NaN != 1 || math.Abs(part.Distinct()-257) > 30 {
		t.Errorf("part = %+v with %v paths", part, part.Distinct())
	}
	if n := len(p.Sample); n != 4 {
		t.Fatalf("%d sampled rows", n)
	}
	for i := range p.Sample {
		if n := len(p.Sample[i].Parts(0)); n > SampledPaths {
			t.Errorf("%d paths of a row are kept", n)
		}
	}
}

// A row counts once for each of its paths, once for all others, once for all unseen.
func TestPathBins(t *testing.T) {
	view := testView(feature.JSON)
	var values []feature.Value
	for i := range 300 {
		text := `{"a":[{"b":1},{"b":2}]}`
		if i%3 == 0 {
			text = `{"a":[]}`
		}
		values = append(values, feature.JSONValue(text))
	}
	layout := layoutOf(t, view, writesOf(view, values...))
	p := profileOf(view, layout, append(writesOf(view, values...), writesOf(view, feature.JSONValue(`{"a":1,"x":{"y":1}}`), feature.JSONValue("null"))...))
	part := p.Columns[0].Part
	if got := strings.Join(part.Layout().Categories, " "); got != "$.a $.a[] $.a[].b" {
		t.Fatalf("paths %s", got)
	}
	if !slices.Equal(part.Bins(), []uint64{301, 200, 200, 0, 1}) || part.N != 302 {
		t.Errorf("bins %d of %d", part.Bins(), part.N)
	}
}

// Hashes are keyed: another installation's layout knows none of the paths.
func TestPathsAreKeyed(t *testing.T) {
	a, b := newHasher(testKey), newHasher(HashKey{9})
	var w pathWalker
	w.walk(`{"a":{"b":1}}`, &a, false)
	marks := slices.Clone(w.marks)
	w.walk(`{"a":{"b":1}}`, &b, false)
	for _, mark := range w.marks {
		if slices.Contains(marks, mark) {
			t.Error("two keys give one mark")
		}
	}
}

// FuzzPaths holds the walker to encoding/json: it takes all that is JSON and finds the
// places that are not null.
func FuzzPaths(f *testing.F) {
	rng := rand.New(rand.NewPCG(61, 62))
	for range 50 {
		f.Add(randomJSON(rng, 4))
	}
	f.Add(`{"a\u00e9":[null,{"b":{}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		names, cut, ok := walked(text)
		var value any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if !utf8.ValidString(text) || !json.Valid([]byte(text)) || decoder.Decode(&value) != nil {
			return
		}
		if !ok {
			t.Fatalf("%q is JSON", text)
		}
		known := map[string]bool{}
		truncated := false
		collect(value, "$", 0, known, &truncated)
		if cut || truncated || hasDuplicates(text) {
			return
		}
		want := map[string]bool{}
		for name := range known {
			want[Cut(name)] = true
		}
		for _, name := range names {
			if !want[name] {
				t.Fatalf("%q has no path %s", text, name)
			}
		}
		if len(names) < len(want) {
			t.Fatalf("%q: paths %q, want %v", text, names, want)
		}
	})
}

// hasDuplicates reports whether an object names a member twice, of which encoding/json
// keeps the last.
func hasDuplicates(text string) bool {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var once func() bool
	once = func() bool {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		seen := map[string]bool{}
		switch token {
		case json.Delim('{'):
			for decoder.More() {
				key, _ := decoder.Token()
				name, _ := key.(string)
				if seen[name] || once() {
					return true
				}
				seen[name] = true
			}
		case json.Delim('['):
			for decoder.More() {
				if once() {
					return true
				}
			}
		default:
			return false
		}
		_, err = decoder.Token()
		return err != nil
	}
	return once()
}

// collect finds the paths of a decoded value.
func collect(value any, path string, depth int, into map[string]bool, cut *bool) {
	if value == nil {
		return
	}
	if depth > 0 {
		into[path] = true
	}
	if depth > MaxPathDepth || len(into) > MaxRowPaths {
		*cut = true
		return
	}
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			collect(member, string(appendStep([]byte(path), key)), depth+1, into, cut)
		}
	case []any:
		for _, element := range v {
			collect(element, path+"[]", depth+1, into, cut)
		}
	}
}

// What was written before there were facets is read, keeps its bytes and digest, and
// merges as it did: with its like to what it gave then, and to bytes without facets with
// anything newer.
func TestBeforeFacets(t *testing.T) {
	text, err := os.ReadFile("testdata/before-facets.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var blobs [][]byte
	for _, line := range lines[:7] {
		b, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, b)
	}
	layout, err := UnmarshalLayout(blobs[0])
	if err != nil || layout.Digest() != lines[7] {
		t.Fatalf("the layout is read as %q, %v, want %q", layout.Digest(), err, lines[7])
	}
	view := testView(feature.Float64, feature.Timestamp, feature.JSON, feature.ListOf(feature.Float64), feature.String)
	writes := randomWrites(rand.New(rand.NewPCG(53, 54)), view, 100)
	for i, w := range writes {
		w.Offset += int64(10_000 + i)
	}
	for name, tc := range map[string]struct {
		layout         *Layout
		one, two, both []byte
	}{
		"binned": {layout, blobs[1], blobs[2], blobs[3]}, "unbinned": {Unbinned(view), blobs[4], blobs[5], blobs[6]},
	} {
		t.Run(name, func(t *testing.T) {
			read := func(b []byte) *Profile {
				p, err := UnmarshalProfile(b, tc.layout)
				if err != nil || !bytes.Equal(encode(t, p), b) {
					t.Fatalf("an older profile does not survive: %v", err)
				}
				return p
			}
			all := NewProfile(view, tc.layout, HashKey{})
			for _, b := range [][]byte{tc.two, tc.one} {
				if err := all.Merge(read(b)); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(encode(t, all), tc.both) {
				t.Fatal("older profiles merge to other bytes than they did")
			}
			a, b := profileOf(view, tc.layout, writes), read(tc.one)
			if err := a.Merge(read(tc.one)); err != nil {
				t.Fatal(err)
			}
			if err := b.Merge(profileOf(view, tc.layout, writes)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(encode(t, a), encode(t, b)) || a.faceted() {
				t.Error("an older and a newer profile merge to what depends on their order, or has facets")
			}
		})
	}
}

// Views without texts, timestamps, lists and json have the bytes that they had before facets
// and buckets.
func TestPlainViewsKeepTheirForm(t *testing.T) {
	view := testView(feature.Float64, feature.Int32, feature.Bool)
	writes := randomWrites(rand.New(rand.NewPCG(55, 56)), view, 300)
	layout := layoutOf(t, view, writes)
	b, _ := layout.MarshalBinary()
	if b[0] != layoutFormat || encode(t, profileOf(view, layout, writes))[0] != profileFormat {
		t.Error("the form of a plain view changed")
	}
}

// Ages of times that no calendar knows end at the largest number of seconds.
func TestAge(t *testing.T) {
	for _, tc := range []struct{ start, at, want int64 }{
		{100, 40, 60}, {100, 160, -60}, {0, math.MaxInt64, -math.MaxInt64}, {1000, math.MinInt64, math.MaxInt64},
		{-1000, math.MaxInt64, math.MinInt64}, {1000, math.MinInt64 + 500, math.MaxInt64}, {0, math.MinInt64, math.MaxInt64},
	} {
		if got := age(tc.start, tc.at); got != tc.want {
			t.Errorf("age(%d, %d) = %d, want %d", tc.start, tc.at, got, tc.want)
		}
	}
}

// Profiles of a feature under two types do not merge.
func TestMergeOfTypes(t *testing.T) {
	a, b := testView(feature.Float64), testView(feature.String)
	for _, l := range []*Layout{Unbinned(a), layoutOf(t, a, randomWrites(rand.New(rand.NewPCG(1, 1)), a, 300))} {
		p, o := NewProfile(a, l, testKey), NewProfile(b, l, testKey)
		before := encode(t, p)
		if err := p.Merge(o); !errors.Is(err, ErrLayout) || !bytes.Equal(encode(t, p), before) {
			t.Errorf("Merge = %v, want ErrLayout", err)
		}
	}
}
