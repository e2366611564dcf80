package feature

import "time"

// Write is one decoded record of the log, for one view. A write replaces the
// entity's whole row.
type Write struct {
	View      *View
	Key       Key
	EventTime time.Time
	Values    []Value // one per feature of View, in its order; null where absent
	Delete    bool    // removes the row from EventTime on

	Topic     string
	Partition int32
	Offset    int64
	EventID   string // header event_id; empty without
	Producer  string // header producer
	Schema    string // header schema
	Backfill  bool   // header sluice-backfill: its producer says that it was written long after its time
}

// Progress is how far the tap has read one partition; it is the last record of
// a checkpoint, and alone is truth.
type Progress struct {
	Topic     string                  `json:"topic"`
	Partition int32                   `json:"partition"`
	Epoch     uint64                  `json:"epoch"`  // rises with every owner of the partition
	Offset    int64                   `json:"offset"` // next offset to read
	Views     map[string]ViewProgress `json:"views"`
	Counts    Counts                  `json:"counts"`
	// Source is of the minutes in which there were dead letters, and of the last ones.
	Source []SourceMinute `json:"source,omitempty"`
}

// ViewProgress is a partition's progress for one view.
type ViewProgress struct {
	Watermark time.Time `json:"watermark"` // zero before the first event time
	Idle      bool      `json:"idle"`
	Left      uint64    `json:"left"` // how often the partition had left idleness when it last became idle
	// Clocks are of the producers that wrote last.
	Clocks []ProducerClock `json:"clocks,omitempty"`
}

// Counts is the accounting of a partition: received is the sum of accepted,
// quarantined, dead-lettered and duplicate; late and backfilled are parts of accepted.
type Counts struct {
	Received     uint64 `json:"received"`
	Accepted     uint64 `json:"accepted"`
	Late         uint64 `json:"late"`
	Backfilled   uint64 `json:"backfilled,omitempty"`
	Quarantined  uint64 `json:"quarantined"`
	DeadLettered uint64 `json:"dead_lettered"`
	Duplicate    uint64 `json:"duplicate"`
}

// Balanced reports whether the accounting identity holds.
func (c Counts) Balanced() bool {
	return c.Accepted+c.Quarantined+c.DeadLettered+c.Duplicate == c.Received && c.Late <= c.Accepted && c.Backfilled <= c.Accepted
}
