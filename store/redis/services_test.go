//go:build services

package redis_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/store/redis"
	"sluice/store/storetest"
)

// server is a Redis that tests run on, single or a Cluster.
type server struct {
	config redis.Config
	admin  goredis.UniversalClient
}

// variable reads an environment variable that says where a service is.
func variable(t testing.TB, name, service string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: start the service with `services up %s`, and run the tests under `eval \"$(services env)\"`", name, service)
	}
	return value
}

// oneServer is REDIS_ADDR; aCluster is REDIS_CLUSTER_ADDRS. Tests are slow machines'
// too, so their deadlines are long.
func oneServer(t testing.TB) *server {
	c := patient()
	c.Addrs = []string{variable(t, "REDIS_ADDR", "redis")}
	admin := goredis.NewClient(&goredis.Options{Addr: c.Addrs[0], Protocol: 2, ReadTimeout: time.Minute})
	return prepared(t, c, admin, func(ctx context.Context, fn func(context.Context, *goredis.Client) error) error {
		return fn(ctx, admin)
	})
}

func aCluster(t testing.TB) *server {
	c := patient()
	c.Cluster, c.Addrs = true, strings.Split(variable(t, "REDIS_CLUSTER_ADDRS", "redis-cluster"), ",")
	admin := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: c.Addrs, Protocol: 2, ReadTimeout: time.Minute})
	return prepared(t, c, admin, admin.ForEachShard)
}

func patient() redis.Config {
	c := redis.DefaultConfig()
	c.DialTimeout, c.ReadTimeout, c.WriteTimeout, c.PoolTimeout = 2*time.Second, 5*time.Second, 5*time.Second, 2*time.Second
	c.ReadDeadline, c.WriteDeadline = 10*time.Second, 20*time.Second
	return c
}

func prepared(t testing.TB, c redis.Config, admin goredis.UniversalClient, each func(context.Context, func(context.Context, *goredis.Client) error) error) *server {
	t.Helper()
	err := each(t.Context(), func(ctx context.Context, node *goredis.Client) error {
		if err := node.ConfigSet(ctx, "hash-max-listpack-value", "512").Err(); err != nil {
			return err
		}
		_ = node.ConfigSet(ctx, "cluster-require-full-coverage", "no").Err() // only nodes of a Cluster have it
		return nil
	})
	if err != nil {
		t.Fatalf("prepare %v: %v", c.Addrs, err)
	}
	t.Cleanup(func() { admin.Close() })
	return &server{config: c, admin: admin}
}

// prefix gives a test keys of its own, and removes them when it ends.
func (s *server) prefix(t testing.TB) redis.Config {
	t.Helper()
	c := s.config
	c.Prefix = "t" + rand.Text()[:10] + ":"
	t.Cleanup(func() { s.clear(t, c.Prefix) })
	return c
}

func (s *server) clear(t testing.TB, prefix string) {
	t.Helper()
	ctx := context.Background()
	remove := func(ctx context.Context, node *goredis.Client) error {
		iter := node.Scan(ctx, 0, prefix+"*", 1000).Iterator()
		p := node.Pipeline()
		for iter.Next(ctx) {
			p.Unlink(ctx, iter.Val())
		}
		if p.Len() > 0 {
			if _, err := p.Exec(ctx); err != nil {
				return err
			}
		}
		return iter.Err()
	}
	var err error
	switch c := s.admin.(type) {
	case *goredis.Client:
		err = remove(ctx, c)
	case *goredis.ClusterClient:
		err = c.ForEachMaster(ctx, remove)
	}
	if err != nil {
		t.Errorf("remove keys of %s: %v", prefix, err)
	}
}

func open(t testing.TB, c redis.Config) *redis.Store {
	t.Helper()
	s, err := redis.Open(context.Background(), redis.Options{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func conform(t *testing.T, on *server) {
	configs := map[string]redis.Config{}
	storetest.Rows(t, func(t testing.TB, dir string) storetest.RowStore {
		if _, ok := configs[dir]; !ok {
			configs[dir] = on.prefix(t)
		}
		return open(t, configs[dir])
	})
}

func TestRowsSingle(t *testing.T)  { conform(t, oneServer(t)) }
func TestRowsCluster(t *testing.T) { conform(t, aCluster(t)) }

func key(i int) string { return fmt.Sprintf("\x0a\x12\x08user%06d", i) }
