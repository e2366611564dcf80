package feature

import (
	"slices"
	"time"
)

// Version numbers an immutable set of rows of one view, from 1, in the order in
// which they were opened.
type Version uint64

// Kind says where a version's rows came from.
type Kind string

// Step says how far a version has come; State what became of it. The words are
// the contract's.
type (
	Step  string
	State string
)

const (
	KindWindow   Kind = "window"
	KindBatch    Kind = "batch"
	KindApproved Kind = "approved"

	StepOpen      Step = "open"
	StepSealed    Step = "sealed"
	StepDecided   Step = "decided"
	StepCertified Step = "certified"
	StepSwept     Step = "swept"

	StateStaged     State = "staged"
	StateHeld       State = "held"
	StateVisible    State = "visible"
	StateRejected   State = "rejected"
	StateRolledBack State = "rolled_back"
	StateExpired    State = "expired"
)

// Dead reports whether a version in this state never shows again.
func (s State) Dead() bool {
	return s == StateRejected || s == StateRolledBack || s == StateExpired
}

// Span is a range of offsets of one partition, both ends included.
type Span struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	First     int64  `json:"first"`
	Last      int64  `json:"last"`
	Origin    Origin `json:"origin"`
	Window    Window `json:"window,omitzero"`    // of a version with rows of several windows: the one that these belong to
	TopicID   string `json:"topic_id,omitempty"` // of the topic as it was; empty: not known. One of the same name with another id holds other records

	// What else decided where the records since Origin went.
	Sealed   []Sealed `json:"sealed,omitempty"`    // windows that were sealed before this partition had closed them
	Future   []int64  `json:"future,omitempty"`    // offsets refused because the clock was behind them, rising
	EventIDs bool     `json:"event_ids,omitempty"` // some of the writes carry one, so duplicates may stand between them

	// Defined says which definitions decided, by rising offset. Of records before the first
	// it is not known.
	Defined []Defined `json:"defined,omitempty"`
}

// Defined says that from the record at Offset on, the definitions of a generation decided
// which records of a partition are writes of a view, and which of those are refused.
type Defined struct {
	Offset     int64  `json:"offset"`
	Generation uint64 `json:"generation"` // 0: nothing was defined
	Digest     string `json:"digest"`     // Definitions.Digest of that generation
}

// Part is what a version has of one window.
type Part struct {
	Window Window
	Spans  []Span
}

// Parts returns what the version has, by window: one part, unless the version joins
// windows.
func (v *VersionInfo) Parts() (parts []Part) {
	for _, s := range v.Spans {
		window := v.windowOf(&s)
		if n := len(parts); n > 0 && parts[n-1].Window == window {
			parts[n-1].Spans = append(parts[n-1].Spans, s)
		} else {
			parts = append(parts, Part{window, []Span{s}})
		}
	}
	return parts
}

// Has reports whether all rows of another version are among v's: they were read from the
// same records.
func (v *VersionInfo) Has(of *VersionInfo) bool {
	for i := range of.Spans {
		s, window := &of.Spans[i], of.windowOf(&of.Spans[i])
		if !slices.ContainsFunc(v.Spans, func(x Span) bool {
			w := v.windowOf(&x)
			return x.Topic == s.Topic && x.TopicID == s.TopicID && x.Partition == s.Partition && x.First == s.First && x.Last == s.Last &&
				w.Start.Equal(window.Start) && w.End.Equal(window.End)
		}) {
			return false
		}
	}
	return len(of.Spans) > 0
}

// windowOf returns the window that the records of one of v's spans belong to.
func (v *VersionInfo) windowOf(s *Span) Window {
	if s.Window != (Window{}) {
		return s.Window
	}
	return v.Window
}

// Sealed says that from the record at Offset on, the window that starts at Start
// took no more rows of a partition.
type Sealed struct {
	Offset int64     `json:"offset"`
	Start  time.Time `json:"start"`
}

// Origin is what a partition's reader knew of a view when it opened a window:
// enough to read the window's records again and sort them the same way.
type Origin struct {
	Offset    int64       `json:"offset"`         // the record that opened it
	Watermark time.Time   `json:"watermark"`      // before that record
	Open      []time.Time `json:"open,omitempty"` // starts of the windows then open, oldest first
}

// VersionInfo is what the registry keeps of a version. Rows counts accepted
// distinct writes, late ones among them; Bytes those of the staged rows.
type VersionInfo struct {
	Version     Version   `json:"version"`
	Kind        Kind      `json:"kind"`
	Window      Window    `json:"window"`
	Step        Step      `json:"step"`
	State       State     `json:"state"`
	Rows        uint64    `json:"rows"`
	Bytes       uint64    `json:"bytes"`
	Digest      string    `json:"digest"`
	Verdict     string    `json:"verdict"`
	DecidedBy   string    `json:"decided_by"`
	Reason      string    `json:"reason"`
	DecidedAt   time.Time `json:"decided_at"`
	ApprovedOf  Version   `json:"approved_of"`
	PublishedAt time.Time `json:"published_at"` // when it first became visible; zero if never
	HeldFor     int       `json:"held_for"`     // windows judged since it was held
	JudgedSince int       `json:"judged_since"` // windows judged since it became visible
	Spans       []Span    `json:"spans,omitempty"`
	// FalseAlarm says that a person found nothing wrong with it.
	FalseAlarm bool `json:"false_alarm,omitempty"`
}
