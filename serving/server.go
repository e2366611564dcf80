package serving

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"

	"sluice/feature"
	"sluice/internal/h1"
	"sluice/internal/h2"
	"sluice/serving/readership"
	"sluice/serving/refusal"
	"sluice/serving/wireform"
)

// Server answers reads and pushes. Run keeps its snapshot; HTTP, Register,
// NewHTTPDoor, NewGRPC and NewDoor are its doors.
type Server struct {
	config   Config
	deps     Deps
	lease    *lease
	metrics  *metrics
	verdicts verdicts
	kept     *keptRows
	cache    rowCache
	report   *readership.Reporter
	door     *doorkeeper
	feast    *statusWords
	refused  [h2.Stats]prometheus.Counter
	left     [h1.Stats]prometheus.Counter

	logged       atomic.Int64 // when a failing request was last logged, Unix nanoseconds
	unreadLogged atomic.Int64 // likewise, rows that could not be read
	columnLogged atomic.Int64 // likewise, columns that were passed over

	failureLogged atomic.Int64 // likewise, computed features that failed
}

// New returns a server that refuses reads until Run has read the vectors once.
// The error names every problem of config, or a dependency that is missing.
func New(config Config, deps Deps) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("serving: %w", err)
	}
	if deps.Rows == nil || deps.Source == nil {
		return nil, errors.New("serving: rows and source are required")
	}
	deps = deps.withDefaults()
	m := newMetrics(deps.Registerer)
	report := readership.New(readership.Config{
		SampleRate: config.SampleRate, Exposed: deps.Exposed, Readers: deps.Readers, Served: deps.Served,
		Now: deps.Now, Registerer: deps.Registerer, Log: deps.Log,
	})
	door, err := newDoorkeeper(config, deps)
	if err != nil {
		return nil, fmt.Errorf("serving: %w", err)
	}
	return &Server{
		config: config, deps: deps, metrics: m, report: report, door: door, refused: newRefused(deps.Registerer), left: newLeft(deps.Registerer), feast: config.Feast.words(), kept: newKeptRows(config.KeptRows, config.KeptAge), cache: rowCache{newKeptRows(config.CachedRows, config.CachedAge)},
		lease: &lease{config: config, source: deps.Source, version: deps.Version, metrics: m, report: report, log: deps.Log},
	}, nil
}

// Run keeps the snapshot, and hands on what was read, until ctx ends. Reads after
// that are not counted.
func (s *Server) Run(ctx context.Context) error {
	var group sync.WaitGroup
	group.Go(func() { s.report.Run(ctx) })
	err := s.lease.run(ctx)
	group.Wait()
	return err
}

// Refresh reads definitions and vectors now, so that requests which come after it
// are answered by what is in force.
func (s *Server) Refresh(ctx context.Context) error { return s.lease.refresh(ctx) }

// Ready returns nil while reads are answered, flagged or not, and the process stays.
func (s *Server) Ready() error {
	if err := s.deps.Leaving(); err != nil {
		return err
	}
	_, _, err := s.lease.take()
	return err
}

// take returns the snapshot that a request reads with.
func (s *Server) take() (*snapshot, bool, error) {
	snap, lapsed, err := s.lease.take()
	if lapsed {
		s.metrics.lapsed.Inc()
	}
	return snap, lapsed, err
}

// observe records a request that began at begun and ended with err. The cause of
// a failure, which the client is not told, goes to the log, one line a second at
// most.
func (s *Server) observe(method method, begun time.Time, err error) {
	s.metrics.observe(method, begun, err)
	if code := refusal.GRPCCode(err); err == nil || code != codes.Unavailable && code != codes.Internal {
		return
	}
	if where := (refusal.Located{}); errors.As(err, &where) {
		err = where.Err
	}
	if known := (*feature.Error)(nil); errors.As(err, &known) && error(known) == err {
		return // the client was told all there is
	}
	now, last := time.Now().UnixNano(), s.logged.Load()
	if now-last >= int64(time.Second) && s.logged.CompareAndSwap(last, now) {
		s.deps.Log.Warn("a request could not be answered", "method", methodNames[method], "err", err)
	}
}

// readWire answers a serialized request with a serialized reply: Feast's, or the
// platform's own. The reply's buffer comes from grpc's pool.
func (s *Server) readWire(ctx context.Context, in []byte, own bool) (mem.Buffer, error) {
	q := newQuery()
	defer q.release()
	err := s.fillWire(ctx, q, in, own)
	if errors.Is(err, wireform.ErrUnusual) {
		if in, err = wireform.Usual(in, own); err == nil {
			q.reset()
			err = s.fillWire(ctx, q, in, own)
		}
	}
	if errors.Is(err, wireform.ErrUnusual) {
		err = refusal.Invalid("send the message that the .proto file describes", "the request cannot be decoded")
	}
	if err != nil {
		return nil, err
	}
	size, encode := q.sizeFeast, q.appendFeast
	if own {
		size, encode = q.sizeOwn, q.appendOwn
	}
	return pooled(size(), encode), nil
}

// pooled returns what encode appends to a buffer of n bytes.
func pooled(n int, encode func([]byte) []byte) mem.Buffer {
	if mem.IsBelowBufferPoolingThreshold(n) {
		return mem.SliceBuffer(encode(make([]byte, 0, n)))
	}
	pool := mem.DefaultBufferPool()
	buffer := pool.Get(n)
	*buffer = encode((*buffer)[:0])
	return mem.NewBuffer(buffer, pool)
}

// fillWire reads what in asks for into q.
func (s *Server) fillWire(ctx context.Context, q *query, in []byte, own bool) error {
	snap, lapsed, err := s.prepareWire(q, in, own, s.config.MaxEntities)
	if err != nil {
		return err
	}
	if q.priority, err = loweredGRPC(ctx); err != nil {
		return err
	}
	if !own {
		q.asFeast(s)
	}
	return s.read(ctx, q, snap, lapsed)
}

// prepareWire makes q of what in asks for, with at most limit rows, and returns the
// snapshot that its plan is of.
func (s *Server) prepareWire(q *query, in []byte, own bool, limit int) (snap *snapshot, lapsed bool, err error) {
	if err := q.wire.Parse(in); err != nil {
		return nil, false, err
	}
	if snap, lapsed, err = s.take(); err != nil {
		return nil, false, err
	}
	form := feastForm
	switch {
	case own:
		form = ownForm
		if q.wire.Flag > uint64(policyRefuse) {
			return nil, false, refusal.Invalid("want POLICY_SERVE to POLICY_REFUSE", "policy %d is not known", q.wire.Flag)
		}
		q.policy = policy(q.wire.Flag)
		if err := q.policy.check(); err != nil {
			return nil, false, err
		}
		if q.past, err = q.wire.AsOf(); err != nil {
			return nil, false, err
		}
	case q.wire.Flag != 0:
		form = feastFull
	}
	if q.plan, err = s.wirePlan(q, snap.catalog, form); err != nil {
		return nil, false, err
	}
	if err := q.past.check(q.plan); err != nil {
		return nil, false, err
	}
	if !own {
		q.contextFromColumns()
	}
	if err := q.bindWire(q.wire.Columns, limit); err != nil {
		return nil, false, err
	}
	if err := q.bindContextWire(q.wire.Context, own); err != nil {
		return nil, false, err
	}
	return snap, lapsed, nil
}

// wirePlan returns the plan of q.wire, compiled if it is not kept.
func (s *Server) wirePlan(q *query, c *catalog, form form) (*plan, error) {
	text, kind := q.wire.Features, byte('f')
	if q.wire.Service != nil {
		text, kind = q.wire.Service, planService
	}
	q.planKey = append(append(q.planKey[:0], kind, byte(form)), text...)
	if p := c.plans.get(q.planKey); p != nil {
		return p, nil
	}
	var refs []string
	var err error
	if q.wire.Service != nil {
		refs, err = c.service(string(text))
	} else {
		refs, err = q.wire.Refs()
	}
	if err != nil {
		return nil, err
	}
	return c.plan(q.planKey, refs, form, s.config.MaxFeatures)
}

// planService begins the key of a plan of a feature service: its form and name follow.
const planService = 's'

// plan compiles refs and keeps the plan under key.
func (c *catalog) plan(key []byte, refs []string, form form, limit int) (*plan, error) {
	p, err := c.compile(refs, form, limit)
	if err != nil {
		return nil, err
	}
	service := ""
	if key[0] == planService {
		service = string(key[2:])
		p.priority = c.priorities[service]
	}
	for i := range p.parts {
		part := &p.parts[i]
		part.reads = c.report.Lists(part.view.ID, service, part.storedIDs(), c.generation)
	}
	c.plans.put(key, p)
	return p, nil
}
