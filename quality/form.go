package quality

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"

	"sluice/feature"
)

const (
	maxPattern = 1000    // bytes of an expression
	maxProgram = 5000    // instructions of a compiled one
	maxMatched = 1 << 16 // bytes of a text that is matched
)

// form is what a text or a list must look like.
type form struct {
	pattern *regexp.Regexp // of the whole text; nil without
	source  string         // of the pattern, quoted
	min     int
	max     int // -1: no bound
	sized   bool
	token   bool
}

// newForm returns nil if f asks for no form.
func newForm(f *feature.Feature) (*form, []error) {
	e := &f.Expect
	if e.Pattern == "" && e.Length == nil && !e.Token {
		return nil, nil
	}
	out := &form{max: -1, token: e.Token, sized: e.Length != nil}
	var errs []error
	if e.Pattern != "" {
		if err := out.compile(f.Type, e.Pattern); err != nil {
			errs = append(errs, fault("pattern", err))
		}
	}
	if e.Length != nil {
		if err := out.bound(f.Type, *e.Length); err != nil {
			errs = append(errs, fault("length", err))
		}
	}
	if e.Token && !tokenType(f.Type) {
		errs = append(errs, fault("token", fmt.Errorf("a %s holds no card number: leave it out", f.Type)))
	}
	return out, errs
}

// compile compiles an expression that the whole text must match, within limits.
func (f *form) compile(t feature.Type, source string) error {
	switch {
	case t.Elem() != feature.String:
		return fmt.Errorf("a %s is no text: leave it out, or use expr", t)
	case len(source) > maxPattern:
		return fmt.Errorf("%d bytes, and at most %d are read", len(source), maxPattern)
	}
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return fmt.Errorf("%s is no RE2 expression: %s", quote(source), masked(err.Error()))
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return fmt.Errorf("%s is no RE2 expression: %w", quote(source), err)
	}
	if len(program.Inst) > maxProgram {
		return fmt.Errorf("%s compiles to %d steps, and at most %d are taken: use length beside a shorter expression", quote(source), len(program.Inst), maxProgram)
	}
	if f.pattern, err = regexp.Compile(`\A(?:` + source + `)\z`); err != nil {
		return fmt.Errorf("%s is no RE2 expression: %w", quote(source), err)
	}
	f.source = quote(source)
	return nil
}

func (f *form) bound(t feature.Type, l feature.Length) error {
	if !t.IsList() && t != feature.String && t != feature.Bytes {
		return fmt.Errorf("a %s has no length: leave it out", t)
	}
	if l.Min == nil && l.Max == nil {
		return fmt.Errorf("empty: give min, max or both")
	}
	if l.Min != nil {
		f.min = *l.Min
	}
	if l.Max != nil {
		f.max = *l.Max
	}
	if f.min < 0 || l.Max != nil && f.max < f.min {
		return fmt.Errorf("%d to %d: want 0 <= min <= max", f.min, f.max)
	}
	return nil
}

// length returns how long a value is: the characters of a text, the bytes of a
// bytes value, the elements of a list.
func length(v *feature.Value) int {
	t, _ := feature.Peek(v)
	switch {
	case t.IsList():
		return len(v.List())
	case t == feature.String:
		return utf8.RuneCountInString(feature.PeekText(v))
	}
	return len(feature.PeekText(v))
}

// fits reports whether the length of a value that is not null is within bounds.
func (f *form) fits(v *feature.Value) bool {
	if !f.sized {
		return true
	}
	n := length(v)
	return n >= f.min && (f.max < 0 || n <= f.max)
}

// looks reports whether a value that is neither null nor a list keeps pattern and token.
func (f *form) looks(v *feature.Value) bool {
	if f.pattern != nil {
		if text := feature.PeekText(v); len(text) > maxMatched || !f.pattern.MatchString(text) {
			return false
		}
	}
	return !f.token || !holdsCard(v)
}

// misfit says why a value's length is not within bounds.
func (f *form) misfit(v *feature.Value) string {
	unit, _ := feature.Peek(v)
	what := "bytes"
	switch {
	case unit.IsList():
		what = "elements"
	case unit == feature.String:
		what = "characters"
	}
	if n := length(v); n < f.min {
		return fmt.Sprintf("%d %s, below length min %d", n, what, f.min)
	}
	return fmt.Sprintf("%d %s, above length max %d", length(v), what, f.max)
}

// blemish says what a value that does not look right breaks; a card number is never
// shown.
func (f *form) blemish(v *feature.Value) string {
	if f.token && holdsCard(v) {
		return "holds what may be a payment card number, and must be a token"
	}
	if n := len(feature.PeekText(v)); n > maxMatched {
		return fmt.Sprintf("%d bytes, and patterns match at most %d", n, maxMatched)
	}
	return fmt.Sprintf("%s does not match pattern %s", show(*v), f.source)
}
