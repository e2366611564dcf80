package definition

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrDuration reports a text that is no duration.
var ErrDuration = errors.New("want a duration such as 30s, 5m, 24h or 7d")

const day = 24 * time.Hour

var durationPattern = regexp.MustCompile(`^(?:([0-9]+)d)?((?:[0-9]+(?:\.[0-9]+)?(?:ns|us|ms|s|m|h))*)$`)

// ParseDuration reads a duration of days (of 24 hours), hours, minutes, seconds
// and parts of seconds, largest first: 7d, 1d12h, 5m, 1.5s, and 0. The error is
// ErrDuration, for a negative one as well.
func ParseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	m := durationPattern.FindStringSubmatch(text)
	if m == nil || text == "" {
		return 0, fmt.Errorf("%s: %w", show(text), ErrDuration)
	}
	var total time.Duration
	if m[1] != "" {
		days, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || days > int64(math.MaxInt64/day) {
			return 0, fmt.Errorf("%s is too long: %w", show(text), ErrDuration)
		}
		total = time.Duration(days) * day
	}
	if m[2] != "" {
		rest, err := time.ParseDuration(m[2])
		if err != nil || rest > math.MaxInt64-total {
			return 0, fmt.Errorf("%s is too long: %w", show(text), ErrDuration)
		}
		total += rest
	}
	return total, nil
}

// FormatDuration is the inverse of ParseDuration, without parts that are zero:
// 5m rather than 5m0s, and whole days as 7d.
func FormatDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0s"
	case d >= day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return strings.Replace(text, "µs", "us", 1)
}
