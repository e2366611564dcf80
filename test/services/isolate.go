package services

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Name returns a name that no other test has, for topics, consumer groups and
// key prefixes: the test's own in lower-case letters, digits and underscores,
// and eight random characters; at most 63 bytes.
func Name(t testing.TB) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(t.Name()))
	return fmt.Sprintf("%.54s_%s", plain, strings.ToLower(rand.Text()[:8]))
}

// Database creates an empty database and returns its DSN; it is dropped, and its
// clients are disconnected, when t ends.
func (s *Set) Database(t testing.TB) string {
	t.Helper()
	name := Name(t)
	quoted := pgx.Identifier{name}.Sanitize()
	if err := s.administer("CREATE DATABASE " + quoted); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.administer("DROP DATABASE " + quoted + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	dsn, err := url.Parse(s.Postgres())
	if err != nil {
		t.Fatalf("services: POSTGRES_DSN: %v", err)
	}
	dsn.Path = "/" + name
	return dsn.String()
}

// administer runs one statement in the database that all share.
func (s *Set) administer(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.Postgres())
	if err != nil {
		return fmt.Errorf("services: %s: %w", statement, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("services: %s: %w", statement, err)
	}
	return nil
}
