package comparison

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sluice/feature"
)

// ErrNothing reports a file of which no view can be suggested.
var ErrNothing = errors.New("nothing to suggest a view from")

const (
	mostIn    = 20   // values that a suggested list names at most
	perIn     = 50   // rows that each of them needs at least, so that the list is whole
	leastNull = 0.01 // suggested share of nulls where the file has fewer

	smallWindow = 100 // rows of a window that suggested shares are meant for at least
)

// Suggest writes a view's definition with expectations that the file keeps: what a
// person reads, mends and applies. Bounds are wide: types and closed lists of values,
// the form of texts that have one, twice the longest text, texts that come once as
// unique, 0 as the least of what is never negative, null for what is not finite, and twice
// the nulls there are: how values vary within them is the detector's concern. Payment card
// numbers get a warning. The join key and the event time are taken from the file where it
// has columns that look like them. Columns without a value, or without a name that a feature
// may have, are comments; the error is ErrNothing if there are no others.
func Suggest(d Description, view string) (string, error) {
	if d.Rows == 0 {
		return "", fmt.Errorf("no rows: %w", ErrNothing)
	}
	r := rolesOf(&d)
	var features, others []string
	for i := range d.Columns {
		c := &d.Columns[i]
		line := fmt.Sprintf("- {name: %s, type: %s%s%s}%s", quoted(c.Column), c.suggestedType(), c.suggestedPolicy(), c.suggested(d.Rows), c.remark(d.Rows))
		switch role := r.role(i, c); {
		case role != "":
			others = append(others, fmt.Sprintf("# %s: %s", quoted(c.Column), role))
		case c.suggestable():
			features = append(features, line)
		default:
			features = append(features, "# "+line)
		}
	}
	if !slices.ContainsFunc(features, func(line string) bool { return line[0] != '#' }) {
		return "", fmt.Errorf("no column with values and with a name that a feature may have: %w", ErrNothing)
	}
	key, entity := r.suggestedKey(&d)
	var b strings.Builder
	fmt.Fprintf(&b, "# suggested from %d rows: read it, look at the join key and the event time, then: sluice plan -f DIR\n", d.Rows)
	fmt.Fprintf(&b, "entities:\n  %s\nviews:\n  - name: %s\n    entities: [%s]\n", entity, quoted(view), key)
	for _, line := range []string{r.suggestedSource(&d), r.suggestedWindow(&d)} {
		if line != "" {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	b.WriteString("    features:\n")
	for _, line := range append(features, others...) {
		fmt.Fprintf(&b, "      %s\n", line)
	}
	return b.String(), nil
}

// namedCard reports whether the column is called as those of payment cards are.
func (c *Described) namedCard() bool { return strings.Contains(c.Column, "card") || c.Column == "pan" }

// suggestable reports whether there is something to go by, and a name for a feature.
func (c *Described) suggestable() bool { return c.N > 0 && feature.ValidName(c.Column) }

// quoted writes a name as YAML. Of the names that a feature may have some are words that
// YAML, in one version or another, takes for null or a truth value.
func quoted(text string) string {
	if feature.ValidName(text) && !slices.Contains(yamlWords, text) {
		return text
	}
	return strconv.Quote(text)
}

var yamlWords = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

func (c *Described) suggestedType() string {
	switch {
	case c.listWide() && c.Parts[0].int64:
		return feature.ListOf(feature.Int64).String()
	case c.Type != "":
		return c.Type
	case c.Times:
		return "timestamp"
	case c.Kind == Categorical && c.truths():
		return "bool"
	case c.Kind == Categorical:
		return "string"
	}
	if c.int64 && c.wide || c.whole && c.shownCards() { // of a float64 no digits are looked at
		return "int64"
	}
	return "float64"
}

// listWide reports whether the column has lists of whole numbers that float64 does not
// hold exactly.
func (c *Described) listWide() bool {
	return c.Type != "" && len(c.Parts) > 0 && c.Parts[0].Part == elements && c.Parts[0].Kind == Numeric && c.Parts[0].wide
}

// shownCards reports whether so many values may be payment card numbers that it is no chance.
func (c *Described) shownCards() bool {
	return c.Cards > 0 && float64(c.Cards) >= leastCards*float64(c.N)
}

// suggestedPolicy is that for values that are not finite, where there are any: null, which
// breaks no bound.
func (c *Described) suggestedPolicy() string {
	if c.Kind == Numeric && c.Type == "" && !c.Times && c.NaN+c.Infinite > 0 {
		return ", not_finite: \"null\""
	}
	return ""
}

func (c *Described) truths() bool {
	return c.Distinct <= 2 && !slices.ContainsFunc(c.Top, func(f Frequency) bool { return f.Value != "true" && f.Value != "false" })
}

// suggested are the expectations of a column.
func (c *Described) suggested(rows uint64) string {
	var parts []string
	switch {
	case c.Times, c.Type != "":
	case c.Kind == Numeric && c.Min >= 0:
		parts = append(parts, "min: 0")
		if c.Max <= 1 && c.Max > 0 && c.Distinct > 2 {
			parts = append(parts, "max: 1")
		}
	case c.Kind == Categorical && !c.truths() && c.Distinct <= mostIn && c.N >= perIn*c.Distinct && c.Cards == 0:
		var values []string
		for _, f := range c.all {
			if utf8.ValidString(f.Value) {
				values = append(values, strconv.Quote(f.Value))
			}
		}
		if len(values) > 0 {
			parts = append(parts, "in: ["+strings.Join(values, ", ")+"]")
		}
	case c.Kind == Categorical && !c.truths():
		parts = append(parts, c.suggestedForm()...)
	}
	missing := c.Nulls
	if c.suggestedPolicy() != "" {
		missing += c.Infinite
	}
	if share := float64(missing) / max(1, float64(rows)); share < 0.5 {
		parts = append(parts, fmt.Sprintf("nulls: %.2g", suggestedNulls(share)))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", expect: {" + strings.Join(parts, ", ") + "}"
}

// suggestedNulls is the share of nulls that a window may have, where a file has that one:
// twice as many, and what three standard errors of a window of 100 rows come to, because a
// window has fewer rows than the file and a share that varies more.
func suggestedNulls(share float64) float64 {
	noise := 3 * math.Sqrt(share*(1-share)/smallWindow)
	return max(leastNull, math.Ceil(100*max(2*share, share+noise)-1e-9)/100)
}

// suggestedForm are the expectations of texts that are no closed list.
func (c *Described) suggestedForm() (parts []string) {
	if c.Cards == 0 && c.namedCard() {
		parts = append(parts, "token: true")
	}
	switch {
	case c.form != "" && c.Cards == 0:
		parts = append(parts, "pattern: "+strconv.Quote(c.form))
	case c.longest > 0 && c.longest <= 1000:
		parts = append(parts, fmt.Sprintf("length: {max: %d}", 2*c.longest))
	}
	if c.Distinct == c.N && c.N >= leastForms {
		parts = append(parts, "unique: true")
	}
	return parts
}

// unlisted is what becomes of rows with a column that the view has not.
const unlisted = "WARNING: rows with this column are refused while the view has it not: name it and its type, or leave it out of the file"

// remark says what a person may want to know of a column.
func (c *Described) remark(rows uint64) string {
	switch {
	case c.N == 0:
		return "  # nothing but nulls. " + unlisted
	case !c.suggestable():
		return "  # not the name of a feature. " + unlisted
	case c.invalid > 0:
		return fmt.Sprintf("  # WARNING: %d of %d texts are no UTF-8: such rows are refused", c.invalid, c.N)
	case c.shownCards():
		return fmt.Sprintf("  # WARNING: %d of %d values may be payment card numbers: they must be tokens; with `token: true` such rows are refused", c.Cards, c.N)
	case c.Kind == Numeric && c.wide && !c.int64 || c.listWide() && !c.Parts[0].int64:
		return "  # WARNING: whole numbers beyond 2^53 that no type holds exactly: such rows are refused, unless they are written as texts"
	case c.Type != "" && len(c.Parts) > 0 && c.Parts[0].Part == elements && c.Parts[0].Nulls > 0:
		return fmt.Sprintf("  # WARNING: %d elements are null: such rows are refused", c.Parts[0].Nulls)
	case c.Type != "" && c.Min.Defined():
		return fmt.Sprintf("  # %.4g to %.4g elements", c.Min, c.Max)
	case c.Type != "":
		return ""
	case c.Distinct == c.N && c.N > 1 && c.Kind == Categorical:
		return "  # every value is there once: the join key, or an event id?"
	case c.Kind == Numeric && !c.Times && c.Min.Defined():
		return fmt.Sprintf("  # %.4g to %.4g", c.Min, c.Max)
	}
	return ""
}
