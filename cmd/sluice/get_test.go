package main

import (
	"encoding/json"
	"reflect"
	"testing"

	"sluice/feature"
)

func TestParseKey(t *testing.T) {
	one := []feature.Entity{{Name: "carrier", Type: feature.String}}
	two := []feature.Entity{{Name: "a", Type: feature.String}, {Name: "b", Type: feature.Int64}}
	flag := []feature.Entity{{Name: "on", Type: feature.Bool}}
	for name, tc := range map[string]struct {
		entities []feature.Entity
		text     string
		want     map[string]any
		err      string
	}{
		"one":              {one, "carrier=UA", map[string]any{"carrier": "UA"}, ""},
		"empty value":      {one, "carrier=", map[string]any{"carrier": ""}, ""},
		"equals in value":  {one, "carrier=a=b", map[string]any{"carrier": "a=b"}, ""},
		"comma in value":   {one, "carrier=a,b", map[string]any{"carrier": "a,b"}, ""},
		"digits of a text": {one, "carrier=007", map[string]any{"carrier": "007"}, ""},
		"two":              {two, "a=x,b=2", map[string]any{"a": "x", "b": json.Number("2")}, ""},
		"two, turned":      {two, "b=-2,a=x,y", map[string]any{"a": "x,y", "b": json.Number("-2")}, ""},
		"bool":             {flag, "on=true", map[string]any{"on": true}, ""},
		"no bool":          {flag, "on=maybe", nil, `key "on=maybe": on: "maybe" is no bool`},
		"one missing":      {two, "a=x", nil, `key "a=x": want a=STRING,b=INT64`},
		"twice":            {two, "a=x,a=y,b=1", nil, `key "a=x,a=y,b=1": a is given twice`},
		"no such key":      {one, "carier=UA", nil, `key "carier=UA": want carrier=STRING`},
		"no pair":          {one, "UA", nil, `key "UA": want carrier=STRING`},
		"no number":        {two, "a=x,b=1.5", nil, `key "a=x,b=1.5": b: "1.5" is no int64`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseKey(tc.entities, tc.text)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != tc.err || err == nil && !reflect.DeepEqual(got, tc.want) {
				t.Errorf("parseKey(%s) = %v, %v, want %v, %s", tc.text, got, err, tc.want, tc.err)
			}
		})
	}
}

func TestParseContext(t *testing.T) {
	types := map[string]feature.Type{"amount": feature.Float64, "at": feature.Timestamp, "merchant": feature.String, "on": feature.Bool, "recent": feature.ListOf(feature.Float64)}
	for name, tc := range map[string]struct {
		pairs     []string
		want, err string
	}{
		"all":       {[]string{"amount=12.5", "at=2026-11-29T12:00:00Z", "merchant=a=b,c", "on=true", "recent=[1,2]"}, `{"amount":12.5,"at":"2026-11-29T12:00:00Z","merchant":"a=b,c","on":true,"recent":[1,2]}`, ""},
		"NaN":       {[]string{"amount=NaN"}, `{"amount":"NaN"}`, ""},
		"null":      {[]string{"amount=null"}, `{"amount":null}`, ""},
		"unknown":   {[]string{"amuont=5"}, `{"amuont":"5"}`, ""},
		"no pair":   {[]string{"amount"}, "", `context "amount": want NAME=VALUE, each name once`},
		"twice":     {[]string{"on=true", "on=false"}, "", `context "on=false": want NAME=VALUE, each name once`},
		"no number": {[]string{"amount=twelve"}, "", `context amount: "twelve" is no float64`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseContext(types, tc.pairs)
			if tc.err != "" {
				if err == nil || err.Error() != tc.err {
					t.Errorf("parseContext(%v) gave %v, want %s", tc.pairs, err, tc.err)
				}
				return
			}
			if text, _ := json.Marshal(got); err != nil || string(text) != tc.want {
				t.Errorf("parseContext(%v) = %s, %v, want %s", tc.pairs, text, err, tc.want)
			}
		})
	}
}

// Without the types of the join keys a value is sent as a number or truth value first, and
// as a text where bit n says so.
func TestGuessKey(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		texts  int
		want   map[string]any
		either int
		err    string
	}{
		"a text":            {"user=u1", 0, map[string]any{"user": "u1"}, 0, ""},
		"a number":          {"card=7", 0, map[string]any{"card": json.Number("7")}, 1, ""},
		"digits of a text":  {"user=7", 1, map[string]any{"user": "7"}, 1, ""},
		"no number":         {"user=007", 0, map[string]any{"user": "007"}, 0, ""},
		"two, one as text":  {"user=12,card=0", 1, map[string]any{"user": "12", "card": json.Number("0")}, 2, ""},
		"two, the other":    {"user=12,card=0", 2, map[string]any{"user": json.Number("12"), "card": "0"}, 2, ""},
		"a comma in one":    {"user=a,b,card=1", 0, map[string]any{"user": "a,b", "card": json.Number("1")}, 1, ""},
		"truth":             {"on=true", 0, map[string]any{"on": true}, 1, ""},
		"no pair":           {"UA", 0, nil, 0, `key "UA": want NAME=VALUE`},
		"twice":             {"a=x,a=y", 0, nil, 0, `key "a=x,a=y": a is given twice`},
		"empty is no value": {"", 0, nil, 0, `key "": want NAME=VALUE`},
	} {
		t.Run(name, func(t *testing.T) {
			got, either, err := guessKey(tc.text, tc.texts)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != tc.err || either != tc.either || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("guessKey(%s, %b) = %v, %d, %v, want %v, %d, %s", tc.text, tc.texts, got, either, err, tc.want, tc.either, tc.err)
			}
		})
	}
}
