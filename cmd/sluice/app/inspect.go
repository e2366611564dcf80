package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sluice/store/redis"
	"sluice/store/registry"
	"sluice/tap"
)

// Finding is what one look at the parts of an installation found.
type Finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Text  string `json:"text"`
	Do    string `json:"do"` // what to do; empty if it is well
}

// inspectTime bounds the look at one part.
const inspectTime = 10 * time.Second

// Inspect looks at what a configuration names, from this machine: the disk of the data
// folder, and the servers that are not embedded. Nothing is changed.
func Inspect(ctx context.Context, cfg Config) []Finding {
	var all []Finding
	if _, err := os.Stat(cfg.Data); err == nil {
		all = append(all, inspectDisk(cfg.Data))
	}
	if len(cfg.Kafka.Brokers) > 0 {
		all = append(all, inspectLog(ctx, cfg)...)
	}
	if len(cfg.Redis.Addrs) > 0 {
		all = append(all, inspectRows(ctx, "redis", "redis", cfg.Redis)...)
	}
	for _, name := range cfg.OnlineStores.names() {
		if store := cfg.online(name); len(store.Addrs) > 0 {
			all = append(all, inspectRows(ctx, "redis of "+name, "online_stores."+name, store)...)
		}
	}
	if cfg.Registry.Postgres != "" {
		all = append(all, inspectRegistry(ctx, cfg)...)
	}
	return all
}

// The room that the disk of the data folder should have: the embedded parts need some
// to compact what they hold.
const (
	minFree      = 1 << 30 // bytes
	minFreeShare = 0.05
)

func inspectDisk(dir string) Finding {
	free, total, err := diskFree(dir)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return Finding{"disk", true, "free space is not known on this system", ""}
	case err != nil:
		return Finding{"disk", false, err.Error(), "see whether the file system of " + dir + " is mounted and readable"}
	}
	text := fmt.Sprintf("%s: %.1f of %.1f GiB free", dir, float64(free)/(1<<30), float64(total)/(1<<30))
	if free < minFree || float64(free) < minFreeShare*float64(total) {
		return Finding{"disk", false, text, fmt.Sprintf("make room: at least %d GiB and %.0f %% should be free, or writes stop", minFree>>30, 100*minFreeShare)}
	}
	return Finding{"disk", true, text, ""}
}

// oldestKafka is the oldest release that is tested with.
const oldestKafka = 4

var kafkaMajor = regexp.MustCompile(`^v(\d+)\.`)

func inspectLog(ctx context.Context, cfg Config) []Finding {
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	unreachable := func(err error) []Finding {
		return []Finding{{"kafka", false, strings.Join(cfg.Kafka.Brokers, ",") + ": " + err.Error(), doBrokers}}
	}
	names := tap.Topics{Writes: cfg.Kafka.Writes, Profiles: cfg.Kafka.Profiles, DeadLetters: cfg.Kafka.DeadLetters, Partitions: int32(cfg.Kafka.Partitions)}
	log, err := tap.NewLog(tap.LogConfig{Brokers: cfg.Kafka.Brokers, Topics: names})
	if err != nil {
		return unreachable(err)
	}
	var found tap.BrokerInspection
	if err = log.Reach(ctx); err == nil {
		found, err = log.Inspect(ctx)
	}
	if err := errors.Join(err, log.Close()); err != nil {
		return unreachable(err)
	}
	return append([]Finding{kafkaFinding(found)}, topicFindings(found)...)
}

func kafkaFinding(found tap.BrokerInspection) Finding {
	text := fmt.Sprintf("%d brokers, Kafka %s", found.Brokers, found.Version)
	if m := kafkaMajor.FindStringSubmatch(found.Version); m != nil {
		if major, err := strconv.Atoi(m[1]); err == nil && major < oldestKafka {
			return Finding{"kafka", false, text, fmt.Sprintf("upgrade the brokers to %d.0 or newer: older ones are not tested with", oldestKafka)}
		}
	}
	return Finding{"kafka", true, text, ""}
}

func topicFindings(found tap.BrokerInspection) (all []Finding) {
	for _, t := range found.Topics {
		f := Finding{"topic " + t.Name, true, fmt.Sprintf("%d partitions, %d replicas", t.Partitions, t.Replicas), ""}
		switch {
		case t.Missing:
			f.Text = "is made at the first run"
		case len(t.Leaderless) > 0:
			f.OK, f.Text, f.Do = false, fmt.Sprintf("partitions %v have no leader", t.Leaderless), "start the brokers that hold them"
		case t.Policy != "" && t.Policy != tap.Compacted:
			f.OK, f.Text, f.Do = false, "cleanup.policy is "+t.Policy, "set its cleanup.policy to "+tap.Compacted+" alone: how far the writes were read is deleted otherwise"
		case found.Brokers >= 3 && t.Replicas < 3:
			f.OK, f.Do = false, "give it three replicas: one broker less would stop the topic or lose acknowledged records"
		}
		all = append(all, f)
	}
	return all
}

// inspectRows looks at the servers of the online store that key describes.
func inspectRows(ctx context.Context, check, key string, cfg RedisConfig) []Finding {
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	found, err := redis.Inspect(ctx, cfg.store())
	if err != nil {
		return append(redisFindings(check, found.Findings), Finding{check, false, strings.Join(cfg.Addrs, ",") + ": " + err.Error(),
			doServers(key)})
	}
	text := fmt.Sprintf("%d primaries, Redis %s", found.Primaries, found.Version)
	if found.Primaries == 1 {
		text = "Redis " + found.Version
	}
	return append([]Finding{{check, true, text, ""}}, redisFindings(check, found.Findings)...)
}

// redisFindings says of every setting that does not suit what to set and why.
func redisFindings(check string, findings []redis.Finding) (all []Finding) {
	for _, f := range findings {
		out := Finding{Check: check + " " + f.Setting, Text: f.Server + ": " + f.Value, Do: f.ToDo() + ": " + f.Why}
		if f.Unknown {
			out.Text, out.Do = f.Server+": cannot be read: "+f.Value, "make sure that it is "+f.Want+": "+f.Why
		}
		if f.Setting == "version" {
			out.Do = "upgrade it to " + f.Want + ": " + f.Why
		}
		if f.Setting == redis.MemorySetting {
			out.Do = f.Want + ": " + f.Why
		}
		if f.Refused {
			out.Do += "; the platform does not start before"
		}
		all = append(all, out)
	}
	return all
}

// The oldest PostgreSQL that is tested with, the clock difference that matters to its
// leases, and the connections that each process takes.
const (
	oldestPostgres = 15
	maxPostgreSkew = time.Second
	processConns   = 9
)

func inspectRegistry(ctx context.Context, cfg Config) []Finding {
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	found, err := registry.InspectPostgres(ctx, cfg.Registry.Postgres)
	if err != nil {
		return []Finding{{"postgres", false, err.Error(), doPostgres}}
	}
	schema := "the registry is made at the first run"
	if found.Schema {
		schema = "the registry is there"
	}
	all := []Finding{{"postgres", true, "PostgreSQL " + found.Version + ", " + schema, ""}}
	if found.Major < oldestPostgres {
		all[0].OK, all[0].Do = false, fmt.Sprintf("upgrade it to %d or newer: older ones are not tested with", oldestPostgres)
	}
	if !found.Fsync {
		all = append(all, Finding{"postgres fsync", false, "off", "set it to on: a loss of power would lose decisions or damage the registry"})
	}
	if found.Free < processConns {
		all = append(all, Finding{"postgres connections", false, fmt.Sprintf("%d are free", found.Free), fmt.Sprintf("raise max_connections: each process takes up to %d", processConns)})
	}
	return append(all, skewFinding(found.Skew))
}

func skewFinding(skew time.Duration) Finding {
	if skew.Abs() > maxPostgreSkew {
		return Finding{"postgres clock", false, fmt.Sprintf("%s from this machine's", skew.Round(time.Millisecond)), "set both machines' time: ages and audit rows would be wrong"}
	}
	return Finding{"postgres clock", true, "within " + maxPostgreSkew.String() + " of this machine's", ""}
}
