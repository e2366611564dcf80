package tap

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"sluice/feature"
	"sluice/quality/sketch"
)

// remake deletes the topic of writes and makes it anew, with nothing in it.
func (r *rig) remake(topic string) {
	r.Helper()
	if _, err := r.log.admin.DeleteTopics(r.ctx, topic); err != nil {
		r.Fatal(err)
	}
	for {
		_, err := r.log.countPartitions(r.ctx, []string{topic})
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			break
		}
		if r.ctx.Err() != nil {
			r.Fatalf("%s is there still: %v", topic, err)
		}
	}
	if err := r.log.EnsureTopics(r.ctx, topic); err != nil {
		r.Fatal(err)
	}
}

// total waits until so many records were received, and returns the accounting.
func (r *rig) total(received uint64) (sum feature.Counts) {
	r.Helper()
	r.wait(fmt.Sprintf("%d records are received", received), func() bool {
		sum = feature.Counts{}
		for _, p := range r.seen {
			sum.Received += p.Counts.Received
			sum.Accepted += p.Counts.Accepted
			sum.Duplicate += p.Counts.Duplicate
			sum.Late += p.Counts.Late
		}
		return sum.Received >= received
	})
	return sum
}

// A topic that is deleted and made anew is read from its start, whether a tap runs
// meanwhile or not, and however much is in it by then; its writes reach it at once. What
// was counted stays, events of before are known, and what the former topic held is said
// to be gone rather than mistaken for what has its offsets now.
func TestTopicMadeAnew(t *testing.T) {
	for _, runs := range []bool{true, false} {
		t.Run(fmt.Sprintf("tap runs %t", runs), func(t *testing.T) {
			r := newRig(t, 2, delays())
			id := 0
			send := func(partition int32, n int) {
				for range n {
					at := day.Add(time.Duration(id) * time.Second)
					r.send("sluice.writes", on(partition, withID(write(fmt.Sprintf("C%d", id), at, 1, id), fmt.Sprint(id))))
					id++
				}
			}
			run := r.start()
			send(0, 20)
			send(1, 20)
			r.total(40)
			spans := r.spans("delays", day)
			if !runs {
				r.end(run)
			}
			r.remake("sluice.writes")
			send(0, 50) // beyond the former offset
			send(1, 3)  // far below it
			id -= 3
			send(1, 3) // again
			if !runs {
				r.start()
			}
			if got, want := r.total(96), (feature.Counts{Received: 96, Accepted: 93, Duplicate: 3}); got != want {
				t.Errorf("counts = %+v, want %+v", got, want)
			}
			r.wait("the rows of both topics in one window", func() bool {
				n := uint64(0)
				for k, part := range r.parts {
					if k.Start == day.UnixNano() {
						n += part.Rows
					}
				}
				return n == 93
			})
			reader := NewReader(r.cfg, r.log, testKey, r.registry)
			for _, span := range append(spans, r.spans("delays", day)...) {
				_, err := reader.Profile(r.ctx, r.view("delays"), sketch.Unbinned(r.view("delays")), feature.Window{Start: day, End: day.Add(5 * time.Minute)}, []feature.Span{span})
				if !errors.Is(err, feature.ErrExpired) {
					t.Errorf("reading %+v again gives %v, want %v", span, err, feature.ErrExpired)
				}
			}
		})
	}
}

// A span that reaches beyond the end of the log is of records that are gone: nobody waits
// for others in their place.
func TestReplayBeyondTheEnd(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	r.send("sluice.writes", write("UA", day, 1, 1))
	r.drain()
	span := r.spans("delays", day)[0]
	span.Last += 5
	_, err := NewReader(r.cfg, r.log, testKey, r.registry).Profile(r.ctx, r.view("delays"), sketch.Unbinned(r.view("delays")), feature.Window{Start: day, End: day.Add(5 * time.Minute)}, []feature.Span{span})
	if !errors.Is(err, feature.ErrExpired) {
		t.Errorf("reading %+v again gives %v, want %v", span, err, feature.ErrExpired)
	}
}
