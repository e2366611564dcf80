package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/cmd/sluice/app"
	"sluice/internal/admin"
	"sluice/internal/probe"
)

type probeCmd struct {
	connection
	Window     time.Duration `help:"Window of the probe's view." default:"1m" placeholder:"1m"`
	Duration   time.Duration `help:"How long to probe; 0: for ever." default:"0s" placeholder:"1h"`
	FaultEvery int           `name:"fault-every" help:"Of so many windows one has a planted fault." default:"12" placeholder:"N"`
	ReadEvery  time.Duration `name:"read-every" help:"Pause between two reads of 20 rows." default:"200ms" placeholder:"200ms"`
	Listen     string        `help:"Where /metrics, /ready and /healthz are answered; empty: nowhere. Only this machine can be let in." default:"127.0.0.1:6570" placeholder:"ADDR"`
	By         string        `help:"Who does it, where the server knows no tokens." env:"USER" placeholder:"NAME"`
}

// Help shows examples.
func (*probeCmd) Help() string {
	return "It adds the view probe of the project sluice, if it is not there, beside what is in force; that needs the role operator, and the rest the role writer. " +
		"It gives the view a short history, then writes known values all the time and now and then a window with a fault: half of the values null, or all of them shifted. " +
		"It says of every window what became of it, and counts the reads that gave a value which is not a known good one. " +
		"With --duration it exits with 1 if a fault was missed or a read was bad; otherwise it runs until it is stopped. The server's clock must be the wall." +
		"\n\nExamples:\n  sluice probe\n  sluice probe --duration 1h --format json\n  sluice probe --window 10s --fault-every 6 --duration 5m --listen ''"
}

func (c *probeCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	server := &probed{connection: &c.connection, by: c.By}
	if err := server.prepare(e.ctx, c.Window); err != nil {
		return err
	}
	metrics := prometheus.NewRegistry()
	admin.ReadBuild(release).Export(metrics)
	m := probe.NewMetrics(metrics)
	ctx, cancel := context.WithCancel(e.ctx)
	served, err := c.serve(ctx, e, metrics)
	if err != nil {
		cancel()
		return err
	}
	cfg := probe.DefaultConfig(c.Window)
	cfg.FaultEvery, cfg.Duration, cfg.ReadEvery = c.FaultEvery, c.Duration, c.ReadEvery
	report, err := probe.New(cfg, server, m, newLogger(e.stderr, app.LogConfig{Level: "error"}), c.teller(e)).Run(ctx)
	cancel()
	if err := errors.Join(err, <-served); err != nil {
		return err
	}
	if err := c.print(e, report); err != nil || c.Duration == 0 {
		return err
	}
	return report.Err()
}

func (c *probeCmd) check() error {
	switch {
	case c.Window < time.Second || c.Window > 24*time.Hour:
		return fmt.Errorf("%w: --window %s: want 1s to 24h", errUsage, c.Window)
	case c.FaultEvery < 2:
		return fmt.Errorf("%w: --fault-every %d: want 2 or more", errUsage, c.FaultEvery)
	case c.ReadEvery < 10*time.Millisecond:
		return fmt.Errorf("%w: --read-every %s: want 10ms or more", errUsage, c.ReadEvery)
	case c.Duration < 0 || c.Duration > 0 && c.Duration < time.Duration(c.FaultEvery)*c.Window:
		return fmt.Errorf("%w: --duration %s: want at least %s, --fault-every windows, so that a fault is planted", errUsage, c.Duration, time.Duration(c.FaultEvery)*c.Window)
	case c.Listen != "" && !admin.Loopback(c.Listen):
		return fmt.Errorf("%w: --listen %s is reachable from other machines, and /metrics asks for no token: listen on 127.0.0.1", errUsage, c.Listen)
	}
	return nil
}

// serve answers /metrics until ctx ends; the channel then says how that ended.
func (c *probeCmd) serve(ctx context.Context, e *env, metrics prometheus.Gatherer) (<-chan error, error) {
	ended := make(chan error, 1)
	if c.Listen == "" {
		close(ended)
		return ended, nil
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	fmt.Fprintf(e.stderr, "metrics on http://%s/metrics\n", l.Addr())
	mux := http.NewServeMux()
	admin.Register(mux, &admin.Health{}, metrics, newLogger(e.stderr, app.LogConfig{Level: "error"}))
	go func() { ended <- admin.Serve(ctx, l, mux, time.Second) }()
	return ended, nil
}

// teller prints a line for each window: to people who want no document on standard
// output.
func (c *probeCmd) teller(e *env) func(probe.Window) {
	out := e.stdout
	if c.Format == "json" {
		out = e.stderr
	}
	return func(w probe.Window) { fmt.Fprintln(out, plain(w.String())) }
}

func (c *probeCmd) print(e *env, r probe.Report) error {
	if c.Format == "json" {
		return printJSON(e.stdout, r)
	}
	_, err := fmt.Fprintf(e.stdout, "%d windows in %.0f s: %d faults planted, %d caught, %d missed; %d good windows not published, %d not written\n"+
		"%d reads, %d bad, %d failed; verdict after %.3f s (median), %.3f s (worst)\n",
		r.Windows, r.Seconds, r.Faults, r.Caught, r.Missed, r.GoodBlocked, r.Unwritten, r.Reads, r.BadReads, r.FailedReads, r.VerdictP50, r.VerdictMax)
	return err
}
