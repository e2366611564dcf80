//go:build services

package scenario

import (
	"context"
	"fmt"
	"regexp"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"sluice/test/services"
)

// Locks of the database that a gate waits for: with the commit of a transaction that tells
// people something, and before it forgets what it has told.
const (
	lockCommit = 7001
	lockForget = 7002
)

// holdUps lets a gate wait for these locks, whatever it does else.
const holdUps = `
SET search_path = sluice;
CREATE FUNCTION hold_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7001); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER hold_commit AFTER INSERT ON notices DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold_commit();
CREATE FUNCTION hold_forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7002); RETURN OLD; END $$;
CREATE TRIGGER hold_forget BEFORE DELETE ON notices FOR EACH ROW EXECUTE FUNCTION hold_forget();`

// database is that of a fleet, where gates can be held up.
type database struct {
	*fleet
	db *pgx.Conn
}

func newDatabase(f *fleet, dsn string) *database {
	f.t.Helper()
	db, err := pgx.Connect(f.t.Context(), dsn)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = db.Close(context.Background()) }) // the database is dropped
	h := &database{f, db}
	h.do(holdUps)
	return h
}

func (h *database) do(statement string) {
	h.t.Helper()
	if _, err := h.db.Exec(h.t.Context(), statement); err != nil {
		h.fatalf("%s: %v", statement, err)
	}
}

func (h *database) hold(lock int) { h.do(fmt.Sprintf("SELECT pg_advisory_lock(%d)", lock)) }
func (h *database) free(lock int) { h.do(fmt.Sprintf("SELECT pg_advisory_unlock(%d)", lock)) }

// count returns what a query counts.
func (h *database) count(query string, args ...any) (n int, err error) {
	err = h.db.QueryRow(h.t.Context(), query, args...).Scan(&n)
	return n, err
}

// waits waits until somebody waits for a lock.
func (h *database) waits(lock int) {
	h.t.Helper()
	h.until(fmt.Sprintf("a gate waits for lock %d", lock), settled, func() error {
		n, err := h.count("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted", lock)
		if err == nil && n == 0 {
			err = fmt.Errorf("nobody waits")
		}
		return err
	})
}

// told waits until people were told everything.
func (h *database) told() {
	h.t.Helper()
	h.until("all is told", settled, func() error {
		n, err := h.count("SELECT count(*) FROM notices")
		if err == nil && n > 0 {
			err = fmt.Errorf("%d notices wait", n)
		}
		return err
	})
}

// verdictOf waits for the verdict on a window.
func (h *database) verdictOf(i int) (v verdict) {
	h.t.Helper()
	h.until(fmt.Sprintf("window %d is judged", i), settled, func() (err error) {
		v, err = h.judged(i)
		return err
	})
	return v
}

// published pushes a window as others are, which is published.
func (h *database) published(i int) {
	h.t.Helper()
	if err := h.push(i, payments(i, 1)); err != nil {
		h.fatalf("window %d: %v", i, err)
	}
	if v := h.verdictOf(i); v.Decision != "publish" {
		h.fatalf("window %d: %s, want it published", i, v.Decision)
	}
}

var noticeOf = regexp.MustCompile(`view=payments version=(\d+) .*resolved=false .*notice=(\S+)`)

// notices returns how often a process has told each notice that a version is blocked, by id.
func (p *process) notices(version int) map[string]int {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	told := map[string]int{}
	for _, found := range noticeOf.FindAllStringSubmatch(p.log.b.String(), -1) {
		if found[1] == fmt.Sprint(version) {
			told[found[2]]++
		}
	}
	return told
}

// takeOver lets the gate that leads decide about window i, which is poisoned, hurts it where
// it waits for the lock, and returns how often it and the other have told people of that.
func (h *database) takeOver(i, lock int, hurt, mend func(*process)) (first, second int) {
	h.t.Helper()
	leading, other := h.leader()
	h.hold(lock)
	if err := h.push(i, payments(i, 100)); err != nil {
		h.fatalf("window %d: %v", i, err)
	}
	h.waits(lock)
	hurt(leading)
	if lock == lockCommit {
		h.free(lock)
	}
	h.until(other.name+" leads", settled, func() error {
		if leads, err := other.leads(); err != nil || !leads {
			return fmt.Errorf("it stands by (%w)", err)
		}
		return nil
	})
	v := h.verdictOf(i)
	if v.Decision != "reject" {
		h.fatalf("window %d: %+v, want it rejected", i, v)
	}
	h.until(other.name+" tells of it", settled, func() error {
		if told := other.notices(v.Version); len(told) != 1 {
			return fmt.Errorf("it told %v", told)
		}
		return nil
	})
	if lock == lockForget {
		h.free(lock)
	}
	mend(leading)
	h.told()
	h.published(i + 1) // by then it has gone on
	h.until(leading.name+" stands by", settled, func() error {
		if leads, err := leading.leads(); err != nil || leads {
			return fmt.Errorf("it leads: %t, %w", leads, err)
		}
		return nil
	})
	h.told()
	for id, n := range other.notices(v.Version) {
		first, second = leading.notices(v.Version)[id], n
	}
	for id := range leading.notices(v.Version) {
		if other.notices(v.Version)[id] == 0 {
			h.errorf("window %d: a notice of %s, %s, is none of %s", i, leading.name, id, other.name)
		}
	}
	return first, second
}

// TestNoticesTakenOverServices kills and freezes the gate that leads while its decision is
// being committed, so that it has told nobody, and after it has told and before that is
// noted. The gate that leads next tells people of the decision once; the other one has done
// so before at most, and does not when it goes on, but once where it had not yet.
func TestNoticesTakenOverServices(t *testing.T) {
	set := services.Start(t, "kafka", "redis", "postgres")
	dsn := set.Database(t)
	f := startFleet(t, directly(set.Brokers(), set.Redis(), false, dsn))
	f.define()
	h := newDatabase(f, dsn)
	i := 0
	for ; i < 13; i++ {
		h.published(i)
	}
	kill, start := (*process).kill, (*process).start
	freeze, thaw := func(p *process) { p.signal(syscall.SIGSTOP) }, func(p *process) { p.signal(syscall.SIGCONT) }
	for _, tc := range []struct {
		name        string
		lock        int
		hurt, mend  func(*process)
		least, most int // that the gate which is hurt may have told
	}{
		{"killed in the commit", lockCommit, kill, start, 0, 0},
		{"frozen in the commit", lockCommit, freeze, thaw, 0, 1},
		{"killed before it is noted", lockForget, kill, start, 1, 1},
		{"frozen before it is noted", lockForget, freeze, thaw, 1, 1},
	} {
		first, second := h.takeOver(i, tc.lock, tc.hurt, tc.mend)
		if first < tc.least || first > tc.most || second != 1 {
			h.errorf("%s: told %d times by it and %d times by the next, want %d to %d and 1", tc.name, first, second, tc.least, tc.most)
		}
		t.Logf("%s: told %d times by it, %d times by the next", tc.name, first, second)
		i += 2
	}
}
