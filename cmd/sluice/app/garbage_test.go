package app

import (
	"os"
	"runtime/debug"
	"testing"
)

// percent returns how much garbage the process lets lie.
func percent() int {
	now := debug.SetGCPercent(100)
	debug.SetGCPercent(now)
	return now
}

// TestCollects wants a tap, and nobody else, to collect sooner, unless whoever runs it says how
// often.
func TestCollects(t *testing.T) {
	t.Setenv("GOGC", "100") // puts it back at the end
	usual := percent()
	for _, tc := range []struct {
		target, set string
		want        int
	}{{"tap", "", tapGarbage}, {"gate", "", usual}, {"serve", "", usual}, {"all", "", usual}, {"tap", "100", usual}} {
		if err := os.Unsetenv("GOGC"); err != nil {
			t.Fatal(err)
		}
		if tc.set != "" {
			t.Setenv("GOGC", tc.set)
		}
		back := collects(tc.target)
		if got := percent(); got != tc.want {
			t.Errorf("%s with GOGC=%q lets %d %% lie, want %d", tc.target, tc.set, got, tc.want)
		}
		if back(); percent() != usual {
			t.Errorf("%s leaves the process at %d %%, want %d", tc.target, percent(), usual)
		}
	}
}
