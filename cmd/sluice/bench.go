package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sluice/internal/admin"
	"sluice/internal/load"
)

type benchCmd struct {
	Serve benchServeCmd `cmd:"" help:"Ask a server for features and measure how long the answers take."`
}

type benchServeCmd struct {
	Over     string        `help:"grpc or http." enum:"grpc,http" default:"grpc"`
	Address  string        `help:"Where the server listens, host:port, without TLS; empty: 127.0.0.1:6565 for grpc, 127.0.0.1:6566 for http." placeholder:"ADDR"`
	Token    string        `help:"Token, where the server wants one." env:"SLUICE_TOKEN" placeholder:"TOKEN"`
	Features []string      `help:"Features to ask for, as view:feature." placeholder:"VIEW:FEATURE"`
	Service  string        `help:"A feature service to ask for, in place of --features." placeholder:"NAME"`
	Full     bool          `name:"full-feature-names" help:"Columns named view__feature; needed where two views have a feature of one name."`
	Key      []string      `help:"A join key and its values, as NAME=TEXT{FROM..TO}; values without a text are int64 unless NAME:string is given." placeholder:"NAME={1..1000}" sep:"none"`
	Entities int           `help:"Entities of a request, drawn at random." default:"1" placeholder:"N"`
	Clients  int           `help:"Connections." default:"64" placeholder:"N"`
	Rate     float64       `help:"Requests a second of all clients, whatever becomes of those before; 0: every client asks again as soon as it is answered." default:"0" placeholder:"N"`
	Warmup   time.Duration `help:"Before what is measured." default:"2s" placeholder:"2s"`
	Duration time.Duration `help:"Of what is measured." default:"10s" placeholder:"10s"`
	Seed     uint64        `help:"Of the entities that are drawn." default:"1" placeholder:"N"`
	Remote   bool          `name:"allow-remote" help:"Let the server be on another machine: it will be under load."`
	Format   string        `help:"table for people, json for one JSON document." enum:"table,json" default:"table"`
}

// Help shows examples.
func (*benchServeCmd) Help() string {
	return "Without --rate every client asks again as soon as it is answered, which finds the greatest throughput. " +
		"With --rate requests are sent when they are due, and a latency counts from then, so that a server that stands still is charged for everybody who would have asked. " +
		"Generator and server on one machine take processor time from each other. It exits with 1 if no request was answered." +
		"\n\nExamples:\n  sluice bench serve --features users:age,users:visits --key 'user_id=u{0..9999}'" +
		"\n  sluice bench serve --service model --key 'driver_id={1..1000}' --key 'user_id=u{0..99}' --entities 100" +
		"\n  sluice bench serve --over http --features users:age --key 'user_id:string={1..500}' --clients 10000 --rate 5000 --warmup 10s --format json"
}

// requestsOf is how many different requests are sent in turn.
const requestsOf = 512

func (c *benchServeCmd) Run(e *env) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	report, err := load.Run(e.ctx, config)
	if err != nil {
		return err
	}
	if err := c.print(e, config, report); err != nil {
		return err
	}
	if report.Answered() == 0 {
		return fmt.Errorf("no request was answered: %s", strings.Join(report.Errors, "; "))
	}
	return nil
}

// config checks the flags and makes the requests.
func (c *benchServeCmd) config() (load.Config, error) {
	bad := func(format string, args ...any) (load.Config, error) {
		return load.Config{}, fmt.Errorf("%w: %w", errUsage, fmt.Errorf(format, args...))
	}
	config := load.Config{
		Address: c.Address, Protocol: load.Protocol(c.Over), Token: c.Token, Clients: c.Clients, Rate: c.Rate, Warmup: c.Warmup, Duration: c.Duration,
	}
	if config.Address == "" {
		config.Address = map[load.Protocol]string{load.GRPC: "127.0.0.1:6565", load.HTTP: "127.0.0.1:6566"}[config.Protocol]
	}
	switch {
	case !c.Remote && !admin.Loopback(config.Address):
		return bad("--address %s is not this machine: with --allow-remote the server there is put under load", config.Address)
	case (len(c.Features) == 0) == (c.Service == ""):
		return bad("give --features or --service, one of the two")
	case len(c.Key) == 0:
		return bad("give --key once for every join key, as in --key 'user_id=u{0..9999}'")
	case c.Entities < 1 || c.Entities > 100_000:
		return bad("--entities %d: want 1 to 100000", c.Entities)
	}
	q := load.Question{Features: c.Features, Service: c.Service, Entities: c.Entities, Full: c.Full}
	for _, text := range c.Key {
		column, err := keyColumn(text)
		if err != nil {
			return bad("--key %s: %w", text, err)
		}
		q.Columns = append(q.Columns, column)
	}
	var err error
	if config.Requests, err = q.Encode(config.Protocol, requestsOf, c.Seed); err != nil {
		return bad("%w", err)
	}
	if err := config.Validate(); err != nil {
		return bad("%w", err)
	}
	return config, nil
}

var keyPattern = regexp.MustCompile(`^([^=:]+)(:string|:int64)?=([^{}]*)\{(-?[0-9]+)\.\.(-?[0-9]+)\}([^{}]*)$`)

// keyColumn reads NAME=TEXT{FROM..TO}TEXT, both ends included.
func keyColumn(text string) (load.Column, error) {
	m := keyPattern.FindStringSubmatch(text)
	if m == nil {
		return load.Column{}, fmt.Errorf("want NAME=TEXT{FROM..TO}, as in user_id=u{0..9999}")
	}
	from, err := strconv.ParseInt(m[4], 10, 62)
	if err != nil {
		return load.Column{}, fmt.Errorf("%s is out of range", m[4])
	}
	to, err := strconv.ParseInt(m[5], 10, 62)
	if err != nil || to < from {
		return load.Column{}, fmt.Errorf("%s is out of range, or below %s", m[5], m[4])
	}
	draw := func(rng *rand.Rand) int64 { return from + rng.Int64N(to-from+1) }
	if m[2] == ":int64" || m[2] == "" && m[3] == "" && m[6] == "" {
		if m[3] != "" || m[6] != "" {
			return load.Column{}, fmt.Errorf("an int64 has no text around it")
		}
		return load.Column{Name: m[1], Key: func(rng *rand.Rand) any { return draw(rng) }}, nil
	}
	return load.Column{Name: m[1], Key: func(rng *rand.Rand) any { return m[3] + strconv.FormatInt(draw(rng), 10) + m[6] }}, nil
}

// benchReport is the document of --format json. Latencies are in milliseconds.
type benchReport struct {
	Over       string   `json:"over"`
	Address    string   `json:"address"`
	Loop       string   `json:"loop"` // closed or open
	Clients    int      `json:"clients"`
	Rate       float64  `json:"rate"` // offered, a second; 0 in a closed loop
	Entities   int      `json:"entities"`
	Seconds    float64  `json:"seconds"`
	Answered   uint64   `json:"answered"`
	PerSecond  float64  `json:"per_second"`
	Failed     uint64   `json:"failed"`
	Unanswered uint64   `json:"unanswered"` // in an open loop, within 5 s after its end
	P50        float64  `json:"p50_ms"`
	P90        float64  `json:"p90_ms"`
	P95        float64  `json:"p95_ms"`
	P99        float64  `json:"p99_ms"`
	P999       float64  `json:"p999_ms"`
	Max        float64  `json:"max_ms"`
	Errors     []string `json:"errors"`
}

func (c *benchServeCmd) print(e *env, config load.Config, r *load.Report) error {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	q := func(share float64) float64 { return ms(r.Latency.Quantile(share)) }
	out := benchReport{
		Over: c.Over, Address: config.Address, Loop: "closed", Clients: r.Clients, Rate: r.Rate, Entities: c.Entities, Seconds: r.Elapsed.Seconds(),
		Answered: r.Answered(), PerSecond: r.PerSecond(), Failed: r.Failed, Unanswered: r.Unanswered,
		P50: q(.5), P90: q(.9), P95: q(.95), P99: q(.99), P999: q(.999), Max: ms(r.Latency.Max()), Errors: append([]string{}, r.Errors...),
	}
	if r.Rate > 0 {
		out.Loop = "open"
	}
	if c.Format == "json" {
		return printJSON(e.stdout, out)
	}
	fmt.Fprintf(e.stdout, "%s loop over %s, %d clients, %d entities a request, %.1f s", out.Loop, out.Over, out.Clients, out.Entities, out.Seconds)
	if r.Rate > 0 {
		fmt.Fprintf(e.stdout, ", %.0f requests/s offered", r.Rate)
	}
	fmt.Fprintf(e.stdout, "\n%d answered, %.0f a second; %d failed, %d unanswered\n", out.Answered, out.PerSecond, out.Failed, out.Unanswered)
	for _, problem := range r.Errors {
		fmt.Fprintf(e.stdout, "  %s\n", plain(strings.TrimSpace(problem)))
	}
	var rows [][]string
	for _, l := range []struct {
		name string
		ms   float64
	}{{"p50", out.P50}, {"p90", out.P90}, {"p95", out.P95}, {"p99", out.P99}, {"p99.9", out.P999}, {"max", out.Max}} {
		rows = append(rows, []string{l.name, strconv.FormatFloat(l.ms, 'f', 3, 64)})
	}
	return table(e.stdout, "LATENCY MS", rows)
}
