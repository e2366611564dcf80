package suite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// YAML writes the view as a definitions file that a person reads, mends and applies.
// What was not understood stands at its end as comments.
func (r *Result) YAML() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# imported from a suite of Great Expectations, %d of %d expectations: read it, name the join key, then: sluice plan -f DIR\n", r.Understood, r.Understood+len(r.Unread))
	fmt.Fprintf(&b, "entities:\n  - {name: key, type: string}\nviews:\n  - name: %s\n    entities: [key]\n", r.View.Name)
	if len(r.View.Source.Map) > 0 {
		fmt.Fprintf(&b, "    source: {map: %s}\n", flow(r.View.Source.Map))
	}
	if len(r.View.Expect) > 0 {
		b.WriteString("    expect:\n")
		for _, e := range r.View.Expect {
			fmt.Fprintf(&b, "      - %s\n", flow(e))
		}
	}
	b.WriteString("    features:")
	if len(r.View.Features) == 0 {
		b.WriteString(" [] # the suite names no columns: list them")
	}
	b.WriteString("\n")
	for i := range r.View.Features {
		f := &r.View.Features[i]
		expect, remark := "", ""
		if !reflect.ValueOf(f.Expect).IsZero() {
			expect = ", expect: " + flow(f.Expect)
		}
		if slices.Contains(r.Guessed, f.Name) {
			remark = "  # the suite does not say the type"
		}
		fmt.Fprintf(&b, "      - {name: %s, type: %s%s}%s\n", f.Name, f.Type, expect, remark)
	}
	if len(r.Unread) > 0 {
		b.WriteString("# not understood:\n")
	}
	for _, u := range r.Unread {
		fmt.Fprintf(&b, "#   %s\n", oneLine(u.String()))
	}
	return b.String()
}

var plainKey = regexp.MustCompile(`"([a-z_]+)":`)

// flow writes v as JSON whose plain keys stand without quotation marks, which is YAML.
// A key's marks inside a text are escaped, and stay.
func flow(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return strconv.Quote(err.Error()) // a bound that is no number, which JSON had none of
	}
	return plainKey.ReplaceAllString(strings.TrimSpace(b.String()), "$1: ")
}

// oneLine escapes what would end a comment.
func oneLine(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return quoted[1 : len(quoted)-1]
}
