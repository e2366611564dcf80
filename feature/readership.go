package feature

import "time"

const (
	// ReadershipSpan is what one Readership covers: an hour of the platform's clock.
	ReadershipSpan = time.Hour
	// ReadershipPeriod is over how much of the platform's clock rates of reads are taken,
	// up to now. What is older is not kept.
	ReadershipPeriod = 24 * time.Hour
)

// Readership says how many rows of a view one serving process gave to readers in one
// hour, by the features that were asked for and the feature service that was named.
type Readership struct {
	View    ViewID
	Window  Window         // the hour of the platform's clock
	Process string         // names the process among all that serve
	First   time.Time      // of these reads, to about ten seconds
	Reads   []FeatureReads // by service and feature, each pair once
}

// FeatureReads is how many rows were returned by reads that asked for a feature.
type FeatureReads struct {
	Service string `json:"service,omitempty"` // that the reads named; empty: they listed features
	Feature uint32 `json:"feature,omitempty"` // its id; 0: the view as a whole, whatever was asked for
	Rows    uint64 `json:"rows"`
}
