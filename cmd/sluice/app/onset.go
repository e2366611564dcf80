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

// tracer finds where in the log the reasons of verdicts begin, once for each verdict that
// somebody asks for: after the decision, so that nothing waits for it.
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

// Trace returns a verdict's JSON with first_offset in its reasons, or with a sentence in
// first_offset_note that says why there is none.
func (t *tracer) Trace(ctx context.Context, row feature.VerdictRow) ([]byte, error) {
	if row.State != string(rules.Fail) && row.State != string(rules.Warn) || row.Kind != judge.KindWindow && row.Kind != judge.KindProbation {
		return row.Body, nil
	}
	if body := t.kept(row.ID); body != nil {
		return body, nil
	}
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var v rules.Verdict
	if err := json.Unmarshal(row.Body, &v); err != nil {
		return nil, fmt.Errorf("verdict %s: %w", row.ID, err)
	}
	c, err := judge.DecodeCase(row.Case, func(digest string) ([]byte, error) { return t.app.parts.registry.Blob(ctx, digest) })
	if err != nil {
		return nil, fmt.Errorf("verdict %s: %w", row.ID, err)
	}
	traces, err := c.Traces(&v, t.app.parts.key)
	if err != nil {
		return nil, err
	}
	if traces.Empty() {
		return t.keep(row.ID, row.Body), nil
	}
	lasting := true
	switch err := t.read(ctx, c, traces); {
	case err == nil:
		traces.Write(&v)
	case errors.Is(err, feature.ErrExpired), errors.Is(err, feature.ErrNotFound):
		v.FirstOffsetNote = "the log no longer holds the records, so nobody can say where it begins"
	case errors.Is(err, errTraceRows):
		v.FirstOffsetNote = fmt.Sprintf("the windows have more than %d records: not read to find where it begins", traceRows)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		lasting = false
		v.FirstOffsetNote = "the log could not be read in time to find where it begins: ask again"
		t.app.opts.Log.Warn("where a verdict's reasons begin was not found", "view", c.View.Name, "verdict", row.ID, "err", err)
	}
	body, err := json.Marshal(&v)
	if err != nil || !lasting {
		return body, err
	}
	return t.keep(row.ID, body), nil
}

// read gives the records of the case's windows to traces.
func (t *tracer) read(ctx context.Context, c *judge.Case, traces *judge.Traces) error {
	ctx, cancel := context.WithTimeout(ctx, traceTime)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	log, rows := tap.NewReader(t.app.tapConfig(), t.app.parts.log, t.app.parts.key), 0
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
