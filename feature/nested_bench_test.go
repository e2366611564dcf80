package feature

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
)

// The documents of the measurement in docs/nested.md: a profile, a basket, and what a
// scoring service keeps.
var nestedDocs = []struct{ name, text, early, late string }{
	{"profile", `{"id":91823,"name":"Ada Lovelace","email":"ada@example.com","address":{"street":"12 St James's Square","city":"London","zip":"SW1Y 4JH","geo":{"lat":51.5074,"lon":-0.1278}},"segments":["gold","newsletter","early_adopter"],"score":0.8731,"active":true,"last_order":null}`,
		"name", "score"},
	{"basket", `{"items":[` + strings.Repeat(`{"sku":"A-10023","price":12.50,"count":2,"tags":["food","sale"]},`, 9) + `{"sku":"B-7","price":3.99,"count":1,"tags":[]}],"currency":"EUR","total":228.99}`,
		"items.0.price", "total"},
	{"scores", wideObject(100), "k1", "k99"},
}

// textPath is the other form, measured beside: the same path read in JSON text, its
// strings passed over by their quotes. An object is read to its end, as the last of
// equal keys counts.
func textPath(b []byte, p Path) (found []byte) {
	for _, s := range p.steps {
		found = nil
		switch b[0] {
		case '{':
			for i := 1; b[i] != '}'; {
				end := textString(b, i)
				to := textValue(b, end+1)
				if string(b[i+1:end-1]) == s.key {
					found = b[end+1 : to]
				}
				if i = to; b[i] == ',' {
					i++
				}
			}
		case '[':
			for i, at := 1, 0; b[i] != ']'; at++ {
				to := textValue(b, i)
				if at == s.at {
					found = b[i:to]
					break
				}
				if i = to; b[i] == ',' {
					i++
				}
			}
		}
		if b = found; b == nil {
			return nil
		}
	}
	return b
}

func textString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func textValue(b []byte, i int) int {
	if b[i] == '"' {
		return textString(b, i)
	}
	for depth := 0; ; i++ {
		switch b[i] {
		case '"':
			i = textString(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
			if depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
}

func BenchmarkNestedPath(b *testing.B) {
	for _, doc := range nestedDocs {
		packed, text := appendStored(nil, JSONValue(doc.text)), []byte(doc.text)
		for _, at := range []struct{ name, path string }{{"early", doc.early}, {"late", doc.late}} {
			p, err := ParsePath(at.path)
			if err != nil {
				b.Fatal(err)
			}
			if want, ok := lookUp(doc.text, p); !ok || string(textPath(text, p)) == "" {
				b.Fatalf("%s leads to %v", p, want)
			}
			dst := make([]byte, 0, 1024)
			b.Run("doc="+doc.name+"/at="+at.name+"/form=msgpack", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					dst, _ = p.AppendWire(dst[:0], packed)
				}
			})
			b.Run("doc="+doc.name+"/at="+at.name+"/form=text", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					dst, _ = appendNumberOrString(dst[:0], textPath(text, p))
				}
			})
			b.Run("doc="+doc.name+"/at="+at.name+"/form=encoding_json", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					var value any
					if err := json.Unmarshal(text, &value); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func appendNumberOrString(dst, text []byte) ([]byte, bool) {
	if text[0] == '"' {
		return append(binary.AppendUvarint(append(dst, 2<<3|wireLen), uint64(len(text)-2)), text[1:len(text)-1]...), true
	}
	return appendNumber(dst, text)
}

func BenchmarkNestedWhole(b *testing.B) {
	for _, doc := range nestedDocs {
		for form, stored := range map[string][]byte{"msgpack": appendStored(nil, JSONValue(doc.text)), "text": AppendValue(nil, JSONValue(doc.text))} {
			b.Run("doc="+doc.name+"/form="+form, func(b *testing.B) {
				dst := make([]byte, 0, 4096)
				b.ReportAllocs()
				for b.Loop() {
					dst, _ = AppendWire(dst[:0], stored)
				}
				b.ReportMetric(float64(len(stored)), "stored_bytes")
			})
		}
	}
}

func BenchmarkNestedPack(b *testing.B) {
	for _, doc := range nestedDocs {
		b.Run("doc="+doc.name, func(b *testing.B) {
			dst := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = packJSON(dst[:0], doc.text)
			}
		})
	}
}
