//go:build services

package registry_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"sluice/feature"
	"sluice/store/registry"
)

// TestPostgresTerminated terminates every connection of a registry under load, again
// and again.
func TestPostgresTerminated(t *testing.T) {
	const rounds = 20
	dsn := databaseOf(t, superuser(t), t.TempDir())
	s := openPostgres(t, dsn, registry.PostgresOptions{})
	defer s.Close()
	l := newLoad(t, s)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.run(ctx, s, func(error) bool { return false }) })
	killed := 0
	for range rounds {
		before := l.total()
		until(t, "ten changes", func() bool { return l.total() >= before+10 || ctx.Err() != nil })
		killed += terminate(t, dsn, "")
	}
	stop()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	l.check(t, s)
	t.Logf("%d changes, %d connections terminated", l.total(), killed)
	if killed < rounds {
		t.Errorf("only %d connections were terminated", killed)
	}
}

// terminate ends the connections to a database whose last statement begins so, and
// returns how many there were.
func terminate(t *testing.T, dsn, statement string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE $1 || '%'`, statement).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestPostgresLostDuringCommit loses the connection while a decision is committed.
func TestPostgresLostDuringCommit(t *testing.T) {
	for name, f := range map[string]fault{
		"before the server has it":      {cut: true, late: -1},
		"after it was carried out":      {cut: true, after: true},
		"and the server has it at once": {cut: true},
		"and the server has it later":   {cut: true, late: 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			p, dsn := startProxy(t, databaseOf(t, superuser(t), t.TempDir()))
			s := openPostgres(t, dsn, registry.PostgresOptions{})
			defer s.Close()
			l := newLoad(t, s)
			view := l.views[0]
			faults := p.commits(f, 1)
			v, err := s.Apply(t.Context(), change(view, 0))
			if err != nil || v.Generation != 1 {
				t.Errorf("Apply = %+v, %v, want generation 1", v, err)
			}
			l.acked[0].Store(1)
			if faults.Load() != 1 {
				t.Error("no commit met the fault")
			}
			l.check(t, s)
			faults = p.commits(f, 1)
			if epoch, err := s.Acquire(t.Context(), "gate"); epoch != 1 || err != nil {
				t.Errorf("Acquire = %d, %v, want 1", epoch, err)
			}
			if again, err := s.Acquire(t.Context(), "gate"); again != 2 || err != nil || faults.Load() != 1 {
				t.Errorf("second Acquire = %d, %v, want 2: the first counts once", again, err)
			}
			p.commits(f, 1)
			info, err := s.OpenVersion(t.Context(), view, window(0), start)
			if info.Version != 1 || err != nil {
				t.Errorf("OpenVersion = %+v, %v, want version 1", info, err)
			}
		})
	}
}

// commits has the next n commits meet a fault, and returns how many have.
func (p *proxy) commits(f fault, n int32) *atomic.Int32 {
	var met atomic.Int32
	p.at(func(query string) fault {
		if strings.EqualFold(query, "commit") && met.Load() < n {
			met.Add(1)
			return f
		}
		return fault{}
	})
	return &met
}

// TestPostgresUncertain loses the server during a commit, and does not get it back
// in time.
func TestPostgresUncertain(t *testing.T) {
	for name, tc := range map[string]struct {
		fault fault
		want  uint64 // the generation that is found later
	}{
		"carried out":     {fault{cut: true, after: true}, 1},
		"not carried out": {fault{cut: true, late: -1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, dsn := startProxy(t, databaseOf(t, superuser(t), t.TempDir()))
			s := openPostgres(t, dsn, registry.PostgresOptions{Writes: 200 * time.Millisecond})
			defer s.Close()
			l := newLoad(t, s)
			p.at(func(query string) fault {
				if strings.EqualFold(query, "commit") {
					p.setRefuse(true)
					return tc.fault
				}
				return fault{}
			})
			changed := s.Changed()
			_, err := s.Apply(t.Context(), change(l.views[0], 0))
			if !errors.Is(err, registry.ErrUncertain) || errors.Is(err, feature.ErrConflict) || !strings.Contains(err.Error(), "registry.postgres") {
				t.Errorf("Apply = %v, want %v that names registry.postgres", err, registry.ErrUncertain)
			}
			select {
			case <-changed:
			default:
				t.Error("nobody was told of a change that may have been made")
			}
			p.at(nil)
			p.setRefuse(false)
			v, err := s.Vector(t.Context(), l.views[0].ID)
			if v.Generation != tc.want || err != nil {
				t.Errorf("Vector = %+v, %v, want generation %d", v, err, tc.want)
			}
			_, err = s.Apply(t.Context(), change(l.views[0], 0))
			if got := errors.Is(err, feature.ErrConflict); got != (tc.want == 1) || err != nil && !got {
				t.Errorf("Apply once more = %v, want a conflict only if it was carried out", err)
			}
			l.acked[0].Store(1)
			l.check(t, s)
		})
	}
}

// TestPostgresAwait: nobody waits any more for an opening that the server has yet to commit.
// Who looks for it after Await finds it.
func TestPostgresAwait(t *testing.T) {
	p, dsn := startProxy(t, databaseOf(t, superuser(t), t.TempDir()))
	s := openPostgres(t, dsn, registry.PostgresOptions{})
	defer s.Close()
	view := newLoad(t, s).views[0]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var commits atomic.Int32
	p.at(func(query string) fault {
		if !strings.EqualFold(query, "commit") || commits.Add(1) > 1 {
			return fault{}
		}
		cancel()
		return fault{cut: true, late: time.Second}
	})
	_, err := s.OpenKind(ctx, view, feature.VersionInfo{Kind: feature.KindApproved, Window: window(0), Reason: "mine"})
	if !errors.Is(err, registry.ErrUncertain) || commits.Load() != 1 {
		t.Fatalf("OpenKind = %v after %d commits, want %v and one", err, commits.Load(), registry.ErrUncertain)
	}
	if err := s.Await(t.Context(), view.ID); err != nil {
		t.Fatal(err)
	}
	infos, err := s.Versions(t.Context(), view.ID, 0, 0)
	if err != nil || len(infos) != 1 || infos[0].Reason != "mine" {
		t.Errorf("after Await there is %+v, %v, want the version that was opened", infos, err)
	}
}

// TestPostgresFrozen: a server that no longer answers holds nobody for longer than
// agreed, and what was asked of it is not done behind anybody's back.
func TestPostgresFrozen(t *testing.T) {
	p, dsn := startProxy(t, databaseOf(t, superuser(t), t.TempDir()))
	s := openPostgres(t, dsn, registry.PostgresOptions{Connect: 200 * time.Millisecond, Attempt: 300 * time.Millisecond, Reads: 300 * time.Millisecond, Writes: 500 * time.Millisecond})
	defer s.Close()
	l := newLoad(t, s)
	p.freeze()
	began := time.Now()
	if _, err := s.Vector(t.Context(), l.views[0].ID); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("Vector = %v, want %v", err, registry.ErrUnavailable)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a read took %s", took)
	}
	began = time.Now()
	if _, err := s.Apply(t.Context(), change(l.views[0], 0)); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("Apply = %v, want %v", err, registry.ErrUnavailable)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("a write took %s", took)
	}
	p.thaw()
	if v, err := s.Apply(t.Context(), change(l.views[0], 0)); v.Generation != 1 || err != nil {
		t.Errorf("Apply = %+v, %v, want generation 1: nothing was done while it was frozen", v, err)
	}
	l.acked[0].Store(1)
	l.check(t, s)
}

// TestPostgresChanged: another process hears of a change within a second, and after
// its connection was lost of a change that there may have been.
func TestPostgresChanged(t *testing.T) {
	dsn := databaseOf(t, superuser(t), t.TempDir())
	s, other := openPostgres(t, dsn, registry.PostgresOptions{}), openPostgres(t, dsn, registry.PostgresOptions{})
	defer s.Close()
	defer other.Close()
	l := newLoad(t, s)
	heard := func(what string, changed <-chan struct{}, limit time.Duration) time.Duration {
		t.Helper()
		began := time.Now()
		select {
		case <-changed:
		case <-time.After(limit):
			t.Fatalf("%s was not heard of within %s", what, limit)
		}
		return time.Since(began)
	}
	var longest time.Duration
	for n := range uint64(20) {
		changed := other.Changed()
		if _, err := s.Apply(t.Context(), change(l.views[0], n)); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, heard("a change", changed, time.Second))
		if v, err := other.Vector(t.Context(), l.views[0].ID); v.Generation != n+1 || err != nil {
			t.Fatalf("Vector after the news = %+v, %v, want generation %d", v, err, n+1)
		}
	}
	t.Logf("20 changes, heard of at most %s after the commit", longest)
	changed := other.Changed()
	if n := terminate(t, dsn, "LISTEN"); n != 2 {
		t.Fatalf("%d connections listened, want 2", n)
	}
	heard("the loss", changed, 5*time.Second)
	changed = other.Changed()
	if _, err := s.Apply(t.Context(), change(l.views[0], 20)); err != nil {
		t.Fatal(err)
	}
	heard("a change after the loss", changed, time.Second)
}

// TestPostgresOpeners opens one new database many times at once.
func TestPostgresOpeners(t *testing.T) {
	dsn := databaseOf(t, superuser(t), t.TempDir())
	var ids sync.Map
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			s, err := registry.OpenPostgres(t.Context(), dsn, registry.PostgresOptions{Connections: 2})
			if err != nil {
				return err
			}
			id, err := s.Installation(t.Context())
			ids.Store(id, true)
			return errors.Join(err, s.Close())
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d installations in one registry", n)
	}
}
