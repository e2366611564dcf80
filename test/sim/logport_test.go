package sim

import (
	"context"

	"sluice/feature"
	"sluice/quality/sketch"
)

// logPort is the log as the gate reads it again.
type logPort struct{ *line }

func (l logPort) Profile(_ context.Context, view *feature.View, _ *sketch.Layout, window feature.Window, spans []feature.Span) (*sketch.Profile, error) {
	of := l.w.of(view.ID)
	return through(l.line, func() (*sketch.Profile, error) {
		all := sketch.NewProfile(of.view, sketch.Unbinned(of.view), hashKey)
		for _, span := range spans {
			s := of.streams[span.Partition]
			if err := all.Merge(s.profile(s.offsets(window, span.First, span.Last))); err != nil {
				return nil, err
			}
		}
		return all, nil
	})
}

func (l logPort) Rows(_ context.Context, view *feature.View, version feature.Version, window feature.Window, spans []feature.Span, fn func([]feature.Row) error) error {
	of := l.w.of(view.ID)
	for _, span := range spans {
		rows, err := through(l.line, func() ([]feature.Row, error) {
			s := of.streams[span.Partition]
			return s.rows(version, s.offsets(window, span.First, span.Last)), nil
		})
		if err == nil {
			err = fn(rows)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l logPort) Forget(_ context.Context, partials []sketch.Partial) error {
	_, err := through(l.line, func() (struct{}, error) {
		l.w.profiles.forget(partials)
		return struct{}{}, nil
	})
	return err
}
