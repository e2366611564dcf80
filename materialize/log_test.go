package materialize

import (
	"context"
	"slices"
	"sync"

	"sluice/feature"
	"sluice/quality/sketch"
)

// memoryLog is a log of two partitions in memory, with the partials that the tap
// has of its windows.
type memoryLog struct {
	mu       sync.Mutex // of held, which views decided side by side forget from
	parts    map[int32][]logged
	held     [2][]*holding // not forgotten yet
	progress [2]feature.Progress
	expired  bool // the records are gone
	reads    int  // of windows
	cut      func(rows int) error
}

// logged is a record with the window and version that took it.
type logged struct {
	write   feature.Write
	window  feature.Window
	version feature.Version
	layout  *sketch.Layout
}

func (l *memoryLog) append(view *feature.View, p int32, window feature.Window, layout *sketch.Layout, version feature.Version, w feature.Write) {
	w.Partition, w.Offset = p, int64(len(l.parts[p]))
	l.parts[p] = append(l.parts[p], logged{w, window, version, layout})
	l.held[p] = slices.DeleteFunc(l.held[p], func(x *holding) bool { return x.window == window })
	l.held[p] = append(l.held[p], &holding{window: window, partial: sync.OnceValue(func() sketch.Partial { return l.partial(view, p, window, version, layout, w.Offset+1) })})
}

// holding is what a partition holds of a window, profiled once somebody asks.
type holding struct {
	window  feature.Window
	partial func() sketch.Partial
}

// partial profiles what a partition holds of a window below an offset.
func (l *memoryLog) partial(view *feature.View, p int32, window feature.Window, version feature.Version, layout *sketch.Layout, end int64) sketch.Partial {
	profile := sketch.NewProfile(view, layout, hashKey)
	partial := sketch.Partial{View: view.Name, Window: window, Version: version, Topic: topic, Partition: p, Epoch: 1, Offset: end, Layout: layout.Digest()}
	partial.Span = feature.Span{Topic: topic, Partition: p, First: -1, Last: -1}
	for _, r := range l.parts[p][:end] {
		if r.window != window {
			continue
		}
		if partial.Span.First < 0 {
			partial.Span.First = r.write.Offset
		}
		partial.Span.Last = r.write.Offset
		partial.Rows++
		partial.Bytes += 20
		profile.Add(&r.write)
	}
	body, err := profile.MarshalBinary()
	if err != nil {
		panic(err) // a profile that was just made
	}
	partial.Profile = body
	return partial
}

func (l *memoryLog) partials(p int32) (all []sketch.Partial) {
	for _, h := range l.held[p] {
		all = append(all, h.partial())
	}
	return all
}

// rows hands over the rows of a window in batches of 100.
func (l *memoryLog) rows(p int32, window feature.Window, version feature.Version, fn func([]feature.Row) error) error {
	var rows []feature.Row
	for _, r := range l.parts[p] {
		if r.window == window {
			rows = append(rows, feature.Row{Key: r.write.Key, Record: feature.Record{Version: version, EventTime: r.write.EventTime.UnixNano(),
				Seq: uint64(r.write.Offset), Deleted: r.write.Delete, Row: feature.AppendRow(nil, r.write.View, r.write.Values)}})
		}
	}
	for batch := range slices.Chunk(rows, 100) {
		if err := fn(batch); err != nil {
			return err
		}
	}
	return nil
}

func (l *memoryLog) Profile(_ context.Context, view *feature.View, layout *sketch.Layout, window feature.Window, spans []feature.Span) (*sketch.Profile, error) {
	l.reads++
	if l.expired {
		return nil, feature.ErrExpired
	}
	profile := sketch.NewProfile(view, layout, hashKey)
	for _, span := range spans {
		for i := span.First; i >= 0 && i <= span.Last; i++ {
			if r := l.parts[span.Partition][i]; r.window == window {
				profile.Add(&r.write)
			}
		}
	}
	return profile, nil
}

func (l *memoryLog) Rows(_ context.Context, _ *feature.View, version feature.Version, window feature.Window, spans []feature.Span, fn func([]feature.Row) error) error {
	if l.expired {
		return feature.ErrExpired
	}
	done := 0
	for _, span := range spans {
		err := l.rows(span.Partition, window, version, func(rows []feature.Row) error {
			if l.cut != nil {
				if err := l.cut(done); err != nil {
					return err
				}
			}
			done += len(rows)
			return fn(rows)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *memoryLog) Forget(_ context.Context, partials []sketch.Partial) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, gone := range partials {
		l.held[gone.Partition] = slices.DeleteFunc(l.held[gone.Partition], func(x *holding) bool { return x.window == gone.Window })
	}
	return nil
}
