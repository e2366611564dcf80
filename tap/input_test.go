package tap

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

// kinds is a view with a feature of every type.
func kinds() feature.View {
	v := feature.View{
		Project: "test", Name: "kinds", Entities: []feature.Entity{{Name: "id", Type: feature.Int64}},
		Window: feature.WindowSpec{Size: 5 * time.Minute},
	}
	for _, t := range []feature.Type{
		feature.Int32, feature.Int64, feature.Float32, feature.Float64, feature.String, feature.Bytes, feature.Bool,
		feature.Timestamp, feature.JSON,
	} {
		v.Features = append(v.Features, feature.Feature{Name: "f_" + t.String(), Type: t})
		if t != feature.JSON {
			v.Features = append(v.Features, feature.Feature{Name: "l_" + t.String(), Type: feature.ListOf(t)})
		}
	}
	return v
}

func kindsRecord(values string) string {
	return `{"view":"kinds","key":{"id":7},"event_time":"2024-05-06T12:00:00Z","values":{` + values + `}}`
}

// badInput is every class of record that is not accepted, by what becomes of it.
var badInput = map[string]struct {
	value   string
	kind    string
	reason  feature.Code
	feature string
}{
	"no JSON":                   {`hello`, DeadLettered, "decode", ""},
	"cut off":                   {`{"view":"kinds"`, DeadLettered, "decode", ""},
	"not an object":             {`[1]`, DeadLettered, "decode", ""},
	"trailing bytes":            {kindsRecord(``) + `x`, DeadLettered, "decode", ""},
	"duplicate field":           {`{"view":"kinds","view":"kinds"}`, DeadLettered, "decode", ""},
	"duplicate feature":         {kindsRecord(`"f_int32":1,"f_int32":1`), DeadLettered, "decode", ""},
	"duplicate escaped feature": {kindsRecord(`"f_int32":1,"f\u005fint32":1`), DeadLettered, "decode", ""},
	"duplicate key in json":     {kindsRecord(`"f_json":{"a":1,"b":{"c":1,"c":2}}`), DeadLettered, "decode", ""},
	"duplicate unknown field":   {`{"view":"kinds","a":1,"a":2}`, DeadLettered, "decode", ""},
	"unknown field":             {`{"view":"kinds","key":{"id":7},"event_time":1,"values":{},"extra":1}`, DeadLettered, "decode", ""},
	"invalid UTF-8":             {kindsRecord("\"f_string\":\"\xff\""), DeadLettered, "decode", ""},
	"invalid UTF-8 in a key":    {kindsRecord("\"\xff\":1"), DeadLettered, "decode", ""},
	"lone surrogate":            {kindsRecord(`"f_string":"\ud800"`), DeadLettered, "decode", ""},
	"control character":         {kindsRecord("\"f_string\":\"a\nb\""), DeadLettered, "decode", ""},
	"leading zero":              {kindsRecord(`"f_int32":01`), DeadLettered, "decode", ""},
	"NaN as a word":             {kindsRecord(`"f_float64":NaN`), DeadLettered, "decode", ""},
	"too deep":                  {kindsRecord(`"f_json":` + strings.Repeat("[", 65) + strings.Repeat("]", 65)), DeadLettered, "decode", ""},
	"too large":                 {kindsRecord(`"f_string":"` + strings.Repeat("a", 1<<20) + `"`), DeadLettered, "too_large", ""},
	"no value":                  {``, DeadLettered, "decode", ""},

	"no view":         {`{"key":{"id":7},"event_time":1,"values":{}}`, DeadLettered, "invalid_argument", ""},
	"view is null":    {`{"view":null,"key":{"id":7},"event_time":1,"values":{}}`, DeadLettered, "invalid_argument", ""},
	"unknown view":    {`{"view":"kind","key":{"id":7},"event_time":1,"values":{}}`, DeadLettered, "unknown_view", ""},
	"unknown feature": {kindsRecord(`"f_int31":1`), DeadLettered, "unknown_feature", ""},
	"no key":          {`{"view":"kinds","event_time":1,"values":{}}`, DeadLettered, "invalid_argument", ""},
	"join key null":   {`{"view":"kinds","key":{"id":null},"event_time":1,"values":{}}`, DeadLettered, "invalid_argument", ""},
	"join key absent": {`{"view":"kinds","key":{},"event_time":1,"values":{}}`, DeadLettered, "invalid_argument", ""},
	"unknown key":     {`{"view":"kinds","key":{"id":7,"di":7},"event_time":1,"values":{}}`, DeadLettered, "invalid_argument", ""},
	"join key type":   {`{"view":"kinds","key":{"id":"7"},"event_time":1,"values":{}}`, DeadLettered, "type", ""},
	"key no object":   {`{"view":"kinds","key":7,"event_time":1,"values":{}}`, DeadLettered, "invalid_argument", ""},
	"no values":       {`{"view":"kinds","key":{"id":7},"event_time":1}`, DeadLettered, "invalid_argument", ""},
	"no event time":   {`{"view":"kinds","key":{"id":7},"values":{}}`, DeadLettered, "invalid_argument", ""},
	"bad event time":  {`{"view":"kinds","key":{"id":7},"event_time":"yesterday","values":{}}`, DeadLettered, "invalid_argument", ""},
	"float seconds":   {`{"view":"kinds","key":{"id":7},"event_time":1.5,"values":{}}`, DeadLettered, "invalid_argument", ""},
	"time null":       {`{"view":"kinds","key":{"id":7},"event_time":null,"values":{}}`, DeadLettered, "invalid_argument", ""},
	"bad op":          {`{"view":"kinds","key":{"id":7},"event_time":1,"values":{},"op":"upsert"}`, DeadLettered, "invalid_argument", ""},
	"op no string":    {`{"view":"kinds","key":{"id":7},"event_time":1,"values":{},"op":1}`, DeadLettered, "invalid_argument", ""},

	"before 1970":        {`{"view":"kinds","key":{"id":7},"event_time":"1969-12-31T23:59:59Z","values":{}}`, Quarantined, "invalid_argument", ""},
	"negative seconds":   {`{"view":"kinds","key":{"id":7},"event_time":-1,"values":{}}`, Quarantined, "invalid_argument", ""},
	"milliseconds":       {`{"view":"kinds","key":{"id":7},"event_time":1715000000000,"values":{}}`, Quarantined, "future", ""},
	"year 2300":          {`{"view":"kinds","key":{"id":7},"event_time":"2300-01-01T00:00:00Z","values":{}}`, Quarantined, "future", ""},
	"ahead of the clock": {`{"view":"kinds","key":{"id":7},"event_time":"2024-05-06T12:11:00Z","values":{}}`, Quarantined, "future", ""},
	"long string":        {kindsRecord(`"f_string":"` + strings.Repeat("a", 64<<10+1) + `"`), Quarantined, "too_large", "f_string"},
	"long json":          {kindsRecord(`"f_json":["` + strings.Repeat("a", 64<<10+1) + `"]`), Quarantined, "too_large", "f_json"},
	"long and no key": {`{"view":"kinds","event_time":1,"values":{"f_string":"` + strings.Repeat("a", 64<<10+1) + `"}}`,
		DeadLettered, "invalid_argument", ""},

	"string for int32":      {kindsRecord(`"f_int32":"1"`), DeadLettered, "type", "f_int32"},
	"point in int64":        {kindsRecord(`"f_int64":1.0`), DeadLettered, "type", "f_int64"},
	"exponent in int64":     {kindsRecord(`"f_int64":1e3`), DeadLettered, "type", "f_int64"},
	"int32 overflow":        {kindsRecord(`"f_int32":2147483648`), DeadLettered, "type", "f_int32"},
	"int64 overflow":        {kindsRecord(`"f_int64":9223372036854775808`), DeadLettered, "type", "f_int64"},
	"float32 overflow":      {kindsRecord(`"f_float32":1e39`), DeadLettered, "type", "f_float32"},
	"float64 overflow":      {kindsRecord(`"f_float64":1e309`), DeadLettered, "type", "f_float64"},
	"inexact float64":       {kindsRecord(`"f_float64":9007199254740993`), DeadLettered, "type", "f_float64"},
	"beyond 2^53":           {kindsRecord(`"f_float64":-9007199254740994`), DeadLettered, "type", "f_float64"},
	"inexact float32":       {kindsRecord(`"f_float32":16777217`), DeadLettered, "type", "f_float32"},
	"string for float":      {kindsRecord(`"f_float64":"1.5"`), DeadLettered, "type", "f_float64"},
	"infinity misspelt":     {kindsRecord(`"f_float64":"+Infinity"`), DeadLettered, "type", "f_float64"},
	"number for string":     {kindsRecord(`"f_string":1`), DeadLettered, "type", "f_string"},
	"object for string":     {kindsRecord(`"f_string":{"a":1}`), DeadLettered, "type", "f_string"},
	"no base64":             {kindsRecord(`"f_bytes":"a"`), DeadLettered, "type", "f_bytes"},
	"base64 with new lines": {kindsRecord(`"f_bytes":"YWFh\n\n\n\n"`), DeadLettered, "type", "f_bytes"},
	"number for bool":       {kindsRecord(`"f_bool":1`), DeadLettered, "type", "f_bool"},
	"no time":               {kindsRecord(`"f_timestamp":"noon"`), DeadLettered, "type", "f_timestamp"},
	"milliseconds for time": {kindsRecord(`"f_timestamp":1715000000000000`), DeadLettered, "type", "f_timestamp"},
	"no list":               {kindsRecord(`"l_int32":1`), DeadLettered, "type", "l_int32"},
	"null in a list":        {kindsRecord(`"l_int32":[1,null]`), DeadLettered, "type", "l_int32"},
	"mixed list":            {kindsRecord(`"l_string":["a",1]`), DeadLettered, "type", "l_string"},
}

// goodInput is records on the edge of what is accepted.
var goodInput = map[string]string{
	"all nulls":       kindsRecord(``),
	"explicit nulls":  kindsRecord(`"f_int32":null,"l_int32":null,"f_json":null`),
	"edges":           kindsRecord(`"f_int32":-2147483648,"f_int64":9223372036854775807,"f_float64":9007199254740992,"f_float32":16777216`),
	"special floats":  kindsRecord(`"f_float64":"NaN","f_float32":"-Infinity","l_float64":["Infinity",-0,1e-320]`),
	"texts":           kindsRecord(`"f_string":"\u00e9\ud83d\ude00\n","f_bytes":"AAE=","l_bytes":["","AA=="]`),
	"times":           kindsRecord(`"f_timestamp":"2024-05-06T12:00:00.5+02:00","l_timestamp":[-1,1715000000]`),
	"nested json":     kindsRecord(`"f_json":` + strings.Repeat("[", 62) + `1` + strings.Repeat("]", 62)),
	"bools":           kindsRecord(`"f_bool":true,"l_bool":[false]`),
	"view last":       `{"values":{"f_int32":1},"event_time":1714996800,"key":{"id":7},"op":"write","view":"kinds"}`,
	"white space":     " {\n\"view\" : \"kinds\" ,\t\"key\":{ \"id\" : 7 }, \"event_time\":1714996800,\r\"values\": { } } ",
	"delete":          `{"view":"kinds","key":{"id":7},"event_time":1714996800,"op":"delete"}`,
	"in time for now": `{"view":"kinds","key":{"id":7},"event_time":"2024-05-06T12:10:00Z","values":{}}`,
}

// Every record counts once, what is not accepted is a dead letter with its
// original bytes and a message of at most 256 printable bytes, and nothing stops
// the partition.
func TestBadInput(t *testing.T) {
	r := newRig(t, 1, kinds())
	r.clock.set(day.Add(5 * time.Minute))
	run := r.start()
	var names []string
	for name := range badInput {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		r.send("sluice.writes", Out{Key: []byte(name), Value: []byte(badInput[name].value), Headers: []Header{{HeaderProducer, []byte("p")}}})
	}
	for _, value := range goodInput {
		r.send("sluice.writes", Out{Value: []byte(value)})
	}
	counts := r.drain()
	r.crash(run)
	if want := uint64(len(goodInput)); counts.Accepted != want || counts.Received != want+uint64(len(names)) {
		t.Errorf("counts = %+v, want %d accepted, %d received", counts, want, want+uint64(len(names)))
	}
	letters := map[string]DeadLetter{}
	for _, l := range r.letters() {
		letters[string(l.Key)] = l
	}
	for _, name := range names {
		want, got := badInput[name], letters[name]
		if got.Kind != want.kind || got.Reason != want.reason || got.Feature != want.feature {
			t.Errorf("%s: letter is %s %s feature %q (%s), want %s %s %q", name, got.Kind, got.Reason, got.Feature, got.Text, want.kind, want.reason, want.feature)
		}
		if len(got.Text) == 0 || len(got.Text) > 256 || strings.ContainsFunc(got.Text, func(c rune) bool { return c < ' ' || c == 0xFFFD }) {
			t.Errorf("%s: text %q is empty, too long or not escaped", name, got.Text)
		}
		if whole := []byte(want.value); !bytes.Equal(got.Bytes, whole[:min(len(whole), maxLetter)]) || got.Size != len(whole) {
			t.Errorf("%s: letter holds %d bytes of %d, want the original's", name, len(got.Bytes), got.Size)
		}
		if len(got.Headers) != 1 || got.Headers[0].Key != HeaderProducer {
			t.Errorf("%s: headers = %v, want the original's", name, got.Headers)
		}
	}
}

// A record on a topic that two views read counts once, and columns that one does
// not know are passed over.
func TestFlatTopic(t *testing.T) {
	a, b := delays(), delays()
	a.Source = feature.Source{Topic: "flights", EventTime: "time", Map: map[string]string{"delay": "dep_delay"}}
	b.Name, b.Source = "origins", feature.Source{Topic: "flights", EventTime: "time"}
	b.Entities = []feature.Entity{{Name: "origin", Type: feature.String}}
	b.Features = []feature.Feature{{Name: "carrier", Type: feature.String}, {Name: "delay", Type: feature.Float64}}
	r := newRig(t, 1, a, b)
	r.start()
	for _, value := range []string{
		`{"carrier":"UA","origin":"EWR","time":"2024-05-06T12:00:00Z","dep_delay":5,"flights":1,"tail":"N1"}`,
		`{"carrier":"UA","origin":"EWR","time":"2024-05-06T12:00:00Z","dep_delay":"five","flights":1}`, // delays cannot read it
		`{"carrier":"UA","origin":"EWR","time":"2024-05-06T12:00:00Z","dep_delay":5,"event_id":"e1"}`,
		`{"carrier":"UA","origin":"EWR","time":"2024-05-06T12:00:00Z","dep_delay":5,"event_id":"e1"}`, // twice
		`{"carrier":"UA","origin":"EWR"}`,
		`{"carrier":"UA","origin":"EWR","time":1714996800,"op":"delete"}`,
	} {
		r.send("flights", Out{Value: []byte(value)})
	}
	want := feature.Counts{Received: 6, Accepted: 4, DeadLettered: 1, Duplicate: 1}
	if counts := r.drain(); counts != want {
		t.Errorf("counts = %+v, want %+v", counts, want)
	}
	for view, want := range map[string]uint64{"delays": 3, "origins": 4} {
		if p, rows := r.merged(view, day); rows != want || p.Deletes != 1 {
			t.Errorf("%s: %d rows, %d deletes, want %d, 1", view, rows, p.Deletes, want)
		}
	}
}

// A header names the view of a flat record on the default topic.
func TestFlatOnDefaultTopic(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	for _, value := range []string{
		`{"carrier":"UA","event_time":"2024-05-06T12:00:00Z","delay":5}`,
		`{"carrier":"UA","event_time":"2024-05-06T12:00:00Z","dealy":5}`,
		`broken`,
	} {
		r.send("sluice.writes", Out{Value: []byte(value), Headers: []Header{{HeaderView, []byte("delays")}}})
	}
	if counts, want := r.drain(), (feature.Counts{Received: 3, Accepted: 1, DeadLettered: 2}); counts != want {
		t.Errorf("counts = %+v, want %+v", counts, want)
	}
	letters := r.letters()
	if len(letters) != 2 || letters[0].Reason != feature.CodeUnknownFeature || !strings.Contains(letters[0].Text, `did you mean "delay"`) || letters[1].View != "delays" {
		t.Errorf("letters = %+v, want an unknown feature with a suggestion, and one of view delays", letters)
	}
}

// FuzzDecode reads any bytes as both forms of a record. It may refuse, it may not
// crash, and a value that it takes is one of the feature's type.
func FuzzDecode(f *testing.F) {
	for _, c := range badInput {
		if len(c.value) < 4096 {
			f.Add([]byte(c.value))
		}
	}
	for _, value := range goodInput {
		f.Add([]byte(value))
	}
	view := kinds()
	d := newDecoder(&view)
	var r reading
	f.Fuzz(func(t *testing.T, data []byte) {
		for form, read := range map[string]func() *rejection{
			"flat":     func() *rejection { return r.readFlat(d, data, false) },
			"strict":   func() *rejection { return r.readFlat(d, data, true) },
			"envelope": func() *rejection { _, bad := r.readEnvelope(data, func(string) *decoder { return d }); return bad },
		} {
			if bad := read(); bad != nil {
				if bad.reason == "" || len(bad.text) > maxMessage {
					t.Fatalf("%s: rejection %+v has no reason or a long text", form, bad)
				}
				continue
			}
			checkWrite(t, form, &r.write)
		}
	})
}

func checkWrite(t *testing.T, form string, w *feature.Write) {
	for i, v := range w.Values {
		if !v.IsNull() && v.Type() != w.View.Features[i].Type {
			t.Fatalf("%s: value %d is %s, want %s", form, i, v.Type(), w.View.Features[i].Type)
		}
		again, err := feature.DecodeValue(feature.AppendValue(nil, v))
		if err != nil || !again.Equal(v) {
			t.Fatalf("%s: value %d does not survive its own form: %v", form, i, err)
		}
	}
	if _, err := w.Key.Values(); err != nil || w.EventTime.Unix() < 0 || w.EventTime.Year() >= 2262 {
		t.Fatalf("%s: key %q (%v) or event time %s", form, w.Key, err, w.EventTime)
	}
	_ = fmt.Sprint(w.Key.Text(w.View))
}
