package app

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/internal/admission"
	"sluice/serving"
)

// ServeConfig says what serving takes from a client, what it does when there is too much
// to do, what it keeps for the case that a shard does not answer, and how it leaves.
type ServeConfig struct {
	Drain          int      `yaml:"drain" name:"drain" help:"Seconds for which a process of target serve, told to stop, still answers but says that it is not ready, so that balancers send the next requests elsewhere; longer than their health checks take to notice." placeholder:"SECONDS"`
	KeptRows       int      `yaml:"kept_rows" name:"kept_rows" help:"Rows kept in memory for up to 5 minutes, given flagged as stale while their shard of the store does not answer; 0 keeps none." placeholder:"N"`
	CachedRows     int      `yaml:"cached_rows" name:"cached_rows" help:"Rows kept in memory for up to 5 minutes, and given without asking the store while no version of their view has come or gone, so that they are what it has; provenance counts them. 10000 is a good start; 0 keeps none." placeholder:"N"`
	MaxRunning     int      `yaml:"max_running" name:"max_running" help:"Reads at work at once, at most; the limit itself follows their latency, from 64 up to this. 0: any number." placeholder:"N"`
	MaxWaiting     int      `yaml:"max_waiting" name:"max_waiting" help:"Reads that wait to be at work; beyond them those of the lowest priority are turned away." placeholder:"N"`
	MaxWait        int      `yaml:"max_wait_ms" name:"max_wait_ms" help:"Longest wait of a read, in milliseconds." placeholder:"MS"`
	MaxConnections int      `yaml:"max_connections" name:"max_connections" help:"Open connections of the HTTP door, and as many of the gRPC door; those beyond are closed at once." placeholder:"N"`
	MaxEntities    int      `yaml:"max_entities" name:"max_entities" help:"Entities of one read." placeholder:"N"`
	MaxBulk        int      `yaml:"max_bulk" name:"max_bulk" help:"Entities of one streaming read, which is answered in parts of max_entities." placeholder:"N"`
	MaxFeatures    int      `yaml:"max_features" name:"max_features" help:"Features of one read." placeholder:"N"`
	MaxBody        int      `yaml:"max_body" name:"max_body" help:"Bytes of the body of a read or push, over HTTP or gRPC." placeholder:"BYTES"`
	MaxHeader      int      `yaml:"max_header" name:"max_header" help:"Bytes of a request's headers, or of a call's metadata." placeholder:"BYTES"`
	MaxHeaders     int      `yaml:"max_headers" name:"max_headers" help:"Entries of a request's headers, or of a call's metadata." placeholder:"N"`
	MaxStreams     int      `yaml:"max_streams" name:"max_streams" help:"Calls of a gRPC connection at once." placeholder:"N"`
	MaxFrames      int      `yaml:"max_frames" name:"max_frames" help:"Frames that a gRPC connection may send beyond those that calls need, of one burst; a tenth of it a second is given back. A connection that sends more is told to calm down and closed." placeholder:"N"`
	Handshake      int      `yaml:"handshake" name:"handshake" help:"Seconds in which a connection must be set up, and in which the headers of a request must arrive." placeholder:"SECONDS"`
	MaxTime        int      `yaml:"max_time" name:"max_time" help:"Seconds in which a request must arrive as a whole; over gRPC, in which a call must end that has no shorter deadline, streaming reads apart." placeholder:"SECONDS"`
	MaxAge         int      `yaml:"max_age" name:"max_age" help:"Seconds after which a gRPC connection is told to make another one, so that clients spread again." placeholder:"SECONDS"`
	SampleRate     int      `yaml:"sample_rate" name:"sample_rate" help:"Rows of a view, of those served, that are sampled in a second, to be profiled; 0 samples none." placeholder:"N"`
	GRPCServer     string   `yaml:"grpc_server" name:"grpc_server" help:"What answers reads over gRPC: own, which costs a fraction, or grpc-go. Every other call is grpc-go's either way." placeholder:"own|grpc-go"`
	HTTPServer     string   `yaml:"http_server" name:"http_server" help:"What answers reads over HTTP: own, which costs a fraction, or net-http. Every other request is net/http's either way." placeholder:"own|net-http"`
	TokenRates     []string `yaml:"token_rates" name:"token_rates" help:"Requests a second of a token, as NAME=N; * stands for each token that has none of its own. None: no limit." placeholder:"NAME=N"`
	ProjectRates   []string `yaml:"project_rates" name:"project_rates" help:"Likewise of all tokens of a project together." placeholder:"NAME=N"`
}

func defaultServe() ServeConfig {
	c := serving.DefaultConfig()
	return ServeConfig{
		Drain: 5, MaxRunning: c.Admission.Most, MaxWaiting: c.Admission.Waiting, MaxWait: int(c.Admission.Wait / time.Millisecond), MaxConnections: 20_000,
		MaxEntities: c.MaxEntities, MaxBulk: c.MaxBulk, MaxFeatures: c.MaxFeatures, MaxBody: c.MaxBody, MaxHeader: c.MaxHeader, MaxHeaders: c.MaxHeaders,
		MaxStreams: c.MaxStreams, MaxFrames: c.MaxFrames, Handshake: int(c.Handshake / time.Second), MaxTime: int(c.MaxTime / time.Second), MaxAge: int(c.MaxAge / time.Second),
		SampleRate: c.SampleRate, GRPCServer: grpcOwn, HTTPServer: httpOwn, TokenRates: []string{}, ProjectRates: []string{},
	}
}

// serveRange is what a number of ServeConfig may be.
type serveRange struct {
	key                string
	value, least, most int
	unit               string
}

func (c ServeConfig) ranges() []serveRange {
	return []serveRange{
		{"drain", c.Drain, 0, 600, " seconds"}, {"kept_rows", c.KeptRows, 0, 10_000_000, ""}, {"cached_rows", c.CachedRows, 0, 10_000_000, ""},
		{"max_waiting", c.MaxWaiting, 0, 1_000_000, ""}, {"max_wait_ms", c.MaxWait, 1, 60_000, " milliseconds"},
		{"max_connections", c.MaxConnections, 1, 1_000_000, ""},
		{"max_entities", c.MaxEntities, 1, 1 << 20, ""}, {"max_bulk", c.MaxBulk, 1, 1 << 24, ""}, {"max_features", c.MaxFeatures, 1, 1<<15 - 1, ""},
		{"max_body", c.MaxBody, 1 << 10, 1 << 30, " bytes"}, {"max_header", c.MaxHeader, 1 << 10, 1 << 24, " bytes"}, {"max_headers", c.MaxHeaders, 10, 10_000, ""},
		{"max_streams", c.MaxStreams, 1, 1 << 20, ""}, {"max_frames", c.MaxFrames, 100, 1 << 30, ""},
		{"handshake", c.Handshake, 1, 300, " seconds"}, {"max_time", c.MaxTime, 1, 3600, " seconds"}, {"max_age", c.MaxAge, 1, 7 * 86400, " seconds"},
		{"sample_rate", c.SampleRate, 0, 1000, ""},
	}
}

func (c ServeConfig) validate(add func(format string, args ...any)) {
	for _, n := range c.ranges() {
		if n.value < n.least || n.value > n.most {
			add("serve.%s: %d: want %d to %d%s", n.key, n.value, n.least, n.most, n.unit)
		}
	}
	if c.GRPCServer != grpcOwn && c.GRPCServer != grpcGo {
		add("serve.grpc_server: %.80q: want %s or %s", c.GRPCServer, grpcOwn, grpcGo)
	}
	if c.HTTPServer != httpOwn && c.HTTPServer != httpGo {
		add("serve.http_server: %.80q: want %s or %s", c.HTTPServer, httpOwn, httpGo)
	}
	if least := admission.DefaultConfig().Least; c.MaxRunning != 0 && (c.MaxRunning < least || c.MaxRunning > 1_000_000) {
		add("serve.max_running: %d: want %d to 1000000, or 0 for any number", c.MaxRunning, least)
	}
	for _, r := range []struct {
		key  string
		list []string
	}{{"token_rates", c.TokenRates}, {"project_rates", c.ProjectRates}} {
		if _, err := parseRates(r.list); err != nil {
			add("serve.%s: %w", r.key, err)
		}
	}
}

// parseRates reads a list of NAME=N, N in requests a second.
func parseRates(list []string) (map[string]float64, error) {
	rates := map[string]float64{}
	for _, item := range list {
		name, text, ok := strings.Cut(item, "=")
		n, err := strconv.ParseFloat(text, 64)
		if !ok || name == "" || err != nil {
			return nil, fmt.Errorf("%.80q: want NAME=N, N in requests a second, such as scoring=500", item)
		}
		if _, twice := rates[name]; twice {
			return nil, fmt.Errorf("%.80q: given twice: keep one", name)
		}
		rates[name] = n
	}
	_, err := admission.NewRates(rates)
	return rates, err
}

// serving returns the configuration of the reads; c is valid.
func (c ServeConfig) serving() (serving.Config, error) {
	out := serving.DefaultConfig()
	out.KeptRows, out.CachedRows, out.SampleRate = c.KeptRows, c.CachedRows, c.SampleRate
	out.MaxEntities, out.MaxBulk, out.MaxFeatures, out.MaxBody = c.MaxEntities, c.MaxBulk, c.MaxFeatures, c.MaxBody
	out.MaxHeader, out.MaxHeaders, out.MaxStreams, out.MaxFrames = c.MaxHeader, c.MaxHeaders, c.MaxStreams, c.MaxFrames
	out.Handshake, out.MaxTime, out.MaxAge = time.Duration(c.Handshake)*time.Second, time.Duration(c.MaxTime)*time.Second, time.Duration(c.MaxAge)*time.Second
	a := &out.Admission
	a.Most, a.Waiting, a.Wait = c.MaxRunning, c.MaxWaiting, time.Duration(c.MaxWait)*time.Millisecond
	a.Start = min(a.Start, a.Most)
	var err error
	if out.TokenRates, err = parseRates(c.TokenRates); err != nil {
		return out, fmt.Errorf("serve.token_rates: %w", err)
	}
	if out.ProjectRates, err = parseRates(c.ProjectRates); err != nil {
		return out, fmt.Errorf("serve.project_rates: %w", err)
	}
	return out, nil
}
