package feature

import "slices"

// MaxVisible is K: how many versions above the floor a vector may list.
const MaxVisible = 4

// Vector says which versions of a view its readers may see: every version at or
// below Floor that is not dead, and above the floor only those that are listed.
// Vectors are immutable; With, Without and Raise return new ones. Visible and
// Dead are in rising order.
type Vector struct {
	Generation uint64    `json:"generation"` // rises by one with every change; 0 before the first version
	Floor      Version   `json:"floor"`      // the newest certified version
	Visible    []Version `json:"visible"`    // allow-list above the floor, at most MaxVisible
	Dead       []Version `json:"dead"`       // at or below the floor, invisible, rows not yet swept
	Frozen     bool      `json:"frozen"`     // every decision is hold
	Refuse     bool      `json:"refuse"`     // reads are refused: a rollback left only values past critical age
}

// Sees reports whether a reader with this vector may return rows of version.
func (v Vector) Sees(version Version) bool {
	if version <= v.Floor {
		_, dead := slices.BinarySearch(v.Dead, version)
		return !dead
	}
	return slices.Contains(v.Visible, version)
}

// Resolve returns the newest record that the vector sees; false if there is
// none or it is a deletion.
func (v Vector) Resolve(chain []Record) (Record, bool) {
	best := -1
	for i := range chain {
		if v.Sees(chain[i].Version) && (best < 0 || chain[i].Newer(chain[best])) {
			best = i
		}
	}
	if best < 0 || chain[best].Deleted {
		return Record{}, false
	}
	return chain[best], true
}

// Newest returns the newest version that readers see; 0 if there is none.
func (v Vector) Newest() Version {
	if n := len(v.Visible); n > 0 {
		return v.Visible[n-1]
	}
	newest := v.Floor
	for newest > 0 && !v.Sees(newest) {
		newest--
	}
	return newest
}

// With returns the vector with version listed; false if it is visible already,
// lies at or below the floor, or MaxVisible are listed.
func (v Vector) With(version Version) (Vector, bool) {
	at, found := slices.BinarySearch(v.Visible, version)
	if found || version <= v.Floor || len(v.Visible) >= MaxVisible {
		return v, false
	}
	v.Visible = slices.Insert(slices.Clone(v.Visible), at, version)
	return v, true
}

// Without returns the vector with version no longer listed; false if it was not.
func (v Vector) Without(version Version) (Vector, bool) {
	at, found := slices.BinarySearch(v.Visible, version)
	if !found {
		return v, false
	}
	v.Visible = slices.Delete(slices.Clone(v.Visible), at, at+1)
	return v, true
}

// Raise returns the vector with its floor at floor. Listed versions up to there
// become certified; dead names those up to there that must stay invisible.
func (v Vector) Raise(floor Version, dead []Version) Vector {
	if floor <= v.Floor {
		return v
	}
	v.Floor = floor
	v.Visible = slices.DeleteFunc(slices.Clone(v.Visible), func(x Version) bool { return x <= floor })
	v.Dead = append(slices.Clone(v.Dead), dead...)
	slices.Sort(v.Dead)
	v.Dead = slices.Compact(v.Dead)
	return v
}

// Swept returns the vector without the dead versions whose rows are gone.
func (v Vector) Swept(gone []Version) Vector {
	v.Dead = slices.DeleteFunc(slices.Clone(v.Dead), func(x Version) bool { return slices.Contains(gone, x) })
	return v
}

// Equal reports whether two vectors show the same, whatever their generation.
func (v Vector) Equal(w Vector) bool {
	return v.Floor == w.Floor && v.Frozen == w.Frozen && v.Refuse == w.Refuse &&
		slices.Equal(v.Visible, w.Visible) && slices.Equal(v.Dead, w.Dead)
}
