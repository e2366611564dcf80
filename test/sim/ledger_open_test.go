package sim

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/feature"
)

func (l *ledger) Definitions(context.Context) (feature.Definitions, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.defs, l.definitions, nil
}

func (l *ledger) DefinitionsAt(_ context.Context, generation uint64) (feature.Definitions, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if generation < 1 || generation > uint64(len(l.former)) {
		return feature.Definitions{}, feature.ErrNotFound
	}
	return l.former[generation-1], nil
}

func (l *ledger) SaveDefinitions(_ context.Context, ifGeneration uint64, defs feature.Definitions, why feature.Audit) (feature.Definitions, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ifGeneration != l.definitions {
		return feature.Definitions{}, 0, fmt.Errorf("definitions are of generation %d: %w", l.definitions, feature.ErrConflict)
	}
	defs.Views = slices.Clone(defs.Views)
	seen := map[string]bool{}
	viewIDs, featureIDs, online, groups := maps.Clone(l.viewIDs), maps.Clone(l.featureIDs), maps.Clone(l.online), maps.Clone(l.groups)
	for i := range defs.Views {
		v := &defs.Views[i]
		if seen[v.Name] {
			return feature.Definitions{}, 0, refuse("view %s is defined twice", v.Name)
		}
		seen[v.Name] = true
		if viewIDs[v.Name] == 0 {
			viewIDs[v.Name] = feature.ViewID(len(viewIDs) + 1)
			online[v.Name], groups[v.Name] = v.OnlineStore(), v.Group
			if n := members(groups, v.Group); v.Group != "" && n > feature.MaxGroup {
				return feature.Definitions{}, 0, feature.FullGroupError(v.Name, v.Group)
			}
		}
		if online[v.Name] != v.OnlineStore() {
			return feature.Definitions{}, 0, feature.MovedError(v.Name, online[v.Name], v.OnlineStore())
		}
		if groups[v.Name] != v.Group {
			return feature.Definitions{}, 0, feature.RegroupedError(v.Name, groups[v.Name], v.Group)
		}
		v.ID, v.Features = viewIDs[v.Name], slices.Clone(v.Features)
		for j := range v.Features {
			f := &v.Features[j]
			if v.FeatureAt(f.Name) != j {
				return feature.Definitions{}, 0, refuse("feature %s is defined twice", f.Name)
			}
			name, own := fmt.Sprintf("%d %s %s", v.ID, f.Name, f.Type), fmt.Sprintf("%d", v.ID)
			if featureIDs[name] == 0 {
				featureIDs[own]++
				featureIDs[name] = featureIDs[own]
			}
			f.ID = featureIDs[name]
		}
	}
	if err := l.note(why); err != nil {
		return feature.Definitions{}, 0, err
	}
	l.viewIDs, l.featureIDs, l.online, l.groups, l.defs = viewIDs, featureIDs, online, groups, defs
	l.definitions++
	l.former = append(l.former, defs)
	l.signal()
	return defs, l.definitions, nil
}

func (l *ledger) CheckDefinitions(_ context.Context, defs feature.Definitions) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	groups := maps.Clone(l.groups)
	for i := range defs.Views {
		v := &defs.Views[i]
		store, known := l.online[v.Name]
		switch {
		case !known:
			if groups[v.Name] = v.Group; v.Group != "" && members(groups, v.Group) > feature.MaxGroup {
				return feature.FullGroupError(v.Name, v.Group)
			}
		case store != v.OnlineStore():
			return feature.MovedError(v.Name, store, v.OnlineStore())
		case groups[v.Name] != v.Group:
			return feature.RegroupedError(v.Name, groups[v.Name], v.Group)
		}
	}
	return nil
}

// members counts the views of a group.
func members(groups map[string]string, group string) (n int) {
	for _, of := range groups {
		if of == group {
			n++
		}
	}
	return n
}

func (l *ledger) OpenVersion(ctx context.Context, view *feature.View, w feature.Window, now time.Time) (feature.VersionInfo, error) {
	if view.ID == 0 {
		return feature.VersionInfo{}, refuse("view without id")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shelf(view.ID)
	if info, ok := s.of(w.Start); ok {
		if info.Step != feature.StepOpen {
			return info, fmt.Errorf("version %d is %s: %w", info.Version, info.Step, feature.ErrSealed)
		}
		if !info.Window.End.Equal(w.End) {
			return info, fmt.Errorf("version %d is of the window that ends at %s: %w", info.Version, info.Window.End, feature.ErrSealed)
		}
		return info, nil
	}
	info := feature.VersionInfo{Version: s.next(), Kind: feature.KindWindow, Window: utc(w), Step: feature.StepOpen, State: feature.StateStaged}
	if view.Publish.Mode == feature.Optimistic {
		old := s.current()
		if next, listed := old.With(info.Version); listed && !old.Frozen {
			info.State, info.PublishedAt = feature.StateVisible, now.UTC()
			next.Generation++
			row := feature.Audit{At: now, By: "tap", Action: "list", View: view.Name, Version: info.Version, Reason: "publish.mode is optimistic"}
			shown(&row, old, next)
			if err := l.note(row); err != nil {
				return info, err
			}
			s.vector = &next
		}
	}
	s.versions = append(s.versions, info)
	l.signal()
	return info, nil
}

func (l *ledger) OpenKind(_ context.Context, view *feature.View, info feature.VersionInfo) (feature.VersionInfo, error) {
	if view.ID == 0 || info.Kind != feature.KindBatch && info.Kind != feature.KindApproved {
		return feature.VersionInfo{}, refuse("kind %q is neither batch nor approved, or the view has no id", info.Kind)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shelf(view.ID)
	info.Version, info.Step, info.State = s.next(), cmp.Or(info.Step, feature.StepOpen), cmp.Or(info.State, feature.StateStaged)
	info.Window = utc(info.Window)
	s.versions = append(s.versions, info)
	l.signal()
	return info, nil
}

func utc(w feature.Window) feature.Window {
	return feature.Window{Start: w.Start.UTC(), End: w.End.UTC()}
}

func (s *shelf) next() feature.Version { return feature.Version(len(s.versions) + 1) }

func (s *shelf) current() feature.Vector {
	if s.vector == nil {
		return feature.Vector{}
	}
	return *s.vector
}

// of returns the version that the tap stages a window's rows into.
func (s *shelf) of(start time.Time) (feature.VersionInfo, bool) {
	for _, info := range slices.Backward(s.versions) {
		if info.Kind == feature.KindWindow && info.Window.Start.Equal(start) {
			return info, true
		}
	}
	return feature.VersionInfo{}, false
}
