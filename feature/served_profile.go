package feature

import "time"

// VersionReads says how often readers saw rows of a version, all servers together.
type VersionReads struct {
	Version Version   `json:"version"`
	Reads   uint64    `json:"reads"`
	First   time.Time `json:"first_read,omitzero"` // zero if never, or never by a clock that was set
	Last    time.Time `json:"last_read,omitzero"`  // likewise
}

// SumReads returns the reads of several versions, from the first of them to the last, as
// those of no version.
func SumReads(reads []VersionReads) (all VersionReads) {
	for _, r := range reads {
		all.Reads += r.Reads
		if all.First.IsZero() || !r.First.IsZero() && r.First.Before(all.First) {
			all.First = r.First
		}
		if r.Last.After(all.Last) {
			all.Last = r.Last
		}
	}
	return all
}

// ServedProfile is what one serving process sampled of the rows that it returned in
// one window of the platform's clock: each entity at most once, with the row it was
// last given.
type ServedProfile struct {
	View     ViewID
	Window   Window
	Process  string    // names the process among all that serve
	Layout   string    // digest of the layout that Profile is over
	Rows     uint64    // entities in Profile
	Versions []Version // that these rows are of, rising
	Profile  []byte    // binary profile
	Settled  []byte    // binary profile of those of them that are of certified versions
}
