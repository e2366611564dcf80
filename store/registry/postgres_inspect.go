package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresInspection is what a look at a registry's server found.
type PostgresInspection struct {
	Version string        // such as 15.6
	Major   int           // such as 15
	Skew    time.Duration // its clock less this machine's, give or take the time of one exchange
	Schema  bool          // the registry's schema is there
	Fsync   bool          // commits survive a loss of power
	Free    int           // connections that are left for ordinary users
}

// InspectPostgres connects to a registry's server and looks at it. Nothing is changed.
// The errors are those of OpenPostgres.
func InspectPostgres(ctx context.Context, dsn string) (found PostgresInspection, err error) {
	server, err := parseServer(dsn, PostgresOptions{}.withDefaults())
	if err != nil {
		return found, fmt.Errorf("inspect registry: %w", err)
	}
	p := &postgres{server: server}
	conn, err := pgx.ConnectConfig(ctx, server.config)
	if err != nil {
		return found, fmt.Errorf("inspect registry: %w", p.explain(err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var number int
	var clock time.Time
	asked := time.Now()
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('server_version_num')::int, clock_timestamp(),
		to_regclass($1 || '.migrations') IS NOT NULL, current_setting('fsync') = 'on',
		current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend')`,
		schema).Scan(&found.Version, &number, &clock, &found.Schema, &found.Fsync, &found.Free)
	if err != nil {
		return found, fmt.Errorf("inspect registry: %w", p.explain(err))
	}
	answered := time.Now()
	found.Major = number / 10_000
	found.Skew = clock.Sub(asked.Add(answered.Sub(asked) / 2))
	return found, nil
}
