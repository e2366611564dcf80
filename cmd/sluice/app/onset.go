package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"sluice/feature"
	"sluice/internal/judge"
	"sluice/rules"
	"sluice/tap"
)

const (
	traceRows  = 1 << 20         // records of a verdict's windows that are read to find where its reasons begin
	traceTime  = 2 * time.Second // that is taken for it
	traceKept  = 256             // verdicts whose answers are kept
	traceAside = 2               // verdicts that are traced at once
)

var errTraceRows = errors.New("too many records")

// tracer finds where in the log the reasons of verdicts begin: after the decision, so that
// nothing waits for it. What it finds is stored; see originator.
type tracer struct {
	app   *App
	slots chan struct{}

	mu    sync.Mutex
	known map[string][]byte
	order []string
}

func newTracer(a *App) *tracer {
	return &tracer{app: a, slots: make(chan struct{}, traceAside), known: map[string][]byte{}}
}

// traced reports whether anybody looks for where the reasons of such a verdict begin.
func traced(kind, state string) bool {
	return (state == string(rules.Fail) || state == string(rules.Warn)) && (kind == judge.KindWindow || kind == judge.KindProbation)
}

// Trace returns a verdict's JSON with first_offset in its reasons, or with a sentence in
// first_offset_note that says why there is none: as it is stored, else, if read says so, by
// the log, and stores what that says. What is not known is left out.
func (t *tracer) Trace(ctx context.Context, row feature.VerdictRow, read bool) ([]byte, error) {
	if !traced(row.Kind, row.State) {
		return row.Body, nil
	}
	if body := t.kept(row.ID); body != nil {
		return body, nil
	}
	body, err := t.stored(ctx, row)
	if err == nil || !errors.Is(err, feature.ErrNotFound) {
		return body, err
	}
	if !read {
		return row.Body, nil
	}
	return t.look(ctx, row)
}

// stored returns a verdict's JSON with what is stored of where its reasons begin;
// ErrNotFound if nothing is.
func (t *tracer) stored(ctx context.Context, row feature.VerdictRow) ([]byte, error) {
	text, err := t.app.parts.registry.Origins(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	origins, err := judge.DecodeOrigins(text)
	if err != nil {
		return nil, fmt.Errorf("verdict %s: %w", row.ID, err)
	}
	body, err := withOrigins(row, &origins)
	if err != nil {
		return nil, err
	}
	return t.keep(row.ID, body), nil
}

func withOrigins(row feature.VerdictRow, o *judge.Origins) ([]byte, error) {
	var v rules.Verdict
	if err := json.Unmarshal(row.Body, &v); err != nil {
		return nil, fmt.Errorf("verdict %s: %w", row.ID, err)
	}
	o.Write(&v)
	return json.Marshal(&v)
}

// look reads the log for where a verdict's reasons begin, stores what that says unless the
// log could not be read, and returns the verdict's JSON with it.
func (t *tracer) look(ctx context.Context, row feature.VerdictRow) ([]byte, error) {
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	origins, lasting, err := t.origins(ctx, row)
	if err != nil {
		return nil, err
	}
	if lasting {
		if err := t.save(ctx, row.ID, &origins); err != nil && ctx.Err() == nil {
			t.app.opts.Log.Warn("where a verdict's reasons begin was not stored", "verdict", row.ID, "err", err)
		}
	}
	body, err := withOrigins(row, &origins)
	if err != nil || !lasting {
		return body, err
	}
	return t.keep(row.ID, body), nil
}

func (t *tracer) save(ctx context.Context, id string, o *judge.Origins) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return t.app.parts.registry.SaveOrigins(ctx, id, text)
}

// origins reads the log for where a verdict's reasons begin. It is not lasting if the log
// could not be read in time: another time it may.
func (t *tracer) origins(ctx context.Context, row feature.VerdictRow) (o judge.Origins, lasting bool, err error) {
	var v rules.Verdict
	if err := json.Unmarshal(row.Body, &v); err != nil {
		return o, false, fmt.Errorf("verdict %s: %w", row.ID, err)
	}
	c, err := judge.DecodeCase(row.Case, func(digest string) ([]byte, error) { return t.app.parts.registry.Blob(ctx, digest) })
	if err != nil {
		return o, false, fmt.Errorf("verdict %s: %w", row.ID, err)
	}
	traces, err := c.Traces(&v, t.app.parts.key)
	if err != nil {
		return o, false, err
	}
	if traces.Empty() {
		return traces.Origins(), true, nil
	}
	switch err := t.read(ctx, c, traces); {
	case err == nil:
		return traces.Origins(), true, nil
	case errors.Is(err, feature.ErrExpired), errors.Is(err, feature.ErrNotFound):
		return judge.NoOrigins("the log no longer holds the records, so nobody can say where it begins"), true, nil
	case errors.Is(err, errTraceRows):
		return judge.NoOrigins(fmt.Sprintf("the windows have more than %d records: not read to find where it begins", traceRows)), true, nil
	case ctx.Err() != nil:
		return o, false, ctx.Err()
	default:
		t.app.opts.Log.Warn("where a verdict's reasons begin was not found", "view", c.View.Name, "verdict", row.ID, "err", err)
		return judge.NoOrigins("the log could not be read in time to find where it begins: ask again"), false, nil
	}
}

// read gives the records of the case's windows to traces.
func (t *tracer) read(ctx context.Context, c *judge.Case, traces *judge.Traces) error {
	ctx, cancel := context.WithTimeout(ctx, traceTime)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	log, rows := tap.NewReader(t.app.tapConfig(), t.app.parts.log, t.app.parts.key, t.app.parts.registry), 0
	for _, version := range c.Versions {
		info, err := t.app.parts.registry.Version(ctx, c.View.ID, version)
		if err != nil {
			return err
		}
		for _, part := range info.Parts() {
			err := log.Replay(ctx, &c.View, nil, part.Window, part.Spans, func(w *feature.Write, late bool, refused int) {
				if rows++; rows > traceRows {
					stop(errTraceRows)
				} else if !late && !w.Backfill {
					traces.Add(w, refused)
				}
			})
			if cause := context.Cause(ctx); errors.Is(cause, errTraceRows) {
				return cause
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tracer) kept(id string) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[id]
}

// keep remembers an answer, and forgets the oldest if there are many.
func (t *tracer) keep(id string, body []byte) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known[id] == nil {
		if t.order = append(t.order, id); len(t.order) > traceKept {
			delete(t.known, t.order[0])
			t.order = t.order[1:]
		}
	}
	t.known[id] = body
	return body
}
