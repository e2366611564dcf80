package redis_test

import (
	"net"
	"strings"
	"testing"

	"sluice/store/redis"
)

// What is wrong with a primary that Sentinels watch names it as the configuration does: its
// address is another one after each failover, and the client's word for it says nothing.
func TestSentinelIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	config := redis.DefaultConfig()
	config.Addrs, config.MasterName = []string{nobody}, "main"
	_, err = redis.Inspect(t.Context(), config)
	if err == nil || !strings.Contains(err.Error(), "main of Sentinels "+nobody) || strings.Contains(err.Error(), "FailoverClient") {
		t.Errorf("Inspect = %v, want it to name main and its Sentinels", err)
	}
}
