package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// PostgresOptions say how a registry treats its server. The zero value is the
// default of every field.
type PostgresOptions struct {
	Connections int           // at most this many, and one more that waits for changes; 8
	Connect     time.Duration // time for one connection; 3 s
	Attempt     time.Duration // time for one attempt at a read or a write, on both sides; 5 s
	Reads       time.Duration // how long a read is tried again after a lost connection; 2 s
	Writes      time.Duration // how long a write is, and how long it is asked after if that happened during its commit; 15 s
	Log         *slog.Logger  // hears when changes of others cannot be followed; nil: nobody does
}

func (o PostgresOptions) withDefaults() PostgresOptions {
	if o.Connections <= 0 {
		o.Connections = 8
	}
	for at, def := range map[*time.Duration]time.Duration{
		&o.Connect: 3 * time.Second, &o.Attempt: 5 * time.Second, &o.Reads: 2 * time.Second, &o.Writes: 15 * time.Second,
	} {
		if *at <= 0 {
			*at = def
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// postgres is a registry's server.
type postgres struct {
	server server
	pool   *sql.DB
	origin string // names this registry in the notifications that it sends
}

// OpenPostgres opens the registry on a PostgreSQL server (tested with 15) and
// makes or upgrades its schema, which is named sluice; the database may hold other
// things besides. dsn is a URL or key=value pairs, as libpq takes them. One registry
// is opened once a process and shared.
//
// The connection must last a session: a pooler between has to be in session mode.
// The server must be the primary. Where another takes over from it, it must have
// every acknowledged commit (synchronous replication).
//
// Errors name registry.postgres and never hold the password. ErrUnavailable is a
// server that cannot be reached, ErrForeign a schema that is something else.
func OpenPostgres(ctx context.Context, dsn string, opts PostgresOptions) (*Registry, error) {
	opts = opts.withDefaults()
	server, err := parseServer(dsn, opts)
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	p := &postgres{server: server, origin: NewID()}
	s := newRegistry(p, nil)
	s.tries = tries{attempt: opts.Attempt, reads: opts.Reads, writes: opts.Writes}
	if err := p.open(ctx, s, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("open registry: %w", p.explain(err)), s.Close())
	}
	return s, nil
}

func (p *postgres) open(ctx context.Context, s *Registry, opts PostgresOptions) error {
	if err := p.server.migrate(ctx); err != nil {
		return err
	}
	p.pool = stdlib.OpenDB(*p.server.config, stdlib.OptionAfterConnect(durable))
	s.closers = append(s.closers, p.pool)
	p.pool.SetMaxOpenConns(opts.Connections)
	p.pool.SetMaxIdleConns(opts.Connections)
	p.pool.SetConnMaxIdleTime(5 * time.Minute)
	p.pool.SetConnMaxLifetime(time.Hour)
	s.reader = p.pool
	follower, err := follow(ctx, p, s.announce, opts)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, follower)
	return nil
}

// durable makes commits wait for the disk where the server would not.
func durable(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

// begin starts a transaction at read committed: with the locks that it takes first,
// whatever it reads after them stays as it is until its end.
func (p *postgres) begin(ctx context.Context) (*sql.Tx, *sql.Conn, error) {
	conn, err := p.pool.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		conn.Close() // a broken one is not taken back
		return nil, nil, err
	}
	return tx, conn, nil
}

// put keeps the statement: every exchange with the server takes its time.
func (p *postgres) put(_ context.Context, tx *transaction, s put) error {
	tx.kept = append(tx.kept, s)
	return nil
}

// flush sends the statements that were kept, and then reads what they came to.
func (p *postgres) flush(ctx context.Context, tx *transaction) error {
	if len(tx.kept) == 0 {
		return nil
	}
	kept := tx.kept
	tx.kept = nil
	return tx.conn.Raw(func(conn any) (err error) {
		var batch pgx.Batch
		for _, s := range kept {
			batch.Queue(s.query, s.args...)
		}
		results := conn.(*stdlib.Conn).Conn().SendBatch(ctx, &batch)
		defer func() {
			if closing := results.Close(); err == nil {
				err = closing
			}
		}()
		for _, s := range kept {
			tag, err := results.Exec()
			if err := s.result(tag.RowsAffected(), err); err != nil {
				return err
			}
		}
		return nil
	})
}

// lockBase sets our advisory locks apart from those of others in the database.
const lockBase int32 = 0x51ce0000

// lockPut takes advisory locks, which exist where the row that they guard does not
// yet.
func (p *postgres) lockPut(locks []lock) (put, bool) {
	var query strings.Builder
	args := make([]any, 0, 2*len(locks))
	for i, l := range locks {
		query.WriteString([]string{"SELECT ", ", "}[min(i, 1)])
		query.WriteString("pg_advisory_xact_lock")
		if l.shared {
			query.WriteString("_shared")
		}
		fmt.Fprintf(&query, "($%d, $%d)", len(args)+1, len(args)+2)
		args = append(args, lockBase+l.space, l.key)
	}
	return put{query: query.String(), args: args, done: naming("lock")}, true
}

const (
	changes     = "sluice_registry" // the channel of notifications
	finishQuery = `WITH written AS (INSERT INTO commits (token) VALUES ($1)) 
		SELECT pg_notify($2, concat_ws(' ', $3::text, $4::bigint, (SELECT generation FROM vectors WHERE view_id = $4)))`
	insertToken   = `INSERT INTO commits (token) VALUES ($1)`
	forgetCommits = `DELETE FROM commits WHERE at < now() - interval '1 hour'`
)

// finishPut leaves the transaction's token, and tells others of the change: who made
// it, in which view, and the generation of its vector if it has one.
func (p *postgres) finishPut(tx *transaction) (put, bool) {
	if tx.quiet {
		return put{query: insertToken, args: []any{tx.token[:]}}, true
	}
	return put{query: finishQuery, args: []any{tx.token[:], changes, p.origin, int64(tx.view)}}, true
}

// committed tries to leave the transaction's token once more. The server lets that
// wait for a transaction that is still at it, and refuses it if that is committed.
func (p *postgres) committed(ctx context.Context, tx *transaction) (bool, error) {
	probe, conn, err := p.begin(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close() // it is over by then, in whatever way
	_, err = probe.ExecContext(ctx, insertToken, tx.token[:])
	undo := (&transaction{Tx: probe, dialect: p}).undo()
	if p.taken(err) {
		return true, undo
	}
	return false, errors.Join(err, undo)
}

func (p *postgres) clock() string {
	return `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint`
}
