package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// shard is a primary. Both clients share its connections; slow waits as long as a
// write may take, quick as long as a read may.
type shard struct {
	name        string // empty: its address is what it is called
	quick, slow *goredis.Client
	breaker     breaker                // of reads
	shared      *shared                // connections of reads that go together; nil: none
	pace        *pace                  // of reads; nil: they are not hedged
	extent      atomic.Pointer[extent] // what it had when it was last looked at; nil: not known
	heard       atomic.Int64           // when it was last asked for that and answered, Unix nanoseconds
}

func (s *shard) String() string {
	if s.name != "" {
		return s.name
	}
	return s.quick.Options().Addr
}

// topology says which shard a bucket is on.
type topology interface {
	of(ctx context.Context, bucket uint8) (*shard, error)
	// standIn returns a client of a node that has a bucket's rows beside the shard that
	// does not answer, for reads alone; nil if none is known.
	standIn(ctx context.Context, bucket uint8, silent *shard) *goredis.Client
	// copies reports whether there may be such nodes at all.
	copies() bool
	// all returns every primary.
	all(ctx context.Context) ([]*shard, error)
	// replicaNodes returns a client of every replica that is known, for questions about
	// itself, until done is called.
	replicaNodes(ctx context.Context) (list []*goredis.Client, done func())
	// suspect says that what is known may be out of date.
	suspect()
	// follow runs commands wherever their keys are now, or returns false if
	// there is only one place.
	follow(ctx context.Context, cmds []goredis.Cmder) bool
	close() error
}

// quiet keeps go-redis from writing to the standard error what its calls return as
// errors anyway.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

var silence = sync.OnceFunc(func() { goredis.SetLogger(quiet{}) })

func connect(c Config, log *slog.Logger, reads *budget) topology {
	silence()
	switch {
	case c.Cluster:
		return &cluster{config: c, log: log, reads: reads, client: goredis.NewClusterClient(c.clustered()), slow: c.WriteDeadline}
	case c.MasterName != "":
		// Without shared connections: one to a former primary would give what it had.
		s := newSingle(goredis.NewFailoverClient(c.failover()), c.WriteDeadline, nil)
		s.config, s.shard.name = c, c.watched()
		s.replica, s.shard.pace = goredis.NewFailoverClient(c.failedOver()), c.pace(reads)
		return s
	}
	client := goredis.NewClient(c.simple())
	return newSingle(client, c.WriteDeadline, c.sharedTo(client, log, nil))
}

// pace returns how late an answer of a shard that is not known yet may be; nil if reads
// are not hedged. A nil budget is none.
func (c Config) pace(reads *budget) *pace {
	if c.HedgeBudget == 0 || reads == nil {
		return nil
	}
	return newPace(c.HedgeAfter, c.ReadTimeout, reads)
}

// sharedTo returns the connections to a server that reads share; nil if there are to
// be none.
func (c Config) sharedTo(node *goredis.Client, log *slog.Logger, p *pace) *shared {
	if c.SharedConns == 0 {
		return nil
	}
	s := newShared(c.SharedConns, c, node.Options().Addr, log, func(ctx context.Context) (net.Conn, error) {
		return dialWire(ctx, node.Options())
	})
	s.pace = p
	return s
}

// single is one server, or the primary that Sentinel names.
type single struct {
	config  Config
	shard   shard
	replica *goredis.Client // of a replica that Sentinel names; nil: one server
}

func newSingle(c *goredis.Client, slow time.Duration, reads *shared) *single {
	s := &single{}
	s.shard.quick, s.shard.slow, s.shard.shared = c, c.WithTimeout(slow), reads
	return s
}

func (s *single) of(context.Context, uint8) (*shard, error)              { return &s.shard, nil }
func (s *single) standIn(context.Context, uint8, *shard) *goredis.Client { return s.replica }
func (s *single) copies() bool                                           { return s.replica != nil }
func (s *single) all(context.Context) ([]*shard, error)                  { return []*shard{&s.shard}, nil }
func (s *single) suspect()                                               {}
func (s *single) follow(context.Context, []goredis.Cmder) bool           { return false }

// replicaNodes asks the Sentinels; of one server without them no replicas are known, and
// none is ever asked for anything.
func (s *single) replicaNodes(ctx context.Context) (list []*goredis.Client, done func()) {
	done = func() {
		for _, c := range list {
			_ = c.Close() // it was only asked
		}
	}
	if s.replica == nil {
		return nil, done
	}
	seen := map[string]bool{}
	for _, addr := range s.config.Addrs {
		o := s.config.sentinel(addr)
		sentinel := goredis.NewSentinelClient(o)
		found, err := sentinel.Replicas(ctx, s.config.MasterName).Result()
		_ = sentinel.Close() // it was only asked
		if err != nil {
			continue
		}
		for _, r := range found {
			if at := net.JoinHostPort(r["ip"], r["port"]); r["ip"] != "" && !seen[at] {
				seen[at] = true
				o := s.config.simple()
				o.Addr, o.MinIdleConns = at, 0
				list = append(list, goredis.NewClient(o))
			}
		}
	}
	return list, done
}

func (s *single) close() error {
	s.shard.shared.close()
	err := s.shard.quick.Close()
	if s.replica != nil {
		err = errors.Join(err, s.replica.Close())
	}
	return err
}

// cluster is a Redis Cluster.
type cluster struct {
	config   Config
	log      *slog.Logger
	reads    *budget
	client   *goredis.ClusterClient
	slow     time.Duration
	shards   sync.Map // *goredis.Client → *shard
	replicas sync.Map // host:port → *goredis.Client
}

func (c *cluster) of(ctx context.Context, bucket uint8) (*shard, error) {
	node, err := c.client.MasterForKey(ctx, tags()[bucket])
	if err != nil {
		return nil, fmt.Errorf("find the shard of bucket %d: %w", bucket, err)
	}
	return c.shard(node), nil
}

func (c *cluster) shard(node *goredis.Client) *shard {
	if s, ok := c.shards.Load(node); ok {
		return s.(*shard)
	}
	p := c.config.pace(c.reads)
	fresh := &shard{quick: node, slow: node.WithTimeout(c.slow), shared: c.config.sharedTo(node, c.log, p), pace: p}
	s, known := c.shards.LoadOrStore(node, fresh)
	if known {
		fresh.shared.close() // it has no connections yet
	}
	return s.(*shard)
}

// standIn takes the replica that the Cluster's map names, as long as its client thinks
// that it answers. The map may have changed since the shard was looked up: if it has
// another primary now, the replica it names is the silent one, and the primary has the rows.
func (c *cluster) standIn(ctx context.Context, bucket uint8, silent *shard) *goredis.Client {
	node, err := c.client.MasterForKey(ctx, tags()[bucket])
	if err != nil {
		return nil
	}
	if node == silent.quick {
		if node, err = c.client.SlaveForKey(ctx, tags()[bucket]); err != nil || node == silent.quick {
			return nil
		}
	}
	return c.replica(node.Options().Addr)
}

// replica returns a client whose connections may read from a replica. Its node may be a
// primary by now: that answers them as well.
func (c *cluster) replica(addr string) *goredis.Client {
	if client, ok := c.replicas.Load(addr); ok {
		return client.(*goredis.Client)
	}
	fresh := goredis.NewClient(c.config.replica(addr))
	client, known := c.replicas.LoadOrStore(addr, fresh)
	if known {
		_ = fresh.Close() // it has no connections yet
	}
	return client.(*goredis.Client)
}

func (c *cluster) all(ctx context.Context) ([]*shard, error) {
	var mu sync.Mutex
	var list []*shard
	err := c.client.ForEachMaster(ctx, func(_ context.Context, node *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, c.shard(node))
		return nil
	})
	if err == nil && len(list) == 0 {
		err = errors.New("no primaries")
	}
	if err != nil {
		return nil, fmt.Errorf("list the primaries: %w", err)
	}
	slices.SortFunc(list, func(a, b *shard) int { return strings.Compare(a.String(), b.String()) })
	return list, nil
}

func (c *cluster) copies() bool { return true }

func (c *cluster) replicaNodes(ctx context.Context) (list []*goredis.Client, done func()) {
	var mu sync.Mutex
	_ = c.client.ForEachSlave(ctx, func(_ context.Context, node *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, node)
		return nil
	}) // without a map there are none
	slices.SortFunc(list, func(a, b *goredis.Client) int { return strings.Compare(a.Options().Addr, b.Options().Addr) })
	return list, func() {}
}

func (c *cluster) suspect() { c.client.ReloadState(context.Background()) }

func (c *cluster) follow(ctx context.Context, cmds []goredis.Cmder) bool {
	p := c.client.Pipeline()
	for _, cmd := range cmds {
		cmd.SetErr(nil)
		_ = p.Process(ctx, cmd)
	}
	_, _ = p.Exec(ctx) // each command has its own error
	return true
}

func (c *cluster) close() error {
	for _, s := range c.shards.Range {
		s.(*shard).shared.close()
	}
	errs := []error{c.client.Close()}
	for _, client := range c.replicas.Range {
		errs = append(errs, client.(*goredis.Client).Close())
	}
	return errors.Join(errs...)
}
