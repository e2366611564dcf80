package serving

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/feature"
	"sluice/serving/push"
	"sluice/serving/refusal"
)

// push answers POST /push; the push source is the view's name.
func (s *Server) push(ctx context.Context, in asked, body, dst []byte) ([]byte, error) {
	return dst, noPushSource(s.pushBody(ctx, in, body, "push_source_name"))
}

// writeToOnlineStore answers POST /write-to-online-store, which does the same.
func (s *Server) writeToOnlineStore(ctx context.Context, in asked, body, dst []byte) ([]byte, error) {
	return append(dst, "null"...), s.pushBody(ctx, in, body, "feature_view_name")
}

func (s *Server) pushBody(ctx context.Context, in asked, body []byte, viewMember string) error {
	backfill, err := declaredHTTP(in)
	if err != nil {
		return err
	}
	name, to, df, err := push.ParseBody(body, viewMember)
	if err != nil {
		return err
	}
	if err := push.CheckTo(to); err != nil {
		return refusal.At("to", err)
	}
	t, err := push.JSONTable(df)
	if err != nil {
		return refusal.At("df", err)
	}
	if err := s.pushTable(ctx, name, t, backfill); err != nil {
		return refusal.At("df", err)
	}
	return nil
}

// pushTable appends the rows of t to the topic of the view of that name, declared to be of
// long ago if backfill is set.
func (s *Server) pushTable(ctx context.Context, name string, t *push.Table, backfill bool) error {
	if s.deps.Push == nil {
		return refusal.Of(feature.CodeUnavailable, "push to a server that runs a tap", "this server takes no pushes")
	}
	snap, _, err := s.take()
	if err != nil {
		return err
	}
	v, err := snap.catalog.view(name)
	if err != nil {
		return err
	}
	columns, err := t.Columns(&v.View)
	if err != nil {
		return err
	}
	if err := s.checkColumns(&v.View, columns); err != nil {
		return err
	}
	var ahead func(time.Time) error
	if s.deps.Ahead != nil {
		ahead = func(at time.Time) error { return s.deps.Ahead(ctx, at) }
	}
	return t.Records(&v.View, columns, backfill, ahead, func(records []push.Record) error { return s.append(ctx, v, records) })
}

// append appends records to the topic of v.
func (s *Server) append(ctx context.Context, v *view, records []push.Record) error {
	err := s.deps.Push(ctx, &v.View, records)
	var known *feature.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("push to %s: %w", v.Name, ctx.Err())
	}
	p := refusal.Of(feature.CodeUnavailable, "push again with the same rows", "the log did not take the rows of view %s", v.Name)
	return fmt.Errorf("%w: %w", p, err)
}

// checkColumns refuses columns that are none of v's, or says once a second in the log
// that they are passed over.
func (s *Server) checkColumns(v *feature.View, c push.Columns) error {
	err := c.Known(v)
	if err == nil || s.config.Feast.Columns != "ignore" {
		return err
	}
	now, last := time.Now().UnixNano(), s.columnLogged.Load()
	if now-last >= int64(time.Second) && s.columnLogged.CompareAndSwap(last, now) {
		s.deps.Log.Warn("columns of a push are none of the view's and are passed over, as feast.columns says", "view", v.Name, "columns", c.Rest[:min(len(c.Rest), 20)])
	}
	return nil
}
