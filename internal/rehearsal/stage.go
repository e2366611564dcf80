package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"sluice/feature"
	"sluice/internal/court"
	"sluice/materialize"
	"sluice/quality"
	"sluice/quality/sketch"
	"sluice/rules"
	"sluice/store/memory"
	"sluice/store/registry"
)

const topic = "rehearsal"

// start is when the first window of a stage starts: a Monday.
var start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// hashKey names values and draws row samples, the same in every run.
var hashKey = sketch.HashKey{'r', 'e', 'h', 'e', 'a', 'r', 's', 'a', 'l'}

// Stage is a gate on windows that are played to it one by one.
type Stage struct {
	dir      string
	registry *registry.Registry
	defs     feature.Definitions
	gate     *materialize.Gate
	board    *materialize.Board
	log      *played
	now      time.Time
	seen     map[feature.ViewID]string // cursor behind the verdicts seen
}

// Told is a verdict that a window led to.
type Told struct {
	rules.Verdict
	ID string
}

// NewStage returns a stage of definitions, which get ids of their own. The caller closes
// it.
func NewStage(ctx context.Context, defs feature.Definitions) (s *Stage, err error) {
	s = &Stage{now: start, seen: map[feature.ViewID]string{}, log: &played{windows: map[playedKey][]feature.Write{}}}
	if s.dir, err = os.MkdirTemp("", "sluice-rehearsal-"); err != nil {
		return nil, fmt.Errorf("rehearsal: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("rehearsal: %w", err), s.Close())
			s = nil
		}
	}()
	if s.registry, err = registry.OpenSQLite(ctx, filepath.Join(s.dir, "registry.db"), registry.Options{}); err != nil {
		return s, err
	}
	if s.defs, _, err = s.registry.SaveDefinitions(ctx, 0, defs, feature.Audit{At: s.now, By: topic, Action: "apply"}); err != nil {
		return s, err
	}
	if s.log.checkers, err = checkersOf(&s.defs); err != nil {
		return s, err
	}
	epoch, err := s.registry.Acquire(ctx, "gate")
	if err != nil {
		return s, err
	}
	for i := range s.defs.Views {
		s.defs.Views[i].Source.Topic = ""
	}
	s.board = materialize.NewBoard(topic, func(string) int { return 1 })
	s.board.CaughtUp()
	cfg := materialize.DefaultConfig()
	cfg.AuditRows = 0 // no row is staged
	s.gate = materialize.New(cfg, materialize.Deps{
		Registry: s.registry, Rows: new(memory.Store), Log: s.log, Board: s.board, HashKey: hashKey, Clock: s,
		Judge:       court.New(func() (*feature.Definitions, uint64) { return &s.defs, 1 }).Judge,
		Definitions: func() *feature.Definitions { return &s.defs }, Logger: slog.New(slog.DiscardHandler), Owner: "gate", Epoch: epoch,
	})
	return s, nil
}

func checkersOf(defs *feature.Definitions) (map[feature.ViewID]*quality.Checker, error) {
	all := map[feature.ViewID]*quality.Checker{}
	for i := range defs.Views {
		checker, err := quality.NewChecker(&defs.Views[i])
		if err != nil {
			return nil, err
		}
		all[defs.Views[i].ID] = checker
	}
	return all, nil
}

// Now is the stage's clock: the end of the window played last, and its lateness.
func (s *Stage) Now() (time.Time, bool) { return s.now, true }

// Definitions returns the stage's definitions, with ids.
func (s *Stage) Definitions() *feature.Definitions { return &s.defs }

// Registry returns what the gate wrote.
func (s *Stage) Registry() *registry.Registry { return s.registry }

// Window returns the n-th window of a view, from 0.
func (s *Stage) Window(view *feature.View, n int) feature.Window {
	return view.Window.Of(start.Add(time.Duration(n) * view.Window.Size))
}

// Play closes the n-th window of a view with the given rows, each a value for every
// feature, and returns the verdicts that the gate came to: that on the window first. A
// window without rows has none.
func (s *Stage) Play(ctx context.Context, view *feature.View, n int, rows [][]feature.Value) ([]Told, error) {
	w := s.Window(view, n)
	s.now = w.End.Add(view.Window.Lateness)
	if len(rows) > 0 {
		info, err := s.registry.OpenVersion(ctx, view, w, s.now)
		if err != nil {
			return nil, fmt.Errorf("play window %s: %w", w.Start.Format(time.RFC3339), err)
		}
		layout, err := s.layout(ctx, view, w.Start)
		if err != nil {
			return nil, err
		}
		partial, err := s.log.add(view, w, info.Version, layout, rows)
		if err != nil {
			return nil, err
		}
		s.board.Update(s.progress(), []sketch.Partial{partial})
	}
	s.board.Update(s.progress(), nil)
	if _, err := s.gate.DecideAll(ctx); err != nil {
		return nil, fmt.Errorf("play window %s: %w", w.Start.Format(time.RFC3339), err)
	}
	return s.told(ctx, view)
}

// progress says that all views' windows have passed that ended by now.
func (s *Stage) progress() feature.Progress {
	p := feature.Progress{Topic: topic, Epoch: 1, Offset: s.log.next, Views: map[string]feature.ViewProgress{}}
	for i := range s.defs.Views {
		p.Views[s.defs.Views[i].Name] = feature.ViewProgress{Watermark: s.now}
	}
	return p
}

// layout is the newest that applies to a window, as the tap knows it.
func (s *Stage) layout(ctx context.Context, view *feature.View, start time.Time) (*sketch.Layout, error) {
	rows, err := s.registry.Layouts(ctx, view.ID)
	if err != nil {
		return nil, err
	}
	for i := len(rows) - 1; i >= 0; i-- {
		if !rows[i].From.After(start) {
			return sketch.UnmarshalLayout(rows[i].Body)
		}
	}
	return sketch.Unbinned(view), nil
}

// told reads the verdicts that came since it was last called.
func (s *Stage) told(ctx context.Context, view *feature.View) ([]Told, error) {
	rows, next, err := s.registry.Verdicts(ctx, view.ID, s.seen[view.ID], 0)
	if err != nil {
		return nil, err
	}
	s.seen[view.ID] = next
	var all []Told
	for _, row := range rows {
		t := Told{ID: row.ID}
		if err := json.Unmarshal(row.Body, &t.Verdict); err != nil {
			return nil, fmt.Errorf("verdict %s: %w", row.ID, err)
		}
		all = append(all, t)
	}
	return all, nil
}

// Close removes the stage's registry.
func (s *Stage) Close() error {
	var err error
	if s.registry != nil {
		err = s.registry.Close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
