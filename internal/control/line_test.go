package control

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"sluice/feature"
)

func testView() *feature.View {
	return &feature.View{
		Name: "pay", Entities: []feature.Entity{{Name: "user", Type: feature.String}, {Name: "card", Type: feature.Int64}},
		Features: []feature.Feature{{ID: 1, Name: "amount", Type: feature.Float64}},
		Source:   feature.Source{Format: "json", EventTime: "at", Map: map[string]string{"card": "c"}},
		Window:   feature.WindowSpec{Size: time.Minute, Lateness: 10 * time.Second, Idle: time.Minute},
	}
}

func TestReadLine(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 5, 0, time.UTC)
	for name, tc := range map[string]struct {
		text, value, key, id, view string
		own                        bool
		at                         time.Time
	}{
		"record": {
			text: `{"view":"pay","key":{"user": "a", "card":1},"event_time":"2024-01-01T00:00:05Z","values":{}}`,
			key:  `{"user":"a","card":1}`, at: at,
		},
		"record of another view": {
			text: `{"view":"other","key":{},"event_time":"2024-01-01T00:00:05Z","values":{}}`, key: `{}`,
		},
		"record, id last": {
			text:  `{"view":"pay","key":{},"values":{}, "event_id":"x"}`,
			value: `{"view":"pay","key":{},"values":{}}`, key: `{}`, id: "x",
		},
		"record, id first": {
			text:  `{"event_id":"x" , "view":"pay","key":{}}`,
			value: `{ "view":"pay","key":{}}`, key: `{}`, id: "x",
		},
		"record, id between": {
			text:  `{"view":"pay","event_id":"x","key":{}}`,
			value: `{"view":"pay","key":{}}`, key: `{}`, id: "x",
		},
		"flat on the default topic": {
			text: `{"user":"a","c":7,"at":"2024-01-01T00:00:05Z","event_id":"x"}`, key: "\"a\"\n7\n", id: "x", view: "pay", at: at,
		},
		"flat on its own topic": {
			text: `{"user":"a","c":7,"at":1704067205,"view":"v","key":1}`, key: "\"a\"\n7\n", own: true, at: at,
		},
		"flat, no key":     {text: `{"user":"a","at":"2024-01-01T00:00:05Z"}`, view: "pay", at: at},
		"time of 1960":     {text: `{"user":"a","c":1,"at":-300000000}`, key: "\"a\"\n1\n", view: "pay"},
		"time in far days": {text: `{"user":"a","c":1,"at":"9000-01-01T00:00:00Z"}`, key: "\"a\"\n1\n", view: "pay"},
		"id is no text":    {text: `{"user":"a","c":1,"event_id":7}`, key: "\"a\"\n1\n", view: "pay"},
		"no JSON":          {text: `{"user"`, view: "pay"},
		"a list":           {text: `[1]`, view: "pay"},
		"two objects":      {text: `{} {}`, view: "pay"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.value == "" {
				tc.value = tc.text
			}
			got := readLine(testView(), tc.own, []byte(tc.text))
			r := got.record
			if string(r.Value) != tc.value || string(r.Key) != tc.key || r.EventID != tc.id || r.View != tc.view || !got.at.Equal(tc.at) {
				t.Errorf("readLine(%s) = value %s, key %q, id %q, view %q, at %s", tc.text, r.Value, r.Key, r.EventID, r.View, got.at)
			}
		})
	}
}

func FuzzReadLine(f *testing.F) {
	for _, seed := range []string{`{"view":"pay","event_id":"x","key":{}}`, `{"event_id":"x"}`, `{"user":"a","c":1,"at":0}`, `[`, `{"a":{"a":1}}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := readLine(testView(), false, text).record
		if json.Valid(text) != json.Valid(got.Value) {
			t.Errorf("readLine(%q) made %q of it", text, got.Value)
		}
		if got.View != "" && !bytes.Equal(got.Value, text) {
			t.Errorf("readLine(%q) changed a flat row to %q", text, got.Value)
		}
	})
}

func BenchmarkReadLine(b *testing.B) {
	line := []byte(`{"user":"u123","c":7,"at":"2024-01-01T00:00:05Z","amount":12.5,"a":1,"b":2,"d":3,"e":4,"f":5,"event_id":"x"}`)
	view := testView()
	b.ReportAllocs()
	for b.Loop() {
		readLine(view, false, line)
	}
}
