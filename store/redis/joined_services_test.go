//go:build services

package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

// joinedEntities is how many entities each of the views of BenchmarkJoined has.
const joinedEntities = 10_000

// BenchmarkJoined reads three records of an entity, of 80 bytes each, as three views
// keep them (three reads, after or beside each other, and one pipeline of the three keys) and as one hash would
// that keeps the records of all three: what docs/nested.md says of vectors per
// service. cpu-ns is of the client process alone.
func BenchmarkJoined(b *testing.B) {
	at := oneServer(b)
	c := at.prefix(b)
	s := open(b, c)
	stage := func(view feature.ViewID, version feature.Version) {
		for from := 0; from < joinedEntities; from += 5000 {
			if _, err := s.Stage(context.Background(), view, version, batch(from, from+5000, version)); err != nil {
				b.Fatal(err)
			}
		}
	}
	names := make([][]string, 4)
	for view := feature.ViewID(1); view <= 3; view++ {
		stage(view, 1)
		stage(4, feature.Version(view))
	}
	for view := range names {
		names[view] = make([]string, joinedEntities)
		for i := range names[view] {
			names[view][i] = fmt.Sprintf("%splain:%d:%d", c.Prefix, view, i)
		}
	}
	fillPlain(b, at.admin, names)
	for _, n := range []int{1, 100} {
		rng := rand.New(rand.NewPCG(1, 2))
		asked, at2 := make([]feature.Key, n), make([]int, n)
		draw := func() {
			for i := range asked {
				at2[i] = rng.IntN(joinedEntities)
				asked[i] = feature.Key(key(at2[i]))
			}
		}
		var dst [][]feature.Record
		read := func(view feature.ViewID, records int) {
			var err error
			if dst, err = s.Read(context.Background(), view, asked, dst); err != nil || len(dst[0]) != records {
				b.Fatalf("view %d: %d records, %v", view, len(dst[0]), err)
			}
		}
		measure := func(name string, fn func()) {
			b.Run(fmt.Sprintf("keys=%d/by=%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				begun := processCPU(b)
				for b.Loop() {
					draw()
					fn()
				}
				b.ReportMetric(float64(processCPU(b)-begun)/float64(b.N), "cpu-ns/op")
			})
		}
		measure("three_reads", func() { read(1, 1); read(2, 1); read(3, 1) })
		var atOnce [4][][]feature.Record
		measure("three_reads_at_once", func() {
			var group sync.WaitGroup
			for view := feature.ViewID(1); view <= 3; view++ {
				group.Go(func() {
					var err error
					if atOnce[view], err = s.Read(context.Background(), view, asked, atOnce[view]); err != nil || len(atOnce[view][0]) != 1 {
						b.Errorf("view %d: %v", view, err)
					}
				})
			}
			group.Wait()
		})
		measure("one_read_of_joined", func() { read(4, 3) })
		measure("plain_pipeline_of_three", func() { plainRead(b, at.admin, names[1:4], at2) })
		measure("plain_joined", func() { plainRead(b, at.admin, names[:1], at2) })
	}
}

// fillPlain writes hashes of one field under names[1] to names[3], and of three under
// names[0].
func fillPlain(b *testing.B, c goredis.UniversalClient, names [][]string) {
	ctx, value := context.Background(), make([]byte, 98)
	p := c.Pipeline()
	for i := range joinedEntities {
		for view := 1; view <= 3; view++ {
			p.HSet(ctx, names[view][i], "1", value)
			p.HSet(ctx, names[0][i], fmt.Sprint(view), value)
		}
	}
	if _, err := p.Exec(ctx); err != nil {
		b.Fatal(err)
	}
}

// plainRead asks for the hash of every entity under each list of names, in one pipeline.
func plainRead(b *testing.B, c goredis.UniversalClient, names [][]string, entities []int) {
	ctx := context.Background()
	p := c.Pipeline()
	for _, list := range names {
		for _, i := range entities {
			p.HGetAll(ctx, list[i])
		}
	}
	if _, err := p.Exec(ctx); err != nil {
		b.Fatal(err)
	}
}

// processCPU is the time that the process has spent on processors.
func processCPU(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
