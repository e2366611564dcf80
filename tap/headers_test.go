package tap

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

func TestDescribe(t *testing.T) {
	r := &kgo.Record{Topic: "t", Partition: 2, Offset: 7, Headers: []kgo.RecordHeader{
		{Key: "producer", Value: []byte("pos-7")}, {Key: "schema", Value: nil}, {Key: "event_id", Value: []byte("e")}, {Key: "other", Value: []byte("x")},
	}}
	var m feature.Write
	describe(&m, r, "column")
	if m.Producer != "pos-7" || m.Schema != "" || m.EventID != "e" || m.Topic != "t" || m.Partition != 2 || m.Offset != 7 {
		t.Errorf("describe gives %+v", m)
	}
}

func TestTag(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"plain":             {"pos-7", "pos-7"},
		"empty":             {"", ""},
		"not UTF-8":         {"a\xff\xfeb", "a\uFFFDb"},
		"long":              {strings.Repeat("x", 300), strings.Repeat("x", 256)},
		"cut in a sequence": {strings.Repeat("x", 255) + "é", strings.Repeat("x", 255)},
		"nothing valid":     {strings.Repeat("\xffa", 400), strings.Repeat("\uFFFDa", 64)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tag([]byte(tc.in)); got != tc.want {
				t.Errorf("tag(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func FuzzTag(f *testing.F) {
	f.Add([]byte("pos-7"))
	f.Add([]byte(strings.Repeat("é\xff", 200)))
	f.Fuzz(func(t *testing.T, value []byte) {
		text := tag(value)
		if len(text) > MaxTag || !utf8.ValidString(text) || tag([]byte(text)) != text {
			t.Errorf("tag(%q) = %q", value, text)
		}
	})
}
