package tap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// bad is a write that the view delays cannot read, with the key and headers of its
// producer.
func bad(i int) Out {
	return Out{
		Key: fmt.Appendf(nil, "k%d", i), Headers: []Header{{HeaderProducer, []byte("p")}, {"trace", []byte{0, 255}}},
		Value: fmt.Appendf(nil, `{"view":"delays","key":{"carrier":"UA"},"event_time":"2024-05-06T12:00:01Z","values":{"airline":"%d"}}`, i),
	}
}

// outcomes counts what became of the letters of all results.
func (r *rig) resend(q Resend) (all []ResentLetter) {
	r.Helper()
	for {
		result, err := r.log.Resend(r.ctx, q)
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, result.Letters...)
		if q.After = result.Next; q.After == "" {
			return all
		}
	}
}

func outcomes(letters []ResentLetter) map[Outcome]int {
	n := map[Outcome]int{}
	for _, l := range letters {
		n[l.Outcome]++
	}
	return n
}

// A letter goes back as it came, once, and a mended view takes it.
func TestResend(t *testing.T) {
	r := newRig(t, 3, delays())
	run := r.start()
	for i := range 20 {
		r.send("sluice.writes", bad(i))
	}
	if counts := r.drain(); counts.DeadLettered != 20 {
		t.Fatalf("counts = %+v, want 20 dead-lettered", counts)
	}
	dry := r.resend(Resend{DryRun: true, Limit: 7})
	if len(dry) != 20 || outcomes(dry)[Resent] != 20 || dry[0].To.Offset != -1 {
		t.Errorf("a dry run gave %v, want 20 replayed to nowhere", outcomes(dry))
	}
	mended := delays()
	mended.Features = append(mended.Features, feature.Feature{Name: "airline", Type: feature.String})
	r.end(run)
	r.apply(mended)
	r.start()
	one := r.letters()[4]
	if sent := r.resend(Resend{Places: []Place{one.Place()}}); len(sent) != 1 || sent[0].Letter.Place() != one.Place() {
		t.Errorf("replay of %s gave %v", one.Place(), sent)
	}
	refused := errors.New("not noted")
	asked := 0
	if _, err := r.log.Resend(t.Context(), Resend{Before: func(_ context.Context, letters []ResentLetter) error {
		asked = len(letters)
		return refused
	}}); !errors.Is(err, refused) || asked != 19 {
		t.Errorf("Resend that is refused = %v, asked about %d letters, want %v and 19", err, asked, refused)
	}
	sent := r.resend(Resend{Limit: 7})
	if n := outcomes(sent); n[Resent] != 19 || n[ResentBefore] != 1 {
		t.Errorf("replay gave %v, want 19 replayed and 1 already", n)
	}
	if counts := r.drain(); counts.Accepted != 20 || counts.Received != 40 {
		t.Errorf("counts = %+v, want 20 more, all accepted", counts)
	}
	for _, l := range sent {
		r.same(l)
	}
	if n := outcomes(r.resend(Resend{Limit: 6})); n[ResentBefore] != 20 || len(n) != 1 {
		t.Errorf("a second replay gave %v, want 20 already", n)
	}
	if n := outcomes(r.resend(Resend{Again: true, Limit: 6})); n[Resent] != 20 || len(n) != 1 {
		t.Errorf("a replay of all again gave %v, want 20 replayed", n)
	}
	letter, places, err := r.log.FindLetter(r.ctx, one.Place())
	if err != nil || !bytes.Equal(letter.Bytes, one.Bytes) || len(places) != 2 {
		t.Errorf("FindLetter(%s) = %q, sent again as %v, %v, want its bytes and two places", one.Place(), letter.Bytes, places, err)
	}
	if _, _, err := r.log.FindLetter(r.ctx, Place{"sluice.writes", 0, 9999}); !errors.Is(err, feature.ErrNotFound) {
		t.Errorf("FindLetter of none = %v, want %v", err, feature.ErrNotFound)
	}
}

// same checks that what was sent again is the letter's record, and says so.
func (r *rig) same(l ResentLetter) {
	r.Helper()
	before, err := r.log.original(r.ctx, l.Letter.Place())
	if err != nil {
		r.Fatal(err)
	}
	after, err := r.log.original(r.ctx, l.To)
	if err != nil {
		r.Fatal(err)
	}
	same := func(a, b kgo.RecordHeader) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }
	n := len(after.Headers) - 1
	if !bytes.Equal(before.Key, after.Key) || !bytes.Equal(before.Value, after.Value) || before.Partition != after.Partition ||
		!slices.EqualFunc(before.Headers, after.Headers[:n], same) {
		r.Errorf("%s was sent again as %v %q %q, want %v %q %q", l.Letter.Place(), after.Headers, after.Key, after.Value, before.Headers, before.Key, before.Value)
	}
	if of, ok := header(after, HeaderReplayOf); !ok || of != l.Letter.Place().String() {
		r.Errorf("header %s = %q, want %s", HeaderReplayOf, of, l.Letter.Place())
	}
}

// What is refused again while letters are replayed is not replayed in the same go.
func TestResendEnds(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	for i := range 6 {
		r.send("sluice.writes", bad(i))
	}
	r.drain()
	q, sent := Resend{Limit: 2, Again: true}, 0
	for {
		result, err := r.log.Resend(r.ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		sent += len(result.Letters)
		r.drain() // by now they are refused again
		if q.After = result.Next; q.After == "" || sent > 6 {
			break
		}
	}
	if sent != 6 {
		t.Errorf("%d letters were replayed, want the 6 that there were", sent)
	}
	refused := r.letters()
	if last := refused[len(refused)-1]; len(refused) != 12 || len(last.Headers) != 3 || last.Headers[2].Key != HeaderReplayOf {
		t.Errorf("%d letters, the last with headers %v, want 12 with %s last", len(refused), last.Headers, HeaderReplayOf)
	}
	for _, l := range r.resend(Resend{}) {
		if record, err := r.log.original(r.ctx, l.To); l.Outcome == Resent && (err != nil || len(record.Headers) != 3) {
			t.Errorf("%s has headers %v (%v), want one %s", l.To, record.Headers, err, HeaderReplayOf)
		}
	}
}

// A letter that was cut is replayed from its topic, and not at all if it is gone there.
func TestResendOfCutLetters(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	long := Out{Key: []byte("long"), Value: []byte(`{"view":"delays","x":"` + strings.Repeat("x", maxLetter) + `"}`)}
	many := bad(1)
	many.Headers = append(many.Headers, Header{"large", bytes.Repeat([]byte{1}, maxLetter)}, Header{"larger", bytes.Repeat([]byte{2}, letterRoom+1)})
	r.send("sluice.writes", long, many)
	r.drain()
	sent := r.resend(Resend{})
	if n := outcomes(sent); n[Resent] != 2 {
		t.Fatalf("replay gave %v (%+v), want 2 replayed", n, sent)
	}
	for _, l := range sent {
		r.same(l)
	}
	gone := sent[0].Letter
	gone.Offset = 12345
	letter := newLetter(r, gone.Place(), maxLetter+1)
	r.send(r.log.cfg.Topics.DeadLetters, letter)
	sent = r.resend(Resend{Places: []Place{gone.Place()}})
	if len(sent) != 1 || sent[0].Outcome != Unsendable || !strings.Contains(sent[0].Text, feature.ErrExpired.Error()) {
		t.Errorf("replay of a cut letter without its record gave %+v, want it failed: %v", sent, feature.ErrExpired)
	}
}

// newLetter is a dead letter that is size bytes short of its record.
func newLetter(r *rig, at Place, size int) Out {
	bad := dead(feature.CodeDecode, "delays", "", "cut")
	k := deadLetter(r.log.cfg.Topics.DeadLetters, 0, &kgo.Record{Topic: at.Topic, Partition: at.Partition, Offset: at.Offset, Value: make([]byte, size)}, bad, time.Now())
	out := Out{Key: k.Key, Value: k.Value, Partition: &k.Partition}
	for _, h := range k.Headers {
		out.Headers = append(out.Headers, Header{h.Key, h.Value})
	}
	return out
}

// Of two replays at a time, the one that began first sends nothing more.
func TestResendTakenOver(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	r.send("sluice.writes", bad(1))
	r.drain()
	first := &resender{log: r.log, query: Resend{Limit: 10}, marks: map[Place][]Place{}, seen: map[Place]bool{}}
	if err := errors.Join(first.claim(r.ctx), first.collect(r.ctx), first.sort(r.ctx)); err != nil {
		t.Fatal(err)
	}
	defer first.writer.close()
	if n := outcomes(r.resend(Resend{})); n[Resent] != 1 {
		t.Fatalf("the second replay gave %v, want 1 replayed", n)
	}
	if err := first.send(r.ctx); !errors.Is(err, ErrResending) {
		t.Errorf("the first replay ended with %v, want %v", err, ErrResending)
	}
	if counts := r.drain(); counts.Received != 2 {
		t.Errorf("counts = %+v, want the record and one replay", counts)
	}
}

func TestFindLetters(t *testing.T) {
	r := newRig(t, 2, delays())
	r.clock.set(day.Add(5 * time.Minute))
	r.start()
	for i := range 6 {
		r.send("sluice.writes", bad(i), on(int32(i%2), write("UA", day, 5000, 1)))
	}
	r.drain()
	r.clock.set(day.Add(6 * time.Minute))
	r.send("sluice.writes", Out{Value: []byte("{")})
	r.drain()
	for name, tc := range map[string]struct {
		filter LetterFilter
		want   int
	}{
		"all":             {LetterFilter{}, 13},
		"of a view":       {LetterFilter{View: "delays"}, 12},
		"quarantined":     {LetterFilter{Kind: Quarantined}, 6},
		"for a reason":    {LetterFilter{Reason: feature.CodeDecode}, 1},
		"two at a time":   {LetterFilter{View: "delays", Reason: feature.CodeExpect}, 6},
		"lately":          {LetterFilter{Since: day.Add(6 * time.Minute)}, 1},
		"in the future":   {LetterFilter{Since: day.Add(time.Hour)}, 0},
		"of another view": {LetterFilter{View: "other"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := 0
			for after := ""; ; {
				some, next, err := r.log.FindLetters(r.ctx, tc.filter, after, 4)
				if err != nil {
					t.Fatal(err)
				}
				if got += len(some); next == "" {
					break
				}
				after = next
			}
			if got != tc.want {
				t.Errorf("FindLetters(%+v) gave %d letters, want %d", tc.filter, got, tc.want)
			}
		})
	}
}

func FuzzParsePlace(f *testing.F) {
	f.Add("sluice.writes/0/12")
	f.Add("a/b/c")
	f.Add("//")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePlace(text)
		if err != nil {
			if !errors.Is(err, ErrPlace) {
				t.Fatalf("ParsePlace(%q) = %v, want %v", text, err, ErrPlace)
			}
			return
		}
		if again, err := ParsePlace(p.String()); err != nil || again != p {
			t.Fatalf("ParsePlace(%q) = %v, %v, want %v", p, again, err, p)
		}
	})
}
