package notify

import (
	"fmt"
	"time"

	"sluice/feature"
)

// Kind says what happened, in the contract's words for alerts.
type Kind string

const (
	Fail      Kind = "fail"      // a version was blocked
	Rollback  Kind = "rollback"  // a visible version was taken out
	Stale     Kind = "stale"     // the served values are older than the view allows
	Frozen    Kind = "frozen"    // every decision is hold
	Hold      Kind = "hold"      // a version waits, or its hold ended
	Recovered Kind = "recovered" // a window passed again
	Blind     Kind = "blind"     // rows arrive but nothing is judged
	Served    Kind = "served"    // what readers get has moved, and no version was taken out for it
)

// Event is one thing that happened to a view.
type Event struct {
	ID            string    // names it, however often it is told
	At            time.Time // when it was recorded, by the machine's clock
	Kind          Kind
	View          string
	Version       feature.Version // the one that it is about; 0 if none
	Verdict       string          // id; empty if none
	Window        feature.Window  // zero if none
	Text          string          // one or two sentences: what was seen
	Reasons       []string        // one for each feature, worst first
	ServedVersion feature.Version // the newest that readers get from now on; 0 if none
	Resolved      bool            // ends the incident
	Key           string          // of the incident; empty: view and kind
}

// key returns the incident that the event belongs to.
func (e Event) key() string {
	if e.Key != "" {
		return e.Key
	}
	return e.View + "/" + string(e.Kind)
}

// headline returns what happened in a few words.
func (e Event) headline() string {
	text := e.View + ": "
	switch e.Kind {
	case Fail:
		text += fmt.Sprintf("version %d blocked", e.Version)
	case Rollback:
		text += fmt.Sprintf("version %d rolled back", e.Version)
	case Hold:
		text += fmt.Sprintf("version %d held", e.Version)
	case Stale:
		text += "served values are stale"
	case Frozen:
		text += "frozen"
	case Blind:
		text += "rows arrive but nothing is judged"
	case Served:
		text += "what readers get has moved"
	default:
		text += string(e.Kind)
	}
	if e.Resolved && e.Kind != Recovered {
		return "Resolved: " + text
	}
	return text
}

// effect returns what readers get, in plain words.
func (e Event) effect() string {
	switch {
	case e.ServedVersion == 0:
		return "No version is visible: readers get no values."
	case (e.Kind == Fail || e.Kind == Hold) && !e.Resolved:
		return fmt.Sprintf("Readers keep version %d.", e.ServedVersion)
	}
	return fmt.Sprintf("Readers get version %d.", e.ServedVersion)
}
