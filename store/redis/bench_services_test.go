//go:build services

package redis_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
	"sluice/store/redis"
)

const entities = 100_000

// batch makes rows of 80 bytes for entities from to to.
func batch(from, to int, version feature.Version) []feature.Row {
	rng := rand.New(rand.NewPCG(uint64(from), uint64(version)))
	list := make([]feature.Row, to-from)
	for i := range list {
		row := make([]byte, 80)
		for at := 0; at < len(row); at += 8 {
			binary.BigEndian.PutUint64(row[at:], rng.Uint64())
		}
		list[i] = feature.Row{Key: feature.Key(key(from + i)), Record: feature.Record{EventTime: int64(version), Seq: uint64(from + i), Row: row}}
	}
	return list
}

func fill(b *testing.B, s *redis.Store, version feature.Version) {
	b.Helper()
	for i := 0; i < entities; i += 5000 {
		if _, err := s.Stage(context.Background(), 1, version, batch(i, i+5000, version)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStage stages rows of entities that have another version already, beside a
// plain pipeline of HSET with the same rows, which neither compares nor indexes.
func BenchmarkStage(b *testing.B) {
	for _, on := range []struct {
		name string
		open func(testing.TB) *server
	}{{"single", oneServer}, {"cluster", aCluster}} {
		for _, n := range []int{1000, 5000} {
			name := fmt.Sprintf("on=%s/rows=%d", on.name, n)
			b.Run(name+"/by=store", func(b *testing.B) {
				s := open(b, on.open(b).prefix(b))
				fill(b, s, 1)
				benchStage(b, n, func(version feature.Version, rows []feature.Row) error {
					_, err := s.Stage(context.Background(), 1, version, rows)
					return err
				})
			})
			b.Run(name+"/by=marked", func(b *testing.B) {
				s := open(b, on.open(b).prefix(b))
				fill(b, s, 1)
				s.Own("topic/0", 0)
				offset := int64(0)
				benchStage(b, n, func(version feature.Version, rows []feature.Row) error {
					offset += int64(len(rows))
					_, err := s.StageMarked(context.Background(), 1, version, rows, "topic/0", offset)
					return err
				})
			})
			b.Run(name+"/by=hset", func(b *testing.B) {
				at := on.open(b)
				c := at.prefix(b)
				fill(b, open(b, c), 1)
				benchStage(b, n, func(version feature.Version, rows []feature.Row) error {
					return plainHSET(at.admin, c.Prefix, version, rows)
				})
			})
		}
	}
}

func benchStage(b *testing.B, n int, stage func(feature.Version, []feature.Row) error) {
	version, at := feature.Version(2), 0
	b.ReportAllocs()
	for b.Loop() {
		if at+n > entities {
			version, at = version+1, 0
		}
		b.StopTimer()
		rows := batch(at, at+n, version)
		b.StartTimer()
		if err := stage(version, rows); err != nil {
			b.Fatal(err)
		}
		at += n
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
}

func plainHSET(c goredis.UniversalClient, prefix string, version feature.Version, rows []feature.Row) error {
	ctx := context.Background()
	p := c.Pipeline()
	for i := range rows {
		p.HSet(ctx, prefix+string(rows[i].Key), fmt.Sprint(version), feature.AppendRecord(nil, rows[i].Record))
	}
	_, err := p.Exec(ctx)
	return err
}

// BenchmarkRead reads random entities into the memory of the call before, as a server does:
// of a store whose marks are looked at.
func BenchmarkRead(b *testing.B) {
	for _, on := range []struct {
		name string
		open func(testing.TB) *server
	}{{"single", oneServer}, {"cluster", aCluster}} {
		for _, versions := range []int{1, 3} {
			s := watch(b, on.open(b).prefix(b))
			s.mark(b)
			for v := 1; v <= versions; v++ {
				fill(b, s.Store, feature.Version(v))
			}
			for _, n := range []int{1, 100} {
				b.Run(fmt.Sprintf("on=%s/versions=%d/keys=%d", on.name, versions, n), func(b *testing.B) {
					rng := rand.New(rand.NewPCG(1, 2))
					asked := make([]feature.Key, n)
					var dst [][]feature.Record
					var err error
					b.ReportAllocs()
					for b.Loop() {
						for i := range asked {
							asked[i] = feature.Key(key(rng.IntN(entities)))
						}
						if dst, err = s.ReadWhole(context.Background(), 1, asked, time.Time{}, dst); err != nil || len(dst[0]) != versions {
							b.Fatalf("%d records, %v", len(dst[0]), err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/key")
				})
			}
		}
	}
}

// BenchmarkMemory stages a million entities, then another version of a tenth of them,
// then one of all, and folds. It reports bytes an entity, and how much more memory
// there is in use after each step than after the first.
func BenchmarkMemory(b *testing.B) {
	const all = 1_000_000
	on := oneServer(b)
	for b.Loop() {
		c := on.prefix(b)
		s := open(b, c)
		used := func() float64 { return float64(s.Size()) }
		put := func(version feature.Version, n int) {
			for i := 0; i < n; i += 10_000 {
				if _, err := s.Stage(context.Background(), 1, version, batch(i, i+10_000, version)); err != nil {
					b.Fatal(err)
				}
			}
		}
		fold := func(version feature.Version) {
			if _, err := s.Fold(context.Background(), 1, version, nil, []feature.Version{version}); err != nil {
				b.Fatal(err)
			}
		}
		empty := used()
		put(1, all)
		first := used() - empty
		b.ReportMetric(first/all, "B/entity")
		fold(1)
		folded := used() - empty
		b.ReportMetric(folded/all, "folded-B/entity")
		put(2, all/10)
		b.ReportMetric((used()-empty)/folded, "x-tenth")
		put(3, all)
		b.ReportMetric((used()-empty)/folded, "x-tenth+full")
		fold(2)
		fold(3)
		b.ReportMetric((used()-empty)/folded, "x-folded")
		put(4, all)
		b.ReportMetric((used()-empty)/folded, "x-full")
		on.clear(b, c.Prefix)
	}
}

// groupCases are views of which an entity has rows, apart and in a group, without an
// expiry and with one.
func groupCases(views int) (all []groupCase) {
	for _, kind := range []string{"apart", "group"} {
		for _, expiry := range []time.Duration{0, 48 * time.Hour} {
			all = append(all, groupCase{kind, views, expiry})
		}
	}
	return all
}

type groupCase struct {
	kind   string
	views  int
	expiry time.Duration
}

func (c groupCase) name() string { return fmt.Sprintf("by=%s/expiry=%s", c.kind, c.expiry) }

const groupEntities = 20_000

// open opens a store on a server of its own, since memory that was in use by others comes
// back only by and by, with the views of the case as they are to be.
func (c groupCase) open(b *testing.B) (*server, *redis.Store) {
	b.Helper()
	node, config := programOf(b, oneServer(b).admin.(*goredis.Client)).redis(b), patient()
	config.Addrs = []string{node.addr}
	s := open(b, config)
	for view := range feature.ViewID(c.views) {
		if c.kind == "group" {
			s.Group(map[feature.ViewID]string{view + 1: "users"})
		}
		s.SetExpiry(view+1, c.expiry)
	}
	return &server{config, node.Client}, s
}

// stage writes a version of every entity of a view, in batches of a thousand.
func (c groupCase) stage(b *testing.B, s *redis.Store, view feature.ViewID, version feature.Version) {
	b.Helper()
	for i := 0; i < groupEntities; i += 1000 {
		if _, err := s.Stage(context.Background(), view, version, batch(i, i+1000, version)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGroupStage writes and sweeps versions of five views, apart and in a group.
// One operation is a version of every entity in every view; entities have one record in
// each before. Times are of one row, of the client's process and of Redis.
func BenchmarkGroupStage(b *testing.B) {
	for _, c := range groupCases(5) {
		b.Run(c.name(), func(b *testing.B) {
			on, s := c.open(b)
			for view := range feature.ViewID(c.views) {
				c.stage(b, s, view+1, 1)
			}
			version := feature.Version(1)
			var staged, folded spent
			for b.Loop() {
				version++
				for view := range feature.ViewID(c.views) {
					staged.during(b, on, func() { c.stage(b, s, view+1, version) })
				}
				for view := range feature.ViewID(c.views) {
					folded.during(b, on, func() {
						n, err := s.Fold(context.Background(), view+1, version, nil, []feature.Version{version})
						if want := groupEntities; n != want || err != nil {
							b.Fatalf("Fold = %d, %v, want %d", n, err, want)
						}
					})
				}
			}
			rows := float64(b.N * c.views * groupEntities)
			for name, x := range map[string]spent{"stage": staged, "fold": folded} {
				b.ReportMetric(x.wall.Seconds()*1e6/rows, name+"-µs/row")
				b.ReportMetric(x.redis*1e6/rows, name+"-redis-µs/row")
			}
		})
	}
}

// spent is time, of the clock and of the server's processor.
type spent struct {
	wall  time.Duration
	redis float64 // seconds
}

func (x *spent) during(b *testing.B, on *server, fn func()) {
	at, began := on.cpu(b), time.Now()
	fn()
	x.wall += time.Since(began)
	x.redis += on.cpu(b) - at
}

// BenchmarkGroupMemory is what an entity takes with one certified record in each of some
// views, and with two more that are listed, in bytes of the server's memory.
func BenchmarkGroupMemory(b *testing.B) {
	for _, views := range []int{2, 5, 10} {
		for _, c := range groupCases(views) {
			b.Run(fmt.Sprintf("views=%d/%s", views, c.name()), func(b *testing.B) {
				for b.Loop() {
					_, s := c.open(b)
					empty := s.Size()
					for version := feature.Version(1); version <= 3; version++ {
						for view := range feature.ViewID(views) {
							c.stage(b, s, view+1, version)
							if version > 1 {
								continue
							}
							if _, err := s.Fold(context.Background(), view+1, 1, nil, []feature.Version{1}); err != nil {
								b.Fatal(err)
							}
						}
						if version != 2 {
							b.ReportMetric(float64(s.Size()-empty)/groupEntities, fmt.Sprintf("%d-B/entity", version))
						}
					}
				}
			})
		}
	}
}
