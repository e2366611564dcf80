package quality

import (
	"strconv"

	"sluice/feature"
)

// issuer is a range of the numbers that cards of one scheme begin with, and how
// many digits those have.
type issuer struct {
	low, high int // of the first digits; both have as many
	digits    int // how many those are
	min, max  int
}

// issuers are the ranges of the schemes' own documents, as ISO/IEC 7812 assigns them.
var issuers = []issuer{
	{4, 4, 1, 13, 19},                            // Visa
	{51, 55, 2, 16, 16}, {2221, 2720, 4, 16, 16}, // Mastercard
	{34, 34, 2, 15, 15}, {37, 37, 2, 15, 15}, // American Express
	{6011, 6011, 4, 16, 19}, {644, 649, 3, 16, 19}, {65, 65, 2, 16, 19}, // Discover, RuPay
	{3528, 3589, 4, 16, 19},                                         // JCB
	{36, 36, 2, 14, 19}, {38, 39, 2, 14, 19}, {300, 305, 3, 14, 19}, // Diners Club
	{62, 62, 2, 16, 19}, {81, 82, 2, 16, 19}, // UnionPay, RuPay
	{5018, 5018, 4, 12, 19}, {5020, 5020, 4, 12, 19}, {5038, 5038, 4, 12, 19}, {5893, 5893, 4, 12, 19},
	{6304, 6304, 4, 12, 19}, {6759, 6759, 4, 12, 19}, {6761, 6763, 4, 12, 19}, // Maestro
	{2200, 2204, 4, 16, 19}, // Mir
}

const (
	leastCard = 12 // digits
	mostCard  = 19
)

// HoldsCard reports whether text holds what may be a payment card number: 12 to 19
// digits, in one run or in groups set apart by one space or dash each, that begin as
// the cards of a scheme do and keep its check digit (Luhn). The digits behind a
// decimal point are none. It does not allocate.
func HoldsCard(text string) bool {
	from, _ := nextCard(text, 0)
	return from >= 0
}

// MaskCards returns text with an asterisk for every digit of what HoldsCard finds,
// and how many numbers those were.
func MaskCards(text string) (masked string, found int) {
	var out []byte
	for from, to := nextCard(text, 0); from >= 0; from, to = nextCard(text, to) {
		if out == nil {
			out = []byte(text)
		}
		for i := from; i < to; i++ {
			if digit(out[i]) {
				out[i] = '*'
			}
		}
		found++
	}
	if out == nil {
		return text, 0
	}
	return string(out), found
}

// masked is MaskCards for a sentence.
func masked(text string) string {
	text, _ = MaskCards(text)
	return text
}

func digit(c byte) bool { return c-'0' <= 9 }

// nextCard returns where the next card number from at on begins and ends; -1 if
// there is none.
func nextCard(text string, at int) (from, to int) {
	for at < len(text) {
		if !digit(text[at]) {
			at++
			continue
		}
		fraction := at > 1 && text[at-1] == '.' && digit(text[at-2])
		if end := cardAt(text, at); end > 0 && !fraction {
			return at, end
		}
		for at < len(text) && digit(text[at]) {
			at++
		}
	}
	return -1, -1
}

// cardAt returns the end of a card number that begins at from, where a group of
// digits does; 0 if there is none. The longest counts.
func cardAt(text string, from int) (end int) {
	var digits [mostCard]byte
	n := 0
	for i := from; i < len(text) && n <= mostCard; {
		for i < len(text) && digit(text[i]) {
			if n == mostCard {
				return end
			}
			digits[n] = text[i] - '0'
			n++
			i++
		}
		if n >= leastCard && issued(digits[:n]) && luhn(digits[:n]) {
			end = i
		}
		if i+1 >= len(text) || text[i] != ' ' && text[i] != '-' || !digit(text[i+1]) {
			break
		}
		i++
	}
	return end
}

// issued reports whether a scheme's cards begin as these digits do, and have as many.
func issued(digits []byte) bool {
	first := [5]int{}
	for i := range 4 {
		first[i+1] = first[i]*10 + int(digits[i])
	}
	for i := range issuers {
		s := &issuers[i]
		if p := first[s.digits]; p >= s.low && p <= s.high && len(digits) >= s.min && len(digits) <= s.max {
			return true
		}
	}
	return false
}

// luhn reports whether the last digit is the check digit of the others.
//
// Source: ISO/IEC 7812-1, annex B.
func luhn(digits []byte) bool {
	sum, double := 0, false
	for i := len(digits) - 1; i >= 0; i-- {
		d := int(digits[i])
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum, double = sum+d, !double
	}
	return sum%10 == 0
}

// holdsCard is HoldsCard for a value that is no list.
func holdsCard(v *feature.Value) bool {
	switch t, bits := feature.Peek(v); t {
	case feature.String, feature.Bytes, feature.JSON:
		return HoldsCard(feature.PeekText(v))
	case feature.Int64:
		var digits [20]byte
		text := strconv.AppendInt(digits[:0], int64(bits), 10)
		if len(text) < leastCard || len(text) > mostCard || text[0] == '-' {
			return false
		}
		for i := range text {
			text[i] -= '0'
		}
		return issued(text) && luhn(text)
	}
	return false
}

// tokenType reports whether values of t can hold a card number.
func tokenType(t feature.Type) bool {
	switch t.Elem() {
	case feature.String, feature.Bytes, feature.JSON, feature.Int64:
		return true
	}
	return false
}

// HoldsCard reports whether a value of w that must be a token is what may be a payment
// card number.
func (c *Checker) HoldsCard(w *feature.Write) bool {
	for i := range c.checks {
		k := &c.checks[i]
		if k.form == nil || !k.form.token || k.at >= len(w.Values) {
			continue
		}
		v := &w.Values[k.at]
		elements := v.List()
		for j := range elements {
			if holdsCard(&elements[j]) {
				return true
			}
		}
		if holdsCard(v) {
			return true
		}
	}
	return false
}
