package tap

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	tenureCases = flag.Int("tenure.cases", 8, "how many random histories of owners and losses")
	tenureSeed  = flag.Uint64("tenure.seed", 1, "seed of the first one")
)

// holder is a process of which each step is taken by hand: what an owner does from its claim
// to its end, and what a process does that has let go. A step that fails ends as an owner's
// session does: what lies between two records is kept.
type holder struct {
	*history
	tap  *Tap
	w    *writer
	p    *partition // taken, or let go of
	step string     // claimed, entered, owning or let; empty: it has nothing
}

// history is holders of one partition, and what nobody may ever see undone: how far it was
// saved, wherever, by whoever was then its owner.
type history struct {
	*rig
	rng     *rand.Rand
	at      source
	holders []*holder
	sent    int64
	far     int64 // offset of the furthest progress that was saved
	steps   []string
}

func (h *history) note(format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf(format, args...))
}

// look fails the test if what is saved goes back behind what was saved, or counts a record
// twice or not at all.
func (h *history) look() {
	h.Helper()
	s, there := h.saved()[h.at]
	if !there {
		return
	}
	progress, partials, err := s.Read()
	if err != nil {
		h.Fatal(err)
	}
	rows := uint64(0)
	for _, p := range partials {
		rows += p.Rows
	}
	c := progress.Counts
	if progress.Offset < h.far || c.Received != uint64(progress.Offset) || c.Accepted != c.Received || rows != c.Accepted {
		h.Fatalf("progress at %d with %+v and %d rows, after one at %d was saved: %s", progress.Offset, c, rows, h.far, strings.Join(h.steps, "; "))
	}
	h.far = progress.Offset
}

// fails ends what a holder was about.
func (o *holder) fails(err error) {
	o.note("%s", err)
	o.w.close()
	o.w = nil
	if o.p != nil && (o.p.midway || o.p.tenure.overtaken) {
		o.p, o.step = nil, ""
	} else if o.p != nil {
		o.p.away, o.step = true, "let"
	}
}

// claim takes the partition; what the holder has of it still may outlive a loss.
func (o *holder) claim() {
	o.open()
	p, err := o.tap.take(o.ctx, o.at, o.w, o.p)
	if err != nil {
		o.fails(err)
		return
	}
	o.p, o.step = p, "claimed"
}

func (o *holder) open() {
	w, err := newWriter(o.log.cfg.Brokers, o.at)
	if err != nil {
		o.Fatal(err)
	}
	o.w = w
}

func (o *holder) enter() {
	if err := o.p.enter(o.ctx); err != nil {
		o.fails(err)
		return
	}
	o.step = "entered"
}

func (o *holder) save() {
	if err := o.p.checkpoint(o.ctx, o.w, o.step == "entered"); err != nil {
		o.fails(err)
		return
	}
	o.p.noteBegun(o.ctx)
	o.step = "owning"
}

// read takes a few of the records that were sent, sometimes the newest.
func (o *holder) read() {
	to := min(o.sent, o.p.next+1+o.rng.Int64N(4))
	if err := o.p.begin(); err != nil {
		o.Fatal(err)
	}
	if err := o.log.readRange(o.ctx, o.at.topic, o.at.partition, o.p.next, to, func(r *kgo.Record) error { return o.p.record(o.ctx, r) }); err != nil {
		o.Fatal(err)
	}
}

// letGo ends the owner, with or without having saved, as one that stood still.
func (o *holder) letGo() {
	o.w.close()
	o.w, o.step, o.p.away = nil, "let", true
}

// giveBack is the guard's turn.
func (o *holder) giveBack() {
	ended := &owner{tap: o.tap, at: o.at, kept: o.p, letAt: time.Now()}
	ended.gap.Store(&gap{}) // a look that may be of before: the claim tells
	keep, err := ended.giveBack(o.ctx)
	o.note("keeps %t, %v", keep, err)
	if !keep {
		o.p, o.step = nil, ""
	}
}

// turn takes one step of a holder.
func (o *holder) turn() {
	var can []string
	switch o.step {
	case "":
		can = []string{"claim"}
	case "claimed":
		can = []string{"enter"}
	case "entered":
		can = []string{"save"}
	case "owning":
		can = []string{"read", "read", "save", "save", "let go"}
	case "let":
		can = []string{"give back", "give back", "claim", "die"}
	}
	do := can[o.rng.IntN(len(can))]
	o.note("%d: %s", slices.Index(o.holders, o), do)
	switch do {
	case "claim":
		o.claim()
	case "enter":
		o.enter()
	case "save":
		o.save()
	case "read":
		o.read()
	case "let go":
		o.letGo()
	case "give back":
		o.giveBack()
	case "die":
		o.p, o.step = nil, ""
	}
}

// TestTenures has three processes claim, enter, save, read, let go of, keep and give back one
// partition, a step at a time in any order, while the profiles topic is lost again and again.
// What was saved once is never undone, however many take themselves for the owner; a
// partition of which nobody has the last state stays held.
func TestTenures(t *testing.T) {
	given, held := 0, 0
	for seed := *tenureSeed; seed < *tenureSeed+uint64(*tenureCases); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := &history{rig: newRig(t, 1, delays()), rng: rand.New(rand.NewPCG(seed, 0)), at: source{"sluice.writes", 0}}
			h.run()
			for _, s := range h.steps {
				if strings.HasPrefix(s, "keeps true") {
					given++
				}
				if strings.Contains(s, ErrProgressLost.Error()) {
					held++
				}
			}
		})
	}
	if given == 0 || held == 0 {
		t.Errorf("a state was kept or given back %d times and a partition held %d times, want each", given, held)
	}
}

func (h *history) run() {
	for range 3 {
		deps := h.deps()
		deps.Logger = slog.New(slog.DiscardHandler)
		tap, err := New(h.cfg, h.log, deps)
		if err != nil {
			h.Fatal(err)
		}
		h.holders = append(h.holders, &holder{history: h, tap: tap})
	}
	for range 40 {
		switch n := h.rng.IntN(8); {
		case n == 0:
			h.note("lost")
			h.remake(h.log.cfg.Topics.Profiles)
		case n == 1:
			h.send(h.at.topic, on(0, withID(write(fmt.Sprint("C", h.sent), day, 1, 1), fmt.Sprint(h.sent))))
			h.sent++
		default:
			o := h.holders[h.rng.IntN(len(h.holders))]
			for range 1 + h.rng.IntN(5) { // some steps in a row, so that many come to read on
				o.turn()
				h.look()
			}
		}
	}
	for _, o := range h.holders {
		if o.w != nil {
			o.w.close()
		}
	}
}
