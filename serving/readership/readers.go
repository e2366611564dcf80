package readership

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"sluice/feature"
)

const (
	readersEvery = 10 * time.Second // between two reports of who reads what
	hoursOwed    = int(feature.ReadershipPeriod / feature.ReadershipSpan)
)

var readershipHours = feature.WindowSpec{Size: feature.ReadershipSpan}

// readers reports who reads what: what was counted of an hour of the platform's clock, all
// of it every time something came, so that a report that is made again counts once. It is
// of one goroutine.
type readers struct {
	counted *lists
	tell    ReadersFunc
	now     func() time.Time // the platform's clock
	results *results
	log     *slog.Logger

	from    time.Time // when it last looked
	hours   []*readHour
	failing bool
}

// readHour is what was counted in one hour.
type readHour struct {
	window feature.Window
	first  map[feature.ViewID]time.Time // since when there are reads of a view
	rows   map[readKey]uint64
	owed   map[feature.ViewID]bool // views of which there is news
}

func (r *readers) run(ctx context.Context) { repeat(ctx, readersEvery, r.report) }

// report hands on what is new. Reads of before the platform's clock is set are of no hour
// and passed over.
func (r *readers) report(ctx context.Context) {
	now := r.now()
	hour := r.hour(now)
	r.counted.take(func(at readKey, rows uint64) {
		if hour != nil {
			hour.add(at, rows, r.from)
		}
	})
	r.from = now
	owed := r.owed()
	if len(owed) == 0 {
		return
	}
	err := r.tell(ctx, owed)
	if err == nil {
		r.settle()
	} else {
		r.results[readersFailed].Inc()
	}
	switch {
	case err != nil && !r.failing:
		r.log.Warn("which features are read cannot be recorded; it is kept until it can", "err", err)
	case err == nil && r.failing:
		r.log.Info("which features are read is recorded again")
	}
	r.failing = err != nil
}

// hour returns what is counted into at now, nil while that is not known. A clock that goes
// back opens no hour again: its record would lack what was recorded of it before.
func (r *readers) hour(now time.Time) *readHour {
	if now.IsZero() {
		return nil
	}
	window := readershipHours.Of(now)
	if n := len(r.hours); n > 0 && !window.Start.After(r.hours[n-1].window.Start) {
		return r.hours[n-1]
	}
	hour := &readHour{window: window, first: map[feature.ViewID]time.Time{}, rows: map[readKey]uint64{}, owed: map[feature.ViewID]bool{}}
	r.hours = slices.DeleteFunc(append(r.hours, hour), func(h *readHour) bool { return h != hour && len(h.owed) == 0 })
	if most := len(r.hours) - hoursOwed; most > 0 { // nobody would ask for those any more
		r.hours = slices.Delete(r.hours, 0, most)
	}
	return hour
}

// add counts rows that were returned since from.
func (h *readHour) add(at readKey, rows uint64, from time.Time) {
	if _, known := h.first[at.view]; !known {
		if from.Before(h.window.Start) {
			from = h.window.Start
		}
		h.first[at.view] = from
	}
	h.rows[at] += rows
	h.owed[at.view] = true
}

// owed returns what is to be handed on, by hour and view.
func (r *readers) owed() (all []feature.Readership) {
	for _, h := range r.hours {
		at := map[feature.ViewID]int{}
		for _, view := range slices.Sorted(maps.Keys(h.owed)) {
			at[view] = len(all)
			all = append(all, feature.Readership{View: view, Window: h.window, First: h.first[view]})
		}
		for key, rows := range h.rows {
			if i, owed := at[key.view]; owed {
				all[i].Reads = append(all[i].Reads, feature.FeatureReads{Service: key.service, Feature: key.feature, Rows: rows})
			}
		}
	}
	for _, of := range all {
		slices.SortFunc(of.Reads, func(a, b feature.FeatureReads) int {
			return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Feature, b.Feature))
		})
	}
	return all
}

// settle notes that all that was owed is recorded.
func (r *readers) settle() {
	for _, h := range r.hours {
		clear(h.owed)
	}
}
