package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/tap"
)

// acts records what was noted and what was put, in their order, and fails at one of them.
type acts struct {
	done []string
	fail string
	err  error
}

func (a *acts) act(what string) error {
	if what == a.fail {
		return a.err
	}
	a.done = append(a.done, what)
	return nil
}

func (a *acts) WriteAudit(_ context.Context, row feature.Audit) error {
	return a.act(row.Action + " by " + row.By + " " + string(row.After))
}

func (a *acts) PutState(_ context.Context, s tap.State) error { return a.act("put " + s.Topic) }

// A partition is not read again unless the audit log says who wanted that.
func TestRereadIsNotedBefore(t *testing.T) {
	const noted = `reread by eve {"partitions":["a/0","b/0"]}`
	lost := errors.New("lost")
	for name, tc := range map[string]struct {
		fail string
		want []string
		left string // that the error names to be asked for again
	}{
		"all is well":                {"", []string{noted, "put a", "put b"}, ""},
		"the audit log is away":      {noted, nil, ""},
		"it ends after a partition":  {"put b", []string{noted, "put a"}, "not read again yet: b/0;"},
		"it ends before a partition": {"put a", []string{noted}, "not read again yet: a/0 b/0;"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &acts{fail: tc.fail, err: lost}
			opts := RereadOptions{Sources: []string{"a/0", "b/0"}, By: "eve", Reason: "drill"}
			err := reread(t.Context(), a, a, []tap.State{tap.FirstState("a", 0, "x"), tap.FirstState("b", 0, "y")}, opts)
			if !slices.Equal(a.done, tc.want) || errors.Is(err, lost) != (tc.fail != "") {
				t.Errorf("reread did %q, %v, want %q", a.done, err, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), tc.left) {
				t.Errorf("reread = %v, want %q in it", err, tc.left)
			}
		})
	}
}
