package feature

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

var nestedTexts = []string{
	`null`, `true`, `false`, `""`, `"x"`, `{}`, `[]`, `0`, `-0`, `-0.0`, `1`, `127`, `128`, `255`, `256`, `65535`, `65536`, `4294967295`, `4294967296`,
	`-1`, `-32`, `-33`, `-128`, `-129`, `-32768`, `-32769`, `-2147483648`, `-2147483649`, `9223372036854775807`, `-9223372036854775808`,
	`9223372036854775808`, `18446744073709551616`, `123456789012345678901234567890`, `0.1`, `0.10`, `12.50`, `12.5`, `1.0`, `1e5`, `1E+5`, `1.5e-7`, `1e999`,
	`0.1234567890123456789`, `3.141592653589793`, `1000000000000000000000.0`,
	`"é"`, `"\u00e9"`, `"\ud83d\ude00"`, `"\ud83d"`, `"a\"b\\c\/\n"`, `"` + strings.Repeat("x", 31) + `"`, `"` + strings.Repeat("x", 32) + `"`,
	`"` + strings.Repeat("x", 256) + `"`, `"` + strings.Repeat("x", 70000) + `"`,
	`{"a":1,"a":2}`, `{"a":{"x":1},"a":{"y":2}}`, `{"\u0061":1,"b":2}`, `{"a":1,"\u0061":3}`, `{"":1}`, `{"a":{"":1}}`,
	`{"z":1,"a":2}`, `{"a":{"b":{"c":[1,2,{"d":"deep"}]}}}`, `[[[]],[{}],[null]]`, `{"0":"zero","items":[{"price":9.99},{"price":12}]}`,
	`[` + strings.Repeat("1,", 15) + `1]`, `[` + strings.Repeat("1,", 70000) + `1]`, wideObject(15), wideObject(16), wideObject(17), wideObject(300),
	strings.Repeat("[", 200) + strings.Repeat("]", 200),
}

func wideObject(n int) string {
	b := []byte{'{'}
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `"k`...), int64(i), 10)
		b = strconv.AppendInt(append(b, `":`...), int64(i*i), 10)
	}
	return string(append(b, '}'))
}

// TestNestedKeepsText wants json to come out of a packed row as it went in, packed
// or, as rows were before, as text.
func TestNestedKeepsText(t *testing.T) {
	for _, text := range nestedTexts {
		v := JSONValue(text)
		stored := appendStored(nil, v)
		if IsWire(stored) {
			t.Errorf("%.60s is stored as text", text)
		}
		for name, b := range map[string][]byte{"packed": stored, "text": AppendValue(nil, v)} {
			if got, err := DecodeValue(b); err != nil || !got.Equal(v) {
				t.Errorf("%s: DecodeValue of %.60s gave %.60s, %v", name, text, got.Text(), err)
			}
			if got, err := AppendWire([]byte("x"), b); err != nil || !bytes.Equal(got[1:], AppendValue(nil, v)) {
				t.Errorf("%s: AppendWire of %.60s gave %.60q, %v", name, text, got, err)
			}
		}
	}
}

func TestNestedTextThatIsNotCompact(t *testing.T) {
	for _, text := range []string{``, ` 1`, `1 `, `{"a": 1}`, `{"a":1,}`, `[1,]`, `[1 ,2]`, `01`, `+1`, `1.`, `.5`, `1e`, `tru`, `"x`, `"\`, "\"\n\"", `{"a"}`, `{a:1}`, `[1`, `{"a":1`, `1,2`,
		strings.Repeat("[", maxNesting+1) + strings.Repeat("]", maxNesting+1)} {
		stored := appendStored(nil, JSONValue(text))
		if !IsWire(stored) {
			t.Errorf("%.40q is packed", text)
		}
		if got, err := DecodeValue(stored); err != nil || got.Text() != text {
			t.Errorf("%.40q came back as %.40q, %v", text, got.Text(), err)
		}
	}
}

func TestParsePath(t *testing.T) {
	for text, ok := range map[string]bool{"a": true, "a.b.0": true, "0": true, "A b": true, "": false, ".a": false, "a.": false, "a..b": false, strings.Repeat("a.", 40) + "a": false} {
		p, err := ParsePath(text)
		if (err == nil) != ok || ok && p.String() != text {
			t.Errorf("ParsePath(%q) = %v, %v, want ok=%v", text, p, err, ok)
		}
	}
}

func TestPath(t *testing.T) {
	const doc = `{"s":"x","e":"a\u00e9\ud83d\ude00\n","i":-7,"big":18446744073709551616,"neg0":-0,"f":12.50,"g":0.1,"huge":1e999,"b":true,"no":false,"n":null,` +
		`"o":{"z":1,"a":[]},"l":[10,{"p":9.5},[3]],"0":"zero","twice":{"k":1,"k":2},"key":{"\u00e9":"esc"},"long":"` + "0123456789012345678901234567890123456789" + `"}`
	for path, want := range map[string]Value{
		"s": StringValue("x"), "e": StringValue("aé😀\n"), "i": Int64Value(-7), "big": JSONValue("18446744073709551616"), "neg0": Int64Value(0),
		"f": Float64Value(12.5), "g": Float64Value(.1), "huge": JSONValue("1e999"), "b": BoolValue(true), "no": BoolValue(false), "n": Null,
		"o": JSONValue(`{"z":1,"a":[]}`), "o.z": Int64Value(1), "o.a": JSONValue("[]"), "o.a.0": Null, "l": JSONValue(`[10,{"p":9.5},[3]]`),
		"l.0": Int64Value(10), "l.1.p": Float64Value(9.5), "l.2.0": Int64Value(3), "l.3": Null, "l.01": Null, "l.-1": Null, "l.p": Null,
		"0": StringValue("zero"), "twice.k": Int64Value(2), "twice": JSONValue(`{"k":1,"k":2}`), "key.é": StringValue("esc"),
		"s.x": Null, "none": Null, "none.at.all": Null, "n.x": Null, "long": StringValue("0123456789012345678901234567890123456789"),
	} {
		p, err := ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, stored := range map[string][]byte{"packed": appendStored(nil, JSONValue(doc)), "text": AppendValue(nil, JSONValue(doc))} {
			wire, err := p.AppendWire([]byte{9}, stored)
			if err != nil {
				t.Errorf("%s: %s: %v", name, path, err)
				continue
			}
			if got, err := DecodeValue(wire[1:]); err != nil || !got.Equal(want) || WireType(wire[1:]) != want.Type() {
				t.Errorf("%s: %s = %v, %v, want %v", name, path, got, err, want)
			}
		}
	}
}

// lookUp is what p leads to in text by encoding/json.
func lookUp(text string, p Path) (value any, found bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	for _, s := range p.steps {
		switch at := value.(type) {
		case map[string]any:
			if value, found = at[s.key]; !found {
				return nil, false
			}
		case []any:
			if s.at < 0 || s.at >= len(at) {
				return nil, false
			}
			value = at[s.at]
		default:
			return nil, false
		}
	}
	return value, true
}

// FuzzPath holds what a path finds against encoding/json, and texts against what
// comes back.
func FuzzPath(f *testing.F) {
	for _, text := range nestedTexts {
		if len(text) < 1000 {
			f.Add(text, "a.b.c.2.d")
			f.Add(text, "0")
		}
	}
	f.Add(`{"items":[{"price":9.99},{"price":12}]}`, "items.0.price")
	f.Fuzz(func(t *testing.T, raw, path string) {
		p, err := ParsePath(path)
		var compact bytes.Buffer
		if err != nil || json.Compact(&compact, []byte(raw)) != nil {
			return
		}
		text := compact.String()
		stored := appendStored(nil, JSONValue(text))
		if v, err := DecodeValue(stored); err != nil || v.Text() != text {
			t.Fatalf("%q came back as %q, %v", text, v.Text(), err)
		}
		wire, err := p.AppendWire(nil, stored)
		if err != nil {
			t.Fatalf("%s of %q: %v", path, text, err)
		}
		old, err := p.AppendWire(nil, AppendValue(nil, JSONValue(text)))
		if err != nil || !bytes.Equal(wire, old) {
			t.Fatalf("%s of %q: packed %q, as text %q, %v", path, text, wire, old, err)
		}
		got, err := DecodeValue(wire)
		if err != nil {
			t.Fatalf("%s of %q: %v", path, text, err)
		}
		want, _ := lookUp(text, p)
		if strings.ContainsRune(text, '\ufffd') || !json.Valid([]byte(text)) || !validText(text) {
			return // encoding/json repairs what is no UTF-8
		}
		if !same(got, want) {
			t.Fatalf("%s of %q = %v (%s), want %v", path, text, got, got.Text(), want)
		}
	})
}

func validText(text string) bool { return strings.ToValidUTF8(text, "") == text }

// same reports whether v is the value that a path should give for what
// encoding/json found.
func same(v Value, want any) bool {
	switch want := want.(type) {
	case nil:
		return v.IsNull()
	case bool:
		return v.Equal(BoolValue(want))
	case string:
		return v.Equal(StringValue(want))
	case json.Number:
		if n, err := strconv.ParseInt(want.String(), 10, 64); err == nil {
			return v.Equal(Int64Value(n))
		}
		if x, err := want.Float64(); err == nil && strings.ContainsAny(want.String(), ".eE") {
			return v.Type() == Float64 && math.Float64bits(v.Float()) == math.Float64bits(x)
		}
		return v.Equal(JSONValue(want.String()))
	}
	var got any
	decoder := json.NewDecoder(strings.NewReader(v.Text()))
	decoder.UseNumber()
	if v.Type() != JSON || decoder.Decode(&got) != nil {
		return false
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	return bytes.Equal(a, b)
}

// FuzzPacked gives the readers bytes that nobody wrote: they may refuse them as
// corrupt, no more.
func FuzzPacked(f *testing.F) {
	for _, text := range nestedTexts {
		if len(text) < 1000 {
			f.Add(appendStored(nil, JSONValue(text))[3:], "a.0")
		}
	}
	f.Fuzz(func(t *testing.T, packed []byte, path string) {
		p, err := ParsePath(path)
		if err != nil {
			return
		}
		stored := append([]byte{packedTag&0x7f | 0x80, packedTag >> 7}, appendUvarint(len(packed))...)
		stored = append(stored, packed...)
		if _, err := p.AppendWire(nil, stored); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("path: %v", err)
		}
		if _, err := DecodeValue(stored); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("decode: %v", err)
		}
		if _, err := AppendWire(nil, stored); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("wire: %v", err)
		}
	})
}

func appendUvarint(n int) []byte {
	b := prefixLength(append([]byte{0}, make([]byte, n)...), 0)
	return b[:len(b)-n]
}
