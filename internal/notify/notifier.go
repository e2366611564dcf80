package notify

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// interval is the time between two messages in a channel: Slack's limit.
const interval = time.Second

// channel is what a Notifier needs of a chat: send a message, replace it, answer
// in its thread. update and reply return errGone if the message no longer exists.
type channel interface {
	post(ctx context.Context, m message) (ref, error)
	update(ctx context.Context, r ref, m message) error
	reply(ctx context.Context, r ref, m message) error
}

// Notifier tells people about incidents.
type Notifier struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	channel channel // nil: events go to the log

	mu    sync.Mutex
	queue queue
	wake  chan struct{}
	every time.Duration // between two messages
	free  time.Time     // when the next message may be sent; used by Run alone
}

// New returns a Notifier for Slack, or, without a token, for the log. It
// registers its metrics with reg; nil registers nothing.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) *Notifier {
	n := &Notifier{
		cfg: cfg, log: log, metrics: newMetrics(reg),
		queue: queue{open: map[string]*incident{}}, wake: make(chan struct{}, 1), every: interval,
	}
	if cfg.Token != "" {
		n.channel = newSlackChannel(cfg)
	}
	return n
}

// Notify hands an event over and returns at once; Run sends it.
func (n *Notifier) Notify(ctx context.Context, e Event) {
	if n.channel == nil {
		n.logEvent(ctx, e)
		n.metrics.count("log", "sent", 1)
		return
	}
	n.mu.Lock()
	merged, dropped := n.queue.add(e, time.Now())
	n.mu.Unlock()
	if merged {
		n.metrics.count("slack", "coalesced", 1)
	}
	if dropped > 0 {
		n.metrics.count("slack", "dropped", dropped)
		n.log.ErrorContext(ctx, "alert dropped: too many incidents are open")
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *Notifier) logEvent(ctx context.Context, e Event) {
	level := slog.LevelWarn
	if e.Resolved || e.Kind == Recovered {
		level = slog.LevelInfo
	}
	n.log.LogAttrs(ctx, level, e.headline(),
		slog.String("alert", string(e.Kind)), slog.String("view", e.View), slog.Uint64("version", uint64(e.Version)),
		slog.String("verdict", e.Verdict), slog.Bool("resolved", e.Resolved), slog.Uint64("served_version", uint64(e.ServedVersion)),
		slog.String("text", e.Text), slog.Any("reasons", e.Reasons))
}

// Run sends what Notify takes until ctx ends, and then returns nil. What waits
// then is not sent; the registry has it.
func (n *Notifier) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		n.mu.Lock()
		i, news, wait := n.queue.next(time.Now())
		n.mu.Unlock()
		if i == nil {
			n.sleep(ctx, wait)
			continue
		}
		r, err := n.deliver(ctx, news)
		n.settle(ctx, i, news, r, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if left := len(n.queue.waiting); left > 0 {
		n.log.Warn("stopped with alerts unsent", "incidents", left)
	}
	return nil
}

// sleep waits for news, for wait if it is not 0, or for the end of ctx.
func (n *Notifier) sleep(ctx context.Context, wait time.Duration) {
	var timeout <-chan time.Time
	if wait > 0 {
		timeout = time.After(wait)
	}
	select {
	case <-ctx.Done():
	case <-n.wake:
	case <-timeout:
	}
}

// deliver brings the incident's message up to date and adds the details to its
// thread. It returns the message, also if the thread could not be reached.
func (n *Notifier) deliver(ctx context.Context, news incident) (ref, error) {
	r, err := n.show(ctx, news)
	if err != nil {
		return r, err
	}
	if err := n.pace(ctx); err != nil {
		return r, err
	}
	err = n.channel.reply(ctx, r, thread(news.details, news.more))
	if errors.Is(err, errGone) {
		return ref{}, err
	}
	return r, err
}

// show posts or updates the incident's message.
func (n *Notifier) show(ctx context.Context, news incident) (ref, error) {
	m := summary(news.latest, n.cfg.BaseURL)
	if err := n.pace(ctx); err != nil {
		return news.ref, err
	}
	if news.ref == (ref{}) {
		return n.channel.post(ctx, m)
	}
	err := n.channel.update(ctx, news.ref, m)
	if errors.Is(err, errGone) {
		return ref{}, err
	}
	return news.ref, err
}

// pace waits until the channel may take another message.
func (n *Notifier) pace(ctx context.Context) error {
	if wait := time.Until(n.free); wait > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	n.free = time.Now().Add(n.every)
	return ctx.Err()
}

// settle records what became of a delivery.
func (n *Notifier) settle(ctx context.Context, i *incident, news incident, r ref, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		n.queue.told(i, r)
		n.metrics.count("slack", "sent", 1)
		return
	}
	again := n.queue.retry(i, news, r, time.Now())
	if ctx.Err() != nil {
		return
	}
	n.metrics.count("slack", "failed", 1)
	n.log.Warn("alert not sent", "view", news.latest.View, "attempt", i.attempts, "err", err)
	if !again {
		n.metrics.count("slack", "dropped", 1)
		n.logEvent(ctx, news.latest)
	}
}
