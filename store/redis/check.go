package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// What the store needs of a server.
const (
	minMajor = 7 // Functions
	// minListpackValue is the longest record, 18 bytes with its row, that should be
	// kept in the compact form of a hash.
	minListpackValue = 512
	// minListpackEntries is more records than the chains of a view may have, or of a
	// group: feature.MaxGroup views of feature.LongestChain each.
	minListpackEntries = 128
)

// Finding is a setting of a server that does not suit, or that could not be read.
type Finding struct {
	Server  string // host:port
	Setting string
	Value   string
	Want    string
	Do      string // in place of setting it to what is wanted; empty: that
	Why     string
	Unknown bool // it could not be read: Value says why
	Refused bool // the store does not open: rows would be lost, or nothing would work
}

func (f Finding) String() string {
	if f.Unknown {
		return fmt.Sprintf("%s: %s cannot be read (%s): make sure that it is %s: %s", f.Server, f.Setting, f.Value, f.Want, f.Why)
	}
	return fmt.Sprintf("%s: %s is %s: %s: %s", f.Server, f.Setting, f.Value, f.ToDo(), f.Why)
}

// ToDo says what to do about a setting that does not suit.
func (f Finding) ToDo() string {
	if f.Do != "" {
		return f.Do
	}
	return "set it to " + f.Want
}

// setting is something that a server is asked for.
type setting struct {
	name, want, why string
	cluster         bool // only in a Cluster
	copies          bool // only where there are replicas
	must            bool // else the store works without, at a price
	fits            func(value string) bool
}

func atLeast(n int) func(string) bool {
	return func(value string) bool {
		got, err := strconv.Atoi(value)
		return err == nil && got >= n
	}
}

func is(want string) func(string) bool { return func(value string) bool { return value == want } }

var settings = []setting{
	{name: "hash-max-listpack-value", want: strconv.Itoa(minListpackValue), fits: atLeast(minListpackValue),
		why: "a hash with one longer record takes twice the memory"},
	{name: "hash-max-listpack-entries", want: strconv.Itoa(minListpackEntries), fits: atLeast(minListpackEntries),
		why: "a hash with more records takes twice the memory"},
	{name: "maxmemory-policy", want: "noeviction", fits: is("noeviction"), must: true,
		why: "eviction deletes features without anybody being told"},
	{name: "cluster-require-full-coverage", want: "no", fits: is("no"), cluster: true,
		why: "otherwise every shard refuses while one of them fails over"},
	{name: staleSetting, want: "yes", fits: is("yes"), copies: true,
		why: "otherwise a replica whose primary is lost answers no reads, and cannot stand in for it"},
}

const (
	staleSetting  = "replica-serve-stale-data"
	memorySetting = "maxmemory"
)

// CheckServer asks a server for the settings that the store needs, and returns those
// that do not suit or could not be read. The error is that the server does not
// answer.
func CheckServer(ctx context.Context, c *goredis.Client) ([]Finding, error) {
	return checkServer(ctx, c.Options().Addr, c, false)
}

// checkServer is CheckServer for one that is called server, and has replicas, or may be one.
func checkServer(ctx context.Context, server string, c *goredis.Client, copies bool) ([]Finding, error) {
	info, err := c.Info(ctx, "server").Result()
	if err != nil {
		return nil, fmt.Errorf("check server %s: %w", server, err)
	}
	var findings []Finding
	version := infoField(info, "redis_version")
	major, _, _ := strings.Cut(version, ".")
	if !atLeast(minMajor)(major) {
		findings = append(findings, Finding{Server: server, Setting: "version", Value: version, Want: fmt.Sprintf("%d or newer", minMajor), Why: "older servers have no Functions", Refused: true})
	}
	for _, want := range settings {
		if want.cluster && infoField(info, "redis_mode") != "cluster" || want.copies && !copies {
			continue
		}
		if f, ok := want.check(ctx, c, server); !ok {
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// checkReplica is CheckServer for a replica: what does not suit matters once it answers
// reads, or takes over. limits are the maxmemory of primaries, by host:port, 0 for none.
func checkReplica(ctx context.Context, c *goredis.Client, limits map[string]uint64) ([]Finding, error) {
	findings, err := checkServer(ctx, c.Options().Addr, c, true)
	if err != nil {
		return nil, err
	}
	info, err := c.Info(ctx, "replication", "memory").Result()
	if err != nil {
		return nil, fmt.Errorf("check server %s: %w", c.Options().Addr, err)
	}
	of := net.JoinHostPort(infoField(info, "master_host"), infoField(info, "master_port"))
	own, err := strconv.ParseUint(infoField(info, "maxmemory"), 10, 64)
	limit, known := limits[of]
	if len(limits) == 1 { // one that Sentinel names is not known by its address
		limit, known = slices.Collect(maps.Values(limits))[0], true
	}
	if known && err == nil && own > 0 && (limit == 0 || limit > own) {
		f := Finding{Server: c.Options().Addr, Setting: memorySetting, Value: strconv.FormatUint(own, 10), Want: fmt.Sprintf("%d, as at its primary %s", limit, of),
			Why: "once it takes over it would refuse rows that the primary took"}
		if limit == 0 {
			f.Want = "0, no limit, as at its primary " + of
		}
		findings = append(findings, f)
	}
	for i := range findings {
		findings[i].Server += " (a replica)"
		findings[i].Refused = false // nothing is lost yet, and the others need not be kept from starting
	}
	return findings, nil
}

// limitsOf asks primaries for their maxmemory; one that does not answer is left out.
func limitsOf(ctx context.Context, shards []*shard) map[string]uint64 {
	limits := map[string]uint64{}
	for _, at := range shards {
		info, err := at.slow.Info(ctx, "memory").Result()
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseUint(infoField(info, "maxmemory"), 10, 64); err == nil {
			limits[at.String()] = limit
		}
	}
	return limits
}

// silentFinding says that a replica cannot be asked.
func silentFinding(c *goredis.Client, err error) Finding {
	return Finding{Server: c.Options().Addr + " (a replica)", Setting: "settings", Value: err.Error(), Unknown: true,
		Want: "up, with those of its primary", Why: "it is to answer reads and to take over when the primary is lost"}
}

// checkReplicas checks the replicas of a store.
func checkReplicas(ctx context.Context, places topology, shards []*shard) (findings []Finding) {
	replicas, done := places.replicaNodes(ctx)
	defer done()
	if len(replicas) == 0 {
		return nil
	}
	limits := limitsOf(ctx, shards)
	for _, c := range replicas {
		found, err := checkReplica(ctx, c, limits)
		if err != nil {
			found = []Finding{silentFinding(c, err)}
		}
		findings = append(findings, found...)
	}
	return findings
}

func (want setting) check(ctx context.Context, c *goredis.Client, server string) (f Finding, ok bool) {
	f = Finding{Server: server, Setting: want.name, Want: want.want, Why: want.why}
	values, err := c.ConfigGet(ctx, want.name).Result()
	switch value, found := values[want.name]; {
	case err != nil:
		f.Value, f.Unknown = err.Error(), true
	case !found:
		f.Value, f.Unknown = "the server does not have it", true
	default:
		f.Value, f.Refused = value, want.must
		return f, want.fits(value)
	}
	return f, false
}

const failoverSetting = "cluster_failover"

// checkFailover finds out whether the user may ask a server's replicas for an election,
// without doing so: the same rights are taken to hold there.
func checkFailover(ctx context.Context, c *goredis.Client) []Finding {
	f := Finding{Server: c.Options().Addr, Setting: failoverSetting, Want: FailoverWait + ", or let the user run CLUSTER FAILOVER, CLUSTER NODES and CONFIG GET on every node",
		Why: "without these a primary that is lost is replaced as soon as the Cluster does so by itself, a second or two later"}
	who, err := c.ACLWhoAmI(ctx).Result()
	for _, command := range [][]any{{"cluster", "failover", "force"}, {"cluster", "nodes"}, {"config", "get", "cluster-node-timeout"}} {
		if err != nil {
			break
		}
		var answer string
		if answer, err = c.Do(ctx, append([]any{"acl", "dryrun", who}, command...)...).Text(); err == nil && answer != "OK" {
			f.Value = answer
			return []Finding{f}
		}
	}
	if err != nil {
		f.Value, f.Unknown = err.Error(), true
		return []Finding{f}
	}
	return nil
}

// checkAll checks shards: the error is ErrServer and says what to set. What costs
// memory or availability, or could not be read, is logged, and so is what is wrong with
// replicas.
func checkAll(ctx context.Context, log *slog.Logger, config Config, places topology, shards []*shard) error {
	errs := make([]error, len(shards))
	for i, at := range shards {
		findings, err := checkServer(ctx, at.String(), at.slow, places.copies())
		if err == nil {
			findings = append(findings, checkKind(ctx, at.slow, config)...)
		}
		for _, f := range findings {
			if f.Refused {
				err = errors.Join(err, fmt.Errorf("%w: %s", ErrServer, f))
			} else {
				log.Warn("row store: " + f.String())
			}
		}
		errs[i] = err
	}
	for _, f := range checkReplicas(ctx, places, shards) {
		log.Warn("row store: " + f.String())
	}
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool { return err == nil })...)
}
