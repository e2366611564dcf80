package feature

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"carrier_delays", "payments", "weather"}
	for name, tc := range map[string]struct{ given, want string }{
		"a letter short":    {"carrier_delay", "carrier_delays"},
		"letters swapped":   {"paymetns", "payments"},
		"exact":             {"weather", "weather"},
		"nothing like it":   {"zebra", ""},
		"empty":             {"", ""},
		"far from anything": {"qqqqqqqqqqqqqqqqqqqq", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Nearest(tc.given, known); got != tc.want {
				t.Errorf("Nearest(%q) = %q, want %q", tc.given, got, tc.want)
			}
		})
	}
}
