package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// send makes the calls, on every shard at once, and says which rows failed.
func (w *callWriter) send(total int) error {
	batches := map[*shard][]*stageCall{}
	for _, x := range w.calls {
		if x.err == nil {
			batches[x.at] = append(batches[x.at], x)
		}
	}
	var group sync.WaitGroup
	for at, batch := range batches {
		group.Go(func() { w.sendShard(at, batch) })
	}
	group.Wait()
	var failed []int
	var errs []error
	reported := map[*shard]bool{}
	lost := false
	for _, x := range w.calls {
		switch {
		case x.err == nil && x.answer < 0:
			lost = true
		case x.err == nil:
			w.from.acknowledged(x.number, x.buckets)
			continue
		case x.at == nil || !reported[x.at]:
			errs = append(errs, shardError(x.at, x.err))
			reported[x.at] = true
		}
		for _, i := range x.rows {
			failed = append(failed, int(i))
		}
	}
	if lost {
		errs = append(errs, fmt.Errorf("source %s: %w", w.from.name, ErrLost))
	}
	return partial(failed, total, errs)
}

func shardError(at *shard, err error) error {
	if at == nil {
		return err
	}
	return fmt.Errorf("shard %s: %w", at, explain(err))
}

// sendShard makes the calls of one shard, in batches, and notes the answers in them.
func (w *callWriter) sendShard(at *shard, calls []*stageCall) {
	for len(calls) > 0 {
		n, size := 0, 0
		cmds := []goredis.Cmder{}
		for ; n < len(calls) && (n == 0 || size < batchBytes); n++ {
			size += calls[n].size
			cmds = append(cmds, w.command(calls[n]))
		}
		w.store.exec(w.ctx, at, cmds)
		for i, cmd := range cmds {
			calls[i].answer, calls[i].err = cmd.(*goredis.Cmd).Int64()
		}
		calls = calls[n:]
	}
}

// exec runs commands on a shard, and once more those that another run can cure:
// after the Functions were loaded, or wherever the keys are now. Every command is
// one that may be repeated.
func (s *Store) exec(ctx context.Context, at *shard, cmds []goredis.Cmder) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.writeDeadline(at.silent(time.Now())))
	defer cancel()
	run(ctx, at.slow, cmds)
	if missing := failing(cmds, isMissing); len(missing) > 0 {
		if err := loadLibrary(ctx, at.slow); err != nil {
			s.log.Error("row store", "shard", at.String(), "err", err)
			return
		}
		run(ctx, at.slow, missing)
	}
	if moved := failing(cmds, isElsewhere); len(moved) > 0 {
		s.places.suspect()
		s.places.follow(ctx, moved)
	}
	if len(failing(cmds, isConnection)) > 0 {
		s.places.suspect()
	}
}

// silentShare is the part of a write's deadline that one to a silent shard has: it fails,
// as a rule, and the next one should begin soon after the shard has another primary.
const silentShare = 4

func (c Config) writeDeadline(silent bool) time.Duration {
	if silent {
		return c.WriteDeadline / silentShare
	}
	return c.WriteDeadline
}

// run runs commands in one round trip; each has its own error.
func run(ctx context.Context, c *goredis.Client, cmds []goredis.Cmder) {
	p := c.Pipeline()
	for _, cmd := range cmds {
		cmd.SetErr(nil)
		_ = p.Process(ctx, cmd)
	}
	_, err := p.Exec(ctx)
	if err == nil || len(failing(cmds, func(error) bool { return true })) > 0 {
		return
	}
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
}

// failing returns the commands whose error is of a kind.
func failing(cmds []goredis.Cmder, kind func(error) bool) (list []goredis.Cmder) {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && kind(err) {
			list = append(list, cmd)
		}
	}
	return list
}
