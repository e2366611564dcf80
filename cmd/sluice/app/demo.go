package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/feature"
	"sluice/internal/definition"
	"sluice/internal/flights"
	"sluice/quality/sketch"
	"sluice/store/tabular"
	"sluice/tap"
)

// DemoOptions say how the demo runs and where it writes.
type DemoOptions struct {
	Format   string // table | json
	Stay     bool   // keep the platform running afterwards
	Brokers  []string
	Redis    []string // one server, or several of a Cluster
	Postgres string
	Version  string
	Out      io.Writer // the result
	Progress io.Writer // lines about how far it is
	Log      *slog.Logger
}

// ErrDemo reports a demo that did not keep what it must.
var ErrDemo = errors.New("the demo failed")

// Demo runs the whole loop on a year of real flights with planted faults: it
// starts a platform in a temporary folder, sends it day after day while readers
// read, and writes what became of it. The error is ErrDemo if a fault was missed or
// a promise broken.
func Demo(ctx context.Context, opts DemoOptions) (err error) {
	opts.Log = discard(opts.Log)
	// The run is short and its heap small: fewer collections leave the cores to it.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	dir, err := os.MkdirTemp("", "sluice-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	platform, err := New(ctx, demoConfig(dir, opts), Options{
		Target: "all", Clock: "manual", Version: opts.Version, Log: opts.Log, NoSync: true, Tap: demoTap(), ReadDeadline: demoRead, HashKey: &demoKey,
	})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	group.Go(func() error { return platform.Run(ctx) })
	group.Go(func() error {
		defer stop()
		return newDemo(platform, opts).run(ctx)
	})
	return group.Wait()
}

// demoKey is the hash key of every demo. It draws the row samples, so that two runs judge
// alike; the flights are public, and there is nothing in their profiles to guess.
var demoKey = sketch.HashKey([]byte("sluice demo 2013"))

// demoRead is how long a read of rows may take. A year in a minute, with readers and
// perhaps the servers on the same cores, makes one wait longer than it would behind a
// server that has a machine to itself.
const demoRead = 2 * time.Second

func demoConfig(dir string, opts DemoOptions) Config {
	cfg := DefaultConfig()
	cfg.Data = dir
	cfg.Listen.HTTP, cfg.Listen.GRPC, cfg.Listen.Kafka = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Kafka.Brokers, cfg.Redis.Addrs, cfg.Registry.Postgres = opts.Brokers, opts.Redis, opts.Postgres
	cfg.Redis.Cluster = len(opts.Redis) > 1
	return cfg
}

// demoTap shows rows of an open window soon, although nothing closes it yet.
func demoTap() *tap.Config {
	cfg := tap.DefaultConfig()
	cfg.Checkpoint = 200 * time.Millisecond
	return &cfg
}

// demo drives one run.
type demo struct {
	opts     DemoOptions
	platform *App
	client   *doorClient
	year     *flights.Year
	defs     *feature.Definitions

	mu    sync.Mutex
	tally *flights.Tally
	seen  map[string]bool // plants that a reader met

	verdicts map[string]bool // ids that the tally has; one goroutine's
	spied    chan struct{}   // told when a reader meets a planted value
}

func newDemo(platform *App, opts DemoOptions) *demo {
	return &demo{opts: opts, platform: platform, tally: flights.NewTally(), seen: map[string]bool{}, verdicts: map[string]bool{}, spied: make(chan struct{}, 1)}
}

func (d *demo) run(ctx context.Context) error {
	begun := time.Now()
	if err := d.prepare(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	readers, err := d.startReaders(ctx)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	for _, day := range flights.Days() {
		if err := d.day(ctx, day); err != nil {
			return errors.Join(fmt.Errorf("demo: %s: %w", day.Date.Format(time.DateOnly), err), readers.stop())
		}
	}
	if err := errors.Join(readers.stop(), d.probations(ctx)); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return d.finish(ctx, time.Since(begun))
}

// prepare waits for the platform, reads the flights and applies the definitions.
func (d *demo) prepare(ctx context.Context) error {
	table, err := tabular.Columns(flights.Parquet(), flights.Columns()...)
	if err != nil {
		return err
	}
	if d.year, err = flights.Load(table); err != nil {
		return err
	}
	d.say("%d flights of 2013 in %d days; the platform listens on %s", d.year.Len(), len(flights.Days()), d.platform.Addrs().HTTP)
	d.client = newDoorClient(d.platform.Addrs().HTTP)
	if err := d.client.ready(ctx); err != nil {
		return err
	}
	if err := d.unused(ctx); err != nil {
		return err
	}
	files, err := demoFiles()
	if err != nil {
		return err
	}
	if err := d.client.post(ctx, "/api/v1/apply", map[string]any{"files": files, "by": "demo", "reason": "demo"}, nil); err != nil {
		return err
	}
	d.defs = d.platform.parts.catalog.Definitions()
	return nil
}

// unused returns an error if the servers hold something of a former run: its windows
// are judged already.
func (d *demo) unused(ctx context.Context) error {
	var accounting struct {
		Items []struct{ Received int }
	}
	if err := d.client.get(ctx, "/api/v1/accounting", &accounting); err != nil {
		return err
	}
	used := d.platform.parts.catalog.Generation() > 0
	for _, a := range accounting.Items {
		used = used || a.Received > 0
	}
	if used {
		return errors.New("the servers are in use, or were: give the demo a database without views and brokers without topics of Sluice")
	}
	return nil
}

func demoFiles() ([]definition.File, error) {
	var files []definition.File
	err := fs.WalkDir(flights.Definitions, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := flights.Definitions.ReadFile(path)
		files = append(files, definition.File{Name: path[strings.LastIndexByte(path, '/')+1:], Text: string(text)})
		return err
	})
	return files, err
}

// day sends the flights of one day, closes it, and waits for the verdicts.
func (d *demo) day(ctx context.Context, day flights.Day) error {
	end := day.Date.AddDate(0, 0, 1)
	lateness := d.defs.Views[0].Window.Lateness
	if err := d.client.post(ctx, "/api/v1/clock", map[string]any{"now": end.Add(lateness)}, nil); err != nil {
		return err
	}
	for _, topic := range []string{flights.TopicLive, flights.TopicFlights} {
		if err := d.send(ctx, topic, day.Date); err != nil {
			return err
		}
	}
	if err := d.awaitExposure(ctx, day.Date); err != nil {
		return err
	}
	for _, topic := range []string{flights.TopicLive, flights.TopicFlights} {
		if err := d.platform.parts.log.WriteWatermark(ctx, topic, "", end.Add(lateness)); err != nil {
			return err
		}
	}
	for i := range d.defs.Views {
		if err := d.judged(ctx, d.defs.Views[i].Name, day.Date); err != nil {
			return err
		}
	}
	if day.Date.Day() == 1 {
		d.say("%s", day.Date.Format("January"))
	}
	return nil
}

// send appends a day's flights to a topic, an aircraft's to one partition.
func (d *demo) send(ctx context.Context, topic string, day time.Time) error {
	rows := d.year.Topic(topic, day)
	out := make([]tap.Out, len(rows))
	for i := range rows {
		out[i] = tap.Out{Key: []byte(rows[i].TailNum), Value: rows[i].AppendJSON(nil),
			Headers: []tap.Header{{Key: tap.HeaderEventID, Value: []byte(rows[i].EventID())}, {Key: tap.HeaderProducer, Value: []byte(rows[i].Carrier)}}}
	}
	_, err := d.platform.parts.log.Append(ctx, topic, out)
	return err
}

// exposure is how long the demo waits for a reader to meet a fault that is visible
// before its window is judged. Readers that do not meet it are a finding, not a
// failure.
const exposure = 3 * time.Second

// awaitExposure gives readers time to meet the fault of an optimistic view, as
// they would have in the hours before its window closes.
func (d *demo) awaitExposure(ctx context.Context, day time.Time) error {
	i := slices.IndexFunc(flights.Plants(), func(p flights.Plant) bool { return p.Topic == flights.TopicLive && p.Day.Equal(day) })
	if i < 0 {
		return nil
	}
	name := flights.Plants()[i].Name
	limit := time.NewTimer(exposure)
	defer limit.Stop()
	for !d.met(name) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return nil
		case <-d.spied:
		}
	}
	return nil
}

func (d *demo) met(plant string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen[plant]
}

// judged waits until a view's window is judged and adds its verdict to the tally.
func (d *demo) judged(ctx context.Context, view string, start time.Time) error {
	var windows struct {
		Items []struct{ State, Verdict string }
	}
	path := fmt.Sprintf("/api/v1/views/%s/windows?start=%s&wait=30s", view, start.Format(time.RFC3339))
	if err := d.client.get(ctx, path, &windows); err != nil {
		return fmt.Errorf("wait for %s: %w", view, err)
	}
	if len(windows.Items) != 1 || windows.Items[0].Verdict == "" {
		return fmt.Errorf("wait for %s: no verdict", view)
	}
	var v struct {
		ID, State, Decision string
		Reasons             []flights.Reason
	}
	if err := d.client.get(ctx, "/api/v1/verdicts/"+windows.Items[0].Verdict+"?trace=false&statistics=false", &v); err != nil {
		return err
	}
	d.verdicts[v.ID] = true
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tally.Judged(flights.Judgement{View: view, Window: start, State: v.State, Decision: v.Decision, Verdict: v.ID, Reasons: v.Reasons})
	return nil
}

// probations counts the versions that were rolled back after they had passed.
func (d *demo) probations(ctx context.Context) error {
	for i := range d.defs.Views {
		for next := ""; ; {
			var page struct {
				Items []struct{ State, Verdict string }
				Next  string
			}
			if err := d.client.get(ctx, fmt.Sprintf("/api/v1/views/%s/versions?limit=500&after=%s", d.defs.Views[i].Name, next), &page); err != nil {
				return err
			}
			for _, v := range page.Items {
				if v.State == "rolled_back" && !d.verdicts[v.Verdict] {
					d.tally.RolledBack(1)
				}
			}
			if next = page.Next; next == "" {
				break
			}
		}
	}
	return nil
}

// finish writes the result, and stays if it was asked to.
func (d *demo) finish(ctx context.Context, took time.Duration) error {
	result := d.tally.Result(took)
	if err := d.write(result); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	if d.opts.Stay {
		addrs := d.platform.Addrs()
		d.say("still running: http %s, grpc %s; end it with an interrupt", addrs.HTTP, addrs.GRPC)
		<-ctx.Done()
	}
	if failures := result.Failures(); len(failures) > 0 {
		return fmt.Errorf("%w: %s", ErrDemo, strings.Join(failures, "; "))
	}
	return nil
}

func (d *demo) write(result *flights.Result) error {
	if d.opts.Format != "json" {
		return result.WriteText(d.opts.Out)
	}
	encoder := json.NewEncoder(d.opts.Out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

func (d *demo) say(format string, args ...any) {
	if d.opts.Progress != nil {
		fmt.Fprintf(d.opts.Progress, format+"\n", args...)
	}
}
