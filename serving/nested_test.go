package serving

import (
	"net/http"
	"strings"
	"testing"
	"time"

	feastserving "sluice/api/feast/serving"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
)

const profile = `{"name":"Zoë","address":{"city":"Oslo","zip":null},"items":[{"price":12.50},{"price":3}],"id":12345678901234567890,"vip":true,"esc":"\u00e9\n"}`

// newNested returns a server with a profile of driver 7, one of driver 8 that was
// stored before json was packed, and a row without profile of driver 9.
func newNested(t testing.TB) *fixture {
	f := newFixture(t)
	row := func(v feature.Value) []feature.Value {
		values := make([]feature.Value, len(types))
		values[2], values[8] = feature.Int64Value(1), v
		return values
	}
	f.write(t, "drivers", 1, ago(time.Hour), driver(7), row(feature.JSONValue(profile))...)
	f.write(t, "drivers", 1, ago(time.Hour), driver(9), row(feature.Null)...)
	v := f.registry.defs.View("drivers")
	key, err := feature.NewKey(v, driver(8))
	if err != nil {
		t.Fatal(err)
	}
	value := feature.AppendValue(nil, feature.JSONValue(`{"address":{"city":"Bergen"}}`))
	old := append([]byte{9, byte(len(value))}, value...)
	if _, err := f.rows.Stage(t.Context(), 1, 1, []feature.Row{{Key: key, Record: feature.Record{EventTime: ago(time.Hour).UnixNano(), Seq: 1, Row: old}}}); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestNestedRows(t *testing.T) {
	f := newNested(t)
	code, got := f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7},{"driver_id":8},{"driver_id":9},{"driver_id":10}],
		"features":["meta.address.city","meta","meta.items.0.price","meta.items.1","meta.id","meta.vip","meta.esc","meta.address.zip","trips"]}`)
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, got)
	}
	const times = `"event_times":`
	for i, want := range []string{
		`"values":{"meta.address.city":"Oslo","meta":` + profile + `,"meta.items.0.price":12.5,"meta.items.1":{"price":3},"meta.id":12345678901234567890,"meta.vip":true,"meta.esc":"é\n","meta.address.zip":null,"trips":1},` +
			`"statuses":{"meta.address.city":"PRESENT","meta":"PRESENT","meta.items.0.price":"PRESENT","meta.items.1":"PRESENT","meta.id":"PRESENT","meta.vip":"PRESENT","meta.esc":"PRESENT","meta.address.zip":"NULL_VALUE","trips":"PRESENT"}`,
		`"values":{"meta.address.city":"Bergen","meta":{"address":{"city":"Bergen"}},"meta.items.0.price":null,`,
		`"values":{"meta.address.city":null,"meta":null,"meta.items.0.price":null,`,
		`"statuses":{"meta.address.city":"NOT_FOUND"`,
	} {
		row := strings.Split(got, times)[i]
		if !strings.Contains(row, want) {
			t.Errorf("row %d is %s, want %s", i, row, want)
		}
	}
}

func TestNestedFeast(t *testing.T) {
	f := newNested(t)
	request := feastRequest(columnsOf{"driver_id": longs(7, 8, 9)}, "drivers:meta.items.0.price", "drivers:meta.items.0", "drivers:meta.vip")
	got, err := feastserving.NewServingServiceClient(f.dial(t)).GetOnlineFeatures(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	const stamps = `event_timestamps { seconds: 1795431600 } event_timestamps { seconds: 1795431600 } event_timestamps { seconds: 1795431600 }`
	sameText(t, got, `
		metadata { feature_names { val: "driver_id" val: "meta.items.0.price" val: "meta.items.0" val: "meta.vip" } }
		results { values { int64_val: 7 } values { int64_val: 8 } values { int64_val: 9 } statuses: PRESENT statuses: PRESENT statuses: PRESENT event_timestamps {} event_timestamps {} event_timestamps {} }
		results { values { double_val: 12.5 } values {} values {} statuses: PRESENT statuses: NULL_VALUE statuses: NULL_VALUE `+stamps+` }
		results { values { json_val: '{"price":12.50}' } values {} values {} statuses: PRESENT statuses: NULL_VALUE statuses: NULL_VALUE `+stamps+` }
		results { values { bool_val: true } values {} values {} statuses: PRESENT statuses: NULL_VALUE statuses: NULL_VALUE `+stamps+` }`)

	code, text := f.post(t, "/get-online-features", `{"features":["drivers:meta.address.city","drivers:meta.address"],"entities":{"driver_id":[7,8]},"full_feature_names":true}`)
	if code != http.StatusOK || !strings.Contains(text, `{"values":["Oslo","Bergen"],"statuses":["PRESENT","PRESENT"]`) ||
		!strings.Contains(text, `{"values":["{\"city\":\"Oslo\",\"zip\":null}","{\"city\":\"Bergen\"}"]`) ||
		!strings.Contains(text, `["driver_id","drivers__meta.address.city","drivers__meta.address"]`) {
		t.Errorf("%d %s", code, text)
	}
}

// TestNestedOwn asks for the same feature whole and by paths, in either order.
func TestNestedOwn(t *testing.T) {
	f := newNested(t)
	client := sluicev1.NewFeatureServiceClient(f.dial(t))
	for _, refs := range [][]string{{"drivers:meta", "drivers:meta.vip"}, {"drivers:meta.vip", "drivers:meta"}, {"drivers:meta.vip", "drivers:meta.address", "drivers:meta.name"}} {
		got, err := client.GetFeatures(t.Context(), ownRequest(columnsOf{"driver_id": longs(7)}, 0, refs...))
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range got.Views[0].Columns {
			if "drivers:"+c.Feature != refs[i] {
				t.Errorf("%v: column %d is %s", refs, i, c.Feature)
			}
			v := c.Values[0]
			if ok := map[string]bool{"meta": v.GetJsonVal() == profile, "meta.vip": v.GetBoolVal(), "meta.address": v.GetJsonVal() == `{"city":"Oslo","zip":null}`,
				"meta.name": v.GetStringVal() == "Zoë"}[c.Feature]; !ok {
				t.Errorf("%v: %s = %v", refs, c.Feature, v)
			}
		}
	}
}

func TestNestedErrors(t *testing.T) {
	f := newNested(t)
	for name, want := range map[string]string{
		"trips.x": "only json features have paths", "mta.address": "did you mean drivers:meta.address?",
		"meta.": "step 1 of path", "meta..a": "step 1 of path", "none.of.it": "features of it are rate",
		"meta." + strings.Repeat("a.", 40) + "a": "more than 32", "met": "did you mean drivers:meta?",
	} {
		code, got := f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["`+name+`"]}`)
		if code < 400 || code >= 500 || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s, want %s", name, code, got, want)
		}
	}
	code, got := f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["meta.a","meta.a"]}`)
	if code != http.StatusBadRequest || !strings.Contains(got, "two columns") {
		t.Errorf("twice: %d %s", code, got)
	}
}

// TestNestedTTL wants a path to live as long as its feature.
func TestNestedTTL(t *testing.T) {
	f := newNested(t)
	f.registry.change(func() {
		views := []feature.View{*f.registry.defs.View("drivers")}
		views[0].Features = append([]feature.Feature{}, types...)
		views[0].Features[8].TTL = time.Minute
		f.registry.defs.Views = append(views, f.registry.defs.Views[1:]...)
		f.registry.generation++
	})
	f.renew(t)
	_, got := f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":7}],"features":["meta.vip","trips"]}`)
	if !strings.Contains(got, `"statuses":{"meta.vip":"OUTSIDE_MAX_AGE","trips":"PRESENT"}`) {
		t.Errorf("got %s", got)
	}
}

// TestNestedAllocates wants no allocation for a cell of a json feature.
func TestNestedAllocates(t *testing.T) {
	f := newNested(t)
	ask := func(n int) float64 {
		keys := make([]int64, n)
		for i := range keys {
			keys[i] = 7
		}
		snap, _, err := f.take()
		if err != nil {
			t.Fatal(err)
		}
		p, err := snap.catalog.compile([]string{"drivers:meta", "drivers:meta.vip", "drivers:meta.address", "drivers:meta.esc"}, ownForm, 100)
		if err != nil {
			t.Fatal(err)
		}
		chains := make([][]feature.Record, n)
		q := newQuery()
		q.plan, q.rows = p, n
		a := q.answer(&p.parts[0], &snap.served[p.parts[0].view.index])
		key, err := feature.NewKey(f.registry.defs.View("drivers"), driver(7))
		if err != nil {
			t.Fatal(err)
		}
		one, err := f.rows.Read(t.Context(), 1, []feature.Key{key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range chains {
			chains[i] = one[0]
		}
		return testing.AllocsPerRun(20, func() {
			q.answers = q.answers[:0]
			a = q.answer(&p.parts[0], a.shown)
			a.chains = chains
			if err := a.resolve(a.shown.vector, start.UnixNano()); err != nil {
				t.Error(err)
			}
		})
	}
	if n := ask(100); n > 2 {
		t.Errorf("100 rows of 4 json cells allocate %v times", n)
	}
}
