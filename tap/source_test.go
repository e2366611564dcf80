package tap

import (
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

func TestSourceMinutes(t *testing.T) {
	var s sourceMinutes
	note := func(minute int, dead bool) { s.note(&kgo.Record{Timestamp: time.Unix(int64(60*minute), 0)}, dead) }
	for minute := range 10 {
		note(100+minute, minute%5 == 1)
		note(100+minute, false)
		note(100+minute-1, false) // out of order
	}
	want := sourceMinutes{{At: 101, N: 3, Dead: 1}, {At: 105, N: 3}, {At: 106, N: 3, Dead: 1}, {At: 107, N: 3}, {At: 108, N: 3}, {At: 109, N: 2}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("minutes %+v, want those with dead letters and the last %d others %+v", s, cleanMinutes, want)
	}
	for minute := range 3 * keptMinutes {
		note(1000+minute, true)
	}
	if len(s) > keptMinutes+cleanMinutes || s[len(s)-1].At != int64(1000+3*keptMinutes-1) {
		t.Errorf("%d minutes are kept, the last of them %+v", len(s), s[len(s)-1])
	}
	note(-1, true) // a broker without times
	if s[len(s)-1].N != 1 {
		t.Error("a record without a time counts")
	}
}

// What cannot be held against a window counts against its source: exactly, though the tap
// dies; what broke an expectation does not, and nor does a record of no view.
func TestSourceCountsDeadLetters(t *testing.T) {
	r := newRig(t, 1, delays())
	r.clock.set(day.Add(time.Minute))
	run := r.start()
	bad := []Out{
		{Value: []byte("garbage")},
		{Value: []byte(`{"view":"delays","key":{"carrier":"UA"},"event_time":1714996800,"values":{"flights":"x"}}`)},
		write("UA", day.Add(time.Hour), 1, 1), // ahead of the clock
	}
	others := []Out{
		write("UA", day, 1, 1), withID(write("UA", day, 2, 1), "e"), withID(write("UA", day, 2, 1), "e"),
		write("UA", day, 9999, 1), // breaks an expectation
	}
	unknown := Out{Value: []byte(`{"view":"none","key":{},"event_time":1,"values":{}}`)}
	total := func() (sum feature.SourceMinute) {
		for _, m := range r.progress()[source{"sluice.writes", 0}].Source {
			sum.N, sum.Dead = sum.N+m.N, sum.Dead+m.Dead
		}
		return sum
	}
	r.send("sluice.writes", append(bad, others...)...)
	r.send("sluice.writes", unknown)
	r.drain()
	if got, want := total(), (feature.SourceMinute{N: 7, Dead: 3}); got != want {
		t.Fatalf("source %+v, want %+v", got, want)
	}
	r.crash(run)
	r.send("sluice.writes", bad...)
	r.start()
	r.drain()
	if got, want := total(), (feature.SourceMinute{N: 10, Dead: 6}); got != want {
		t.Errorf("source after a crash %+v, want %+v", got, want)
	}
}
