package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/feature"
	"sluice/materialize"
	"sluice/quality/sketch"
	"sluice/serving"
)

// fateBook is a registry of versions.
type fateBook struct {
	infos  []feature.VersionInfo
	listed []int // versions of each answer
}

func (b *fateBook) Versions(_ context.Context, _ feature.ViewID, after feature.Version, _ int) (infos []feature.VersionInfo, err error) {
	for _, info := range b.infos {
		if info.Version > after {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(x, y feature.VersionInfo) int { return cmp.Compare(x.Version, y.Version) })
	b.listed = append(b.listed, len(infos))
	return infos, nil
}

func (b *fateBook) Changed() <-chan struct{} { return nil } // another process decides

// fateSite is a view of one partition with windows of a minute.
type fateSite struct {
	fates
	book  *fateBook
	view  feature.View
	epoch feature.Progress
}

var fateNoon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newFateSite(end int64) *fateSite {
	s := &fateSite{
		book: &fateBook{}, view: feature.View{Name: "pay", Window: feature.WindowSpec{Size: time.Minute, Lateness: 10 * time.Second}},
		epoch: feature.Progress{Topic: "writes"},
	}
	s.fates = fates{s.book, materialize.NewBoard("writes", func(string) int { return 1 }), func(context.Context, *feature.View) (map[int32]int64, error) {
		return map[int32]int64{0: end}, nil
	}}
	return s
}

// checkpoint says that the partition was read up to offset and its watermark is at mark,
// with rows of the windows of the minutes after noon.
func (s *fateSite) checkpoint(offset int64, mark time.Time, minutes ...int) {
	p := s.epoch
	p.Offset, p.Views = offset, map[string]feature.ViewProgress{"pay": {Watermark: mark}}
	var partials []sketch.Partial
	for _, m := range minutes {
		partials = append(partials, sketch.Partial{View: "pay", Window: fateWindow(m), Topic: "writes", Rows: 1})
	}
	s.board.Update(p, partials)
}

// decide says what the version of a minute's window is.
func (s *fateSite) decide(version feature.Version, minute int, state feature.State, of feature.Version) {
	kind := feature.KindWindow
	if of != 0 {
		kind = feature.KindApproved
	}
	s.book.infos = append(s.book.infos, feature.VersionInfo{Version: version, Kind: kind, Window: fateWindow(minute), State: state, ApprovedOf: of})
}

func fateWindow(minute int) feature.Window {
	start := fateNoon.Add(time.Duration(minute) * time.Minute)
	return feature.Window{Start: start, End: start.Add(time.Minute)}
}

func (s *fateSite) ask(t *testing.T, from, to int, open bool) []serving.WindowFate {
	t.Helper()
	got, err := s.Windows(t.Context(), &s.view, fateNoon.Add(time.Duration(from)*time.Minute), fateNoon.Add(time.Duration(to)*time.Minute), open)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func fateStates(windows []serving.WindowFate) string {
	var all []string
	for _, w := range windows {
		all = append(all, w.Start.Format("15:04")+" "+string(w.State))
	}
	return strings.Join(all, ", ")
}

// TestFates has windows before, in and behind the time that is asked for, decided or not.
func TestFates(t *testing.T) {
	s := newFateSite(5)
	s.checkpoint(5, fateWindow(6).Start, 5, 6, 7)
	s.decide(2, 2, feature.StateVisible, 0)
	s.decide(1, 1, feature.StateVisible, 0)
	s.decide(3, 3, feature.StateRejected, 0)
	s.decide(4, 4, feature.StateRejected, 0)
	s.decide(5, 3, feature.StateVisible, 3)
	s.decide(6, 6, feature.StateStaged, 0)
	for _, tc := range []struct {
		from, to int
		want     string
	}{
		{0, 2, "12:01 visible"},
		{0, 4, "12:01 visible, 12:02 visible, 12:03 visible"}, // approved
		{2, 5, "12:02 visible, 12:03 visible, 12:04 rejected"},
		{5, 9, "12:05 , 12:06 staged, 12:07 "},
		{8, 9, ""},
	} {
		if got := fateStates(s.ask(t, tc.from, tc.to, false)); got != tc.want {
			t.Errorf("windows of minutes %d to %d: %s, want %s", tc.from, tc.to, got, tc.want)
		}
	}
}

// TestFatesWait asks while rows are on the log that were not read, and while a closed
// window waits for its verdict.
func TestFatesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFateSite(9)
		s.checkpoint(8, fateNoon, 1)
		begun := time.Now()
		after := func(d time.Duration, do func()) { time.AfterFunc(d, do) }
		after(2*time.Second, func() { s.checkpoint(9, fateWindow(3).Start, 1, 2) }) // both are closed then
		after(5*time.Second, func() {
			s.decide(1, 1, feature.StateVisible, 0)
			s.decide(2, 2, feature.StateHeld, 0)
		})
		if got := fateStates(s.ask(t, 0, 9, true)); got != "12:01 , 12:02 " || time.Since(begun) != 2*time.Second {
			t.Errorf("open ones too: %s after %s, want both once they are read", got, time.Since(begun))
		}
		if got := fateStates(s.ask(t, 0, 9, false)); got != "12:01 visible, 12:02 held" || time.Since(begun) < 5*time.Second || time.Since(begun) > 6*time.Second {
			t.Errorf("%s after %s, want what was decided, within half a second of it", got, time.Since(begun))
		}
	})
}

// TestFatesLooksAhead waits for a window behind a thousand that were decided: while it does,
// none of them is listed; what was taken back meanwhile is known in the end.
func TestFatesLooksAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFateSite(9)
		s.checkpoint(9, fateWindow(1003).Start, 1001)
		for i := range 1000 {
			s.decide(feature.Version(i+1), i, feature.StateVisible, 0)
		}
		s.decide(1001, 1001, feature.StateStaged, 0)
		time.AfterFunc(5*time.Second, func() {
			s.book.infos[998].State = feature.StateRolledBack
			s.book.infos[1000].State = feature.StateVisible
		})
		if got := fateStates(s.ask(t, 998, 2000, false)); got != "04:38 rolled_back, 04:39 visible, 04:41 visible" {
			t.Errorf("%s, want what was taken back, and what was published", got)
		}
		if n := len(s.book.listed); n < 8 || s.book.listed[0] != 1001 || s.book.listed[n-1] != 1001 {
			t.Fatalf("answers of %v versions, want a look a half second, the first and the last at all", s.book.listed)
		}
		for i, listed := range s.book.listed[1 : len(s.book.listed)-1] {
			if listed != 1 {
				t.Errorf("look %d is at %d versions, want the one that is staged", i+1, listed)
			}
		}
	})
}

// TestFatesLate has rows that nobody reads.
func TestFatesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFateSite(9)
		s.checkpoint(8, fateNoon, 1)
		begun := time.Now()
		_, err := s.Windows(t.Context(), &s.view, fateNoon, fateNoon.Add(time.Hour), false)
		var known *feature.Error
		if !errors.As(err, &known) || known.Code != feature.CodeConflict || time.Since(begun) != fateWait {
			t.Errorf("err %v after %s, want conflict after %s", err, time.Since(begun), fateWait)
		}
		s.ends = func(context.Context, *feature.View) (map[int32]int64, error) { return nil, errors.New("no broker") }
		if _, err = s.Windows(t.Context(), &s.view, fateNoon, fateNoon.Add(time.Hour), false); !errors.As(err, &known) || known.Code != feature.CodeUnavailable {
			t.Errorf("without a log: %v, want unavailable", err)
		}
	})
}
