//go:build services

package sim

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
	"sluice/materialize"
	"sluice/store/placement"
	"sluice/store/redis"
	"sluice/test/services"
)

var wholeTable = flag.Bool("sim.table", false, "run all cells of TestCrashCellsServices, not only those at which a group takes a way of its own")

func init() { openGroup = openShared }

// TestCrashCellsServices is TestCrashCells with two views of a group: their rows lie in one
// hash of a real Redis, readers ask for both at once, and each is held against a plan that
// knows nothing of the other. Each run takes the cells at which a group is not what a view
// alone is: a batch that is staged, a fold and a drop, and the first look at both vectors.
func TestCrashCellsServices(t *testing.T) {
	addr := services.Start(t, "redis").Redis()[0]
	admin := goredis.NewClient(&goredis.Options{Addr: addr, Protocol: 2})
	t.Cleanup(func() { admin.Close() })
	if err := admin.ConfigSet(t.Context(), "hash-max-listpack-value", "512").Err(); err != nil { // as the store asks for
		t.Fatal(err)
	}
	steps, parts := []string{"write", "broadcast", "sweep/fold", "sweep/drop"}, cellParts[:2]
	if *wholeTable {
		steps, parts = slices.Concat(cellSteps, cellCalls), cellParts
	}
	table(t, steps, parts, func(t *testing.T, step, part string, run int) {
		prefix := "cell" + rand.Text()[:10] + ":"
		t.Cleanup(func() {
			if err := removeKeys(context.Background(), admin, prefix); err != nil {
				t.Error(err)
			}
		})
		cell(t, step, part, run, addr+" "+prefix)
	})
}

// patientConfig is of a store on a machine that runs tests.
func patientConfig(addr, prefix string) redis.Config {
	c := redis.DefaultConfig()
	c.Addrs, c.Prefix = []string{addr}, prefix
	c.DialTimeout, c.ReadTimeout, c.WriteTimeout, c.PoolTimeout = 5*time.Second, 20*time.Second, 20*time.Second, 20*time.Second
	c.ReadDeadline, c.WriteDeadline = 30*time.Second, 30*time.Second
	return c
}

// removeKeys removes all keys with a prefix.
func removeKeys(ctx context.Context, admin *goredis.Client, prefix string) error {
	const remove = `for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end`
	if err := admin.Eval(ctx, remove, nil, prefix).Err(); !errors.Is(err, goredis.Nil) {
		return err
	}
	return nil
}

// redisRows is the row store of a site on Redis.
type redisRows struct{ *placement.Stores }

// openShared opens the row store of views in a group; where is an address of Redis and a
// prefix of keys. One of the views does not need its rows for ever.
func openShared(ctx context.Context, where string, views []cellView) (cellRowStore, error) {
	addr, prefix, _ := strings.Cut(where, " ")
	stores, err := placement.Open(ctx, placement.Options{Default: func(ctx context.Context) (placement.Store, error) {
		return redis.Open(ctx, redis.Options{Config: patientConfig(addr, prefix)})
	}})
	if err != nil {
		return nil, err
	}
	for _, v := range views {
		stores.Group(map[feature.ViewID]string{v.ID: v.Group})
		stores.Place(map[feature.ViewID]string{v.ID: ""})
	}
	stores.SetExpiry(views[0].ID, time.Hour)
	return redisRows{stores}, nil
}

func (r redisRows) behind(t *trap, audit string) materialize.Rows {
	return trappedStores{t, r.Stores, audit}
}

func (r redisRows) shards(t *trap) materialize.ShardsFunc {
	return func(ctx context.Context, view *feature.View) (string, error) {
		return at(t, "", "rows", func() (string, error) { return r.Identity(ctx, view.ID) })
	}
}

// trappedStores are real stores behind a trap, as trappedRows is one.
type trappedStores struct {
	*trap
	*placement.Stores
	audit string
}

func (r trappedStores) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (uint64, error) {
	return at(r.trap, "write", "rows", func() (uint64, error) { return r.Stores.Stage(ctx, view, version, rows) })
}

func (r trappedStores) StageMarked(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row, source string, offset int64) (uint64, error) {
	return at(r.trap, "write", "rows", func() (uint64, error) {
		return r.Stores.StageMarked(ctx, view, version, rows, source, offset)
	})
}

func (r trappedStores) Lost(ctx context.Context, source string, acknowledged int64) (rewind int64, lost bool, err error) {
	rewind, err = at(r.trap, "", "rows", func() (int64, error) {
		var n int64
		n, lost, err = r.Stores.Lost(ctx, source, acknowledged)
		return n, err
	})
	return rewind, lost, err
}

func (r trappedStores) Sync(ctx context.Context) error {
	_, err := at(r.trap, "", "rows", func() (struct{}, error) { return struct{}{}, r.Stores.Sync(ctx) })
	return err
}

func (r trappedStores) SyncSource(ctx context.Context, source string) error {
	_, err := at(r.trap, "", "rows", func() (struct{}, error) { return struct{}{}, r.Stores.SyncSource(ctx, source) })
	return err
}

func (r trappedStores) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	return at(r.trap, r.audit, "rows", func() ([][]feature.Record, error) { return r.Stores.Read(ctx, view, keys, dst) })
}

func (r trappedStores) ReadWhole(ctx context.Context, view feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	return at(r.trap, r.audit, "rows", func() ([][]feature.Record, error) { return r.Stores.ReadWhole(ctx, view, keys, whole, dst) })
}

func (r trappedStores) ReadViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	return at(r.trap, r.audit, "rows", func() ([][]feature.Record, error) { return r.Stores.ReadViews(ctx, views, keys, whole, dst) })
}

func (r trappedStores) Drop(ctx context.Context, view feature.ViewID, version feature.Version) (int, error) {
	return at(r.trap, "sweep/drop", "rows", func() (int, error) { return r.Stores.Drop(ctx, view, version) })
}

func (r trappedStores) Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (int, error) {
	return at(r.trap, "sweep/fold", "rows", func() (int, error) { return r.Stores.Fold(ctx, view, floor, dead, touched) })
}
