package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	goredis "github.com/redis/go-redis/v9"
)

// Inspection is what a look at the servers of a store found.
type Inspection struct {
	Primaries int
	Version   string // of the first primary
	Findings  []Finding
}

// Inspect asks the primaries that config names, and their replicas, for what CheckServer
// looks at. Nothing is changed. The error is that a primary does not answer; the rest is
// what the others said.
func Inspect(ctx context.Context, config Config) (found Inspection, err error) {
	if err := config.Validate(); err != nil {
		return found, fmt.Errorf("inspect row store: %w", err)
	}
	places := connect(config, slog.New(slog.DiscardHandler), nil)
	defer func() { err = errors.Join(err, places.close()) }()
	shards, err := places.all(ctx)
	if err != nil {
		return found, fmt.Errorf("inspect row store: %w", err)
	}
	var errs []error
	for _, at := range shards {
		findings, err := checkServer(ctx, at.String(), at.slow, places.copies())
		if err == nil && config.Cluster && config.ClusterFailover == FailoverAsk {
			findings = append(findings, checkFailover(ctx, at.slow)...)
		}
		if err == nil {
			findings = append(findings, checkKind(ctx, at.slow, config)...)
			findings = append(findings, checkMemory(ctx, at, config.OfflineLimit)...)
		}
		errs = append(errs, err)
		found.Findings = append(found.Findings, findings...)
		if found.Primaries++; found.Version == "" && err == nil {
			found.Version = versionOf(ctx, at.slow)
		}
	}
	found.Findings = append(found.Findings, checkReplicas(ctx, places, shards)...)
	if err := errors.Join(errs...); err != nil {
		return found, fmt.Errorf("inspect row store: %w", err)
	}
	return found, nil
}

// MemorySetting is the setting of a finding that a primary is nearly full; Want is what to
// do then.
const MemorySetting = "offline_limit"

// checkMemory finds a primary that uses more of its maxmemory than limit; 0 is no limit.
func checkMemory(ctx context.Context, at *shard, limit float64) []Finding {
	info, err := at.slow.Info(ctx, "memory").Result()
	share := memoryShare(info)
	if err != nil || limit == 0 || share <= limit {
		return nil
	}
	return []Finding{{Server: at.String(), Setting: MemorySetting, Value: fmt.Sprintf("uses %.0f %% of its maxmemory, more than offline_limit of %.0f %%", 100*share, 100*limit),
		Want: "raise maxmemory, add shards, or give views whose entities go out of use a ttl", Why: fmt.Sprintf("rows of the stream stay in the log, and windows that pass are published once it uses less than %.0f %%", 100*againOnline*limit)}}
}

// versionOf returns a server's version; empty if it does not say.
func versionOf(ctx context.Context, c *goredis.Client) string {
	info, err := c.Info(ctx, "server").Result()
	if err != nil {
		return ""
	}
	return infoField(info, "redis_version")
}
