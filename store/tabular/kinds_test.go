package tabular

import (
	"os"
	"path/filepath"
	"testing"

	"sluice/feature"
)

// TestKindsAreThoseOfValues holds what is read without values against what values are.
func TestKindsAreThoseOfValues(t *testing.T) {
	for name, text := range map[string]string{
		"numbers.csv":    "a,b,c\n1,inf,NaN\n2.5,-inf,\n",
		"words.csv":      "a,b,c,d\ntrue,x,1,2026-01-02T03:04:05Z\nfalse,true,y,\n",
		"times.csv":      "a,b,c,d\n2026-01-02T03:04:05Z,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z\n2026-01-02T03:04:05Z,x,3,inf\n",
		"infinities.csv": "a,b\ninf,inf\nx,true\n",
		"nulls.csv":      "a,b\n,1\n,2\n",
		"no rows.csv":    "a,b\n",
		"nested.jsonl":   `{"a":[1],"b":{"c":1},"d":true,"e":"true","f":1}` + "\n" + `{"a":"x","b":null,"d":false,"e":true,"f":true,"g":"caf\u00e9"}` + "\n",
		"lists.jsonl": `{"n":[1,null,"NaN"],"t":["a",""],"b":[true,null],"at":["2026-01-02T03:04:05Z"],"none":[],"mixed":[1,"a"],"words":["true",true],"deep":[[1],[]],"of":[{"a":1}],"late":[1],"nan":["NaN"],"inf":[1],"some":[1],"gone":[null]}` + "\n" +
			`{"n":[],"t":null,"b":[],"at":[],"none":[],"late":{"a":1},"nan":["NaN",  "x" ],"inf":"inf","some":"NaN","text":[ "a\\"b]" , "," ],"gone":[]}` + "\n",
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
			kinds, err := ReadKinds(t.Context(), path)
			read, wantErr := ReadValues(t.Context(), path, nil)
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
				want := Kind{Name: v.Name, Numbers: v.Numeric() && !v.Times, Texts: len(v.Counts) > 0, Truths: !v.Nested(), Times: v.Times,
					Lists: v.Type.IsList(), Documents: v.Type == feature.JSON, Elements: kinds[i].Elements}
				for text := range v.Counts {
					want.Truths = want.Truths && (text == "true" || text == "false")
				}
				if kinds[i] != want {
					t.Errorf("kind %+v, want %+v", kinds[i], want)
				}
				if of, ok := kinds[i].Type(); v.Nested() && (!ok || of != v.Type) {
					t.Errorf("column %s is of type %s, want %s", v.Name, of, v.Type)
				}
			}
		})
	}
}
