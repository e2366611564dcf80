//go:build services

package services_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/test/services"
)

// talks holds, by service, a conversation that a healthy service answers.
var talks = map[string]func(context.Context, *services.Set) error{
	"redis": func(ctx context.Context, set *services.Set) error {
		client := redis.NewClient(&redis.Options{Addr: set.Redis()[0]})
		defer client.Close()
		return writeAndRead(ctx, client)
	},
	"redis-cluster": func(ctx context.Context, set *services.Set) error {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: set.RedisCluster()})
		defer client.Close()
		return writeAndRead(ctx, client)
	},
	"redis-sentinel": func(ctx context.Context, set *services.Set) error {
		master, sentinels := set.RedisSentinel()
		client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: master, SentinelAddrs: sentinels})
		defer client.Close()
		return writeAndRead(ctx, client)
	},
	"postgres": func(ctx context.Context, set *services.Set) error {
		conn, err := pgx.Connect(ctx, set.Postgres())
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		return conn.QueryRow(ctx, "SELECT 1").Scan(new(int))
	},
	"kafka": func(ctx context.Context, set *services.Set) error {
		client, err := kgo.NewClient(kgo.SeedBrokers(set.Brokers()...))
		if err != nil {
			return err
		}
		defer client.Close()
		found, err := kadm.NewClient(client).BrokerMetadata(ctx)
		if err == nil && len(found.Brokers) != len(set.Brokers()) {
			return errors.New("metadata lists " + strconv.Itoa(len(found.Brokers)) + " brokers")
		}
		return err
	},
}

func writeAndRead(ctx context.Context, client redis.Cmdable) error {
	for i := range 32 { // keys of all masters
		key := "key" + strconv.Itoa(i)
		if err := client.Set(ctx, key, i, 0).Err(); err != nil {
			return err
		}
		if err := client.Get(ctx, key).Err(); err != nil {
			return err
		}
	}
	return nil
}

// victims holds, by service, the node that is killed.
var victims = map[string]string{"redis": "", "redis-cluster": "n4", "redis-sentinel": "replica", "postgres": "", "kafka": "broker0"}

// TestSet brings real services up, loses a node of each, and closes.
func TestSet(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()+"/state"
	var names []string
	for name := range talks {
		names = append(names, name)
	}
	set, err := services.Up(ctx, dir, names...)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	allTalk(t, set, names)

	for service, node := range victims {
		if err := set.Kill(ctx, service, node); err != nil {
			t.Error(err)
		}
		if dead := deadNodes(t, set, service); len(dead) != 1 || node != "" && dead[0] != node {
			t.Errorf("after Kill(%s, %q) the dead are %q", service, node, dead)
		}
	}
	if err := set.Up(ctx, names...); err != nil {
		t.Fatal(err)
	}
	allTalk(t, set, names)

	nodes, err := set.Nodes(ctx)
	if err != nil || len(nodes) != 1+6+5+1+1 {
		t.Fatalf("Nodes gave %v, %v, want 14 nodes", nodes, err)
	}
	if err := set.Close(); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if running(n.PID) {
			t.Errorf("pid %d of %s %s runs after Close", n.PID, n.Service, n.Name)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("state folder after Close: %v, want none", err)
	}
}

func allTalk(t *testing.T, set *services.Set, names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, name := range names {
		if err := talks[name](ctx, set); err != nil {
			t.Errorf("%s does not answer: %v", name, err)
		}
	}
}

func deadNodes(t *testing.T, set *services.Set, service string) (dead []string) {
	t.Helper()
	nodes, err := set.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Service == service && !n.Up {
			dead = append(dead, n.Name)
		}
	}
	return dead
}

// running reports whether pid is a process, and no zombie.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestPause(t *testing.T) {
	set := services.Own(t, "redis")
	client := redis.NewClient(&redis.Options{Addr: set.Redis()[0], ReadTimeout: 100 * time.Millisecond, MaxRetries: -1})
	defer client.Close()
	if err := set.Pause(t.Context(), "redis", ""); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a paused node answers")
	}
	if err := set.Resume(t.Context(), "redis", ""); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("a resumed node does not answer: %v", err)
	}
}

func TestStartIsShared(t *testing.T) {
	first, second := services.Start(t, "redis"), services.Start(t, "redis", "postgres")
	if !slices.Equal(first.Redis(), second.Redis()) {
		t.Errorf("two tests have redis at %q and %q, want one", first.Redis(), second.Redis())
	}
	if err := second.Kill(t.Context(), "redis", ""); !errors.Is(err, services.ErrShared) {
		t.Errorf("Kill of what is shared gave %v, want ErrShared", err)
	}
}

func TestDatabase(t *testing.T) {
	set := services.Start(t, "postgres")
	var dsn string
	t.Run("while the test runs", func(t *testing.T) {
		dsn = set.Database(t)
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
		if _, err := conn.Exec(t.Context(), "CREATE TABLE a (b int)"); err != nil {
			t.Error(err)
		}
	})
	if _, err := pgx.Connect(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("connecting to the dropped database gave %v", err)
	}
}

func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(context.Context) error
		want string
	}{
		"unknown service": {func(ctx context.Context) error {
			_, err := services.Up(ctx, "", "oracle")
			return err
		}, "no such service: oracle"},
		"not among the shared": {func(ctx context.Context) error {
			_, err := services.Attach(ctx, t.TempDir(), "redis")
			return err
		}, "services up redis"},
		"relative folder": {func(ctx context.Context) error {
			_, err := services.Attach(ctx, ".services", "redis")
			return err
		}, "no absolute path"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.do(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("gave %v, want %q in it", err, tc.want)
			}
		})
	}
}
