package client

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Batch lets reads of single keys that ask the same of other entities go out as one
// request: a read waits up to Window for company. Zero is off.
type Batch struct {
	Window time.Duration // such as 500 µs
	Most   int           // keys of one request, at most MaxEntities. 0: 100
}

func (b Batch) withDefaults() Batch {
	if b.Most == 0 {
		b.Most = 100
	}
	return b
}

func (b Batch) validate() error {
	if b.Window < 0 || b.Most < 0 {
		return fmt.Errorf("Batch: window %s or most %d is negative", b.Window, b.Most)
	}
	return nil
}

// batcher collects reads by question.
type batcher struct {
	config Batch
	client *Client

	mu   sync.Mutex
	open map[string]*batch
}

// batch is reads that go out together.
type batch struct {
	question question
	asked    []entity
	timer    *time.Timer
	done     chan struct{} // closed once rows and err are there
	rows     []Row
	err      error
}

func newBatcher(config Batch, c *Client) *batcher {
	config.Most = min(config.Most, c.config.MaxEntities)
	return &batcher{config: config, client: c, open: map[string]*batch{}}
}

func (b *batcher) on() bool { return b.config.Window > 0 && b.config.Most > 1 }

// read reads one entity, with others. A batch that the server refuses is asked again
// one by one: what is wrong with one key is no matter of the others.
func (b *batcher) read(ctx context.Context, q question, e entity) (Row, error) {
	group, at := b.join(q, e)
	select {
	case <-ctx.Done():
		return Row{}, ended(ctx, "read features")
	case <-group.done:
	}
	if group.err == nil {
		return group.rows[at], nil
	}
	if len(group.asked) == 1 || down(group.err) {
		return Row{}, group.err
	}
	rows, err := b.client.ask(ctx, q, []entity{e})
	if err != nil {
		return Row{}, err
	}
	return rows[0], nil
}

// join adds e to the batch that is open for q, or opens one, and returns its position.
func (b *batcher) join(q question, e entity) (*batch, int) {
	name := fmt.Sprint(q.text, e.names)
	b.mu.Lock()
	defer b.mu.Unlock()
	group := b.open[name]
	if group == nil {
		group = &batch{question: q, done: make(chan struct{})}
		b.open[name] = group
		group.timer = time.AfterFunc(b.config.Window, func() { b.send(name, group) })
	}
	group.asked = append(group.asked, e)
	at := len(group.asked) - 1
	if len(group.asked) == b.config.Most {
		delete(b.open, name)
		if group.timer.Stop() {
			go b.run(group)
		}
	}
	return group, at
}

// send closes a batch whose window is over, and reads it.
func (b *batcher) send(name string, group *batch) {
	b.mu.Lock()
	if b.open[name] == group {
		delete(b.open, name)
	}
	b.mu.Unlock()
	b.run(group)
}

func (b *batcher) run(group *batch) {
	// The callers' contexts are theirs: one that leaves takes nobody along.
	ctx, cancel := b.client.timed(context.Background(), b.client.config.Timeout)
	defer cancel()
	group.rows, group.err = b.client.ask(ctx, group.question, group.asked)
	close(group.done)
}
