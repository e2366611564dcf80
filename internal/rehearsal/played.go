package rehearsal

import (
	"context"
	"fmt"
	"time"

	"sluice/feature"
	"sluice/quality"
	"sluice/quality/sketch"
	"sluice/store/memory"

	"sluice/materialize"
)

var _ materialize.Log = (*played)(nil)
var _ materialize.Rows = (*memory.Store)(nil)

// played is the log of a stage: the rows of its windows, in memory.
type played struct {
	windows  map[playedKey][]feature.Write
	checkers map[feature.ViewID]*quality.Checker
	next     int64
}

type playedKey struct {
	view  feature.ViewID
	start int64
}

func keyOf(view *feature.View, w feature.Window) playedKey {
	return playedKey{view.ID, w.Start.UnixNano()}
}

// add logs the rows of a window and returns what the tap would say of it.
func (l *played) add(view *feature.View, w feature.Window, version feature.Version, layout *sketch.Layout, rows [][]feature.Value) (sketch.Partial, error) {
	writes := make([]feature.Write, len(rows))
	for i, values := range rows {
		key, err := feature.NewKey(view, entityOf(view, i))
		if err != nil {
			return sketch.Partial{}, fmt.Errorf("row %d of %s: %w", i+1, view.Name, err)
		}
		at := w.Start.Add(w.End.Sub(w.Start) * time.Duration(i) / time.Duration(len(rows)))
		writes[i] = feature.Write{View: view, Key: key, EventTime: at, Topic: topic, Offset: l.next, Values: values}
		l.next++
	}
	l.windows[keyOf(view, w)] = writes
	profile := l.profile(view, layout, writes)
	body, err := profile.MarshalBinary()
	if err != nil {
		return sketch.Partial{}, fmt.Errorf("profile of %s: %w", view.Name, err)
	}
	return sketch.Partial{View: view.Name, Window: w, Version: version, Topic: topic, Epoch: 1, Offset: l.next, Layout: layout.Digest(), Profile: body,
		Rows: profile.Total(), Span: feature.Span{Topic: topic, First: l.next - int64(len(rows)), Last: l.next - 1}}, nil
}

// entityOf returns the values of the join keys of the i-th entity.
func entityOf(view *feature.View, i int) []feature.Value {
	values := make([]feature.Value, len(view.Entities))
	for k, e := range view.Entities {
		switch e.Type {
		case feature.Int32:
			values[k] = feature.Int32Value(int32(i))
		case feature.Int64:
			values[k] = feature.Int64Value(int64(i))
		case feature.Bool:
			values[k] = feature.BoolValue(i%2 == 1)
		case feature.Timestamp:
			values[k] = feature.UnixSecondsValue(int64(i))
		case feature.Bytes:
			values[k] = feature.BytesValue([]byte(fmt.Sprint(i)))
		default:
			values[k] = feature.StringValue(fmt.Sprint(i))
		}
	}
	return values
}

// profile checks and profiles writes, as the tap does.
func (l *played) profile(view *feature.View, layout *sketch.Layout, writes []feature.Write) *sketch.Profile {
	p, checker := sketch.NewProfile(view, layout, hashKey), l.checkers[view.ID]
	for i := range writes {
		for k := range writes[i].Values {
			view.Features[k].Admit(&writes[i].Values[k])
		}
		if at, _, ok := checker.Check(&writes[i]); !ok {
			p.RefuseBy(&writes[i], at)
			continue
		}
		p.Add(&writes[i])
	}
	return p
}

// Profile profiles a window again, over another layout.
func (l *played) Profile(_ context.Context, view *feature.View, layout *sketch.Layout, w feature.Window, _ []feature.Span) (*sketch.Profile, error) {
	writes, there := l.windows[keyOf(view, w)]
	if !there {
		return nil, feature.ErrExpired
	}
	return l.profile(view, layout, writes), nil
}

// Rows hands over nothing: no row is staged.
func (l *played) Rows(context.Context, *feature.View, feature.Version, feature.Window, []feature.Span, func([]feature.Row) error) error {
	return nil
}

// Forget keeps the windows, which layouts that come later are built from.
func (l *played) Forget(context.Context, []sketch.Partial) error { return nil }
