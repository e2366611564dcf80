package tap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/store/registry"
)

// killEnv makes the test binary the process that is killed: broker, registry,
// tap and producer on the folder that it names.
const killEnv = "SLUICE_TAP_KILL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		if err := victim(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// victim runs a platform on dir and appends numbered writes, from the number after
// the newest in the log, until it is killed. It prints each number that was
// acknowledged.
func victim(dir string) error {
	ctx := context.Background()
	broker, err := StartBroker(BrokerConfig{Listen: "127.0.0.1:0", Data: filepath.Join(dir, "log"), SyncWrites: true})
	if err != nil {
		return err
	}
	log, err := NewLog(LogConfig{Brokers: broker.Addrs(), Topics: DefaultTopics()})
	if err != nil {
		return err
	}
	reg, err := registry.OpenSQLite(ctx, filepath.Join(dir, "registry.db"), registry.Options{Sync: true})
	if err != nil {
		return err
	}
	defs, gen, err := reg.Definitions(ctx)
	if gen == 0 {
		defs, gen, err = reg.SaveDefinitions(ctx, 0, feature.Definitions{Views: []feature.View{delays()}}, feature.Audit{})
	}
	if err != nil {
		return err
	}
	cfg := DefaultConfig()
	cfg.Checkpoint, cfg.Poll = 15*time.Millisecond, 5*time.Millisecond
	tap, err := New(cfg, log, Deps{
		Definitions: func() (*feature.Definitions, uint64) { return &defs, gen },
		Versions:    reg, Clock: &handClock{}, HashKey: testKey,
	})
	if err != nil {
		return err
	}
	if err := log.EnsureTopics(ctx); err != nil {
		return err
	}
	n, err := lastNumber(ctx, log)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- tap.Run(ctx) }()
	for {
		n++
		if _, err := log.Append(ctx, "sluice.writes", []Out{numbered(n)}); err != nil {
			return errors.Join(err, <-failed)
		}
		ready := 0
		if tap.Ready() == nil {
			ready = 1
		}
		fmt.Println(n, ready)
	}
}

// numbered is write n: every tenth is refused, every eleventh unreadable.
func numbered(n int) Out {
	o := write(fmt.Sprint("c", n%13), day.Add(time.Duration(n)*100*time.Millisecond), float64(n%1000), n)
	switch {
	case n%10 == 0:
		o = write("refused", day.Add(time.Duration(n)*100*time.Millisecond), 1e6, n)
	case n%11 == 0:
		o.Value = []byte("broken")
	}
	return withID(o, strconv.Itoa(n))
}

func lastNumber(ctx context.Context, log *Log) (last int, err error) {
	counts, err := log.Partitions(ctx, "sluice.writes")
	if err != nil {
		return 0, err
	}
	for p := range counts["sluice.writes"] {
		start, end, err := log.bounds(ctx, "sluice.writes", p)
		if err != nil {
			return 0, err
		}
		err = log.readRange(ctx, "sluice.writes", p, start, end, func(r *kgo.Record) error {
			id, _ := header(r, HeaderEventID)
			n, err := strconv.Atoi(id)
			last = max(last, n)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return last, nil
}

// Killed at any moment, again and again, the platform's accounting and profiles
// are those of the log, and no dead letter is listed twice.
func TestKilledTapIsExact(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(5, 5))
	acknowledged := 0
	for round := range 5 {
		acknowledged = max(acknowledged, killOnce(t, dir, 30+rng.IntN(300)))
		t.Logf("round %d: %d acknowledged", round, acknowledged)
	}
	broker, err := StartBroker(BrokerConfig{Listen: "127.0.0.1:0", Data: filepath.Join(dir, "log"), SyncWrites: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	r := rigOn(t, broker, 4, delays())
	reg, err := registry.OpenSQLite(r.ctx, filepath.Join(dir, "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reg.Close() })
	deps := r.deps()
	deps.Versions, deps.Rows = reg, nil
	run := r.startWith(deps)
	got := r.drain()
	r.end(run)
	last, err := lastNumber(r.ctx, r.log)
	if err != nil || last < acknowledged {
		t.Fatalf("newest write in the log is %d, %v, want at least %d", last, err, acknowledged)
	}
	want := feature.Counts{Received: uint64(last)}
	for n := 1; n <= last; n++ {
		switch {
		case n%10 == 0:
			want.Quarantined++
		case n%11 == 0:
			want.DeadLettered++
		default:
			want.Accepted++
		}
	}
	if got.Late = 0; got != want {
		t.Errorf("counts = %+v, want %+v", got, want)
	}
	if letters := r.letters(); uint64(len(letters)) != want.Quarantined+want.DeadLettered {
		t.Errorf("%d dead letters, want %d", len(letters), want.Quarantined+want.DeadLettered)
	}
	var rows uint64
	for _, p := range r.parts {
		profile, err := sketch.UnmarshalProfile(p.Profile, sketch.Unbinned(r.view("delays")))
		if err != nil || profile.Total() != p.Rows {
			t.Errorf("partial of %s: profile of %d rows, %v, want %d", p.Window.Start, profile.Total(), err, p.Rows)
		}
		rows += p.Rows
	}
	if rows != want.Accepted {
		t.Errorf("windows hold %d rows, want %d", rows, want.Accepted)
	}
}

// killOnce runs the victim until its tap is ready and n more writes are
// acknowledged, kills it, and returns the newest acknowledged one.
func killOnce(t *testing.T, dir string, n int) (last int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && n > 0; {
		number, ready, _ := strings.Cut(lines.Text(), " ")
		if last, err = strconv.Atoi(number); err != nil {
			t.Fatalf("victim said %q", lines.Text())
		}
		if ready == "1" {
			n--
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if n > 0 {
		t.Fatalf("victim ended by itself after write %d", last)
	}
	return last
}
