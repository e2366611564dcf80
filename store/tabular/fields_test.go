package tabular

import (
	"encoding/json"
	"testing"
)

// FuzzFields holds rows against encoding/json: the same members, and no panic.
func FuzzFields(f *testing.F) {
	for _, line := range []string{`{}`, ` { "a" : 1 , "b":"x\"y","c":null,"d":true,"e":-1.5e3 } `, `{"a":[1,2],"b":{"c":1}}`, `{"a\n":1}`, `{"a":01}`, `{"a":tru}`,
		`{"a":1,}`, `{"a":1}x`, `[1]`, `{"a":"` + "\x01" + `"}`, `{"a":"\q"}`, `{"a" 1}`, `{"a":1 "b":2}`, "{\"a\":\"\xff\"}", `{"a":NaN}`, `{,}`} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var fields Fields
		got, err := fields.Of(line)
		var want map[string]json.RawMessage
		wanted := json.Unmarshal(line, &want)
		if wanted == nil && want == nil {
			return // null
		}
		if (err == nil) != (wanted == nil) {
			t.Fatalf("fields of %q: %v, and encoding/json says %v", line, err, wanted)
		}
		if err != nil {
			return
		}
		last := map[string]string{}
		for _, m := range got {
			last[string(m.Name)] = string(m.Value)
		}
		for name, value := range want {
			mine, there := last[name]
			if !there && json.Valid([]byte(`"`+name+`"`)) && name != "\ufffd" {
				continue // a name that is not UTF-8 is kept as it stands
			}
			if there && mine != string(value) {
				t.Fatalf("%q of %q: %q, want %q", name, line, mine, value)
			}
		}
		if len(last) < len(want) {
			t.Fatalf("%d members of %q, want %d", len(last), line, len(want))
		}
	})
}
