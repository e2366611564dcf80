package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// numbered compares two names as people count: part-2 before part-10.
func numbered(a, b string) int {
	for a != "" && b != "" {
		x, y := lead(a), lead(b)
		a, b = a[len(x):], b[len(y):]
		if digit(x[0]) && digit(y[0]) {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
			continue
		}
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// lead returns the digits that s begins with, or what comes before the first digit.
func lead(s string) string {
	end := 1
	for end < len(s) && digit(s[end]) == digit(s[0]) {
		end++
	}
	return s[:end]
}

// noteOrder says if files are judged in another order than their numbers have; empty if not.
func (r *Replay) noteOrder() string {
	for i := range len(r.files) - 1 {
		if a, b := r.files[i], r.files[i+1]; numbered(a, b) > 0 {
			first := slices.MinFunc(r.files[i+1:], numbered)
			return fmt.Sprintf("files are taken in the order of their names as texts, %s before %s: write their numbers with leading zeros if that is not their order in time", a, first)
		}
	}
	return ""
}
