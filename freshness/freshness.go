package freshness

import (
	"fmt"
	"time"

	"sluice/feature"
)

// Level is how stale a view is. Levels rise; the zero Level is fresh.
type Level uint8

// The levels.
const (
	Fresh Level = iota
	Warn
	Page
	Critical
)

var levelNames = [...]string{"fresh", "warn", "page", "critical"}

// String returns the level's name.
func (l Level) String() string {
	if int(l) >= len(levelNames) {
		return fmt.Sprintf("level(%d)", uint8(l))
	}
	return levelNames[l]
}

// MarshalText writes the name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a name.
func (l *Level) UnmarshalText(text []byte) error {
	for i, name := range levelNames {
		if name == string(text) {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("level %q: want fresh, warn, page or critical", text)
}

// Judge returns the staleness of a view whose newest visible event time is newest
// at now, and its age, which is never negative. A limit is crossed when age
// exceeds it; a limit of 0 is never. A view without values yet (newest is the zero
// time) is fresh at age 0: there is nothing that could be stale.
func Judge(spec feature.Freshness, newest, now time.Time) (Level, time.Duration) {
	if newest.IsZero() {
		return Fresh, 0
	}
	age := max(0, now.Sub(newest))
	switch {
	case spec.Critical > 0 && age > spec.Critical:
		return Critical, age
	case spec.Page > 0 && age > spec.Page:
		return Page, age
	case spec.Warn > 0 && age > spec.Warn:
		return Warn, age
	}
	return Fresh, age
}

// Limit returns the age at which a level begins; 0 for Fresh and for a level that
// the view does not have.
func Limit(spec feature.Freshness, level Level) time.Duration {
	switch level {
	case Warn:
		return spec.Warn
	case Page:
		return spec.Page
	case Critical:
		return spec.Critical
	}
	return 0
}
