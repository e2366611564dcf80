//go:build services

package scenario

import (
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/test/services"
)

// Each commit runs this many faults; `make battery` asks for more.
var (
	faults = flag.Int("battery.faults", 36, "faults on real services; of 36 at least 20 kill and 10 freeze")
	seed   = flag.Uint64("battery.seed", 0, "order and moments of the faults; 0: another one each time")
	kinds  = flag.String("battery.kinds", "", "only faults whose name has this in it, such as kill or redis")
	freeze = flag.Duration("battery.freeze", 12*time.Second, "the longest that a process, a service or a link stands still")
)

// blink is the shortest that something stands still.
const blink = 100 * time.Millisecond

// deck is what faults are drawn from, all of it before any of it again.
var deck = []string{
	"kill tap", "kill gate", "kill serve", "kill tap", "kill gate", "kill serve",
	"kill redis", "kill broker", "kill postgres", "kill tap",
	"freeze tap", "freeze gate", "freeze serve", "freeze redis", "freeze broker", "freeze postgres",
	"fail over with lag", "two gates",
}

// wrecker hurts a fleet and the services under it.
type wrecker struct {
	*fleet
	battery *battery
	set     *services.Set
	rng     *rand.Rand

	drawn  []string
	done   map[string]int
	lost   int64           // bytes that replicas did not have when they took over
	stills []time.Duration // how long something stood still, each time
}

// between returns a random time.
func (w *wrecker) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.rng.Int64N(int64(high-low)))
}

// still lets what was frozen stand still. Each tenfold of time is as likely as another: most
// are short, and some outlast leases, sessions and what clients wait for.
func (w *wrecker) still() {
	d := time.Duration(float64(blink) * math.Pow(float64(*freeze)/float64(blink), w.rng.Float64()))
	w.stills = append(w.stills, d)
	time.Sleep(d)
}

// moment waits for the random moment of a fault: while a window is on its way from
// the door to its verdict.
func (w *wrecker) moment() { time.Sleep(w.between(0, 800*time.Millisecond)) }

// draw does the next fault of a shuffled deck, and mends it.
func (w *wrecker) draw(_ int, push func()) {
	w.t.Helper()
	if len(w.drawn) == 0 {
		w.drawn = slices.DeleteFunc(slices.Clone(deck), func(name string) bool { return !strings.Contains(name, *kinds) })
		w.rng.Shuffle(len(w.drawn), func(i, j int) { w.drawn[i], w.drawn[j] = w.drawn[j], w.drawn[i] })
	}
	name := w.drawn[0]
	w.drawn = w.drawn[1:]
	w.done[name]++
	began := time.Now()
	if name != "fail over with lag" {
		push()
	}
	switch name {
	case "kill tap":
		w.killOne(w.taps)
	case "kill gate":
		w.killOne(w.gates)
	case "kill serve":
		w.killOne(w.serves)
	case "freeze tap":
		w.freezeOne(w.taps)
	case "freeze gate":
		w.freezeOne(w.gates)
	case "freeze serve":
		w.freezeOne(w.serves)
	case "kill broker":
		w.killService("kafka")
	case "kill postgres":
		w.killService("postgres")
	case "freeze broker":
		w.freezeService("kafka", "")
	case "freeze postgres":
		w.freezeService("postgres", "")
	case "freeze redis":
		w.freezeService("redis-cluster", w.shard().primary)
		w.up("redis-cluster")
	case "kill redis":
		w.killPrimary()
	case "fail over with lag":
		w.failOverWithLag(push)
	case "two gates":
		w.twoGates()
	}
	w.t.Logf("%-18s %5.1f s", name, time.Since(began).Seconds())
	for _, p := range w.all() {
		p.alive()
	}
}

func (w *wrecker) killOne(of []*process) {
	p := of[w.rng.IntN(len(of))]
	w.moment()
	p.kill()
	time.Sleep(w.between(0, time.Second)) // what others do without it
	p.start()
}

func (w *wrecker) freezeOne(of []*process) {
	p := of[w.rng.IntN(len(of))]
	w.moment()
	p.signal(syscall.SIGSTOP)
	w.still()
	p.signal(syscall.SIGCONT)
}

func (w *wrecker) killService(name string) {
	w.moment()
	w.must(w.set.Kill(w.t.Context(), name, ""))
	time.Sleep(w.between(0, time.Second))
	w.up(name)
}

func (w *wrecker) freezeService(name, node string) {
	w.moment()
	w.must(w.set.Pause(w.t.Context(), name, node))
	w.still()
	w.must(w.set.Resume(w.t.Context(), name, node))
}

func (w *wrecker) up(name string) {
	w.t.Helper()
	w.must(w.set.Up(w.t.Context(), name))
}

func (w *wrecker) must(err error) {
	w.t.Helper()
	if err != nil {
		w.fatalf("%v", err)
	}
}

// twoGates freezes the gate that leads for longer than its lease. When it goes on it
// believes to lead, and so does the other, rightly.
func (w *wrecker) twoGates() {
	leading, other := w.leader()
	w.moment()
	leading.signal(syscall.SIGSTOP)
	w.until(other.name+" takes over from "+leading.name, settled, func() error {
		leads, err := other.leads()
		if err == nil && !leads {
			err = errors.New("it stands by")
		}
		return err
	})
	time.Sleep(w.between(0, time.Second))
	leading.signal(syscall.SIGCONT)
}

// report says what was done, and fails the test if that was too little.
func (w *wrecker) report() {
	kills, freezes := 0, 0
	for name, n := range w.done {
		switch name[:4] {
		case "kill", "fail":
			kills += n
		default:
			freezes += n
		}
	}
	if wantKills, wantFreezes := *faults*20/36, *faults*10/36; *kinds == "" && (kills < wantKills || freezes < wantFreezes) {
		w.errorf("%d kills and %d freezes, want %d and %d: the run is void", kills, freezes, wantKills, wantFreezes)
	}
	if w.lost == 0 && w.done["fail over with lag"] > 0 {
		w.errorf("no replica lacked anything when it took over: the run is void")
	}
	w.t.Logf("%d kills, %d freezes: %v; replicas lacked %d bytes when they took over", kills, freezes, w.done, w.lost)
	w.stood()
}

// manyStills is how many times something stands still before one of them must have been
// long: all of so many are short by chance in one run of a thousand.
const manyStills = 32

// stood says how long things stood still, and fails the test if none of many did for long.
func (w *wrecker) stood() {
	n := len(w.stills)
	if n == 0 {
		return
	}
	slices.Sort(w.stills)
	if long := *freeze / 3; n >= manyStills && w.stills[n-1] < long {
		w.errorf("nothing stood still for %s, the longest of %d times was %s: the run is void", long, n, w.stills[n-1])
	}
	w.t.Logf("%d times something stood still: median %s, longest %s", n, w.stills[n/2].Round(time.Millisecond), w.stills[n-1].Round(time.Millisecond))
}

// random returns a source whose seed the test's log names.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	t.Logf("-battery.seed=%d", n)
	return rand.New(rand.NewPCG(n, 1))
}

// TestFaultsServices kills and freezes every kind of process and every service, one
// after another, while windows are pushed.
func TestFaultsServices(t *testing.T) {
	set := services.Own(t, "kafka", "redis-cluster", "postgres")
	f := startFleet(t, directly(set.Brokers(), set.RedisCluster(), true, set.Database(t)))
	f.define()
	w := &wrecker{fleet: f, set: set, rng: random(t), done: map[string]int{}}
	w.battery = &battery{site: f.site, pollers: watch(t, f.site), rounds: *faults, strike: w.draw, reads: int64(*faults) * 20}
	w.battery.run()
	w.report()
}
