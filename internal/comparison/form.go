package comparison

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"

	"sluice/drift/sample"
	"sluice/quality"
	"sluice/store/tabular"
)

const (
	leastForms = 100 // different texts that a form is read from at least
	mostForm   = 200 // bytes of a text that has one
	leastCards = 0.05
)

// texts notes lengths, the form and the card numbers of a column of texts.
func (c *Described) texts(counts map[string]uint64) {
	var f form
	first := true
	for text, n := range counts {
		if quality.HoldsCard(text) {
			c.Cards += n
		}
		if !utf8.ValidString(text) {
			c.invalid += n
		}
		length := utf8.RuneCountInString(text)
		if first || length < c.shortest {
			c.shortest = length
		}
		c.longest = max(c.longest, length)
		f.add(text, first)
		first = false
	}
	if len(counts) >= leastForms {
		c.form = f.pattern()
	}
}

// numberCards counts the numbers that may be those of cards.
func (c *Described) numberCards(numbers []float64) {
	c.whole = true
	for _, v := range numbers {
		c.whole = c.whole && v == math.Trunc(v)
		if isCard(v) {
			c.Cards++
		}
	}
}

// isCard reports whether a number may be that of a payment card.
func isCard(v float64) bool {
	return v >= 1e11 && v < 1e19 && v == math.Trunc(v) && quality.HoldsCard(tabular.NumberText(v))
}

// hide leaves out what would be one of the payment card numbers of s, of which m is: the
// least and the largest number and quantiles are values as they stand. Of random numbers of
// 16 digits some look like those of cards; they are shown.
func (m *Moments) hide(s sample.Sample) {
	cards := 0
	for _, v := range s {
		if isCard(v) {
			cards++
		}
	}
	if float64(cards) < leastCards*float64(len(s)) {
		return
	}
	for _, n := range []*Number{&m.Mean, &m.Min, &m.Max} {
		if isCard(float64(*n)) {
			*n = undefined
		}
	}
	for q, n := range m.Quantiles {
		if isCard(float64(n)) {
			m.Quantiles[q] = undefined
		}
	}
}

// form is what texts have in common: runs of letters and digits, each of one length,
// with the same characters between them.
type form struct {
	runs []run
	none bool
}

type run struct {
	text                string // of the first text
	same                bool   // all texts have that here
	lower, upper, digit bool
}

// add takes in a text; the first one says what the others must look like.
func (f *form) add(text string, first bool) {
	if f.none {
		return
	}
	at := 0
	for rest := text; rest != ""; at++ {
		end := 1
		for end < len(rest) && alphanumeric(rest[end]) == alphanumeric(rest[0]) {
			end++
		}
		if first {
			f.runs = append(f.runs, run{text: rest[:end], same: true})
		}
		if at >= len(f.runs) || !f.runs[at].take(rest[:end]) {
			f.none = true
			return
		}
		rest = rest[end:]
	}
	f.none = f.none || at != len(f.runs) || len(text) == 0 || len(text) > mostForm
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// take reports whether text has the run's length, and is it if it is no letters and digits.
func (r *run) take(text string) bool {
	r.same = r.same && text == r.text
	if !alphanumeric(text[0]) {
		return r.same
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a':
			r.lower = true
		case c >= 'A':
			r.upper = true
		default:
			r.digit = true
		}
	}
	return len(text) == len(r.text)
}

// pattern returns the form as RE2; empty without one.
func (f *form) pattern() string {
	if f.none {
		return ""
	}
	var b strings.Builder
	varies := false
	for _, r := range f.runs {
		if r.same {
			b.WriteString(regexp.QuoteMeta(r.text))
			continue
		}
		varies = true
		class := ""
		for _, part := range []struct {
			has  bool
			text string
		}{{r.digit, "0-9"}, {r.upper, "A-Z"}, {r.lower, "a-z"}} {
			if part.has {
				class += part.text
			}
		}
		fmt.Fprintf(&b, "[%s]", class)
		if len(r.text) > 1 {
			fmt.Fprintf(&b, "{%d}", len(r.text))
		}
	}
	if !varies || !utf8.ValidString(b.String()) {
		return ""
	}
	return b.String()
}
