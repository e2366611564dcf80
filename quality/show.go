package quality

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

const maxReason = 256

// show returns a value for people: texts escaped and cut to 64 bytes.
func show(v feature.Value) string {
	switch t := v.Type(); {
	case v.IsNull():
		return "null"
	case t.IsList():
		return fmt.Sprintf("list of %d", len(v.List()))
	case t.Float():
		return number(v.Float())
	case t == feature.Timestamp:
		return v.Time().Format(time.RFC3339)
	case t == feature.Bool:
		return strconv.FormatBool(v.Bool())
	case t.Numeric():
		return strconv.FormatInt(v.Int(), 10)
	}
	return quote(v.Text())
}

// showOdd names a float that is not finite as writes do, and where it stands in a list.
func showOdd(v *feature.Value) string {
	for i := range v.List() {
		if e := &v.List()[i]; !e.Finite() {
			return fmt.Sprintf("element %d is %s", i, showOdd(e))
		}
	}
	switch f := v.Float(); {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return "NaN"
}

// quote cuts text to 64 bytes, masks card numbers and escapes what is not printable
// ASCII.
func quote(text string) string {
	const room = 2 * mostCard // a card number that begins within the 64 bytes ends within these
	return strconv.QuoteToASCII(sketch.Cut(masked(text[:min(len(text), sketch.MaxText+room)])))
}

// limit cuts a reason to maxReason bytes; it never shows a card number.
func limit(reason string) string {
	reason = masked(reason)
	return reason[:min(len(reason), maxReason)]
}
