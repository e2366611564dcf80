package definition

import (
	"errors"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want time.Duration
		back string
		err  error
	}{
		"minutes":       {"5m", 5 * time.Minute, "5m", nil},
		"hours":         {"24h", 24 * time.Hour, "1d", nil},
		"days":          {"7d", 168 * time.Hour, "7d", nil},
		"day and hours": {"1d12h", 36 * time.Hour, "36h", nil},
		"fraction":      {"1.5s", 1500 * time.Millisecond, "1.5s", nil},
		"microseconds":  {"5us", 5 * time.Microsecond, "5us", nil},
		"mixed":         {"1h30m", 90 * time.Minute, "1h30m", nil},
		"zero":          {"0", 0, "0s", nil},
		"no unit":       {"5", 0, "", ErrDuration},
		"empty":         {"", 0, "", ErrDuration},
		"negative":      {"-5m", 0, "", ErrDuration},
		"too long":      {"999999999999d", 0, "", ErrDuration},
		"hours too":     {"9999999999999h", 0, "", ErrDuration},
		"sum too long":  {"106751d24h", 0, "", ErrDuration},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseDuration(tc.text)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("ParseDuration(%q) = %s, %v, want %s, %v", tc.text, got, err, tc.want, tc.err)
			}
			if back := FormatDuration(got); err == nil && back != tc.back {
				t.Errorf("FormatDuration(%s) = %q, want %q", got, back, tc.back)
			}
		})
	}
}
