package app

import (
	"io"
	"net"
	"strings"
	"testing"
)

// A process that does not start because a server does not answer says what to do, as
// doctor does.
func TestStartWithoutServers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for do, set := range map[string]func(*Config){
		doBrokers:          func(c *Config) { c.Kafka.Brokers = []string{nobody} },
		doServers("redis"): func(c *Config) { c.Redis.Addrs = []string{nobody} },
		doPostgres:         func(c *Config) { c.Registry.Postgres = "postgres://u:s3cret@" + nobody + "/x?sslmode=disable" },
	} {
		cfg := DefaultConfig()
		cfg.Data = t.TempDir()
		cfg.Listen.HTTP, cfg.Listen.GRPC, cfg.Listen.Kafka = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
		set(&cfg)
		err := Run(t.Context(), cfg, Options{Target: "all", Clock: "wall", Out: io.Discard})
		if err == nil || !strings.HasSuffix(err.Error(), do) || strings.Count(err.Error(), do) != 1 || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Run = %v, want %q at the end, once", err, do)
		}
	}
}
