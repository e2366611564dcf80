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
