package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"sluice/feature"
)

// RowStore is an online store.
type RowStore interface {
	Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (bytes uint64, err error)
	Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error)
	Drop(ctx context.Context, view feature.ViewID, version feature.Version) (rows int, err error)
	Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (removed int, err error)
	Correct(ctx context.Context, view feature.ViewID, version feature.Version, put []feature.Row, gone []feature.Key) error
	Stat(ctx context.Context, view feature.ViewID, version feature.Version) (rows, bytes uint64, err error)
	Sync(ctx context.Context) error
	Size() uint64
	Close() error
}

// Rows tests an online store. Only one at a time is opened on a folder.
func Rows(t *testing.T, open func(t testing.TB, dir string) RowStore) {
	for name, test := range map[string]func(*testing.T, *rows){
		"newest of a version stays":    testNewest,
		"keys of any bytes":            testKeys,
		"views apart":                  testViews,
		"read":                         testRead,
		"read into former memory":      testReuse,
		"drop":                         testDrop,
		"count":                        testStat,
		"fold":                         testFold,
		"correct":                      testCorrect,
		"correct in a group":           testCorrectGroup,
		"fold leaves other keys":       testFoldTouched,
		"many stage the same keys":     testConcurrentStage,
		"read while others write":      testConcurrentRead,
		"many rows":                    testMany,
		"open again":                   testRowsRestart,
		"random histories":             testHistories,
		"an ended context is an error": testRowsContext,
		"views of a group":             testGroup,
		"a group's views apart":        testGroupApart,
		"histories of a group":         testGroupHistories,
	} {
		t.Run(name, func(t *testing.T) {
			r := &rows{t: t, dir: t.TempDir(), open: open}
			r.RowStore = open(t, r.dir)
			defer func() { r.close() }()
			test(t, r)
		})
	}
}

// rows is a store under test, with the errors of its calls ending the test.
type rows struct {
	RowStore
	t    *testing.T
	dir  string
	open func(t testing.TB, dir string) RowStore
}

func (r *rows) close() {
	if err := r.RowStore.Close(); err != nil {
		r.t.Errorf("Close() = %v", err)
	}
}

func (r *rows) reopen() {
	r.close()
	r.RowStore = r.open(r.t, r.dir)
}

func (r *rows) stage(view feature.ViewID, version feature.Version, staged ...feature.Row) uint64 {
	r.t.Helper()
	bytes, err := r.Stage(r.t.Context(), view, version, staged)
	if err != nil {
		r.t.Fatalf("Stage(view %d, version %d, %v) = %v", view, version, staged, err)
	}
	return bytes
}

func (r *rows) read(view feature.ViewID, keys ...feature.Key) [][]feature.Record {
	r.t.Helper()
	chains, err := r.Read(r.t.Context(), view, keys, nil)
	if err != nil || len(chains) != len(keys) {
		r.t.Fatalf("Read(view %d, %q) = %v, %v", view, keys, chains, err)
	}
	for _, chain := range chains {
		slices.SortFunc(chain, func(a, b feature.Record) int { return int(a.Version) - int(b.Version) })
	}
	return chains
}

// want compares the chain of a key with records in rising order of version.
func (r *rows) want(view feature.ViewID, key feature.Key, want ...feature.Record) {
	r.t.Helper()
	if got := r.read(view, key)[0]; !sameChain(got, want) {
		r.t.Errorf("chain of view %d key %q = %s, want %s", view, string(key), showChain(got), showChain(want))
	}
}

func sameChain(a, b []feature.Record) bool {
	return slices.EqualFunc(a, b, func(x, y feature.Record) bool {
		return x.Version == y.Version && x.EventTime == y.EventTime && x.Seq == y.Seq && x.Deleted == y.Deleted && string(x.Row) == string(y.Row)
	})
}

func showChain(chain []feature.Record) string {
	text := "["
	for _, r := range chain {
		mark := ""
		if r.Deleted {
			mark = "-"
		}
		text += fmt.Sprintf(" %sv%d@%d/%d:%q", mark, r.Version, r.EventTime, r.Seq, r.Row)
	}
	return text + " ]"
}

// record makes a record; its row says where it is from. An empty text is a deletion.
func record(version feature.Version, eventTime int64, seq uint64, text string) feature.Record {
	return feature.Record{Version: version, EventTime: eventTime, Seq: seq, Deleted: text == "", Row: []byte(text)}
}

func row(key feature.Key, r feature.Record) feature.Row { return feature.Row{Key: key, Record: r} }
