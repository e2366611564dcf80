package feature

import "time"

// VersionReads says how often readers saw rows of a version, all servers together.
type VersionReads struct {
	Version Version   `json:"version"`
	Reads   uint64    `json:"reads"`
	First   time.Time `json:"first_read,omitzero"` // zero if never, or never by a clock that was set
	Last    time.Time `json:"last_read,omitzero"`  // likewise
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
