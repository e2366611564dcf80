//go:build services

package registry_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"sluice/feature"
	"sluice/store/registry"
	"sluice/store/storetest"
)

// superuser returns the connection string of the server that tests run on.
func superuser(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv("POSTGRES_DSN")
	if dsn == "" {
		t.Fatal("POSTGRES_DSN is not set: it names a running PostgreSQL server, as its superuser")
	}
	return dsn
}

var databases sync.Map // those that were made, by name

// databaseOf returns the connection string of the database that stands for a folder.
// The first call makes it, until the test ends.
func databaseOf(t testing.TB, dsn, dir string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(dir))
	name := "sluice_test_" + hex.EncodeToString(sum[:8])
	if _, made := databases.LoadOrStore(name, true); !made {
		run(t, dsn, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		run(t, dsn, "CREATE DATABASE "+name)
		t.Cleanup(func() {
			run(t, dsn, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
			databases.Delete(name)
		})
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatalf("POSTGRES_DSN is no URL: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// run carries out one statement.
func run(t testing.TB, dsn, statement string, args ...any) {
	t.Helper()
	ctx := context.Background() // a test's is over when its cleanup runs
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func openPostgres(t testing.TB, dsn string, opts registry.PostgresOptions) *registry.Registry {
	t.Helper()
	s, err := registry.OpenPostgres(context.Background(), dsn, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openDir(t testing.TB, dir string) storetest.RegistryStore {
	t.Helper()
	return openPostgres(t, databaseOf(t, superuser(t), dir), registry.PostgresOptions{})
}

func TestPostgres(t *testing.T) { storetest.Registry(t, registry.ErrInvalid, openDir) }

func TestPostgresIsLinearizable(t *testing.T) { storetest.Linearizable(t, histories(t), openDir) }

// TestOpenPostgresForeign: a database that is no registry of this release stays as
// it is.
func TestOpenPostgresForeign(t *testing.T) {
	for name, tc := range map[string]struct {
		statements []string
		want       error
		text       string
	}{
		"tables of another program": {[]string{"CREATE SCHEMA sluice", "CREATE TABLE sluice.notes (x int)"}, registry.ErrForeign, "another program"},
		"a newer release":           {[]string{"INSERT INTO sluice.migrations (version_id, is_applied) VALUES (900, true)"}, registry.ErrForeign, "newer release"},
		"an empty schema":           {[]string{"CREATE SCHEMA sluice"}, nil, ""},
		"tables beside it":          {[]string{"CREATE TABLE views (x int)", "CREATE TABLE goose_db_version (x int)"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := databaseOf(t, superuser(t), t.TempDir())
			if strings.Contains(tc.statements[0], "migrations") {
				if err := openPostgres(t, dsn, registry.PostgresOptions{}).Close(); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range tc.statements {
				run(t, dsn, s)
			}
			s, err := registry.OpenPostgres(t.Context(), dsn, registry.PostgresOptions{})
			if !errors.Is(err, tc.want) || err != nil && !strings.Contains(err.Error(), tc.text) {
				t.Errorf("OpenPostgres = %v, want %v that says %q", err, tc.want, tc.text)
			}
			if err == nil {
				s.Close()
			}
		})
	}
}

// TestPostgresRefusesText: text that the server cannot hold is the caller's mistake.
func TestPostgresRefusesText(t *testing.T) {
	s := openPostgres(t, databaseOf(t, superuser(t), t.TempDir()), registry.PostgresOptions{})
	defer s.Close()
	for name, id := range map[string]string{"zero byte": "a\x00b", "no UTF-8": "\xff"} {
		t.Run(name, func(t *testing.T) {
			if err := s.WriteAudit(t.Context(), feature.Audit{ID: id}); !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("WriteAudit = %v, want %v", err, registry.ErrInvalid)
			}
		})
	}
}
