package scenario

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// mutator draws hostile input from a seed.
type mutator struct{ rng *rand.Rand }

// write is a good write of the view target.
func (m *mutator) write(account string, amount float64) []byte {
	return fmt.Appendf(nil, `{"view":"target","key":{"account":%q},"event_time":%q,"values":{"amount":%v,"count":%d,"country":"DE","tags":["a","b"],"open":true,"extra":{"a":[1,2]}}}`,
		account, first.Add(time.Duration(m.rng.IntN(10*3600))*time.Second).Format(time.RFC3339), amount, m.rng.IntN(100))
}

func (m *mutator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.rng.Uint32())
	}
	return b
}

// texts take the place of a value, a name or a whole message.
var texts = []string{
	``, `null`, `NaN`, `-Infinity`, `1e999`, `-0`, `1e-400`, `9007199254740993`, `170141183460469231731687303715884105728`, `01`, `+1`, `.5`, `0x10`,
	`""`, `"\u0000"`, `"\ud800"`, `"\u202e"`, `'x'`, `true`, `[]`, `[[]]`, `{}`, `{"a":1,"a":2}`, `"2026-13-45T99:99:99Z"`, `"9999-12-31T23:59:59Z"`, `"0001-01-01T00:00:00Z"`,
	`-9223372036854775809`, `"=cmd|' /C calc'!A0"`, `"'; drop table registry; --"`, "\"\xff\xfe\"", "\"\n\"", `"__proto__"`, `/* x */1`,
}

var spots = []string{`"target"`, `"account"`, `"event_time"`, `"amount"`, `:1`, `"DE"`, `true`, `["a","b"]`, `{"a":[1,2]}`, `"values"`, `2026`, `"key"`, `{`, `}`, `,`, `"`}

// mutate changes a message in one to three ways.
func (m *mutator) mutate(b []byte) []byte {
	b = bytes.Clone(b)
	for range 1 + m.rng.IntN(3) {
		b = m.once(b)
	}
	return b
}

func (m *mutator) once(b []byte) []byte {
	at := m.rng.IntN(len(b) + 1)
	switch m.rng.IntN(9) {
	case 0: // bits flip
		if at < len(b) {
			b[at] ^= 1 << m.rng.IntN(8)
		}
	case 1: // cut off
		return b[:at]
	case 2: // twice
		return append(b, b[:at]...)
	case 3: // noise in the middle
		return append(append(bytes.Clone(b[:at]), m.bytes(1+m.rng.IntN(30))...), b[at:]...)
	case 4: // a part is gone
		return append(bytes.Clone(b[:at]), b[min(len(b), at+m.rng.IntN(20)):]...)
	case 5, 6: // a value of another kind
		spot := spots[m.rng.IntN(len(spots))]
		return bytes.Replace(b, []byte(spot), []byte(texts[m.rng.IntN(len(texts))]), 1)
	case 7: // deep
		n := 1 << m.rng.IntN(12)
		return bytes.Replace(b, []byte(`true`), []byte(strings.Repeat("[", n)+strings.Repeat("]", m.rng.IntN(n+1))), 1)
	case 8: // long
		return bytes.Replace(b, []byte(`DE`), bytes.Repeat([]byte("ab"), 1<<m.rng.IntN(14)), 1)
	}
	return b
}

// record makes a hostile record.
func (m *mutator) record(r *kgo.Record) {
	r.Value = m.mutate(m.write(fmt.Sprintf("mutant-%d", m.rng.Uint32()), 1))
	switch m.rng.IntN(40) {
	case 0:
		r.Value = m.bytes(m.rng.IntN(300))
	case 1:
		r.Value = nil
	case 2:
		r.Value = []byte(texts[m.rng.IntN(len(texts))])
	case 3:
		r.Value = bytes.Repeat([]byte{'['}, 1<<m.rng.IntN(17))
	case 4:
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "sluice-view", Value: m.bytes(m.rng.IntN(40))})
	case 5:
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "event_id", Value: []byte(fmt.Sprint(m.rng.IntN(3)))}) // often the same
	case 6:
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(m.bytes(20)), Value: m.bytes(m.rng.IntN(2000))}, kgo.RecordHeader{Key: "producer", Value: m.bytes(900)})
	case 7:
		r.Key = m.bytes(m.rng.IntN(5000))
	case 8: // larger than a record may be, once in a while
		if m.rng.IntN(50) == 0 {
			r.Value = append(r.Value, bytes.Repeat([]byte(" "), 1<<20)...)
		}
	case 9: // a watermark that is none
		r.Value, r.Headers = []byte{'x'}, append(r.Headers, kgo.RecordHeader{Key: "sluice-watermark", Value: m.bytes(10)})
	}
}
