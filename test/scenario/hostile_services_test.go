//go:build services

package scenario

import (
	"testing"

	"sluice/test/services"
)

// TestHostileInputServices is TestHostileInput on real parts, where each process has
// nothing in its memory but what it does: the log and the rows are in others. One tap
// takes all partitions.
func TestHostileInputServices(t *testing.T) {
	set := services.Start(t, "kafka", "redis", "postgres")
	f := startTaps(t, directly(set.Brokers(), set.Redis(), false, set.Database(t)), 1)
	serve, pids := f.serves[0], map[string]int{}
	for _, p := range f.all() {
		pids[p.name] = p.cmd.Process.Pid
	}
	h := &house{server: &server{site: f.site, base: &serve.base}, grpc: *serve.grpc.Load(), kafka: set.Brokers()[0]}
	r := &raid{house: h, writes: f.topics + ".writes", dead: f.topics + ".dead", taps: []*door{&f.taps[0].base}, pids: pids}
	r.may = func(string) int { return maxGrowth }
	r.run(*hostile)
}
