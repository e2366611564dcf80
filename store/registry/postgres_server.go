package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	schema = "sluice"
	// migrating is the time for the migrations of another process, and for one
	// statement of our own.
	migrating = 2 * time.Minute
)

// server is where a registry is, and how it is reached.
type server struct {
	config *pgx.ConnConfig
	place  string // for errors: the configuration key, the host and the database
	secret string // the password, which no error shows
}

// CheckDSN says whether dsn is a connection string, as OpenPostgres takes them. Nobody is
// asked.
func CheckDSN(dsn string) error {
	_, err := parseServer(dsn, PostgresOptions{}.withDefaults())
	return err
}

// parseServer reads a connection string. What it says about timeouts holds; what it
// leaves out is set, so that none is without end.
func parseServer(dsn string, opts PostgresOptions) (server, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil || strings.Contains(config.Database, "@") {
		// The cause may quote the password, so it stays out.
		return server{}, fmt.Errorf("registry.postgres: %w: no connection string: want postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password percent-encoded, or key=value pairs", ErrInvalid)
	}
	if config.ConnectTimeout <= 0 {
		config.ConnectTimeout = opts.Connect
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	config.DialFunc = dialer.DialContext
	if config.ValidateConnect == nil {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	attempt := strconv.FormatInt(opts.Attempt.Milliseconds(), 10)
	for name, value := range map[string]string{
		"application_name": "sluice", "statement_timeout": attempt, "lock_timeout": attempt, "idle_in_transaction_session_timeout": attempt,
	} {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	config.RuntimeParams["search_path"] = schema
	place := fmt.Sprintf("registry.postgres (%s/%s)", net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))), config.Database)
	return server{config: config, place: place, secret: config.Password}, nil
}

// migrate brings the schema up to date, one process at a time.
func (s server) migrate(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, migrating)
	defer cancel()
	config := s.config.Copy()
	limit := strconv.FormatInt(migrating.Milliseconds(), 10)
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		config.RuntimeParams[name] = limit
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1, 0)`, lockBase); err != nil {
		return fmt.Errorf("wait for the migrations of another process: %w", err)
	}
	var there, ours, tables bool
	if err := conn.QueryRowContext(ctx, `SELECT to_regnamespace($1) IS NOT NULL, to_regclass($1 || '.migrations') IS NOT NULL,
		EXISTS (SELECT FROM pg_tables WHERE schemaname = $1)`, schema).Scan(&there, &ours, &tables); err != nil {
		return err
	}
	if tables && !ours {
		return fmt.Errorf("%s: %w: its schema %s is of another program: choose another database", s.place, ErrForeign, schema)
	}
	if !there {
		if _, err := conn.ExecContext(ctx, `CREATE SCHEMA `+schema); err != nil {
			return fmt.Errorf("make schema %s: %w", schema, err)
		}
	}
	// The lock ends with its connection, which is closed after this.
	return upgrade(ctx, s.place, goose.DialectPostgres, db, "postgres", goose.WithTableName("migrations"))
}
