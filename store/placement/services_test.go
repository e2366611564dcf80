//go:build services

package placement_test

import (
	"context"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/store/placement"
	"sluice/store/redis"
	"sluice/store/storetest"
	"sluice/test/services"
)

// TestRowsServers runs the suite over two Redis servers.
func TestRowsServers(t *testing.T) {
	first, second := services.Start(t, "redis").Redis()[0], services.Own(t, "redis").Redis()[0]
	name := services.Name(t)
	prefixes := map[string]string{}
	storetest.Rows(t, func(t testing.TB, dir string) storetest.RowStore {
		if prefixes[dir] == "" {
			prefixes[dir] = name[len(name)-8:] + string(rune('a'+len(prefixes))) + ":"
			t.Cleanup(func() { clearKeys(t, first, prefixes[dir]) }) // the other server is gone with the test
		}
		return alternating(t, server(first, prefixes[dir]), server(second, prefixes[dir]))
	})
}

func server(addr, prefix string) placement.OpenFunc {
	c := redis.DefaultConfig()
	c.Addrs, c.Prefix = []string{addr}, prefix
	c.DialTimeout, c.ReadTimeout, c.WriteTimeout, c.PoolTimeout = 2*time.Second, 5*time.Second, 5*time.Second, 2*time.Second
	c.ReadDeadline, c.WriteDeadline = 10*time.Second, 20*time.Second
	return func(ctx context.Context) (placement.Store, error) {
		s, err := redis.Open(ctx, redis.Options{Config: c})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

func clearKeys(t testing.TB, addr, prefix string) {
	t.Helper()
	ctx := context.Background()
	c := goredis.NewClient(&goredis.Options{Addr: addr, Protocol: 2})
	defer c.Close()
	for iter := c.Scan(ctx, 0, prefix+"*", 1000).Iterator(); iter.Next(ctx); {
		if err := c.Unlink(ctx, iter.Val()).Err(); err != nil {
			t.Errorf("remove keys: %v", err)
		}
	}
}
