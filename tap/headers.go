package tap

import (
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// MaxTag is how many bytes of the headers producer and schema are read: two values that
// differ behind them are one.
const MaxTag = 256

// describe adds to a write what its record says beside the value.
func describe(m *feature.Write, r *kgo.Record, eventID string) {
	m.Topic, m.Partition, m.Offset, m.EventID = r.Topic, r.Partition, r.Offset, eventID
	for i := range r.Headers {
		switch h := &r.Headers[i]; h.Key {
		case HeaderEventID:
			m.EventID = string(h.Value)
		case HeaderProducer:
			m.Producer = tag(h.Value)
		case HeaderSchema:
			m.Schema = tag(h.Value)
		case HeaderBackfill:
			m.Backfill = declares(h.Value)
		}
	}
}

// declares reports whether the value of the header sluice-backfill declares one: any but
// an empty one and false.
func declares(value []byte) bool { return len(value) > 0 && !strings.EqualFold(string(value), "false") }

// tag returns a header's value as text of at most MaxTag bytes. What is no UTF-8 in it is
// replaced: whoever names a producer so gets it shown so.
func tag(value []byte) string {
	if len(value) <= MaxTag && utf8.Valid(value) {
		return string(value)
	}
	text := strings.ToValidUTF8(string(value[:min(len(value), MaxTag)]), "\uFFFD")
	for len(text) > MaxTag { // replacements are longer than what they replace
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
