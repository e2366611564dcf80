//go:build services

package app

import (
	"slices"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
	"sluice/internal/reconciliation"
	"sluice/test/services"
)

// TestReconcileServices is TestReconcile on a real Redis, into which the test writes past
// Sluice.
func TestReconcileServices(t *testing.T) {
	addrs, name := services.Start(t, "redis").Redis(), services.Name(t)
	cfg := DefaultConfig()
	cfg.Redis.Addrs, cfg.Redis.Prefix = addrs[:1], name[len(name)-8:]+":"
	admin := goredis.NewClient(&goredis.Options{Addr: addrs[0]})
	t.Cleanup(func() { plantedBy(t, admin.Close()) })
	if err := admin.ConfigSet(t.Context(), "hash-max-listpack-value", "512").Err(); err != nil { // as the store asks for
		t.Fatal(err)
	}
	hash := func(t *testing.T, key feature.Key) (name, field, value string) {
		t.Helper()
		keys, err := admin.Keys(t.Context(), cfg.Redis.Prefix+"*"+escaped(string(key))).Result()
		if keys = slices.DeleteFunc(keys, func(k string) bool { return !strings.HasSuffix(k, string(key)) }); err != nil || len(keys) != 1 {
			t.Fatalf("keys %q, %v, want the entity's", keys, err)
		}
		all, err := admin.HGetAll(t.Context(), keys[0]).Result()
		if err != nil || len(all) != 1 {
			t.Fatalf("fields %q, %v, want one", all, err)
		}
		for field, value := range all {
			return keys[0], field, value
		}
		return "", "", ""
	}
	reconcile(t, cfg, map[reconciliation.Kind]planted{
		reconciliation.Other: func(t *testing.T, _ *drill, key feature.Key, _ feature.Record) {
			name, field, value := hash(t, key)
			plantedBy(t, admin.HSet(t.Context(), name, field, value[:len(value)-1]+string(value[len(value)-1]^1)).Err())
		},
		reconciliation.Missing: func(t *testing.T, _ *drill, key feature.Key, _ feature.Record) {
			name, _, _ := hash(t, key)
			plantedBy(t, admin.Del(t.Context(), name).Err())
		},
		reconciliation.Damaged: func(t *testing.T, _ *drill, key feature.Key, _ feature.Record) {
			name, field, value := hash(t, key)
			plantedBy(t, admin.HSet(t.Context(), name, field, value[:7], "no version at all", value).Err())
		},
		reconciliation.Extra: rowExtra,
	})
}

// escaped is a text without what a pattern of Redis takes for more than itself.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(text)
}
