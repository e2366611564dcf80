package serving

import (
	"context"
	"errors"
	"slices"
	"time"

	"sluice/feature"
	"sluice/serving/refusal"
)

// pastVersions names views that are read as if a version of theirs were the newest.
//
// Versions count in the order of their numbers, whenever each was published; one that
// was taken back since is left out, as it is everywhere. Ages and TTLs are those of
// now.
type pastVersions map[string]feature.Version

// check refuses views that the request does not read.
func (p pastVersions) check(of *plan) error {
	for name := range p {
		if !slices.ContainsFunc(of.parts, func(q part) bool { return q.view.Name == name }) {
			return refusal.Invalid("name only views that the request reads", "as_of_versions names view %s, of which nothing is asked for", refusal.Quoted(name))
		}
	}
	return nil
}

// pastWait is how long a read as of a version waits for the registry to tell about it.
const pastWait = time.Second

// asOf returns what v shows as of version: what it shows now, without what came after
// that version. The error says why there is nothing that it could show.
func (s *Server) asOf(ctx context.Context, v *view, shown *served, version feature.Version, lapsed bool) (*served, error) {
	if lapsed {
		return nil, refusal.Of(feature.CodeUnavailable, "try again, or read what is visible now",
			"view %s as of version %d: what is visible cannot be confirmed, and the past is not read without that", v.Name, version)
	}
	if version == 0 {
		return nil, refusal.Invalid("versions are numbered from 1", "view %s as of version 0", v.Name)
	}
	info, err := s.versionInfo(ctx, v, shown, version)
	if err != nil {
		return nil, err
	}
	if info.State.Dead() {
		return nil, refusal.Of(feature.CodeExpired, "`sluice versions "+v.Name+"` lists those that are visible",
			"view %s: version %d is %s, and what was taken back is not shown again", v.Name, version, info.State)
	}
	if !shown.vector.Sees(version) {
		return nil, refusal.Invalid("`sluice versions "+v.Name+"` lists those that are visible", "view %s: version %d is not visible, it is %s", v.Name, version, info.State)
	}
	past := *shown
	past.vector = upTo(shown.vector, version)
	past.newest = 0
	for _, known := range append(slices.Clone(shown.versions), info) {
		if known.Version <= version && !known.Window.End.IsZero() {
			past.newest = max(past.newest, known.Window.End.UnixNano())
		}
	}
	return &past, nil
}

// versionInfo returns what is known of a version: of one above the floor that the
// vector lists no more than that it is visible is needed. Below the floor the registry
// is asked, since a vector forgets dead versions in time.
func (s *Server) versionInfo(ctx context.Context, v *view, shown *served, version feature.Version) (feature.VersionInfo, error) {
	if slices.Contains(shown.vector.Visible, version) {
		info, _ := shown.version(version)
		info.Version, info.State = version, feature.StateVisible
		return info, nil
	}
	if s.deps.Version == nil {
		return feature.VersionInfo{}, refusal.Of(feature.CodeUnavailable, "ask a server that has the registry", "view %s: versions at or below the floor are not known here", v.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, pastWait)
	defer cancel()
	info, err := s.deps.Version(ctx, v.ID, version)
	switch {
	case errors.Is(err, feature.ErrNotFound):
		return info, refusal.Invalid("`sluice versions "+v.Name+"` lists those there are", "view %s has no version %d", v.Name, version)
	case err != nil:
		return info, readError(ctx, v, err)
	}
	return info, nil
}

// upTo returns vector without the versions after version.
func upTo(vector feature.Vector, version feature.Version) feature.Vector {
	vector.Floor = min(vector.Floor, version)
	vector.Visible = slices.DeleteFunc(slices.Clone(vector.Visible), func(v feature.Version) bool { return v > version })
	return vector
}

// known refuses what the chains of a no longer tell of version. Whole is the vector
// that they were swept under.
//
// Nothing above the floor is ever swept, so as of the floor and later every chain is
// whole. At or below the floor the sweep keeps of each entity the newest record that
// is not dead, and no other: if that one is of version or before, it was the newest
// then as well, whatever was swept; if it is later, or there is none, then what was
// shown as of version may be gone.
//
// Rows that another read or a replica stands in for are no evidence of the past.
func (a *partAnswer) known(ctx context.Context, whole feature.Vector, version feature.Version) error {
	v := a.part.view
	if a.kept > 0 {
		return readError(ctx, v, a.fault)
	}
	if version >= whole.Floor {
		return nil
	}
	whole.Visible = nil
	unknown, first := 0, 0
	for row, chain := range a.chains {
		if a.rows[row].state == rowUnread || newestOf(whole, chain) <= version {
			continue
		}
		if unknown == 0 {
			first = row
		}
		unknown++
	}
	if unknown == 0 {
		return nil
	}
	return refusal.Of(feature.CodeExpired, "every row can be read as of the certified version "+versionText(whole.Floor)+" and later",
		"view %s as of version %d: %d of %d rows are no longer known, the first is row %d: certified versions are folded into one",
		v.Name, version, unknown, len(a.chains), first)
}

// newestOf returns the version of the newest record of chain that whole sees, a deletion
// too; the largest version if there is none.
func newestOf(whole feature.Vector, chain []feature.Record) feature.Version {
	best := -1
	for i := range chain {
		if whole.Sees(chain[i].Version) && (best < 0 || chain[i].Newer(chain[best])) {
			best = i
		}
	}
	if best < 0 {
		return ^feature.Version(0)
	}
	return chain[best].Version
}
