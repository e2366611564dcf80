package freshness

import (
	"time"

	"sluice/feature"
)

// Event is one change of a view's level.
type Event struct {
	View     string
	From, To Level
	Age      time.Duration
	Newest   time.Time // event time of the newest visible value
	At       time.Time
}

// Recovered reports whether the view is fresh again.
func (e Event) Recovered() bool { return e.To == Fresh }

// Tracker remembers the level of every view, and tells changes only. The zero
// Tracker is ready: all views are fresh.
type Tracker struct {
	levels map[string]Level
}

// Observe judges a view and returns the event of a changed level; false if the
// level is what it was.
func (t *Tracker) Observe(view *feature.View, newest, now time.Time) (Event, bool) {
	level, age := Judge(view.Freshness, newest, now)
	from := t.levels[view.Name]
	if level == from {
		return Event{}, false
	}
	t.Restore(view.Name, level)
	return Event{View: view.Name, From: from, To: level, Age: age, Newest: newest, At: now}, true
}

// Level returns the level that was last observed of a view.
func (t *Tracker) Level(view string) Level { return t.levels[view] }

// Restore sets a view's level without an event, as after a restart.
func (t *Tracker) Restore(view string, level Level) {
	if t.levels == nil {
		t.levels = map[string]Level{}
	}
	t.levels[view] = level
}

// Forget drops a view that is no longer defined.
func (t *Tracker) Forget(view string) { delete(t.levels, view) }
