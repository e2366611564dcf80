package scenario

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lease is how long a server may go on with a list of versions that it cannot
// confirm, unflagged.
const lease = time.Second

// pollers read all the while, one at each door, and note rows of windows that must
// not be visible.
type pollers struct {
	mu      sync.Mutex
	banned  map[int]time.Time // windows that reads begun after a time must not see
	seen    []string
	flagged int // reads of a banned window that said themselves that they may be old
	reads   []atomic.Int64
	slowest atomic.Int64   // nanoseconds
	errors  map[string]int // reads that failed, by why
	wait    sync.WaitGroup
	stop    context.CancelFunc
}

// watch starts pollers on the accounts of the scenario. While a server is down its
// reads fail, which is not their concern.
func watch(t *testing.T, s *site) *pollers {
	ctx, cancel := context.WithCancel(t.Context())
	p := &pollers{stop: cancel, banned: map[int]time.Time{}, errors: map[string]int{}, reads: make([]atomic.Int64, len(s.doors))}
	for n, d := range s.doors {
		p.wait.Go(func() { p.poll(ctx, n, d) })
	}
	t.Cleanup(func() { p.end() })
	return p
}

func (p *pollers) poll(ctx context.Context, n int, d *door) {
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("a%03d", i))
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		answer, err := readAt(*d.Load(), slices.Concat(names, p.onlyBanned())...)
		if err != nil {
			p.fail(err)
			continue
		}
		p.reads[n].Add(1)
		p.slowest.Store(max(p.slowest.Load(), int64(time.Since(began))))
		p.check(n, began, answer)
	}
}

// fail counts a read that failed; addresses and numbers in the error do not matter.
func (p *pollers) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors[digits.ReplaceAllString(err.Error(), "0")]++
}

var digits = regexp.MustCompile(`\d+`)

// onlyBanned returns the accounts that banned windows alone have.
func (p *pollers) onlyBanned() (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.banned {
		names = append(names, only(i))
	}
	return names
}

func (p *pollers) check(n int, began time.Time, answer served) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range answer.Rows {
		after, banned := p.banned[r.in()]
		switch {
		case !banned || !began.After(after):
		case answer.Provenance.Fallback != "":
			p.flagged++
		default:
			p.seen = append(p.seen, fmt.Sprintf("door %d, %s after it had to be gone: %v of window %d: %v", n, began.Sub(after), r.Key, r.in(), r.Values))
		}
	}
}

// ban makes rows of window i a fault in reads that begin after a time.
func (p *pollers) ban(i int, after time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.banned[i] = after
}

// lift allows window i again.
func (p *pollers) lift(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.banned, i)
}

// end stops the pollers.
func (p *pollers) end() {
	p.stop()
	p.wait.Wait()
}

// hold stops the pollers and fails the test of s if they saw what they must not have, or if one
// of them read so little that the run proves nothing.
func (p *pollers) hold(s *site, least int64) {
	s.t.Helper()
	p.end()
	if len(p.seen) > 0 {
		s.errorf("%d rows were read that must not be visible, such as %s", len(p.seen), p.seen[0])
	}
	for n := range p.reads {
		if got := p.reads[n].Load(); got < least {
			s.errorf("only %d reads at door %d, want %d: the run is void", got, n, least)
		}
	}
	s.t.Logf("reads %s, slowest %s; banned rows in reads flagged as old: %d", counts(p.reads), time.Duration(p.slowest.Load()).Round(time.Millisecond), p.flagged)
	for text, n := range p.errors {
		s.t.Logf("%d reads failed: %s", n, text)
	}
}

func counts(all []atomic.Int64) string {
	text := ""
	for i := range all {
		text += fmt.Sprintf("%d ", all[i].Load())
	}
	return text[:len(text)-1]
}
