package app

import (
	"testing"

	"sluice/dashboards"
	"sluice/internal/probe"
	"sluice/store/redis"
)

// TestCatalog holds the metrics that a whole process registers against the catalog
// that dashboards and alerts are checked with.
func TestCatalog(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Data = t.TempDir()
	cfg.OnlineStores = OnlineStores{"critical": {}}
	cfg.Listen.HTTP, cfg.Listen.GRPC, cfg.Listen.Kafka = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	inventory := dashboards.NewInventory()
	a, err := New(t.Context(), cfg, Options{Target: "all", Clock: "wall", NoSync: true, Metrics: inventory})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	probe.NewMetrics(inventory) // of a process of its own
	redis.NewMetrics(inventory) // of one that has a Redis
	newRefillMetrics(inventory) // of one with a gate besides
	gathered, err := inventory.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range dashboards.Check(gathered) {
		t.Error(problem)
	}
}
