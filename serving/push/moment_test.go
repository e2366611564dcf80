package push

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestMomentOf(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-11-23T12:00:00Z":              noon,
		"2026-11-23T13:00:00+01:00":         noon,
		"2026-11-23T12:00:00":               noon,
		"2026-11-23 12:00:00":               noon,
		"2026-11-23 12:00:00+00:00":         noon,
		"2026-11-23T12:00:00.123456789":     noon.Add(123456789),
		"2026-11-23 14:00:00.5+02:00":       noon.Add(500 * time.Millisecond),
		"2026-11-23":                        noon.Add(-12 * time.Hour),
		"23.11.2026":                        {},
		"1795435200":                        {},
		"":                                  {},
		"2026-11-23T12:00:00 Europe/Berlin": {},
	} {
		got, err := MomentOf(text)
		if !got.Equal(want) || (err != nil) != want.IsZero() {
			t.Errorf("MomentOf(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}
