package serving

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/feature"
)

// unheard is a registry whose changes are made elsewhere: nobody is told of them.
type unheard struct{ *registry }

func (unheard) Changed() <-chan struct{} { return nil }

// TestPublishSeen has 200 readers on 20 servers, half of which are told of changes and
// half of which have to ask: each sees a publication and a rollback within the lease,
// and those that are told within milliseconds.
func TestPublishSeen(t *testing.T) {
	const servers, readers, every = 20, 200, 10 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		first := newFixture(t)
		first.write(t, "users", 1, ago(time.Minute), user("a"), float(1))
		first.write(t, "users", 2, ago(0), user("a"), float(2))
		at := make([]*fixture, servers)
		for i := range at {
			at[i] = newFixture(t, func(_ *Config, d *Deps) {
				d.Rows, d.Source, d.Version = first.rows, first.registry, first.registry.Version
				if i%2 == 1 {
					d.Source = unheard{first.registry}
				}
			})
			at[i].running(t)
			time.Sleep(17 * time.Millisecond) // they renew at times of their own
		}
		for name, change := range map[string]struct {
			vector feature.Vector
			sees   string
		}{
			"publish":  {feature.Vector{Generation: 4, Floor: 1, Visible: []feature.Version{2}}, `"version":2,`},
			"rollback": {feature.Vector{Generation: 5, Floor: 1}, `"version":1,`},
		} {
			if name == "rollback" { // of what was listed before
				first.registry.change(func() {
					first.registry.vectors[2] = feature.Vector{Generation: 4, Floor: 1, Visible: []feature.Version{2}}
				})
				time.Sleep(time.Second)
			}
			var mu sync.Mutex
			var told, asking []time.Duration
			begun := make(chan time.Time)
			var group sync.WaitGroup
			for r := range readers {
				group.Go(func() {
					since := <-begun
					for {
						if _, got := at[r%servers].post(t, "/api/v1/views/users/rows", readA); strings.Contains(got, change.sees) {
							break
						}
						time.Sleep(every)
					}
					mu.Lock()
					defer mu.Unlock()
					if r%servers%2 == 1 {
						asking = append(asking, time.Since(since))
					} else {
						told = append(told, time.Since(since))
					}
				})
			}
			first.registry.change(func() { first.registry.vectors[2] = change.vector })
			now := time.Now()
			for range readers {
				begun <- now
			}
			group.Wait()
			slices.Sort(told)
			slices.Sort(asking)
			t.Logf("%s: told, median %v, last %v; asking, median %v, last %v", name, told[len(told)/2], told[len(told)-1], asking[len(asking)/2], asking[len(asking)-1])
			if last := told[len(told)-1]; last > spacing+every {
				t.Errorf("%s: the last reader of a server that is told saw it after %v, want %v", name, last, spacing+every)
			}
			if last := asking[len(asking)-1]; last > DefaultConfig().Renew+spacing+every {
				t.Errorf("%s: the last reader of a server that asks saw it after %v, want %v", name, last, DefaultConfig().Renew+spacing+every)
			}
		}
	})
}
