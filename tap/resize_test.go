package tap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// openings tells of each window that a tap opens.
type openings struct {
	Versions
	at chan time.Time
}

func (o openings) OpenVersion(ctx context.Context, view *feature.View, w feature.Window, now time.Time) (feature.VersionInfo, error) {
	info, err := o.Versions.OpenVersion(ctx, view, w, now)
	if err == nil {
		o.at <- w.Start
	}
	return info, err
}

// What a tap has of windows that are open is saved when their view's windows get another
// length, or the view is removed: it counted these writes.
func TestOpenWindowsOfAChangedView(t *testing.T) {
	longer := delays()
	longer.Window.Size = 10 * time.Minute
	elsewhere := delays()
	elsewhere.Name = "elsewhere"
	moved := delays()
	moved.Source.Topic = "flights"
	for name, next := range map[string]feature.View{"longer windows": longer, "removed": elsewhere, "another topic": moved} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, delays(), elsewhere)
			if err := r.log.EnsureTopics(r.ctx, "flights"); err != nil {
				t.Fatal(err)
			}
			r.cfg.Checkpoint = time.Hour
			deps, opened := r.deps(), make(chan time.Time, 16)
			deps.Versions = openings{r.registry, opened}
			r.startWith(deps)
			view := r.view("delays")
			r.send("sluice.writes", write("AA", day.Add(time.Minute), 1, 1))
			<-opened
			r.drain()
			r.send("sluice.writes", write("BB", day.Add(2*time.Minute), 2, 2), write("CC", day.Add(5*time.Minute+time.Second), 3, 3)) // within the lateness: nothing asks for a checkpoint
			<-opened
			views := []feature.View{elsewhere}
			if next.Name == "delays" {
				views = append(views, next)
			}
			r.apply(views...)
			if counts := r.drain(); counts.Accepted != 3 {
				t.Fatalf("counts = %+v, want 3 accepted", counts)
			}
			for start, want := range map[time.Time]uint64{day: 2, day.Add(5 * time.Minute): 1} {
				r.mu.Lock()
				part := r.parts[WindowKey{"delays", start.UnixNano(), "sluice.writes", 0}]
				r.mu.Unlock()
				if part.Rows != want {
					t.Errorf("the window at %s has %d rows, want %d", start.Format(time.TimeOnly), part.Rows, want)
				}
				info, err := r.registry.VersionOf(r.ctx, view.ID, start)
				if err != nil {
					t.Fatal(err)
				}
				if rows, _, err := r.rows.Stat(r.ctx, view.ID, info.Version); err != nil || rows != want {
					t.Errorf("the window at %s has %d rows in the store, %v, want %d", start.Format(time.TimeOnly), rows, err, want)
				}
			}
		})
	}
}

// Windows of a length that a view had are read again as they were, and none of another
// length takes the place of one.
func TestReplayOfAnotherLength(t *testing.T) {
	r := newRig(t, 1, delays())
	run := r.start()
	var sent []Out
	for i := range 9 {
		sent = append(sent, write(fmt.Sprint("A", i), day.Add(time.Duration(i)*time.Minute), float64(i), i)) // 5 in a window, 4 in the next
	}
	r.send("sluice.writes", sent...)
	r.drain()
	short := r.view("delays")
	long := delays()
	long.Window.Size = 10 * time.Minute
	r.apply(long)
	r.send("sluice.writes", write("B", day.Add(9*time.Minute), 1, 1), write("C", day.Add(12*time.Minute), 1, 1)) // the first is late: the window that would have it begins with another
	r.watermark("delays", day.Add(30*time.Minute))
	if counts := r.drain(); counts.Accepted != 11 || counts.Late != 1 {
		t.Errorf("counts = %+v, want 11 accepted, 1 of them late", counts)
	}
	r.end(run)
	reader := NewReader(r.cfg, r.log, testKey, r.registry)
	for _, tc := range []struct {
		window feature.Window
		rows   int
	}{{short.Window.Of(day), 5}, {short.Window.Of(day.Add(5 * time.Minute)), 4}, {long.Window.Of(day.Add(10 * time.Minute)), 2}} {
		rows := 0
		err := reader.Rows(r.ctx, r.view("delays"), 1, tc.window, r.spans("delays", tc.window.Start), func(batch []feature.Row) error {
			rows += len(batch)
			return nil
		})
		if err != nil || rows != tc.rows {
			t.Errorf("the window from %s to %s has %d rows in the log, %v, want %d", tc.window.Start.Format(time.TimeOnly), tc.window.End.Format(time.TimeOnly), rows, err, tc.rows)
		}
	}
}

// While something is left to save of a view that changed, another view can be defined, and
// its writes are taken; a further change of the first one waits for the checkpoint.
func TestChangeAfterAChange(t *testing.T) {
	longer, other := delays(), delays()
	longer.Window.Size, other.Name = 10*time.Minute, "other"
	r := newRig(t, 1, delays())
	deps := r.deps()
	deps.Refresh = func(context.Context) error { r.apply(longer, other); return nil }
	tap, err := New(r.cfg, r.log, deps)
	if err != nil {
		t.Fatal(err)
	}
	tap.letterPartitions.Store(1)
	at := source{"sluice.writes", 0}
	w, err := newWriter(r.log.cfg.Brokers, at)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	p, err := tap.take(r.ctx, at, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	read := func(out Out) {
		t.Helper()
		if err := errors.Join(p.begin(), p.record(r.ctx, &kgo.Record{Topic: at.topic, Offset: p.next, Key: out.Key, Value: out.Value})); err != nil {
			t.Fatal(err)
		}
	}
	read(write("AA", day, 1, 1))
	r.apply(longer)
	read(write("AA", day.Add(11*time.Minute), 1, 1))
	if len(p.leaving) != 1 {
		t.Fatalf("%d views are left to save, want 1", len(p.leaving))
	}
	toOther := write("AA", day, 1, 1)
	toOther.Value = bytes.Replace(toOther.Value, []byte(`"delays"`), []byte(`"other"`), 1)
	read(toOther)
	if p.counts.Accepted != 3 {
		t.Errorf("counts = %+v, want all 3 accepted: the view is defined", p.counts)
	}
	r.apply(delays(), other)
	read(write("AA", day.Add(12*time.Minute), 1, 1))
	if size := p.views["delays"].spec.Size; size != longer.Window.Size {
		t.Errorf("windows of %s before the checkpoint, want still %s", size, longer.Window.Size)
	}
	if err := p.checkpoint(r.ctx, w, false); err != nil {
		t.Fatal(err)
	}
	read(write("AA", day.Add(13*time.Minute), 1, 1))
	if size := p.views["delays"].spec.Size; size != 5*time.Minute {
		t.Errorf("windows of %s after the checkpoint, want 5m", size)
	}
}
