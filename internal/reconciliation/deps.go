package reconciliation

import (
	"context"
	"errors"
	"time"

	"sluice/feature"
)

// ErrMoving reports a view that changed during every look at it.
var ErrMoving = errors.New("the view changed during every look at it: try again when fewer windows end, or freeze it meanwhile")

// Log reads a part of a window again and hands over its accepted rows for a version, in
// batches that are valid during the call; the rows' keys and bytes may be kept. The error
// is feature.ErrExpired if the log no longer holds it all. tap.Reader provides it.
type Log interface {
	Rows(ctx context.Context, view *feature.View, version feature.Version, window feature.Window, spans []feature.Span, fn func([]feature.Row) error) error
}

// Rows is the online store.
type Rows interface {
	// Read returns the chain of every key, in any order; it stays valid until dst is
	// given to another call.
	Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error)
	Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (bytes uint64, err error)
	// Correct puts records of a version as they are, where the version has one of the
	// key, and removes those of other keys. What is damaged of a key that is put goes.
	Correct(ctx context.Context, view feature.ViewID, version feature.Version, put []feature.Row, gone []feature.Key) error
	Sync(ctx context.Context) error
}

// Registry says what readers see.
type Registry interface {
	Vector(ctx context.Context, view feature.ViewID) (feature.Vector, error)
	Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error)
}

// Deps are what a reconciliation works on.
type Deps struct {
	Log      Log
	Rows     Rows
	Registry Registry
	// Bucket returns the bucket of a key; there are Buckets of them.
	Bucket  func(feature.Key) uint8
	Buckets int
	// Damaged reports whether a read failed for what is stored, and not for who was asked.
	Damaged func(error) bool
}

// Options say how.
type Options struct {
	Repair bool
	// Before is called once before anything is repaired; an error ends it.
	Before   func(ctx context.Context, differ int) error
	Now      time.Time      // rows that were written longer ago than their view's ttl may be missing
	Listed   int            // differences that the result names at most; the others are counted
	Held     int            // rows whose digests are in memory at once, about: beyond, the log is read several times
	Parallel int            // parts of windows that are read at once; at least 1
	Tell     func(Progress) // called about once a second; nil: nobody is told
}

// Progress is how far a reconciliation is: the look that is under way, the parts of the
// log that it has read, and the entities that it has compared.
type Progress struct {
	Look, Parts, OfParts, Entities int
}

// Kind says how an entity differs.
type Kind string

const (
	// Missing is a row that the log has and the store lacks: readers get an older one, or
	// none.
	Missing Kind = "missing"
	// Other is a row whose bytes are others than those of the log.
	Other Kind = "other"
	// Extra is a row, or a deletion, that the log does not have in that version, or that a
	// deletion hides.
	Extra Kind = "extra"
	// Damaged is a record that cannot be read, so that readers get no row of the entity.
	Damaged Kind = "damaged"
)

// Shown is the record that a reader gets, or should get.
type Shown struct {
	Version   feature.Version `json:"version"`
	EventTime time.Time       `json:"event_time"`
}

// Difference is an entity of which readers get something else than they should.
type Difference struct {
	Bucket   uint8       `json:"bucket"`
	Key      feature.Key `json:"-"`
	Name     string      `json:"key"` // Key, for people
	Kind     Kind        `json:"kind"`
	Want     *Shown      `json:"want"` // nil: nothing
	Got      *Shown      `json:"got"`
	Repaired bool        `json:"repaired"`
}

// Unreadable is a version, or a part of one, that the log no longer gives as it was.
type Unreadable struct {
	Version   feature.Version `json:"version"`
	Partition string          `json:"partition"` // empty: the version as a whole
	Reason    string          `json:"reason"`
}

// Result is what a reconciliation found.
type Result struct {
	View       string `json:"view"`
	Generation uint64 `json:"generation"` // of the last vector that was looked at
	Entities   int    `json:"entities"`   // of which the log has a row that readers see
	Same       int    `json:"same"`
	Different  int    `json:"different"`
	Repaired   int    `json:"repaired"`
	// Expired counts rows that are past the view's ttl and gone from the store.
	Expired int `json:"expired"`
	// Unread counts entities whose row is of a version that the log no longer gives as it
	// was, or the registry no longer knows.
	Unread      int           `json:"unread"`
	Buckets     int           `json:"buckets"` // in which entities differ
	Differences []Difference  `json:"differences"`
	Unreadable  []Unreadable  `json:"unreadable"`
	Looks       int           `json:"looks"`
	Took        time.Duration `json:"-"`
}
