//go:build services

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"sluice/cmd/sluice/app"
	"sluice/test/services"
)

// TestBackupAndRestoreOfServers is TestBackupAndRestore on Kafka, Redis and PostgreSQL,
// on names of its own. What is lost is another database and another prefix.
func TestBackupAndRestoreOfServers(t *testing.T) { restoreServers(t, "") }

// TestBackupAndRestoreOfGroup is it with the view in a group: the restore finds out where
// its rows lie before it has definitions.
func TestBackupAndRestoreOfGroup(t *testing.T) { restoreServers(t, "users") }

func restoreServers(t *testing.T, group string) {
	set := services.Start(t, "kafka", "redis", "postgres")
	name := services.Name(t)
	i := install(t, func(cfg *app.Config) {
		cfg.Kafka.Brokers = set.Brokers()[:1]
		cfg.Kafka.Writes, cfg.Kafka.Profiles, cfg.Kafka.DeadLetters, cfg.Kafka.Group = name+"_w", name+"_p", name+"_d", name
		cfg.Redis.Addrs, cfg.Redis.Prefix = set.Redis()[:1], name[len(name)-8:]+":"
		cfg.Registry.Postgres = set.Database(t)
	})
	i.group = group
	i.held = "the registry is not empty" // nothing of it is on this machine's disk
	i.lose = func() {
		i.cfg.Registry.Postgres, i.cfg.Redis.Prefix = set.Database(t), name[len(name)-8:]+"_2:"
	}
	backupAndRestore(t, i)
}

// Doctor says of real servers what they are, and what to set.
func TestDoctorOfRealServers(t *testing.T) {
	set := services.Start(t, "kafka", "redis", "postgres")
	setting(t, set.Redis()[0], "hash-max-listpack-value", "64")
	code, out, _ := command(t, "doctor", "--server", "http://127.0.0.1:1", "--format", "json", "-config.file="+configOf(t, set))
	if code != 1 {
		t.Errorf("doctor: code %d, want 1: no server answers", code)
	}
	checkFindings(t, out, map[string]bool{"configuration": true, "kafka": true, "redis": true, "redis hash-max-listpack-value": false, "postgres": true, "postgres clock": true, "server": false})
}

// setting changes a setting of a Redis server, which other tests share, for as long as
// the test runs.
func setting(t *testing.T, addr, name, value string) {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	former, err := client.ConfigGet(t.Context(), name).Result()
	if err == nil {
		err = client.ConfigSet(t.Context(), name, value).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.ConfigSet(context.WithoutCancel(t.Context()), name, former[name]).Err(); err != nil {
			t.Error(err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
}

// configOf writes a configuration that names real servers.
func configOf(t *testing.T, set *services.Set) string {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("data: %s\nkafka: {brokers: [%q]}\nredis: {addrs: [%q]}\nregistry: {postgres: %q}\n", dir, set.Brokers()[0], set.Redis()[0], set.Database(t))
	path := filepath.Join(dir, "sluice.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
