package feature

import "time"

// ProducerClock is how long after their event times the records of one producer of a view
// came, as one partition saw it.
type ProducerClock struct {
	Name   string   `json:"name"`            // header producer; empty: records that name none
	Other  bool     `json:"other,omitempty"` // all those together that were too many to be kept apart
	Halves []Delays `json:"halves"`          // of the last two half minutes with records, newest first
}

// Delays are those of half a minute of receive time.
type Delays struct {
	From  int64         `json:"from"` // Unix seconds
	N     uint64        `json:"n"`
	Least time.Duration `json:"least"` // negative: an event time after its receipt
}

// HalfMinute is the time that Delays are of.
const HalfMinute = 30 * time.Second
