package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Config says where Redis is and how the store talks to it. Everything that
// go-redis has a default for is set: those defaults turn one frozen primary of a
// Cluster into an outage of 40 s for all shards.
type Config struct {
	Addrs            []string `yaml:"addrs"`       // host:port; of a Cluster or of Sentinels: some of them
	Cluster          bool     `yaml:"cluster"`     // addrs are nodes of a Cluster
	MasterName       string   `yaml:"master_name"` // addrs are Sentinels, and this is what they watch
	Username         string   `yaml:"username"`
	Password         string   `yaml:"password"`
	SentinelUsername string   `yaml:"sentinel_username"`
	SentinelPassword string   `yaml:"sentinel_password"`
	DB               int      `yaml:"db"`     // 0 in a Cluster
	Prefix           string   `yaml:"prefix"` // of every key; stores with different prefixes share a server

	ReadDeadline  time.Duration `yaml:"read_deadline"`  // of one read on one shard, retries and dialing included
	WriteDeadline time.Duration `yaml:"write_deadline"` // of one batch of up to 1 MiB on one shard, and of each step of a sweep; a quarter of it for a batch on a shard that has been silent
	DialTimeout   time.Duration `yaml:"dial_timeout"`
	ReadTimeout   time.Duration `yaml:"read_timeout"`  // of one answer to a read, and to what the client asks by itself
	WriteTimeout  time.Duration `yaml:"write_timeout"` // of sending a read

	PoolSize    int           `yaml:"pool_size"`    // connections to a node
	SharedConns int           `yaml:"shared_conns"` // connections to a primary over which reads of many callers go together; 0: every read takes one of the pool
	MinIdle     int           `yaml:"min_idle"`     // connections to a node that are kept open
	PoolTimeout time.Duration `yaml:"pool_timeout"` // longest wait for a connection
	IdleTimeout time.Duration `yaml:"idle_timeout"` // after which an unused connection is closed

	MaxRetries      int           `yaml:"max_retries"` // of a call to a node, after errors that a new connection may cure
	MinRetryBackoff time.Duration `yaml:"min_retry_backoff"`
	MaxRetryBackoff time.Duration `yaml:"max_retry_backoff"`
	MaxRedirects    int           `yaml:"max_redirects"` // in a Cluster, of a key that has moved
	StateReload     time.Duration `yaml:"state_reload"`  // age at which a Cluster's map of slots is read again; errors do so at once

	// HedgeBudget is the share of reads of which a replica may be asked as well because
	// the primary's answer is late, that is later than 99 of 100 were; 0: none.
	HedgeBudget float64       `yaml:"hedge_budget"`
	HedgeAfter  time.Duration `yaml:"hedge_after"` // before which no answer is late

	// MemoryLimit is the share of its maxmemory that the fullest primary may use before
	// Crowded says so; 0: it never does.
	MemoryLimit float64 `yaml:"memory_limit"`
	// OfflineLimit is the share beyond which Offline says that rows of the stream are to
	// stay out as well; 0: it never does. It is above MemoryLimit.
	OfflineLimit float64 `yaml:"offline_limit"`

	ClusterFailover string `yaml:"cluster_failover"` // FailoverAsk or FailoverWait: what Guard does

	SyncReplicas int           `yaml:"sync_replicas"` // replicas that must have the rows before Sync returns; 0 does not wait
	SyncTimeout  time.Duration `yaml:"sync_timeout"`  // longest wait for them

	dialed func() // is called of every new connection to a primary, before it is used; nil: nobody is
}

// onConnect calls dialed.
func (c Config) onConnect(context.Context, *goredis.Conn) error {
	if c.dialed != nil {
		c.dialed()
	}
	return nil
}

// DefaultConfig returns the configuration that the reference page documents. Addrs
// has no default.
func DefaultConfig() Config {
	return Config{
		Prefix:       "sl:",
		ReadDeadline: 100 * time.Millisecond, WriteDeadline: 2 * time.Second,
		DialTimeout: 50 * time.Millisecond, ReadTimeout: 50 * time.Millisecond, WriteTimeout: 50 * time.Millisecond,
		PoolSize: 64, SharedConns: 2, MinIdle: 2, PoolTimeout: 30 * time.Millisecond, IdleTimeout: 5 * time.Minute,
		MaxRetries: 1, MinRetryBackoff: 5 * time.Millisecond, MaxRetryBackoff: 20 * time.Millisecond,
		MaxRedirects: 2, StateReload: time.Second,
		MemoryLimit: 0.8, OfflineLimit: 0.9, HedgeBudget: 0.02, HedgeAfter: 3 * time.Millisecond, ClusterFailover: FailoverAsk,
		SyncReplicas: 0, SyncTimeout: time.Second,
	}
}

// mostHedged is the largest budget: beyond it hedges are a load of their own.
const mostHedged = 0.25

// maxPrefix keeps keys short: a byte of it is a byte of every row.
const maxPrefix = 32

// Validate returns every problem of c, joined, each with its key and value.
func (c Config) Validate() error {
	var errs []error
	if len(c.Addrs) == 0 {
		errs = append(errs, errors.New("addrs: empty"))
	}
	for _, addr := range c.Addrs {
		if !strings.Contains(addr, ":") {
			errs = append(errs, fmt.Errorf("addrs: %q is not host:port", addr))
		}
	}
	if c.Cluster && c.MasterName != "" {
		errs = append(errs, fmt.Errorf("master_name: %q, but cluster is set", c.MasterName))
	}
	if !c.Cluster && c.MasterName == "" && len(c.Addrs) > 1 {
		errs = append(errs, fmt.Errorf("addrs: %d for one server: set cluster or master_name", len(c.Addrs)))
	}
	if c.DB < 0 || c.Cluster && c.DB != 0 {
		errs = append(errs, fmt.Errorf("db: %d cannot be chosen", c.DB))
	}
	if c.ClusterFailover != FailoverAsk && c.ClusterFailover != FailoverWait {
		errs = append(errs, fmt.Errorf("cluster_failover: %q is neither %s nor %s", c.ClusterFailover, FailoverAsk, FailoverWait))
	}
	if strings.ContainsAny(c.Prefix, "{}") || len(c.Prefix) > maxPrefix {
		errs = append(errs, fmt.Errorf("prefix: %q has a brace or more than %d bytes", c.Prefix, maxPrefix))
	}
	return errors.Join(append(errs, c.validateTimes(), c.validateCounts())...)
}

func (c Config) validateTimes() error {
	var errs []error
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"read_deadline", c.ReadDeadline}, {"write_deadline", c.WriteDeadline}, {"dial_timeout", c.DialTimeout},
		{"read_timeout", c.ReadTimeout}, {"write_timeout", c.WriteTimeout}, {"pool_timeout", c.PoolTimeout},
		{"idle_timeout", c.IdleTimeout}, {"min_retry_backoff", c.MinRetryBackoff}, {"max_retry_backoff", c.MaxRetryBackoff},
		{"state_reload", c.StateReload}, {"sync_timeout", c.SyncTimeout}, {"hedge_after", c.HedgeAfter},
	} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("%s: %s is not positive", d.key, d.value))
		}
	}
	return errors.Join(errs...)
}

func (c Config) validateCounts() error {
	var errs []error
	if c.PoolSize <= 0 {
		errs = append(errs, fmt.Errorf("pool_size: %d is not positive", c.PoolSize))
	}
	if !(c.HedgeBudget >= 0 && c.HedgeBudget <= mostHedged) {
		errs = append(errs, fmt.Errorf("hedge_budget: %g is not in 0 to %g", c.HedgeBudget, mostHedged))
	}
	if !(c.MemoryLimit >= 0 && c.MemoryLimit <= 1) {
		errs = append(errs, fmt.Errorf("memory_limit: %g is not in 0 to 1", c.MemoryLimit))
	}
	switch {
	case !(c.OfflineLimit >= 0 && c.OfflineLimit <= 1):
		errs = append(errs, fmt.Errorf("offline_limit: %g is not in 0 to 1", c.OfflineLimit))
	case c.OfflineLimit > 0 && c.OfflineLimit <= c.MemoryLimit:
		errs = append(errs, fmt.Errorf("offline_limit: %g is not above memory_limit of %g: windows of the stream are what the room between the two is for; raise it, or set it to 0 so that rows are staged until the server refuses them", c.OfflineLimit, c.MemoryLimit))
	}
	for _, n := range []struct {
		key         string
		value, most int
	}{
		{"shared_conns", c.SharedConns, 16}, {"min_idle", c.MinIdle, c.PoolSize}, {"max_retries", c.MaxRetries, 10},
		{"max_redirects", c.MaxRedirects, 10}, {"sync_replicas", c.SyncReplicas, 10},
	} {
		if n.value < 0 || n.value > n.most {
			errs = append(errs, fmt.Errorf("%s: %d is not in 0 to %d", n.key, n.value, n.most))
		}
	}
	return errors.Join(errs...)
}

// orNone turns a count into the form in which go-redis takes none.
func orNone(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// RESP2 has all that is needed, and no messages that the server sends unasked.
const protocol = 2

const bufferBytes = 32 << 10

func (c Config) simple() *goredis.Options {
	return &goredis.Options{
		Addr: c.Addrs[0], Protocol: protocol, Username: c.Username, Password: c.Password, DB: c.DB,
		MaxRetries: orNone(c.MaxRetries), MinRetryBackoff: c.MinRetryBackoff, MaxRetryBackoff: c.MaxRetryBackoff,
		DialTimeout: c.DialTimeout, DialerRetries: 1, DialerRetryTimeout: c.MinRetryBackoff,
		ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, ContextTimeoutEnabled: true,
		ReadBufferSize: bufferBytes, WriteBufferSize: bufferBytes, PipelinePoolSize: -1,
		PoolSize: c.PoolSize, MaxConcurrentDials: c.PoolSize, PoolTimeout: c.PoolTimeout, MinIdleConns: c.MinIdle, MaxIdleConns: c.PoolSize,
		ConnMaxIdleTime: c.IdleTimeout, DisableIdentity: true, OnConnect: c.onConnect,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

func (c Config) failover() *goredis.FailoverOptions {
	return &goredis.FailoverOptions{
		MasterName: c.MasterName, SentinelAddrs: c.Addrs, SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword,
		Protocol: protocol, Username: c.Username, Password: c.Password, DB: c.DB,
		MaxRetries: orNone(c.MaxRetries), MinRetryBackoff: c.MinRetryBackoff, MaxRetryBackoff: c.MaxRetryBackoff,
		DialTimeout: c.DialTimeout, DialerRetries: 1, DialerRetryTimeout: c.MinRetryBackoff,
		ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, ContextTimeoutEnabled: true,
		ReadBufferSize: bufferBytes, WriteBufferSize: bufferBytes, PipelinePoolSize: -1,
		PoolSize: c.PoolSize, MaxConcurrentDials: c.PoolSize, PoolTimeout: c.PoolTimeout, MinIdleConns: c.MinIdle, MaxIdleConns: c.PoolSize,
		ConnMaxIdleTime: c.IdleTimeout, DisableIdentity: true, OnConnect: c.onConnect,
	}
}

// watched is what the primary is called that Sentinels name: its address is another one
// after each failover, and the client gives none.
func (c Config) watched() string {
	return fmt.Sprintf("%s of Sentinels %s", c.MasterName, strings.Join(c.Addrs, ","))
}

// sentinel is for questions to a Sentinel.
func (c Config) sentinel(addr string) *goredis.Options {
	o := c.simple()
	o.Addr, o.Username, o.Password, o.DB, o.MinIdleConns, o.OnConnect = addr, c.SentinelUsername, c.SentinelPassword, 0, 0, nil
	return o
}

func (c Config) clustered() *goredis.ClusterOptions {
	return &goredis.ClusterOptions{
		Addrs: c.Addrs, Protocol: protocol, Username: c.Username, Password: c.Password,
		MaxRetries: orNone(c.MaxRetries), MinRetryBackoff: c.MinRetryBackoff, MaxRetryBackoff: c.MaxRetryBackoff,
		MaxRedirects: orNone(c.MaxRedirects), ClusterStateReloadInterval: c.StateReload,
		ReadOnly: false, RouteByLatency: false, RouteRandomly: false, // rows are read where they are written
		DialTimeout: c.DialTimeout, DialerRetries: 1, DialerRetryTimeout: c.MinRetryBackoff,
		ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, ContextTimeoutEnabled: true,
		ReadBufferSize: bufferBytes, WriteBufferSize: bufferBytes, PipelinePoolSize: -1,
		PoolSize: c.PoolSize, MaxConcurrentDials: c.PoolSize, PoolTimeout: c.PoolTimeout, MinIdleConns: c.MinIdle, MaxIdleConns: c.PoolSize,
		ConnMaxIdleTime: c.IdleTimeout, DisableIdentity: true, OnConnect: c.onConnect, FailingTimeoutSeconds: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// replicaShare is how many times fewer connections there are to a replica than to its
// primary: a machine that stands still lets every read ask both, and is not to be asked
// for much more then.
const replicaShare = 4

// errNoReplica reports that Sentinel named the primary where a replica was asked for.
var errNoReplica = errors.New("the primary was named in place of a replica")

// failedOver is for reads of a replica that Sentinel names. Where it names none go-redis
// takes the primary, which would not be asked for anything new.
func (c Config) failedOver() *goredis.FailoverOptions {
	o := c.failover()
	o.ReplicaOnly, o.PoolSize = true, c.replicaPool()
	o.MinIdleConns = min(c.MinIdle, o.PoolSize)
	o.MaxConcurrentDials, o.MaxIdleConns = o.PoolSize, o.PoolSize
	o.OnConnect = func(ctx context.Context, conn *goredis.Conn) error {
		role, err := conn.Do(ctx, "role").Slice()
		if err == nil && len(role) > 0 && role[0] == "master" {
			err = errNoReplica
		}
		return err
	}
	return o
}

// replicaPool is the number of connections to a replica.
func (c Config) replicaPool() int { return (c.PoolSize + replicaShare - 1) / replicaShare }

// replica is for reads of a replica of a Cluster's shard, which refuses them unless the
// connection says that it may be behind.
func (c Config) replica(addr string) *goredis.Options {
	o := c.simple()
	size := c.replicaPool()
	o.Addr, o.MinIdleConns, o.PoolSize, o.MaxConcurrentDials, o.MaxIdleConns = addr, min(c.MinIdle, size), size, size, size
	o.OnConnect = func(ctx context.Context, conn *goredis.Conn) error { return conn.ReadOnly(ctx).Err() }
	return o
}
