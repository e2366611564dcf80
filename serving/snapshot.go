package serving

import (
	"slices"
	"time"

	"sluice/feature"
)

// snapshot is what every view shows, at one instant. It is immutable: a request
// takes one and never another.
type snapshot struct {
	catalog   *catalog
	served    []served  // by view.index
	confirmed time.Time // real clock: when the question was asked that it answers
}

// of returns what a view shows in s, which may be nil and of other definitions; nil
// if it has no such view.
func (s *snapshot) of(v *view) *served {
	if s == nil || v.index >= len(s.served) || s.catalog.views[v.index].ID != v.ID {
		return nil
	}
	return &s.served[v.index]
}

// served is what one view shows.
type served struct {
	vector   feature.Vector
	versions []feature.VersionInfo // the floor and the listed ones, as far as known; rising
	epoch    uint64                // another one once a version may have been taken off; never used again
	whole    time.Time             // real clock: by when every row of the versions that the vector names was written; zero: not known, or one is open
	newest   int64                 // end of the newest visible version's window, Unix nanoseconds; 0 if not known
}

// version returns what is known of a version that the vector names.
func (s *served) version(version feature.Version) (feature.VersionInfo, bool) {
	i, found := slices.BinarySearchFunc(s.versions, version, func(info feature.VersionInfo, v feature.Version) int {
		return int(int64(info.Version) - int64(v))
	})
	if !found {
		return feature.VersionInfo{}, false
	}
	return s.versions[i], true
}

// named returns the versions that vector names, rising: the floor, if it is
// visible, and those listed above it.
func named(vector feature.Vector) []feature.Version {
	var out []feature.Version
	if vector.Floor > 0 && vector.Sees(vector.Floor) {
		out = append(out, vector.Floor)
	}
	return append(out, vector.Visible...)
}
