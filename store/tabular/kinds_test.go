package tabular

import (
	"os"
	"path/filepath"
	"testing"
)

// TestKindsAreThoseOfValues holds what is read without values against what values are.
func TestKindsAreThoseOfValues(t *testing.T) {
	for name, text := range map[string]string{
		"numbers.csv":     "a,b,c\n1,inf,NaN\n2.5,-inf,\n",
		"words.csv":       "a,b,c,d\ntrue,x,1,2026-01-02T03:04:05Z\nfalse,true,y,\n",
		"times.csv":       "a,b,c,d\n2026-01-02T03:04:05Z,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z\n2026-01-02T03:04:05Z,x,3,inf\n",
		"infinities.csv":  "a,b\ninf,inf\nx,true\n",
		"nulls.csv":       "a,b\n,1\n,2\n",
		"no rows.csv":     "a,b\n",
		"nested.jsonl":    `{"a":[1],"b":{"c":1},"d":true,"e":"true","f":1}` + "\n" + `{"a":"x","b":null,"d":false,"e":true,"f":true,"g":"caf\u00e9"}` + "\n",
		"reordered.jsonl": `{"a":1,"b":"x"}` + "\n" + `{"b":"y","a":2,"event_id":"7"}` + "\n",
		"twice.jsonl":     `{"a":1,"a":2}` + "\n",
		"ids.csv":         "a,event_id\n1,x\n2,y\n",
		"no JSON.jsonl":   "{\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			kinds, err := ReadKinds(path)
			read, wantErr := ReadValues(path, nil)
			if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
				t.Fatalf("ReadKinds: %v, ReadValues: %v", err, wantErr)
			}
			if err != nil {
				return
			}
			if len(kinds) != len(read.Columns) {
				t.Fatalf("%d kinds, %d columns", len(kinds), len(read.Columns))
			}
			for i, v := range read.Columns {
				want := Kind{Name: v.Name, Numbers: v.Numeric() && !v.Times, Texts: len(v.Counts) > 0, Truths: true, Times: v.Times}
				for text := range v.Counts {
					want.Truths = want.Truths && (text == "true" || text == "false")
				}
				if kinds[i] != want {
					t.Errorf("kind %+v, want %+v", kinds[i], want)
				}
			}
		})
	}
}
