package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/reconciliation"
	"sluice/store/redis"
)

// reconciledEntities is how many entities are held against the log:
// SLUICE_RECONCILE_ENTITIES, or 10,000.
func reconciledEntities(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SLUICE_RECONCILE_ENTITIES")
	if text == "" {
		return 10_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1000 {
		t.Fatalf("SLUICE_RECONCILE_ENTITIES is %q, want a number from 1000", text)
	}
	return n
}

// planted is what a test does to the row of an entity behind the platform's back.
type planted func(t *testing.T, d *drill, key feature.Key, right feature.Record)

func otherBytes(t *testing.T, d *drill, key feature.Key, right feature.Record) {
	right.Row = append(slices.Clone(right.Row[:len(right.Row)-1]), right.Row[len(right.Row)-1]^1)
	plantedBy(t, d.a.parts.rows.Correct(t.Context(), d.view.ID, right.Version, []feature.Row{{Key: key, Record: right}}, nil))
}

func rowGone(t *testing.T, d *drill, key feature.Key, right feature.Record) {
	plantedBy(t, d.a.parts.rows.Correct(t.Context(), d.view.ID, right.Version, nil, []feature.Key{key}))
}

func rowExtra(t *testing.T, d *drill, key feature.Key, right feature.Record) {
	right.EventTime++
	_, err := d.a.parts.rows.Stage(t.Context(), d.view.ID, 1, []feature.Row{{Key: key, Record: right}})
	plantedBy(t, err)
}

func plantedBy(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestReconcile holds all entities of a platform that runs against the log, while windows
// are published; plants ten wrong rows, which are found by bucket and key; and repairs them.
func TestReconcile(t *testing.T) {
	cfg := DefaultConfig()
	reconcile(t, cfg, map[reconciliation.Kind]planted{reconciliation.Other: otherBytes, reconciliation.Missing: rowGone, reconciliation.Extra: rowExtra})
}

func reconcile(t *testing.T, cfg Config, kinds map[reconciliation.Kind]planted) {
	n := reconciledEntities(t)
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.Listen.HTTP, cfg.Listen.GRPC, cfg.Listen.Kafka = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	d := &drill{t: t, cfg: cfg}
	d.start()
	t.Cleanup(func() { d.stop() })
	d.define(drillDefinitions())
	for window := range 4 {
		d.write(window, window*n/4, (window+1)*n/4)
	}
	d.write(4, 0, n/10)
	d.write(5, n-n/10, n) // so that what is before is certified

	type answer struct {
		results []reconciliation.Result
		err     error
	}
	answers := make(chan answer)
	go func() {
		results, err := d.a.parts.reconcile(context.WithoutCancel(t.Context()), d.a.parts.key, time.Now(), ReconcileOptions{Listed: 100})
		answers <- answer{results, err}
	}()
	for window := 6; window < 8; window++ { // windows go on being published meanwhile; with 8 of history the gate would begin to judge
		d.write(window, n-n/10, n)
	}
	beside := <-answers
	if beside.err != nil || len(beside.results) != 1 {
		t.Fatalf("reconcile = %+v, %v", beside.results, beside.err)
	}
	first, before := beside.results[0], d.digest(n)
	if first.Different != 0 || first.Entities != n || first.Same != n || first.Unread != 0 {
		t.Fatalf("before anything is wrong: %+v", first)
	}

	want := map[string]reconciliation.Kind{}
	order := slices.Sorted(maps.Keys(kinds))
	for i := range 10 {
		kind, key, right := order[i%len(order)], d.entity(n/8+i*n/15), feature.Record{}
		right = d.resolve(key)
		kinds[kind](t, d, key, right)
		want[fmt.Sprint(redis.BucketOf(key), " ", key.Text(d.view))] = kind
	}
	found := d.reconcile(ReconcileOptions{})
	got := map[string]reconciliation.Kind{}
	for _, x := range found.Differences {
		got[fmt.Sprint(x.Bucket, " ", x.Name)] = x.Kind
	}
	if !maps.Equal(got, want) || found.Different != 10 || found.Repaired != 0 || found.Same != n-10 {
		t.Fatalf("found %v of %d entities, want %v", got, found.Entities, want)
	}

	repaired := d.reconcile(ReconcileOptions{Repair: true, By: "ops", Reason: "a script wrote there"})
	if repaired.Different != 10 || repaired.Repaired != 10 {
		t.Errorf("repair: %+v", repaired)
	}
	last := d.reconcile(ReconcileOptions{})
	if last.Different != 0 || last.Same != n {
		t.Errorf("after the repair: %+v", last)
	}
	if after := d.digest(n); after != before {
		t.Errorf("digest of all values %x, before anything was planted %x", after, before)
	}
	d.audited("repair rows", "ops", 10)
	t.Logf("entities=%d: held against the log in %s with %d looks while windows are published, ten wrong found in %s with %d, repaired in %s with %d",
		n, first.Took.Round(time.Millisecond), first.Looks, found.Took.Round(time.Millisecond), found.Looks, repaired.Took.Round(time.Millisecond), repaired.Looks)
}

// digest is that of the values of n entities, each of which has some.
func (d *drill) digest(n int) uint64 {
	d.t.Helper()
	found, digest := d.values(n)
	if found != n {
		d.t.Errorf("%d of %d entities have values", found, n)
	}
	return digest
}

func (d *drill) reconcile(opts ReconcileOptions) reconciliation.Result {
	d.t.Helper()
	opts.Listed = 100
	results, err := d.a.parts.reconcile(d.t.Context(), d.a.parts.key, time.Now(), opts)
	if err != nil || len(results) != 1 {
		d.t.Fatalf("reconcile = %+v, %v", results, err)
	}
	return results[0]
}

func (d *drill) entity(n int) feature.Key {
	d.t.Helper()
	key, err := feature.NewKey(d.view, []feature.Value{feature.StringValue(fmt.Sprintf("e%09d", n))})
	if err != nil {
		d.t.Fatal(err)
	}
	return key
}

// resolve returns the record that a reader gets.
func (d *drill) resolve(key feature.Key) feature.Record {
	d.t.Helper()
	vector, err := d.a.parts.registry.Vector(d.t.Context(), d.view.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	chains, err := d.a.parts.rows.Read(d.t.Context(), d.view.ID, []feature.Key{key}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	r, ok := vector.Resolve(chains[0])
	if !ok || r.Version > vector.Floor {
		d.t.Fatalf("%s has %+v, want a certified row (floor %d)", key.Text(d.view), r, vector.Floor)
	}
	r.Row = slices.Clone(r.Row)
	return r
}

// audited wants one audit row of an action that names so many rows.
func (d *drill) audited(action, by string, rows int) {
	d.t.Helper()
	list, _, err := d.a.parts.registry.AuditLog(d.t.Context(), "", 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	n := 0
	for _, row := range list {
		var after struct{ Rows int }
		if row.Action == action && row.By == by && row.View == d.view.Name && json.Unmarshal(row.After, &after) == nil && after.Rows == rows {
			n++
		}
	}
	if n != 1 {
		d.t.Errorf("%d audit rows of %q by %s, want one", n, action, by)
	}
}

// TestReconcileNoView names a view that there is none of.
func TestReconcileNoView(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.Listen.Kafka = "127.0.0.1:0"
	if results, err := Reconcile(t.Context(), cfg, ReconcileOptions{Views: []string{"nowhere"}}); !errors.Is(err, ErrNoView) || len(results) != 0 {
		t.Errorf("Reconcile = %+v, %v, want %v", results, err, ErrNoView)
	}
}
