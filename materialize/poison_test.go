package materialize

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// minute counts a minute of a source, that many minutes after the start of the nth window.
func (w *world) minute(n, after int, records, dead uint64) feature.SourceMinute {
	return feature.SourceMinute{At: w.window(n).Start.Unix()/60 + int64(after), N: records, Dead: dead}
}

// read is what the partitions have read of their source.
func (w *world) read(parts ...[]feature.SourceMinute) {
	for p := range w.log.progress {
		progress := w.log.progress[p]
		if progress.Source = nil; int(p) < len(parts) {
			progress.Source = parts[p]
		}
		w.log.progress[p] = progress
		w.board.Update(progress, nil)
	}
}

// runPoisoned puts and closes the nth window, of whose source that was read, and decides it.
func (w *world) runPoisoned(n int, parts ...[]feature.SourceMinute) feature.VersionInfo {
	w.t.Helper()
	version := w.put(n, 300, 10)
	w.close(n, 0)
	w.read(parts...)
	progress := feature.Progress{Topic: topic, Partition: 1, Epoch: 1, Offset: int64(len(w.log.parts[1])), Views: map[string]feature.ViewProgress{w.view.Name: {Watermark: w.window(n).End}}}
	if len(parts) > 1 {
		progress.Source = parts[1]
	}
	w.log.progress[1] = progress
	w.board.Update(progress, w.log.partials(1))
	w.decide()
	return w.version(version)
}

func TestPoison(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.view.Window.Lateness = 2 * time.Minute
	m := func(after int, records, dead uint64) []feature.SourceMinute {
		return []feature.SourceMinute{w.minute(0, after, records, dead)}
	}
	for name, tc := range map[string]struct {
		parts [][]feature.SourceMinute
		want  string // of the reason; empty: not poisoned
	}{
		"none":                             {nil, ""},
		"at the share":                     {[][]feature.SourceMinute{m(5, 1000, 50)}, ""},
		"above":                            {[][]feature.SourceMinute{m(5, 1000, 51)}, "51 of 1000 records of writes in the minute from " + day0.Add(5*time.Minute).Format(time.RFC3339) + " are dead letters (5.1 %), allowed 5 %"},
		"one of ten":                       {[][]feature.SourceMinute{m(5, 10, 1)}, ""},
		"all, but few":                     {[][]feature.SourceMinute{m(5, 9, 9)}, ""},
		"just enough":                      {[][]feature.SourceMinute{m(5, 10, 10)}, "10 of 10"},
		"over both partitions":             {[][]feature.SourceMinute{m(5, 100, 5), m(5, 5, 5)}, "10 of 105"},
		"one partition, and many are well": {[][]feature.SourceMinute{m(5, 2000, 0), m(5, 60, 60)}, ""},
		"two minutes are not one":          {[][]feature.SourceMinute{m(5, 20, 9), m(6, 20, 9)}, ""},
		"the worst":                        {[][]feature.SourceMinute{append(m(5, 100, 50), m(7, 100, 80)...)}, "80 of 100"},
		"before the window":                {[][]feature.SourceMinute{m(-1, 100, 50)}, ""},
		"within its lateness":              {[][]feature.SourceMinute{m(61, 100, 50)}, "50 of 100"},
		"behind its lateness":              {[][]feature.SourceMinute{m(62, 100, 50)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.progress(0, feature.ViewProgress{})
			w.progress(1, feature.ViewProgress{})
			w.read(tc.parts...)
			p := w.board.poison(w.view, w.window(0), 0.05, 10)
			if (p == nil) != (tc.want == "") || p != nil && !strings.HasPrefix(p.String(), tc.want) {
				t.Errorf("poison = %v, want %q", p, tc.want)
			}
		})
	}
}

// A window of a poisoned source is held though it passes, is no history, says why, and is
// published once a later window finds the source well again.
func TestPoisonedSourceHolds(t *testing.T) {
	w := newWorld(t, paymentsView())
	var log bytes.Buffer
	deps := w.deps()
	deps.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w.gate = New(DefaultConfig(), deps)
	w.run(0, 300, 10)
	w.forget()
	bad := []feature.SourceMinute{w.minute(1, 59, 100, 40)}
	held := w.runPoisoned(1, bad)
	if held.State != feature.StateHeld || !strings.HasPrefix(held.Reason, "held: 40 of 100 records of writes in the minute from ") {
		t.Fatalf("version of a poisoned source is %s: %s", held.State, held.Reason)
	}
	last := w.verdicts()[len(w.verdicts())-1]
	if last.State != "pass" || last.Decision != "hold" || !strings.Contains(string(last.Body), `"held":"40 of 100`) || !strings.Contains(string(last.Body), `"left_out":"source: 40 of 100`) {
		t.Errorf("its verdict: %s, %s: %s", last.State, last.Decision, last.Body)
	}
	if got := w.kinds(); !slices.Equal(got, []string{"hold"}) || !strings.Contains(w.events()[0].Alert.Text, "passed and is held: 40 of 100") || !strings.Contains(w.events()[0].Alert.Text, "sluice approve payments --version 2") {
		t.Errorf("people were told %q: %+v", got, w.events())
	}
	if n := len(w.history()); n != 1 {
		t.Errorf("%d windows of history, want the one before", n)
	}
	if !strings.Contains(log.String(), "source tripped the gate") || !strings.Contains(log.String(), "records=100 dead=40") {
		t.Errorf("logged:\n%s", log.String())
	}
	// Another gate reads the same progress, and decides the same.
	w.restart()
	w.read(bad)
	well := w.runPoisoned(2, bad)
	if v := w.vector(); well.State != feature.StateVisible || !v.Sees(2) || !v.Sees(3) {
		t.Errorf("after a window of a source that is well: %s (%s), vector %+v, want both visible", well.State, well.Reason, v)
	}
	if held = w.version(2); held.DecidedBy != "gate" || held.Reason != "passed, and was held until its source was well again" || held.PublishedAt.IsZero() {
		t.Errorf("the held version: %+v", held)
	}
	if got := w.kinds(); !slices.Equal(got, []string{"hold", "resolved hold"}) {
		t.Errorf("people were told %q, want the end of it", got)
	}
}

// The budget of a hold runs while the source stays poisoned, not while the view is frozen;
// and a thaw publishes nothing of a source that is still poisoned.
func TestPoisonedHoldsExpireUnlessFrozen(t *testing.T) {
	w := newWorld(t, paymentsView())
	var bad []feature.SourceMinute
	poison := func(n int) feature.VersionInfo {
		bad = append(bad, w.minute(n, 30, 50, 50))
		return w.runPoisoned(n, bad)
	}
	first := poison(0)
	w.act("freeze", 0)
	for n := 1; n <= 2; n++ {
		if info := poison(n); info.State != feature.StateHeld {
			t.Fatalf("window %d of a frozen view is %s", n, info.State)
		}
	}
	if info := w.version(first.Version); info.State != feature.StateHeld || info.HeldFor != 0 {
		t.Errorf("the first is %s, held for %d windows, want held, and none counted while frozen", info.State, info.HeldFor)
	}
	w.act("thaw", 0)
	if v := w.vector(); len(v.Visible) != 0 {
		t.Errorf("a thaw shows %v of a poisoned source", v.Visible)
	}
	for n := 3; n <= 5; n++ {
		poison(n)
	}
	if info := w.version(first.Version); info.State != feature.StateExpired || info.Reason != "held for 3 windows without a decision" {
		t.Errorf("after three more poisoned windows the first is %s: %s", info.State, info.Reason)
	}
}

// Versions that are published together have stood their probation while they were held, so
// that those that come after them find room.
func TestPoisonedHoldsLeaveRoom(t *testing.T) {
	w := newWorld(t, paymentsView())
	for n := range 3 {
		w.runPoisoned(n, []feature.SourceMinute{w.minute(n, 30, 50, 50)})
	}
	for n := 3; n < 8; n++ {
		if info := w.runPoisoned(n); info.State != feature.StateVisible {
			t.Errorf("window %d, of a source that is well again, is %s: %s", n, info.State, info.Reason)
		}
	}
	if v := w.vector(); v.Floor != 5 {
		t.Errorf("vector %+v, want the floor at the fifth", v)
	}
}

// What people do goes before: a held version is approved, or rejected.
func TestPoisonedHoldIsDecidedByAPerson(t *testing.T) {
	w := newWorld(t, paymentsView())
	one := w.runPoisoned(0, []feature.SourceMinute{w.minute(0, 30, 50, 50)})
	two := w.runPoisoned(1, []feature.SourceMinute{w.minute(1, 30, 50, 50)})
	w.act("approve", one.Version)
	w.act("reject", two.Version)
	w.runPoisoned(2)
	if a, b := w.version(one.Version), w.version(two.Version); a.State != feature.StateVisible || a.DecidedBy != "alice" || b.State != feature.StateRejected || b.DecidedBy != "alice" {
		t.Errorf("approved: %s by %s; rejected: %s by %s", a.State, a.DecidedBy, b.State, b.DecidedBy)
	}
}

// A window that fails is rejected, poisoned or not, and one that readers see already stays.
func TestPoisonChangesNothingElse(t *testing.T) {
	w := newWorld(t, paymentsView())
	w.states(rules.Fail)
	if info := w.runPoisoned(0, []feature.SourceMinute{w.minute(0, 30, 50, 50)}); info.State != feature.StateRejected {
		t.Errorf("a failing window is %s: %s", info.State, info.Reason)
	}
	view := paymentsView()
	view.Publish.Mode = feature.Optimistic
	w = newWorld(t, view)
	info := w.runPoisoned(0, []feature.SourceMinute{w.minute(0, 30, 50, 50)})
	if last := w.verdicts()[0]; info.State != feature.StateVisible || last.Decision != "none" || !strings.HasPrefix(info.Reason, "50 of 50 records") {
		t.Errorf("a version that is shown already is %s, decision %s: %s", info.State, last.Decision, info.Reason)
	}
}
