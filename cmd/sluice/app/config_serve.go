package app

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/internal/admission"
	"sluice/serving"
)

// ServeConfig says what serving does when there is too much to do, what it keeps for the
// case that a shard does not answer, and how it leaves.
type ServeConfig struct {
	Drain          int      `yaml:"drain" name:"drain" help:"Seconds for which a process of target serve, told to stop, still answers but says that it is not ready, so that balancers send the next requests elsewhere; longer than their health checks take to notice." placeholder:"SECONDS"`
	KeptRows       int      `yaml:"kept_rows" name:"kept_rows" help:"Rows kept in memory for up to 5 minutes, given flagged as stale while their shard of the store does not answer; 0 keeps none." placeholder:"N"`
	MaxRunning     int      `yaml:"max_running" name:"max_running" help:"Reads at work at once, at most; the limit itself follows their latency, from 64 up to this. 0: any number." placeholder:"N"`
	MaxWaiting     int      `yaml:"max_waiting" name:"max_waiting" help:"Reads that wait to be at work; beyond them those of the lowest priority are turned away." placeholder:"N"`
	MaxWait        int      `yaml:"max_wait_ms" name:"max_wait_ms" help:"Longest wait of a read, in milliseconds." placeholder:"MS"`
	MaxConnections int      `yaml:"max_connections" name:"max_connections" help:"Open connections of the HTTP door, and as many of the gRPC door; those beyond are closed at once." placeholder:"N"`
	TokenRates     []string `yaml:"token_rates" name:"token_rates" help:"Requests a second of a token, as NAME=N; * stands for each token that has none of its own. None: no limit." placeholder:"NAME=N"`
	ProjectRates   []string `yaml:"project_rates" name:"project_rates" help:"Likewise of all tokens of a project together." placeholder:"NAME=N"`
}

func defaultServe() ServeConfig {
	c := admission.DefaultConfig()
	return ServeConfig{
		Drain: 5, MaxRunning: c.Most, MaxWaiting: c.Waiting, MaxWait: int(c.Wait / time.Millisecond), MaxConnections: 20_000,
		TokenRates: []string{}, ProjectRates: []string{},
	}
}

func (c ServeConfig) validate(add func(format string, args ...any)) {
	for _, n := range []struct {
		key                string
		value, least, most int
		unit               string
	}{
		{"drain", c.Drain, 0, 600, " seconds"}, {"kept_rows", c.KeptRows, 0, 10_000_000, ""},
		{"max_waiting", c.MaxWaiting, 0, 1_000_000, ""}, {"max_wait_ms", c.MaxWait, 1, 60_000, " milliseconds"},
		{"max_connections", c.MaxConnections, 1, 1_000_000, ""},
	} {
		if n.value < n.least || n.value > n.most {
			add("serve.%s: %d: want %d to %d%s", n.key, n.value, n.least, n.most, n.unit)
		}
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
	out.KeptRows = c.KeptRows
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
