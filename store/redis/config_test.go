package redis

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	good := DefaultConfig()
	good.Addrs = []string{"127.0.0.1:6379"}
	if err := good.Validate(); err != nil {
		t.Fatalf("Validate() of the default = %v", err)
	}
	for _, limits := range [][2]float64{{0, .5}, {.95, 0}, {0, 0}, {.8, 1}} {
		c := good
		c.MemoryLimit, c.OfflineLimit = limits[0], limits[1]
		if err := c.Validate(); err != nil {
			t.Errorf("Validate() with memory_limit %g and offline_limit %g = %v", limits[0], limits[1], err)
		}
	}
	for name, tc := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"no address":          {func(c *Config) { c.Addrs = nil }, []string{"addrs"}},
		"no port":             {func(c *Config) { c.Addrs = []string{"redis"} }, []string{"addrs", `"redis"`}},
		"several for one":     {func(c *Config) { c.Addrs = []string{"a:1", "b:1"} }, []string{"addrs", "cluster or master_name"}},
		"both":                {func(c *Config) { c.Cluster, c.MasterName = true, "m" }, []string{"master_name"}},
		"database of cluster": {func(c *Config) { c.Cluster, c.DB = true, 1 }, []string{"db"}},
		"brace in prefix":     {func(c *Config) { c.Prefix = "{a}" }, []string{"prefix"}},
		"times and counts": {func(c *Config) { c.ReadDeadline, c.PoolSize, c.MinIdle = 0, 0, -1 },
			[]string{"read_deadline: 0s", "pool_size: 0", "min_idle: -1"}},
		"failover":         {func(c *Config) { c.ClusterFailover = "takeover" }, []string{`cluster_failover: "takeover"`, "ask", "wait"}},
		"offline":          {func(c *Config) { c.OfflineLimit = 1.1 }, []string{"offline_limit: 1.1"}},
		"offline too soon": {func(c *Config) { c.MemoryLimit = .95 }, []string{"offline_limit: 0.9 is not above memory_limit of 0.95", "set it to 0"}},
		"hedges":           {func(c *Config) { c.HedgeBudget, c.HedgeAfter = .3, 0 }, []string{"hedge_budget: 0.3", "hedge_after: 0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			tc.change(&c)
			err := c.Validate()
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Validate() = %v, want it to name %s", err, want)
				}
			}
		})
	}
}

// TestNothingLeftToDefaults checks that none of go-redis' settings with a default
// that a fault turns into an outage is left to it.
func TestNothingLeftToDefaults(t *testing.T) {
	c := DefaultConfig()
	c.Addrs = []string{"127.0.0.1:6379"}
	for name, options := range map[string]any{"single": *c.simple(), "sentinel": *c.failover(), "replica": *c.replica("127.0.0.1:6380"), "sentinel's replica": *c.failedOver(), "cluster": *c.clustered()} {
		v := reflect.ValueOf(options)
		for _, field := range []string{
			"Protocol", "MaxRetries", "MinRetryBackoff", "MaxRetryBackoff", "DialTimeout", "DialerRetries", "DialerRetryTimeout",
			"ReadTimeout", "WriteTimeout", "ContextTimeoutEnabled", "ReadBufferSize", "WriteBufferSize", "PipelinePoolSize",
			"PoolSize", "MaxConcurrentDials", "PoolTimeout", "MinIdleConns", "MaxIdleConns", "ConnMaxIdleTime", "DisableIdentity",
		} {
			if v.FieldByName(field).IsZero() {
				t.Errorf("%s: %s is not set", name, field)
			}
		}
	}
	if got := c.clustered(); got.ClusterStateReloadInterval != time.Second || got.MaxRedirects != 2 {
		t.Errorf("cluster: reload after %s and %d redirects, want 1s and 2", got.ClusterStateReloadInterval, got.MaxRedirects)
	}
}
