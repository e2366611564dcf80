//go:build services

package scenario

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/test/services"
)

// fleet is a site of real parts: taps, two gates and two servers, each a process of
// its own, on Kafka, Redis and PostgreSQL.
type fleet struct {
	*site
	taps, gates, serves []*process
	topics              string // how the names of its topics begin
}

// reach says how the processes reach what they share; each may have a way of its own.
type reach struct {
	brokers  string
	redis    func(process string) string // addresses, with commas
	cluster  bool
	postgres func(process string) string // DSN
}

func directly(brokers, redis []string, cluster bool, dsn string) reach {
	always := func(text string) func(string) string { return func(string) string { return text } }
	return reach{brokers: strings.Join(brokers, ","), redis: always(strings.Join(redis, ",")), cluster: cluster, postgres: always(dsn)}
}

func startFleet(t *testing.T, to reach) *fleet {
	t.Helper()
	return startTaps(t, to, 2)
}

// startTaps starts all processes, so many taps among them, and waits until they are
// ready. They have names of their own on what they share with others.
func startTaps(t *testing.T, to reach, taps int) *fleet {
	t.Helper()
	f := newFleet(t, to, taps)
	f.start()
	return f
}

// newFleet returns processes that are not started yet. Servers leave at once: nobody is
// to be told elsewhere.
func newFleet(t *testing.T, to reach, taps int) *fleet {
	t.Helper()
	topics, prefix := services.Name(t), strings.ToLower(rand.Text()[:8])+":"
	f := &fleet{site: &site{t: t, dir: t.TempDir()}, topics: topics}
	f.trouble = f.describe
	for target, n := range map[string]int{"tap": taps, "gate": 2, "serve": 2} {
		for n := range n {
			name := fmt.Sprintf("%s%d", target, n)
			p := &process{t: t, name: name, args: []string{"run", "-target=" + target, "-clock=manual", "--data=" + f.dir,
				"--listen.http=127.0.0.1:0", "--listen.grpc=127.0.0.1:0", "--serve.drain=0", "--log.level=info",
				"--kafka.brokers=" + to.brokers, "--kafka.writes=" + topics + ".writes", "--kafka.profiles=" + topics + ".profiles",
				"--kafka.dead_letters=" + topics + ".dead", "--kafka.group=" + topics,
				"--redis.addrs=" + to.redis(name), fmt.Sprintf("--redis.cluster=%v", to.cluster), "--redis.prefix=" + prefix,
				"--registry.postgres=" + to.postgres(name)}}
			switch target {
			case "tap":
				f.taps = append(f.taps, p)
			case "gate":
				f.gates = append(f.gates, p)
			default:
				f.serves = append(f.serves, p)
				f.doors = append(f.doors, &p.base)
			}
		}
	}
	return f
}

func (f *fleet) start() {
	f.t.Helper()
	f.t.Cleanup(f.end)
	for _, p := range f.all() {
		p.start()
	}
	f.ready()
}

func (f *fleet) all() []*process { return slices.Concat(f.taps, f.gates, f.serves) }

// ready waits until every process can work.
func (f *fleet) ready() {
	f.t.Helper()
	for _, p := range f.all() {
		f.until(p.name+" is ready", settled, func() error {
			p.alive()
			return p.ready()
		})
	}
}

// end stops the processes, side by side.
func (f *fleet) end() {
	f.explain()
	done := make(chan struct{})
	for _, p := range f.all() {
		go func() {
			defer func() { done <- struct{}{} }()
			p.end()
		}()
	}
	for range f.all() {
		<-done
	}
}

// describe returns the ends of the logs, and which process has ended.
func (f *fleet) describe() string {
	var text strings.Builder
	for _, p := range f.all() {
		state := "runs"
		select {
		case <-p.exited:
			state = p.cmd.ProcessState.String()
		default:
		}
		fmt.Fprintf(&text, "--- %s: %s; its log, the end:\n%s\n", p.name, state, p.log.tail(2500))
	}
	return text.String()
}

// leader waits until one gate leads, and returns it and the one that stands by.
func (f *fleet) leader() (leading, other *process) {
	f.t.Helper()
	f.until("a gate leads", settled, func() error {
		var first error
		for n, p := range f.gates {
			leads, err := p.leads()
			if leads {
				leading, other = p, f.gates[1-n]
				return nil
			}
			if err != nil {
				first = fmt.Errorf("%s: %w", p.name, err)
			}
		}
		return fmt.Errorf("none leads: %w", first)
	})
	return leading, other
}

// TestLoopServices is TestLoop on real parts.
func TestLoopServices(t *testing.T) {
	set := services.Start(t, "kafka", "redis", "redis-cluster", "postgres")
	t.Run("Redis", func(t *testing.T) {
		startFleet(t, directly(set.Brokers(), set.Redis(), false, set.Database(t))).loop()
	})
	t.Run("Redis Cluster", func(t *testing.T) {
		startFleet(t, directly(set.Brokers(), set.RedisCluster(), true, set.Database(t))).loop()
	})
}

// TestPoisonedSourceServices is TestPoisonedSource on real parts.
func TestPoisonedSourceServices(t *testing.T) {
	set := services.Start(t, "kafka", "redis", "postgres")
	startFleet(t, directly(set.Brokers(), set.Redis(), false, set.Database(t))).poisoned()
}

// TestDrillServices is TestDrill on real parts.
func TestDrillServices(t *testing.T) {
	set := services.Start(t, "kafka", "redis-cluster", "postgres")
	startFleet(t, directly(set.Brokers(), set.RedisCluster(), true, set.Database(t))).drilled(*drills)
}
