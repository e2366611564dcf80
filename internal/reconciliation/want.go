package reconciliation

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/feature"
)

// snapshot is what a view is at a moment.
type snapshot struct {
	vector   feature.Vector // without versions that are open: their rows still come
	versions []feature.VersionInfo
	decided  map[feature.Version]time.Time
	readable map[feature.Version]bool // versions that the log gives as they were; false: it no longer holds all of their records, or decides otherwise
}

// snapshot reads the vector first: a version that it shows is listed then.
func (r *run) snapshot(ctx context.Context) (*snapshot, error) {
	vector, err := r.Registry.Vector(ctx, r.view.ID)
	if err != nil {
		return nil, err
	}
	versions, err := r.Registry.Versions(ctx, r.view.ID, 0, 0)
	if err != nil {
		return nil, err
	}
	s := &snapshot{vector: vector, decided: map[feature.Version]time.Time{}, readable: map[feature.Version]bool{}}
	for _, v := range versions {
		switch {
		case v.State.Dead():
			s.readable[v.Version] = true // it has no rows
		case v.Step == feature.StepOpen:
			s.vector, _ = s.vector.Without(v.Version)
		case vector.Sees(v.Version):
			s.readable[v.Version] = true
			s.decided[v.Version] = v.DecidedAt
			s.versions = append(s.versions, v)
		}
	}
	return s, nil
}

// wanted is the row that a reader should get of an entity.
type wanted struct {
	record feature.Record // without Row at the first look
	digest uint64         // of Row
}

// want is what readers should get, by the log.
type want struct {
	mu     sync.Mutex
	rows   map[feature.Key]wanted
	counts map[feature.Version]uint64 // rows read, whether their keys are asked for or not
}

var digests = maphash.MakeSeed()

func digest(row []byte) uint64 { return maphash.Bytes(digests, row) }

// take keeps the newest row of each key that is asked for.
func (w *want) take(version feature.Version, batch []feature.Row, asked func(feature.Key) bool, whole bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[version] += uint64(len(batch))
	for i := range batch {
		key, record := batch[i].Key, batch[i].Record
		if !asked(key) {
			continue
		}
		record.Version = version
		if old, there := w.rows[key]; there && !record.Newer(old.record) {
			continue
		}
		sum := digest(record.Row)
		if whole {
			record.Row = slices.Clone(record.Row)
		} else {
			record.Row = nil
		}
		w.rows[key] = wanted{record, sum}
	}
}

// read reads the rows that a snapshot shows from the log.
func (r *run) read(ctx context.Context, s *snapshot, asked func(feature.Key) bool, whole bool) (map[feature.Key]wanted, error) {
	w := &want{rows: map[feature.Key]wanted{}, counts: map[feature.Version]uint64{}}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, r.opts.Parallel))
	r.parts(s)
	for i := range s.versions {
		v := &s.versions[i]
		for _, p := range v.Parts() {
			for _, span := range p.Spans {
				if span.First < 0 {
					continue
				}
				group.Go(func() error {
					err := r.Log.Rows(ctx, r.view, v.Version, p.Window, []feature.Span{span}, func(batch []feature.Row) error {
						w.take(v.Version, batch, asked, whole)
						return nil
					})
					if errors.Is(err, feature.ErrExpired) {
						r.unreadable(s, v.Version, fmt.Sprintf("%s/%d", span.Topic, span.Partition), err.Error())
						err = nil
					}
					if err != nil {
						return fmt.Errorf("version %d: %w", v.Version, err)
					}
					r.partRead()
					return nil
				})
			}
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	r.recount(s, w.counts)
	return w.rows, nil
}

// recount takes versions for unreadable of which the log gives another number of rows than
// were counted when they were sealed. It decides otherwise than the tap did, where the
// definitions of the time are not known any more: what it leaves out now was accepted, and
// is not to be removed.
func (r *run) recount(s *snapshot, read map[feature.Version]uint64) {
	for i := range s.versions {
		if v := &s.versions[i]; s.readable[v.Version] && v.Rows > 0 && read[v.Version] != v.Rows {
			r.unreadable(s, v.Version, "", fmt.Sprintf("the log gives %d rows, and %d were counted when it was sealed: the definitions of the time are not known any more", read[v.Version], v.Rows))
		}
	}
}

// unreadable notes that the log no longer gives what a version was made of.
func (r *run) unreadable(s *snapshot, version feature.Version, partition, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.readable[version] = false
	u := Unreadable{version, partition, reason}
	if !slices.ContainsFunc(r.result.Unreadable, func(o Unreadable) bool { return o.Version == u.Version && o.Partition == u.Partition }) {
		r.result.Unreadable = append(r.result.Unreadable, u)
	}
}
