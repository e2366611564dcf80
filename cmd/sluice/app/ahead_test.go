package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"sluice/feature"
)

// handClock is a clock that all processes share.
type handClock struct {
	now time.Time
	err error
}

func (c *handClock) Clock(context.Context) (time.Time, error) { return c.now, c.err }

func (c *handClock) SetClock(_ context.Context, t time.Time, _ feature.Audit) (time.Time, error) {
	c.now = t
	return t, nil
}

func (c *handClock) Changed() <-chan struct{} { return nil }

// TestAhead asks about event times while the clock is not set, once it is, and after another
// process moved it.
func TestAhead(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	store := &handClock{}
	c, err := openClock(t.Context(), store, true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	code := func(at time.Time) feature.Code {
		err := ahead{c, 5 * time.Minute}.check(t.Context(), at)
		var known *feature.Error
		if errors.As(err, &known) {
			return known.Code
		}
		if err != nil {
			t.Fatalf("%v is no *feature.Error", err)
		}
		return ""
	}
	check := func(when string, at time.Time, want feature.Code) {
		t.Helper()
		if got := code(at); got != want {
			t.Errorf("%s, %s: %q, want %q", when, at, got, want)
		}
	}
	check("before the clock is set", noon.AddDate(100, 0, 0), "")
	if _, err := c.Set(t.Context(), noon, feature.Audit{}); err != nil {
		t.Fatal(err)
	}
	check("at the bound", noon.Add(5*time.Minute), "")
	check("beyond it", noon.Add(5*time.Minute+1), feature.CodeFuture)
	check("long ago", noon.AddDate(-50, 0, 0), "")
	store.now = noon.Add(time.Hour)
	check("after another process moved the clock", noon.Add(time.Hour), "")
	store.err = errors.New("no registry")
	check("without a registry, within what is known", noon.Add(time.Hour), "")
	check("without a registry, beyond it", noon.Add(2*time.Hour), feature.CodeUnavailable)
	c.manual = false
	check("by the wall", time.Now().Add(time.Hour), feature.CodeFuture)
}
