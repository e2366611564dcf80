//go:build services

package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/feature"
	"sluice/test/processor"
)

// BenchmarkPrecomputed reads what a service over 2, 5 and 10 views of an entity needs:
// a chain of each view, at once, as requests do, or one record that holds the rows of
// all of them, as a vector per service would if every entity's were up to date. Group is
// what is read where the views are in a group: their chains, from one hash of an entity.
// cpu-ns is of the client process, redis-ns of the server, both for each request.
func BenchmarkPrecomputed(b *testing.B) {
	at := oneServer(b)
	s := open(b, at.prefix(b))
	const most, entities = 10, 10_000
	stage := func(view feature.ViewID, times int) {
		for from := 0; from < entities; from += 2500 {
			rows := batch(from, from+2500, 1)
			for i := range rows {
				rows[i].Record.Row = []byte(strings.Repeat(string(rows[i].Record.Row), times))
			}
			if _, err := s.Stage(context.Background(), view, 1, rows); err != nil {
				b.Fatal(err)
			}
		}
	}
	for view := feature.ViewID(1); view <= most; view++ {
		stage(view, 1)
	}
	for _, views := range []int{2, 5, 10} {
		vector := feature.ViewID(100 + views)
		stage(vector, views)
		var members []feature.ViewID
		groups := map[feature.ViewID]string{}
		for n := range views {
			members = append(members, feature.ViewID(1000*views+n))
			groups[members[n]] = fmt.Sprint("of_", views)
		}
		s.Group(groups)
		for _, view := range members {
			stage(view, 1)
		}
		for _, n := range []int{1, 100} {
			rng := rand.New(rand.NewPCG(1, 2))
			asked := make([]feature.Key, n)
			chains := make([][][]feature.Record, most+1)
			read := func(view feature.ViewID, into int) {
				var err error
				if chains[into], err = s.Read(context.Background(), view, asked, chains[into]); err != nil || len(chains[into][0]) != 1 {
					b.Errorf("view %d: %v", view, err)
				}
			}
			measure := func(name string, fn func()) {
				b.Run(fmt.Sprintf("views=%d/keys=%d/by=%s", views, n, name), func(b *testing.B) {
					begun, server := processor.Time(), at.cpu(b)
					for b.Loop() {
						for i := range asked {
							asked[i] = feature.Key(key(rng.IntN(entities)))
						}
						fn()
					}
					b.ReportMetric(float64(processor.Time()-begun)/float64(b.N), "cpu-ns/op")
					b.ReportMetric((at.cpu(b)-server)*1e9/float64(b.N), "redis-ns/op")
				})
			}
			measure("views", func() {
				var group sync.WaitGroup
				for view := 1; view < views; view++ {
					group.Go(func() { read(feature.ViewID(view), view) })
				}
				read(feature.ViewID(views), views)
				group.Wait()
			})
			measure("vector", func() { read(vector, 0) })
			var together [][]feature.Record
			measure("group", func() {
				var err error
				if together, err = s.ReadViews(context.Background(), members, asked, time.Time{}, together); err != nil || len(together[0]) != 1 || len(together[len(together)-1]) != 1 {
					b.Errorf("group: %v", err)
				}
			})
		}
	}
}

// cpu is the time in seconds that the server has spent on processors.
func (s *server) cpu(b *testing.B) (seconds float64) {
	b.Helper()
	info, err := s.admin.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			seconds += n
		}
	}
	return seconds
}
