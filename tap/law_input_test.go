package tap

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// Places of the features of lawView.
const (
	lawAmount = iota // no bounds: not-a-number, infinities, values beyond moments, an atom at 0
	lawDelay         // bounded: values outside are refused
	lawRatio
	lawCount
	lawStep
	lawCity // more values than have a bin, and some that the layout has not seen
	lawBlob
	lawFlag
	lawSeen
	lawTags
	lawNote
	lawGrade // a domain: other values are refused
)

// lawView has a feature of every kind that a profile counts in its own way.
func lawView() feature.View {
	v := feature.View{
		Project: "test", Name: "law", Entities: []feature.Entity{{Name: "id", Type: feature.String}},
		Window: feature.WindowSpec{Size: 5 * time.Minute, Lateness: 30 * time.Second},
	}
	for i, t := range []feature.Type{
		lawAmount: feature.Float64, lawDelay: feature.Float64, lawRatio: feature.Float32, lawCount: feature.Int64, lawStep: feature.Int32,
		lawCity: feature.String, lawBlob: feature.Bytes, lawFlag: feature.Bool, lawSeen: feature.Timestamp,
		lawTags: feature.ListOf(feature.Float64), lawNote: feature.JSON, lawGrade: feature.String,
	} {
		v.Features = append(v.Features, feature.Feature{Name: fmt.Sprint("f", i), Type: t})
	}
	v.Features[lawDelay].Expect = feature.Expect{Min: ptr(-120), Max: ptr(2000)}
	v.Features[lawGrade].Expect = feature.Expect{In: []string{"a", "b", "c"}}
	v.Slices = []string{"id", v.Features[lawFlag].Name}
	v.Features[lawCount].Expect = feature.Expect{Unique: true}
	v.Features[lawSeen].Expect = feature.Expect{Monotonic: true}
	v.Expect = []feature.Expectation{{Name: "once", Unique: []string{"id", "f5"}},
		{Name: "step", Expr: fmt.Sprintf("f%d == null || f%[1]d != 7", lawStep)}, {Name: "order", Monotonic: feature.EventTimeName}}
	return v
}

// lawFate is what becomes of a record that comes in time and for the first time.
type lawFate int

const (
	accepted   lawFate = iota
	refused            // breaks an expectation
	future             // ahead of the clock
	unreadable         // dead letter
	mark               // a watermark record
)

// lawRecord is one record of the writes that a case splits and orders. One that
// stands twice in an order is a repeated record: a duplicate if it has an id.
type lawRecord struct {
	fate    lawFate
	write   feature.Write
	blamed  int // refused: as Checker.Check says
	out     Out
	windows bool // counts in the window of its event time
}

// Rows of the windows of a set: a sample that overflows, one that does not, a few.
var lawWindows = []int{640, 240, 50}

// lawSet draws the records of a case. Repeated ones stand in it as often as they
// are sent.
func lawSet(rng *rand.Rand, view *feature.View) (set []*lawRecord) {
	for i, n := range lawWindows {
		start := day.Add(time.Duration(i) * view.Window.Size)
		for range n {
			at := start.Add(time.Duration(rng.Int64N(int64(view.Window.Size)))).Truncate(time.Millisecond)
			set = append(set, lawDraw(rng, view, at, len(set)))
		}
	}
	for range len(set) / 12 {
		set = append(set, set[rng.IntN(len(set))])
	}
	return set
}

// lawNow is the time of the clock, behind all event times but those of the future.
var lawNow = day.Add(20 * time.Minute)

func lawDraw(rng *rand.Rand, view *feature.View, at time.Time, n int) *lawRecord {
	r := &lawRecord{write: feature.Write{View: view, EventTime: at, Values: lawValues(rng, at)}, windows: true}
	lawTell(rng, &r.write)
	if rng.IntN(8) > 0 {
		r.write.EventID = fmt.Sprint("e", n)
	}
	switch rng.IntN(25) {
	case 0:
		r.write.Delete = true
	case 1:
		r.fate, r.blamed = refused, lawDelay
		r.write.Values[lawDelay] = feature.Float64Value([]float64{1e6, -121, math.NaN(), math.Inf(1)}[rng.IntN(4)])
	case 2:
		r.fate, r.blamed = refused, lawGrade
		r.write.Values[lawGrade] = feature.StringValue("d")
	case 5:
		r.fate, r.blamed = refused, len(view.Features)+1
		r.write.Values[lawStep] = feature.Int32Value(7)
	case 3:
		r.fate, r.windows = future, false
		r.write.EventTime = lawNow.Add(10 * time.Minute)
	case 4:
		r.fate, r.windows = unreadable, false
	}
	r.out = lawOut(rng, &r.write, r.fate == unreadable)
	return r
}

// lawMark is a record that moves its partition's watermark to at.
func lawMark(at time.Time) *lawRecord {
	return &lawRecord{fate: mark, write: feature.Write{EventTime: at}, out: Out{Headers: []Header{{HeaderWatermark, []byte(at.Format(time.RFC3339Nano))}}}}
}

var oddFloats = []float64{
	math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 5e-324, math.MaxFloat64, -1e300, 1e12, 0.1,
}

func lawValues(rng *rand.Rand, at time.Time) []feature.Value {
	amount, ratio := rng.NormFloat64()*37+5, rng.Float64()
	switch rng.IntN(10) {
	case 0:
		amount = oddFloats[rng.IntN(len(oddFloats))]
	case 1:
		amount = 0
	case 2:
		ratio = []float64{math.NaN(), math.Inf(-1), 0.5}[rng.IntN(3)]
	}
	tags := make([]feature.Value, rng.IntN(4))
	for i := range tags {
		tags[i] = feature.Float64Value(rng.Float64())
	}
	values := []feature.Value{
		lawAmount: feature.Float64Value(amount),
		lawDelay:  feature.Float64Value(math.Round(rng.ExpFloat64()*30) - 10),
		lawRatio:  feature.Float32Value(float32(ratio)),
		lawCount:  feature.Int64Value(rng.Int64N(1<<40) << (rng.IntN(2) * 22)),
		lawStep:   feature.Int32Value(int32(rng.IntN(9)) - 4),
		lawCity:   feature.StringValue(fmt.Sprint("city é", int(math.Abs(rng.NormFloat64())*60))),
		lawBlob:   feature.BytesValue([]byte{byte(rng.IntN(40)), 0xff}),
		lawFlag:   feature.BoolValue(rng.IntN(3) == 0),
		lawSeen:   feature.UnixSecondsValue(at.Unix() - rng.Int64N(4000)),
		lawTags:   feature.ListValue(feature.Float64, tags),
		lawNote:   feature.JSONValue(`{"a":[1]}`),
		lawGrade:  feature.StringValue(string(rune('a' + rng.IntN(3)))),
	}
	for i := range values {
		if rng.IntN(15) == 0 {
			values[i] = feature.Null
		}
	}
	return values
}

// lawOut writes a record as JSON; a broken one if asked to.
func lawOut(rng *rand.Rand, w *feature.Write, broken bool) Out {
	var values []string
	for i, v := range w.Values {
		if !v.IsNull() || rng.IntN(2) == 0 {
			values = append(values, fmt.Sprintf("%q:%s", w.View.Features[i].Name, lawJSON(v)))
		}
	}
	key, _ := w.Key.Values()
	entity := key[0].Text()
	text := fmt.Sprintf(`{"view":"law","key":{"id":%q},"event_time":%q,"values":{%s}}`, entity, w.EventTime.Format(time.RFC3339Nano), strings.Join(values, ","))
	switch {
	case broken:
		text = text[:len(text)-1]
	case w.Delete:
		text = fmt.Sprintf(`{"view":"law","key":{"id":%q},"event_time":%q,"op":"delete"}`, entity, w.EventTime.Format(time.RFC3339Nano))
	}
	o := Out{Key: []byte(entity), Value: []byte(text)}
	if w.EventID != "" {
		o = withID(o, w.EventID)
	}
	for name, value := range map[string]string{HeaderProducer: w.Producer, HeaderSchema: w.Schema} {
		if value != "" {
			o.Headers = append(o.Headers, Header{name, []byte(value)})
		}
	}
	return o
}

// lawTell gives a write its key and, at times, the headers of which there are more
// values than have a place of their own.
func lawTell(rng *rand.Rand, w *feature.Write) {
	key, err := feature.NewKey(w.View, []feature.Value{feature.StringValue(fmt.Sprint("c", rng.IntN(60)))})
	if err != nil {
		panic(err)
	}
	w.Key = key
	if rng.IntN(6) > 0 {
		w.Producer = fmt.Sprint("producer ", int(math.Abs(rng.NormFloat64())*8))
	}
	if rng.IntN(2) > 0 {
		w.Schema = fmt.Sprint("v", rng.IntN(3))
	}
}

func lawJSON(v feature.Value) string {
	if v.IsNull() {
		return "null"
	}
	if v.Type().IsList() {
		var all []string
		for _, e := range v.List() {
			all = append(all, lawJSON(e))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	switch f := v.Float(); v.Type() {
	case feature.Float64, feature.Float32:
		for name, odd := range namedFloats {
			if f == odd || math.IsNaN(f) && math.IsNaN(odd) {
				return strconv.Quote(name)
			}
		}
		return strconv.FormatFloat(f, 'e', -1, 64)
	case feature.String:
		text, _ := json.Marshal(v.Text())
		return string(text)
	case feature.Bytes:
		return strconv.Quote(base64.StdEncoding.EncodeToString([]byte(v.Text())))
	case feature.Bool:
		return strconv.FormatBool(v.Bool())
	case feature.JSON:
		return v.Text()
	}
	return strconv.FormatInt(v.Int(), 10)
}

// lawLayout builds bins from rows like those of a set, but fewer, so that a set
// has values that the layout has not seen.
func lawLayout(t *testing.T, view *feature.View) *sketch.Layout {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 77))
	p := sketch.NewProfile(view, sketch.Unbinned(view), testKey)
	for i := range 300 {
		w := feature.Write{View: view, EventTime: day, Values: lawValues(rng, day), Topic: "history", Offset: int64(i)}
		lawTell(rng, &w)
		p.Add(&w)
	}
	layout, err := sketch.BuildLayout(view, p)
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// lawVaried fails unless the windows of a set touch everything that a profile of
// their layout counts.
func lawVaried(t *testing.T, profiles map[int64]*sketch.Profile) {
	t.Helper()
	sum := map[string]uint64{}
	for _, p := range profiles {
		sum["deletes"] += p.Deletes
		amount, city := &p.Columns[lawAmount], &p.Columns[lawCity]
		sum["null"] += amount.Nulls
		sum["not-a-number"] += amount.NaN
		sum["infinity"] += amount.PosInf
		sum["negative infinity"] += amount.NegInf
		sum["clipped"] += amount.Clipped
		sum["refused by bounds"] += p.Columns[lawDelay].Refused
		sum["refused by domain"] += p.Columns[lawGrade].Refused
		sum["named category"] += city.Bins()[0]
		sum["other category"] += city.Bins()[city.Layout().Other()]
		sum["unseen category"] += city.Bins()[city.Layout().Unseen()]
		for d, at := range p.Layout().Dimensions() {
			slots := p.Breakdown()[d].Slots
			sum["named "+at.Name] += slots[0].Rows
			for i := range slots {
				sum["refused by "+at.Name] += slots[i].Part(p.Columns[lawDelay].ID).Refused
			}
			if at.Kind == sketch.HeaderDimension && at.Name == "producer" {
				sum["other producer"] += slots[at.Other()].Rows
			}
		}
		zero := amount.Layout().Bin(0)
		if _, atom := amount.Layout().Atom(zero); atom {
			sum["atom"] += amount.Bins()[zero]
		}
	}
	for _, what := range []string{
		"deletes", "null", "not-a-number", "infinity", "negative infinity", "clipped", "refused by bounds", "refused by domain",
		"named producer", "named schema", "named id", "named f7", "refused by producer", "other producer",
		"named category", "other category", "unseen category", "atom",
	} {
		if sum[what] == 0 {
			t.Errorf("no write of the set counts as %s", what)
		}
	}
}
