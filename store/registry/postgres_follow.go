package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	tendEvery   = 5 * time.Second  // between two looks at whether the connection lives
	forgetEvery = 10 * time.Minute // between two removals of old tokens
)

// follower hears of the changes that other registries make, on a connection of its
// own, and makes another one whenever that is lost.
type follower struct {
	*postgres
	announce func()
	limit    time.Duration // of one exchange with the server
	log      *slog.Logger
	conn     *pgx.Conn
	forgot   time.Time // when old tokens were last removed

	cancel context.CancelFunc
	done   chan struct{}
}

// follow returns once changes are heard of.
func follow(ctx context.Context, p *postgres, announce func(), opts PostgresOptions) (*follower, error) {
	f := &follower{postgres: p, announce: announce, limit: opts.Attempt, log: opts.Log, forgot: time.Now(), done: make(chan struct{})}
	if err := f.connect(ctx); err != nil {
		return nil, err
	}
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go f.run(ctx)
	return f, nil
}

// Close ends the connection and waits for that.
func (f *follower) Close() error {
	f.cancel()
	<-f.done
	return nil
}

func (f *follower) connect(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, f.server.config.Copy())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	if _, err := conn.Exec(ctx, "LISTEN "+changes); err != nil {
		return errors.Join(fmt.Errorf("listen for changes: %w", err), f.hangUp(conn))
	}
	f.conn = conn
	return nil
}

// hangUp closes a connection, with or without the server's help.
func (f *follower) hangUp(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := conn.Close(ctx); err != nil && !f.transient(err) {
		return err
	}
	return nil
}

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	for {
		err := f.listen(ctx)
		if closing := f.hangUp(f.conn); ctx.Err() != nil {
			return
		} else if err = errors.Join(err, closing); err != nil {
			f.log.Warn("changes of other processes are not heard of, connecting again", "err", f.explain(err))
		}
		if !f.reconnect(ctx) {
			return
		}
		f.log.Info("changes of other processes are heard of again", "server", f.server.place)
		f.announce() // for those that were missed
	}
}

// reconnect tries until there is a connection; false if ctx ended.
func (f *follower) reconnect(ctx context.Context) bool {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if err := f.connect(ctx); err == nil {
			return true
		}
		if !sleep(ctx, pause) {
			return false
		}
	}
}

// listen passes changes on until the connection is lost.
func (f *follower) listen(ctx context.Context) error {
	for tended := time.Now(); ; {
		waiting, cancel := context.WithTimeout(ctx, tendEvery)
		note, err := f.conn.WaitForNotification(waiting)
		quiet := waiting.Err() != nil
		cancel()
		if err != nil && (ctx.Err() != nil || !quiet || f.conn.IsClosed()) {
			return err
		}
		if err == nil && !f.own(note.Payload) {
			f.announce()
		}
		if time.Since(tended) < tendEvery {
			continue
		}
		if err := f.tend(ctx); err != nil {
			return err
		}
		tended = time.Now()
	}
}

// own reports whether a change is of this registry, which announced it at once.
func (f *follower) own(payload string) bool {
	origin, _, _ := strings.Cut(payload, " ")
	return origin == f.origin
}

// tend sees that the server still answers, and now and then removes tokens that
// nobody asks for any more.
func (f *follower) tend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	if time.Since(f.forgot) < forgetEvery {
		return f.conn.Ping(ctx)
	}
	f.forgot = time.Now()
	_, err := f.conn.Exec(ctx, forgetCommits)
	return err
}
