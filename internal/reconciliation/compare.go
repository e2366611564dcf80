package reconciliation

import (
	"context"
	"slices"
	"time"

	"sluice/feature"
)

const (
	readKeys  = 256 // entities that are read from the store at once
	readTries = 5   // a read has the deadline of a request, which a busy server may miss
	readPause = 100 * time.Millisecond
)

// finding is an entity that differs.
type finding struct {
	key  feature.Key
	kind Kind
	want wanted
	got  feature.Record // of version 0: none

	unsure bool // want is of a version that the log does not give as it was
}

// compared counts what a comparison saw.
type compared struct {
	findings                    []finding
	same, expired, unread, none int
}

// compare reads what the store has of the keys that are wanted.
func (r *run) compare(ctx context.Context, s *snapshot, want map[feature.Key]wanted) (*compared, error) {
	c := &compared{}
	keys := make([]feature.Key, 0, readKeys)
	var chains [][]feature.Record
	flush := func() (err error) {
		chains, err = r.chains(ctx, keys, chains)
		switch {
		case err == nil:
			for i, key := range keys {
				r.judge(c, s, key, want[key], chains[i])
			}
		case r.Damaged(err):
			err = r.singly(ctx, c, s, keys, want)
		}
		r.entitiesRead(len(keys))
		keys = keys[:0]
		return err
	}
	for key := range want {
		if keys = append(keys, key); len(keys) == readKeys {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	return c, flush()
}

// singly reads keys one by one, some of which are damaged.
func (r *run) singly(ctx context.Context, c *compared, s *snapshot, keys []feature.Key, want map[feature.Key]wanted) error {
	for _, key := range keys {
		chains, err := r.chains(ctx, []feature.Key{key}, nil)
		switch {
		case err == nil:
			r.judge(c, s, key, want[key], chains[0])
		case r.Damaged(err):
			w := want[key]
			c.findings = append(c.findings, finding{key: key, kind: Damaged, want: w, unsure: !s.readable[w.record.Version]})
		default:
			return err
		}
	}
	return nil
}

// chains reads patiently.
func (r *run) chains(ctx context.Context, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	for try := 1; ; try++ {
		chains, err := r.Rows.Read(ctx, r.view.ID, keys, dst)
		if err == nil || try == readTries || r.Damaged(err) {
			return chains, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(readPause << try):
		}
	}
}

// judge says whether a reader gets of an entity what is wanted.
func (r *run) judge(c *compared, s *snapshot, key feature.Key, w wanted, chain []feature.Record) {
	got := newest(s.vector, chain)
	there, shown := !w.record.Deleted, got.Version != 0 && !got.Deleted
	differ := func(kind Kind) {
		got.Row = nil // it is the store's
		c.findings = append(c.findings, finding{key: key, kind: kind, want: w, got: got})
	}
	switch {
	case !there && !shown:
		c.none++
	case !s.readable[w.record.Version]:
		c.unread++ // also what it gives may be none of the version's
	case got.Version != 0 && !s.readable[got.Version] && got.Newer(w.record):
		c.unread++
	case !there || got.Version != 0 && got.Newer(w.record):
		differ(Extra)
	case !shown && r.expired(s, w.record.Version):
		c.expired++
	case !shown && s.mayHide(w.record):
		c.unread++
	case !shown || w.record.Newer(got):
		differ(Missing)
	case digest(got.Row) != w.digest:
		differ(Other)
	default:
		c.same++
	}
}

// newest returns the newest record that a vector sees, a deletion too; of version 0 if
// there is none.
func newest(v feature.Vector, chain []feature.Record) (best feature.Record) {
	for _, x := range chain {
		if v.Sees(x.Version) && (best.Version == 0 || x.Newer(best)) {
			best = x
		}
	}
	return best
}

// mayHide reports whether a version that the log no longer holds may have had a deletion
// that hides a record, and was folded away.
func (s *snapshot) mayHide(record feature.Record) bool {
	return slices.ContainsFunc(s.versions, func(v feature.VersionInfo) bool {
		return !s.readable[v.Version] && slices.ContainsFunc(v.Parts(), func(p feature.Part) bool { return p.Window.End.UnixNano() > record.EventTime })
	})
}

// expired reports whether a row may be gone because nobody has written it for longer than
// its view's ttl. A store keeps it for longer than that.
func (r *run) expired(s *snapshot, version feature.Version) bool {
	ttl := r.view.LongestTTL()
	return ttl > 0 && r.opts.Now.Sub(s.decided[version]) > ttl
}
