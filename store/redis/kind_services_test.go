//go:build services

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/store/redis"
	"sluice/test/services"
)

// A server of another kind than it is configured as is refused before a row is lost in it,
// with what to configure, and doctor finds it.
func TestServerOfAnotherKind(t *testing.T) {
	refused := func(t *testing.T, config redis.Config, parts ...string) {
		t.Helper()
		s, err := redis.Open(t.Context(), redis.Options{Config: config})
		if err == nil {
			_ = s.Close()
		}
		found, inspected := redis.Inspect(t.Context(), config)
		if !errors.Is(err, redis.ErrServer) || inspected != nil {
			t.Fatalf("Open = %v, Inspect = %v, want %v and what does not suit", err, inspected, redis.ErrServer)
		}
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) || !strings.Contains(fmt.Sprint(found.Findings), part) {
				t.Errorf("Open said %q, Inspect %v, want %q", err, found.Findings, part)
			}
		}
	}
	t.Run("a node of a Cluster as a server", func(t *testing.T) {
		config := aCluster(t).prefix(t)
		config.Cluster, config.Addrs = false, config.Addrs[:1]
		refused(t, config, "redis_mode is cluster", "set cluster to true")
	})
	t.Run("a replica as a server", func(t *testing.T) {
		own := services.Own(t, "redis-sentinel")
		master, sentinels := own.RedisSentinel()
		replica, primary := watchedReplica(t, sentinels[0], master)
		config := oneServer(t).config
		config.Addrs = []string{replica}
		refused(t, config, "role is replica", primary)
	})
}

// watchedReplica returns the addresses of a replica and its primary, once Sentinel knows them.
func watchedReplica(t *testing.T, sentinel, master string) (replica, primary string) {
	t.Helper()
	c := goredis.NewSentinelClient(&goredis.Options{Addr: sentinel})
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		at, err := c.GetMasterAddrByName(ctx, master).Result()
		replicas, err2 := c.Replicas(ctx, master).Result()
		if err == nil && err2 == nil && len(replicas) > 0 {
			return net.JoinHostPort(replicas[0]["ip"], replicas[0]["port"]), net.JoinHostPort(at[0], at[1])
		}
		if ctx.Err() != nil {
			t.Fatalf("sentinel %s knows no replica of %s: %v, %v", sentinel, master, err, err2)
		}
	}
}
