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
