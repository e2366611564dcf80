package replay

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/rules"
	"sluice/store/tabular"
)

// dated writes the n-th window of a folder whose rows have times: that of the event, within
// the window; of an order some hours before it; of a birth; and of an opening hour in the morning of some
// day of the weeks before. Besides, a list and an object. change may change a row, and say nothing of its event.
func (f *folder) dated(n int, start time.Time, lasts time.Duration, change func(row map[string]string)) {
	f.t.Helper()
	var text strings.Builder
	at := func(t time.Time) string { return `"` + t.UTC().Format(time.RFC3339) + `"` }
	for range 400 {
		event := start.Add(time.Duration(f.rng.Float64() * float64(lasts)))
		weeks := time.Duration(f.rng.IntN(28)) * 24 * time.Hour
		row := map[string]string{
			"event_time": at(event),
			"ordered":    at(event.Add(-time.Duration(f.rng.ExpFloat64() * float64(3*time.Hour)))),
			"born":       at(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(f.rng.NormFloat64() * 10 * 365 * 24 * float64(time.Hour)))),
			"opened":     at(start.Truncate(24 * time.Hour).Add(-weeks - 24*time.Hour).Add(time.Duration(8+f.rng.IntN(4)) * time.Hour)),
			"items":      strings.TrimSuffix("["+strings.Repeat(fmt.Sprintf("%.2f,", f.rng.NormFloat64()), f.rng.IntN(5)), ",") + "]",
			"doc":        `{"a":1,"b":{"c":"x"}}`,
		}
		if change != nil {
			change(row)
		}
		var fields []string
		for _, name := range []string{"event_time", "ordered", "born", "opened", "items", "doc"} {
			if row[name] != "" {
				fields = append(fields, fmt.Sprintf("%q:%s", name, row[name]))
			}
		}
		text.WriteString("{" + strings.Join(fields, ",") + "}\n")
	}
	f.write(fmt.Sprintf("w%03d.jsonl", n), text.String())
}

// later moves a time of a row.
func later(name string, by time.Duration) func(map[string]string) {
	return func(row map[string]string) {
		at, _ := time.Parse(time.RFC3339, strings.Trim(row[name], `"`))
		row[name] = `"` + at.Add(by).Format(time.RFC3339) + `"`
	}
}

var firstDay = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// TestTimestamps: times are judged by what stays of them, in a folder of days of which some
// are missing: ages of what goes with the event, the place of what does not, and hours. Lists
// and objects are judged as at the gate. Nothing else alarms.
func TestTimestamps(t *testing.T) {
	f := newFolder(t, 31)
	faults := map[int]struct {
		feature, summary string
		change           func(map[string]string)
	}{
		31: {"ordered", "", later("ordered", -48*time.Hour)},
		34: {"born", "", later("born", 30*365*24*time.Hour)},
		37: {"opened", "hours_", later("opened", 9*time.Hour)},
		40: {"items", "", func(row map[string]string) { row["items"] = "[1,2,3,4,5,6,7,8]" }},
		43: {"items", "elements_", func(row map[string]string) {
			row["items"] = strings.NewReplacer(",", "e2,", "[]", "[]", "]", "e2]").Replace(row["items"])
		}},
		48: {"", "", func(row map[string]string) { delete(row, "event_time") }},
		46: {"doc", "paths_", func(row map[string]string) { row["doc"] = `{"a":1}` }},
	}
	for n, day := 0, 0; n < 50; n, day = n+1, day+1 {
		if n%11 == 10 {
			day += 2
		}
		f.dated(n, firstDay.AddDate(0, 0, day), 24*time.Hour, faults[n].change)
	}
	setup, all := f.replay(Options{Baseline: 28, Level: 0.001})
	if setup.Time != "event_time" || setup.Lasting != "of 24h" || fmt.Sprint(setup.LeftOut) != "[event_time]" || len(setup.Features) != 5 || setup.Undated != "" {
		t.Errorf("setup %+v", setup)
	}
	for i, w := range all {
		fault, planted := faults[28+i]
		if w.Undated != (28+i == 48) {
			t.Errorf("%s: undated %t", w.Name, w.Undated)
		}
		for _, l := range w.Lines {
			found := planted && l.Feature == fault.feature
			if found && (l.State == rules.Pass || !strings.HasPrefix(l.Summary, fault.summary)) || !found && l.State != rules.Pass && !l.Accumulated {
				t.Errorf("%s: %+v", w.Name, l)
			}
		}
	}
}

// TestTimestampsOfMonths: files of no one length begin at the hour of their first rows.
func TestTimestampsOfMonths(t *testing.T) {
	f := newFolder(t, 32)
	for n := range 24 {
		start := firstDay.AddDate(0, n, 0)
		var change func(map[string]string)
		if n == 20 {
			change = later("ordered", -48*time.Hour)
		}
		f.dated(n, start, start.AddDate(0, 1, 0).Sub(start), change)
	}
	setup, all := f.replay(Options{Baseline: 16, Level: 0.001})
	if setup.Lasting != "of no one length" || setup.Time != "event_time" {
		t.Errorf("setup %+v", setup)
	}
	for i, w := range all {
		if l := w.line("born"); l.State != rules.Pass {
			t.Errorf("%s: %+v", w.Name, all[i].line("born"))
		}
	}
	season, _ := f.replay(Options{Baseline: 16, Level: 0.001, Season: 12})
	if season.Time != "" || !strings.Contains(season.Undated, "not of one length by event_time") || len(season.LeftOut) != 4 {
		t.Errorf("with a season: %+v", season)
	}
}

// TestUndated: where no column says when rows are from, timestamps are left out, and the
// reason is told; one that is named must be there.
func TestUndated(t *testing.T) {
	f := newFolder(t, 33)
	for n := range 12 {
		f.dated(n, firstDay.AddDate(0, 0, n), 24*time.Hour, func(row map[string]string) {
			delete(row, "event_time")
			delete(row, "ordered")
			delete(row, "opened")
		})
	}
	setup, all := f.replay(Options{Baseline: 8, Level: 0.001})
	if setup.Time != "" || fmt.Sprint(setup.LeftOut) != "[born]" || !strings.Contains(setup.Undated, "no other column says") || len(all) != 4 {
		t.Errorf("setup %+v", setup)
	}
	for name, want := range map[string]string{"none": "no column of timestamps", "items": "no column of timestamps"} {
		r, err := New(f.dir, Options{Baseline: 8, Level: 0.001, Time: name}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context(), nil, nil); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), want) {
			t.Errorf("--time %s: %v", name, err)
		}
	}
	f = newFolder(t, 34) // an order says when rows are from
	for n := range 12 {
		f.dated(n, firstDay.AddDate(0, 0, n), 24*time.Hour, func(row map[string]string) { delete(row, "event_time") })
	}
	if setup, _ = f.replay(Options{Baseline: 8, Level: 0.001}); setup.Time != "ordered" || len(setup.Features) != 4 {
		t.Errorf("without event_time: %+v", setup)
	}
}

// TestCalendar: windows follow each other whatever a file's times are.
func TestCalendar(t *testing.T) {
	day := func(hours ...int) (all tabular.Times) {
		for _, h := range hours {
			all = append(all, firstDay.Add(time.Duration(h)*time.Hour))
		}
		return all
	}
	c := place("at", []tabular.Times{day(1, 12, 20), day(30, 36, 40), day(50, 60, 70)})
	if c == nil || c.size != 24*time.Hour || c.loose {
		t.Fatalf("calendar %+v", c)
	}
	for i, tc := range []struct {
		times tabular.Times
		want  int // day
	}{{day(150), 6}, {nil, 7}, {day(1, 2, 3), 8}, {day(250), 10}, {day(10_000_000), 11}} {
		if dated := c.next(tc.times); dated != (i == 0 || i == 3) {
			t.Errorf("file %d: dated %t", 3+i, dated)
		}
		if got := c.window(3 + i); !got.Start.Equal(firstDay.AddDate(0, 0, tc.want)) || got.End.Sub(got.Start) != 24*time.Hour {
			t.Errorf("file %d is %v, want day %d", 3+i, got, tc.want)
		}
	}
	if n, ok := c.file(firstDay.AddDate(0, 0, 6)); n != 3 || !ok {
		t.Errorf("day 6 is file %d, %t", n, ok)
	}
	for name, files := range map[string][]tabular.Times{"none": {nil, day(1)}, "falling": {day(50), day(20), day(1)}, "the same": {day(1), day(1), day(1)}} {
		if c := place("at", files); c != nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
