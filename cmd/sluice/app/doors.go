package app

import (
	"context"
	"slices"
	"time"

	"sluice/feature"
	"sluice/internal/control"
	"sluice/materialize"
	"sluice/serving/push"
	"sluice/tap"
)

// drain is how long requests in flight may take once the process is told to stop.
const drain = 5 * time.Second

// appender appends what doors take in to the topic of a view.
type appender struct {
	log    *tap.Log
	topics *topics
	room   *room
}

// Append appends the lines of the control API as they stand.
func (a appender) Append(ctx context.Context, view *feature.View, records []control.Record) ([]feature.Span, error) {
	if slices.ContainsFunc(records, func(r control.Record) bool { return r.Backfill }) {
		if err := a.room.check(view, roomBackfill); err != nil {
			return nil, err
		}
	}
	out := make([]tap.Out, len(records))
	for i, r := range records {
		out[i] = tap.Out{Key: r.Key, Value: r.Value}
		if r.EventID != "" {
			out[i].Headers = append(out[i].Headers, tap.Header{Key: tap.HeaderEventID, Value: []byte(r.EventID)})
		}
		if r.Backfill {
			out[i].Headers = append(out[i].Headers, tap.Header{Key: tap.HeaderBackfill, Value: []byte("true")})
		}
		if r.View != "" {
			out[i].Headers = append(out[i].Headers, tap.Header{Key: tap.HeaderView, Value: []byte(r.View)})
		}
	}
	return a.log.Append(ctx, a.topics.of(view), out)
}

// Watermark tells every partition of the view's topic how far its event time is.
func (a appender) Watermark(ctx context.Context, view *feature.View, t time.Time) error {
	return a.log.WriteWatermark(ctx, a.topics.of(view), view.Name, t)
}

// Push appends the rows of Feast's push.
func (a appender) Push(ctx context.Context, view *feature.View, records []push.Record) error {
	if slices.ContainsFunc(records, func(r push.Record) bool { return r.Backfill }) {
		if err := a.room.check(view, roomBackfill); err != nil {
			return err
		}
	}
	out := make([]tap.Out, len(records))
	for i, r := range records {
		out[i] = tap.Out{Key: r.Key, Value: r.Value}
		if r.Backfill {
			out[i].Headers = []tap.Header{{Key: tap.HeaderBackfill, Value: []byte("true")}}
		}
	}
	_, err := a.log.Append(ctx, a.topics.of(view), out)
	return err
}

// follow feeds the board from the profiles topic.
func follow(log *tap.Log, board *materialize.Board) func(context.Context) error {
	return func(ctx context.Context) error {
		caught := false
		return log.Follow(ctx, func(u tap.Update) error {
			for _, w := range u.Tombstones {
				board.Forgotten(w.View, time.Unix(0, w.Start), w.Topic, w.Partition)
			}
			if u.Progress != nil {
				board.Update(*u.Progress, u.Partials)
			}
			if u.Caught && !caught {
				caught = true
				board.CaughtUp()
			}
			return nil
		})
	}
}
