package tap

import (
	"bytes"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/quality"
)

// How the letterMasked header says that a letter is not the record it stands for.
const (
	maskedDigits = "digits"   // card numbers are asterisks
	maskedValue  = "withheld" // the value is left out
)

// maskLetter masks payment card numbers in the key, the value and the headers of a
// dead letter. Where the record holds one for certain, and it cannot be told where in
// the bytes, since they are escaped or encoded, the value is left out. The record
// itself stays where it is on its topic; replaying the letter sends that.
func maskLetter(letter *kgo.Record, certain bool) {
	value, found := maskBytes(letter.Value)
	how := maskedDigits
	if certain && (found == 0 || bytes.Contains(letter.Value, []byte(`\u`))) {
		value, how = nil, maskedValue
		found++
	}
	letter.Value = value
	key, n := maskBytes(letter.Key)
	letter.Key, found = key, found+n
	for i := range letter.Headers {
		h := &letter.Headers[i]
		if strings.HasPrefix(h.Key, letterPrefix) && h.Key != letterView {
			continue // made of what is masked already; the name of an unknown view is the record's
		}
		value, n := maskBytes(h.Value)
		h.Value, found = value, found+n
	}
	if found > 0 {
		letter.Headers = append(letter.Headers, kgo.RecordHeader{Key: letterMasked, Value: []byte(how)})
	}
}

// maskBytes returns b itself if it holds no card number.
func maskBytes(b []byte) ([]byte, int) {
	text, found := quality.MaskCards(string(b))
	if found == 0 {
		return b, 0
	}
	return []byte(text), found
}
