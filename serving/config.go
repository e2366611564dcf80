package serving

import (
	"errors"
	"fmt"
	"time"

	"sluice/internal/admission"
)

// Config says how reads are served. Lease, Renew and Grace are on the real
// clock, whatever the platform's clock is.
type Config struct {
	Lease       time.Duration `yaml:"lease"`        // how long a snapshot is good without being confirmed
	Renew       time.Duration `yaml:"renew"`        // longest time between two confirmations
	Grace       time.Duration `yaml:"grace"`        // how long a lapsed snapshot is still served, flagged; then reads are refused
	MaxEntities int           `yaml:"max_entities"` // rows of a request
	MaxBulk     int           `yaml:"max_bulk"`     // rows of a request that is answered in parts of max_entities
	MaxFeatures int           `yaml:"max_features"` // features of a request
	MaxBody     int           `yaml:"max_body"`     // bytes of a request
	MaxHeader   int           `yaml:"max_header"`   // bytes of a request's headers
	MaxHeaders  int           `yaml:"max_headers"`  // entries of a request's headers
	MaxStreams  int           `yaml:"max_streams"`  // concurrent gRPC calls of a connection
	MaxFrames   int           `yaml:"max_frames"`   // of a gRPC connection, beyond those that calls need, at once; a tenth of them a second
	Handshake   time.Duration `yaml:"handshake"`    // longest time to set up a connection, or to send headers
	MaxAge      time.Duration `yaml:"max_age"`      // of a gRPC connection, so that clients spread again
	SampleRate  int           `yaml:"sample_rate"`  // rows of a view, of those returned, that are sampled in a second; 0 samples none
	KeptRows    int           `yaml:"kept_rows"`    // rows kept to answer with, flagged stale, while their shard does not; 0 keeps none
	KeptAge     time.Duration `yaml:"kept_age"`     // how long after it was read a row may be given in that way
	CachedRows  int           `yaml:"cached_rows"`  // rows kept to answer from, without the store, while they are what it has; 0 keeps none
	CachedAge   time.Duration `yaml:"cached_age"`   // how long after it was read a row may be given in that way
	MaxTime     time.Duration `yaml:"max_time"`     // for the whole of an HTTP request to arrive, and for the whole of a gRPC call

	Feast        FeastConfig        `yaml:"feast"`         // where Feast's doors answer as Feast's own server does
	Admission    admission.Config   `yaml:"admission"`     // reads at work at once; most 0: any number
	TokenRates   map[string]float64 `yaml:"token_rates"`   // requests/s by token; * is each other one
	ProjectRates map[string]float64 `yaml:"project_rates"` // likewise by project, of all its tokens together
}

// DefaultConfig returns the configuration that the reference page documents.
func DefaultConfig() Config {
	return Config{
		Lease: time.Second, Renew: 250 * time.Millisecond, Grace: 30 * time.Second,
		MaxEntities: 1000, MaxBulk: 100_000, MaxFeatures: 500,
		MaxBody: 4 << 20, MaxHeader: 16 << 10, MaxHeaders: 100, MaxStreams: 100, MaxFrames: 2000,
		Handshake: 5 * time.Second, MaxAge: 30 * time.Minute,
		SampleRate: 50, KeptRows: 0, KeptAge: 5 * time.Minute, CachedRows: 0, CachedAge: 5 * time.Minute,
		MaxTime: 30 * time.Second, Feast: DefaultFeastConfig(), Admission: admission.DefaultConfig(),
	}
}

// Validate returns every problem of c, joined, each with its key and value.
func (c Config) Validate() error {
	var errs []error
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"lease", c.Lease}, {"renew", c.Renew}, {"handshake", c.Handshake}, {"max_age", c.MaxAge}, {"kept_age", c.KeptAge}, {"cached_age", c.CachedAge}, {"max_time", c.MaxTime}} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("%s: %s is not positive", d.key, d.value))
		}
	}
	if c.Grace < 0 {
		errs = append(errs, fmt.Errorf("grace: %s is negative", c.Grace))
	}
	if c.Renew >= c.Lease {
		errs = append(errs, fmt.Errorf("renew: %s is not shorter than the lease of %s", c.Renew, c.Lease))
	}
	for _, n := range []struct {
		key                string
		value, least, most int
	}{
		{"max_entities", c.MaxEntities, 1, 1 << 20}, {"max_bulk", c.MaxBulk, 1, 1 << 24}, {"max_features", c.MaxFeatures, 1, 1<<15 - 1}, {"max_body", c.MaxBody, 1, 1 << 30},
		{"max_header", c.MaxHeader, 1, 1 << 24}, {"max_headers", c.MaxHeaders, 1, 10_000}, {"max_streams", c.MaxStreams, 1, 1 << 20}, {"max_frames", c.MaxFrames, 1, 1 << 30},
		{"sample_rate", c.SampleRate, 0, 1000}, {"kept_rows", c.KeptRows, 0, 10_000_000}, {"cached_rows", c.CachedRows, 0, 10_000_000},
	} {
		if n.value < n.least || n.value > n.most {
			errs = append(errs, fmt.Errorf("%s: %d is not in %d to %d", n.key, n.value, n.least, n.most))
		}
	}
	if err := c.Feast.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("feast.%w", err))
	}
	return errors.Join(errs...)
}
