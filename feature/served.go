package feature

import "time"

// Exposure says how often a version was shown to readers: Reads is the number of
// rows of it that reads returned since the Exposure before this one of the same
// server, view and version.
type Exposure struct {
	View    ViewID
	Version Version // 0: versions that are too many to count apart, the lowest ones
	Reads   uint64
	First   time.Time // of these reads, by the platform's clock, to about a second; zero while that is not set
	Last    time.Time // likewise
}

// ExposureReport is what one process says of what it has shown since its report before.
// Numbers of a process begin at 1 and rise; a report that is repeated, since its answer was
// lost, has the number that it had, and the same Reads.
type ExposureReport struct {
	Process string
	Number  uint64
	Reads   []Exposure
}

// ServedRow is one row out of a sample of those that reads returned, as the store
// holds it. It owns its memory.
type ServedRow struct {
	View      ViewID
	Key       Key
	Version   Version
	EventTime time.Time
	At        time.Time // of the read, by the platform's clock; zero while that is not set
	Values    []byte    // the packed row, whatever features the read asked for: EachValue takes it apart
}
