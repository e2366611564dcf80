package tabular

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/feature"
)

var allTypes = map[string]feature.Type{
	"s": feature.String, "i": feature.Int64, "f": feature.Float64, "b": feature.Bool, "t": feature.Timestamp,
	"j": feature.JSON, "l": feature.ListOf(feature.Int64), "y": feature.Bytes,
}

func TestCSV(t *testing.T) {
	for name, tc := range map[string]struct {
		text       string
		types      map[string]feature.Type
		lines, ids []string
	}{
		"untyped": {
			"s,i,f\n007,7,-0.5e3\nx,+7,.5\n,NaN,true\n", nil,
			[]string{`{"s":"007","i":7,"f":-0.5e3}`, `{"s":"x","i":"+7","f":".5"}`, `{"s":null,"i":"NaN","f":"true"}`}, []string{"", "", ""}},
		"strings": {
			"s,y\n007,AP8=\n1.5,12\n\"\",null\n", allTypes,
			[]string{`{"s":"007","y":"AP8="}`, `{"s":"1.5","y":"12"}`, `{"s":null,"y":"null"}`}, []string{"", "", ""}},
		"numbers": {
			"i,f,t\n9007199254740993,nan,1356998400\n1.5,-inf,2013-01-01T00:00:00Z\n007,Infinity,x\n1_000,--inf,0x1\n", allTypes,
			[]string{
				`{"i":9007199254740993,"f":"NaN","t":1356998400}`, `{"i":1.5,"f":"-Infinity","t":"2013-01-01T00:00:00Z"}`,
				`{"i":"007","f":"Infinity","t":"x"}`, `{"i":"1_000","f":"--inf","t":"0x1"}`}, []string{"", "", "", ""}},
		"bool, json and lists": {
			"b,j,l\ntrue,\"{\"\"a\"\":\n1}\",\"[1,2]\"\n1,{,x\n", allTypes,
			[]string{`{"b":true,"j":{"a": 1},"l":[1,2]}`, `{"b":"1","j":"{","l":"x"}`}, []string{"", ""}},
		"event id apart": {
			"event_id,s\na 1,x\n,y\n", nil, []string{`{"s":"x"}`, `{"s":"y"}`}, []string{"a 1", ""}},
		"quotes, line ends and a byte order mark": {
			"\ufeff\"s\",\"a \"\"b\"\"\"\r\n\"x,\ny\t\x01\",\\\r\n", nil, []string{`{"s":"x,\ny\t\u0001","a \"b\"":"\\"}`}, []string{""}},
		"broken UTF-8 stays": {"s\n\xff\n", nil, []string{"{\"s\":\"\xff\"}"}, []string{""}},
		"header alone":       {"s,i\n", nil, nil, nil},
		"nothing":            {"", nil, nil, nil},
		"blank lines":        {"\n\r\n", nil, nil, nil},
		"a mark alone":       {"\ufeff", nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			lines, ids, err := readFile(write(t, "x.CSV", []byte(tc.text)), tc.types)
			if err != nil || !slices.Equal(lines, tc.lines) || !slices.Equal(ids, tc.ids) {
				t.Errorf("lines %q, ids %q, %v; want %q, %q", lines, ids, err, tc.lines, tc.ids)
			}
		})
	}
}

func TestCSVRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		lines int
		want  string
	}{
		"column without name": {"a,,b\n", 0, "line 1: column 2 has no name"},
		"column twice":        {"a,b,a\n", 0, `line 1: column "a" is there twice`},
		"field missing":       {"a,b\n1,2\n3\n", 1, "line 3, column 1: wrong number of fields"},
		"field too many":      {"a,b\n1,2\n\"x\ny\",2\n1,2,3\n", 2, "line 5, column 1: wrong number of fields"},
		"bare quote":          {"a,b\nx\"y,1\n", 0, "line 2, column 2: bare"},
		"quote not closed":    {"a,b\n1,\"2\n", 0, "line 2, column 6: extraneous or missing \" in quoted-field"},
	} {
		t.Run(name, func(t *testing.T) {
			lines, _, err := readFile(write(t, "x.csv", []byte(tc.text)), nil)
			if !errors.Is(err, ErrCorrupt) || len(lines) != tc.lines || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "x.csv: ") {
				t.Errorf("%d lines, %v; want %d, and ErrCorrupt with %q", len(lines), err, tc.lines, tc.want)
			}
		})
	}
}

func TestCSVLimit(t *testing.T) {
	in := io.MultiReader(strings.NewReader("a\n1\n\""), repeat(strings.Repeat("x", 1<<20), 18), strings.NewReader("\"\n"))
	r, err := newCSV(in, io.NopCloser(nil), "x.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lines, _, err := readAll(r); len(lines) != 1 || !errors.Is(err, ErrLimit) {
		t.Errorf("a field of 18 MiB: %d lines, %v, want 1 and ErrLimit", len(lines), err)
	}
}

// FuzzCSV shows that whatever is read is one line of JSON per record, unless the
// file holds broken UTF-8.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("s,i,f,b,t,j,l,y,event_id\n\"a\"\"b\",1,nan,true,1,{},[1],AA==,x\n"))
	f.Add([]byte("a,b\n1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := newCSV(strings.NewReader(string(data)), io.NopCloser(nil), "x.csv", allTypes)
		for err == nil {
			var line []byte
			if line, _, err = r.Next(); err == nil && utf8.Valid(data) && (!json.Valid(line) || slices.Contains(line, '\n')) {
				t.Fatalf("%q is not one line of JSON", line)
			}
		}
		if !errors.Is(err, io.EOF) && !named(err) {
			t.Fatalf("error %v is not a named one", err)
		}
	})
}

func TestIsNumber(t *testing.T) {
	for text, want := range map[string]bool{
		"0": true, "-0": true, "12": true, "-1.50": true, "1e9": true, "1E-9": true, "0.1e+1": true,
		"": false, "-": false, "+1": false, "01": false, "1.": false, ".5": false, "1e": false, "1e+": false, "1x": false, " 1": false,
		"NaN": false, "0x10": false, "1_0": false, "--1": false, "1.5.": false,
	} {
		if got := isNumber(text); got != want || got != (text != " 1" && json.Valid([]byte(text))) {
			t.Errorf("isNumber(%q) = %t, want %t", text, got, want)
		}
	}
}

func TestRequireHeader(t *testing.T) {
	for name, tc := range map[string]struct {
		file, text string
		want       error
	}{
		"nothing":         {"x.csv", "", ErrCorrupt},
		"blank lines":     {"x.csv", "\n\r\n", ErrCorrupt},
		"a mark alone":    {"x.csv", "\ufeff", ErrCorrupt},
		"a header":        {"x.csv", "a,b\n", nil},
		"rows":            {"x.csv", "a,b\n1,2\n", nil},
		"JSON of nothing": {"x.jsonl", "", nil},
	} {
		in, err := Open(write(t, tc.file, []byte(tc.text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := RequireHeader(in); !errors.Is(err, tc.want) || err != nil && !strings.Contains(err.Error(), "no header line") {
			t.Errorf("%s: RequireHeader = %v, want %v", name, err, tc.want)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A file that something else than commas separates, or that is no UTF-8 by its mark, is refused
// with what to do: it was read as one column of whole lines.
func TestCSVOfOtherSeparators(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"semicolons":        {"id;amount;country\na;1,5;NL\n", `line 1: semicolons, not commas, separate the columns of the header "id;amount;country"`},
		"two columns":       {"id;amount\na;1\n", "semicolons"},
		"decimal commas":    {"id;amount, eur;x\na;1,5;2\n", "semicolons"},
		"in quotes":         {"\"id\";\"amount, in euros\"\r\n\"a\";1,5\r\n", `separate the columns of the header "\"id\";\"amount, in euros\""`},
		"blank lines first": {"\n\r\nid;amount\na;1\n", `"id;amount"`},
		"tabs":              {"id\tamount\na\t1\n", `tabs, not commas, separate the columns of the header "id\tamount"`},
		"vertical bars":     {"id|amount|c\na|1|2\n", "vertical bars"},
		"a byte order mark": {"\ufeffid;amount\na;1\n", `"id;amount"`},
		"UTF-16":            {"\xff\xfei\x00d\x00,\x00x\x00\n\x00", "line 1: the file is in UTF-16"},
		"UTF-16, big end":   {"\xfe\xff\x00i\x00d\x00,\x00x\x00\n", "line 1: the file is in UTF-16"},
	} {
		t.Run(name, func(t *testing.T) {
			lines, _, err := readFile(write(t, "x.csv", []byte(tc.text)), nil)
			if !errors.Is(err, ErrFormat) || len(lines) != 0 || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "open x.csv: ") {
				t.Errorf("%q, %v; want ErrFormat with %q", lines, err, tc.want)
			}
		})
	}
	for name, text := range map[string]string{"one column": "x\na;b\n", "a name of many": "\"a;b\",c\n1,2\n", "a quoted name": "\"a;b\"\n1\n", "none": "x", "bars in names": "p|q,r,s|t\n1,2,3\n"} {
		t.Run(name, func(t *testing.T) {
			if lines, _, err := readFile(write(t, "x.csv", []byte(text)), nil); err != nil || len(lines) != strings.Count(text, "\n")/2 {
				t.Errorf("%q, %v; want a row", lines, err)
			}
		})
	}
}
