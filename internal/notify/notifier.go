package notify

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	interval = time.Second            // between two messages in a channel: Slack's limit
	patience = 30 * time.Second       // for one call of the chat, with what it tries again itself
	pause    = 100 * time.Millisecond // between two looks at what waits
	look     = 5 * time.Second        // the longest time between two, also without a sign of news
)

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
	outbox  Outbox
	log     *slog.Logger
	metrics *metrics
	channel channel       // nil: events go to the log
	every   time.Duration // between two messages

	// What follows is Run's.
	queue queue
	done  []string  // ids of what was told, or given up, and waits to be forgotten
	free  time.Time // when the next message may be sent
}

// New returns a Notifier for Slack, or, without a token, for the log. It
// registers its metrics with reg; nil registers nothing.
func New(cfg Config, outbox Outbox, log *slog.Logger, reg prometheus.Registerer) *Notifier {
	n := &Notifier{cfg: cfg, outbox: outbox, log: log, metrics: newMetrics(reg), every: interval}
	if cfg.Token != "" {
		n.channel = newSlackChannel(cfg)
	}
	return n
}

// Run tells what waits in the outbox until ctx ends, and then returns nil; it may run again.
// One process at a time should run it. What was not told then is told by who runs it next,
// and what was told but could not be forgotten is told once more, under the same id.
func (n *Notifier) Run(ctx context.Context) error {
	n.queue, n.done = queue{incidents: map[string]*incident{}}, nil
	defer n.metrics.waiting.Set(0)
	for ctx.Err() == nil {
		changed := n.outbox.Changed()
		again, err := n.round(ctx)
		if err != nil && ctx.Err() == nil {
			n.log.WarnContext(ctx, "what people are to be told is not read or not noted as told, trying again", "err", err)
		}
		n.sleep(ctx, again, changed)
	}
	return nil
}

// round tells the news of one incident, or, in the log, all there are. It returns when
// there is something to do again without news.
func (n *Notifier) round(ctx context.Context) (again time.Duration, err error) {
	waiting, err := n.read(ctx)
	if err != nil {
		return look, err
	}
	if n.channel == nil {
		for _, e := range waiting {
			n.logEvent(ctx, e)
			n.metrics.count("log", "sent", 1)
		}
		return look, n.forget(ctx, waiting)
	}
	news, wait := n.queue.next(waiting, time.Now())
	if len(news) == 0 {
		return wait, nil
	}
	r, err := n.deliver(ctx, news)
	return pause, n.settle(ctx, news, r, err)
}

// read returns what waits and is young enough to be told; the rest is given up.
func (n *Notifier) read(ctx context.Context) ([]Event, error) {
	if err := n.forget(ctx, nil); err != nil {
		return nil, err
	}
	waiting, err := n.outbox.Waiting(ctx, maxRead)
	if err != nil {
		return nil, err
	}
	var old []Event
	waiting = slices.DeleteFunc(waiting, func(e Event) bool {
		late := time.Since(e.At) > maxAge
		if late {
			old = append(old, e)
		}
		return late
	})
	n.metrics.waiting.Set(float64(len(waiting)))
	n.giveUp(ctx, old)
	return waiting, n.forget(ctx, old)
}

// giveUp counts and logs what people will not be told.
func (n *Notifier) giveUp(ctx context.Context, old []Event) {
	for _, e := range old {
		n.metrics.count(n.kind(), "dropped", 1)
		n.log.ErrorContext(ctx, "alert given up: it is too old to be told", "alert", string(e.Kind), "view", e.View, "version", e.Version,
			"verdict", e.Verdict, "notice", e.ID, "recorded", e.At, "text", e.Text)
	}
}

func (n *Notifier) kind() string {
	if n.channel == nil {
		return "log"
	}
	return "slack"
}

// forget has the outbox forget what was told, now or before. Ids that it did not forget are
// kept for the next time, before which nothing else is told.
func (n *Notifier) forget(ctx context.Context, told []Event) error {
	n.done = append(n.done, ids(told)...)
	if len(n.done) == 0 {
		return nil
	}
	// Also at the end: what was told is not to be told again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), look)
	defer cancel()
	if err := n.outbox.Told(ctx, n.done...); err != nil {
		return err
	}
	n.done = nil
	return nil
}

func (n *Notifier) logEvent(ctx context.Context, e Event) {
	level := slog.LevelWarn
	if e.Resolved || e.Kind == Recovered {
		level = slog.LevelInfo
	}
	n.log.LogAttrs(ctx, level, e.headline(),
		slog.String("alert", string(e.Kind)), slog.String("view", e.View), slog.Uint64("version", uint64(e.Version)),
		slog.String("verdict", e.Verdict), slog.Bool("resolved", e.Resolved), slog.Uint64("served_version", uint64(e.ServedVersion)),
		slog.String("text", e.Text), slog.Any("reasons", e.Reasons), slog.String("notice", e.ID))
}

// sleep waits a moment, and then for news, for again, if it is not 0, or for the end of ctx.
func (n *Notifier) sleep(ctx context.Context, again time.Duration, changed <-chan struct{}) {
	if again == 0 {
		again = look
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(pause):
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-time.After(min(again, look)):
	}
}

// deliver brings the incident's message up to date and adds the details to its
// thread. It returns the message, also if the thread could not be reached.
func (n *Notifier) deliver(ctx context.Context, news []Event) (ref, error) {
	r, err := n.show(ctx, news)
	if err != nil {
		return r, err
	}
	if err := n.pace(ctx); err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = n.channel.reply(ctx, r, thread(news))
	if errors.Is(err, errGone) {
		return ref{}, err
	}
	return r, err
}

// show posts or updates the incident's message.
func (n *Notifier) show(ctx context.Context, news []Event) (ref, error) {
	m, r := summary(news, n.cfg.BaseURL), n.queue.incidents[news[0].key()].ref
	if err := n.pace(ctx); err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if r == (ref{}) {
		return n.channel.post(ctx, m)
	}
	err := n.channel.update(ctx, r, m)
	if errors.Is(err, errGone) {
		return ref{}, err
	}
	return r, err
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
func (n *Notifier) settle(ctx context.Context, news []Event, r ref, err error) error {
	if err == nil {
		n.queue.told(news, r)
		n.metrics.count("slack", "sent", 1)
		n.metrics.count("slack", "coalesced", len(news)-1)
		return n.forget(ctx, news)
	}
	attempts := n.queue.retry(news, r, time.Now())
	if ctx.Err() != nil {
		return nil
	}
	n.metrics.count("slack", "failed", 1)
	last := news[len(news)-1]
	n.log.WarnContext(ctx, "alert not sent, trying again", "alert", string(last.Kind), "view", last.View, "version", last.Version,
		"notice", news[0].ID, "recorded", news[0].At, "attempt", attempts, "err", err)
	return nil
}
