package tap

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A state that is put in place while a tap runs is taken up without a record to save, and only
// where it was put.
func TestStatePutWhileIdle(t *testing.T) { testStatePutWhileIdle(newRig(t, 2, delays())) }

func testStatePutWhileIdle(r *rig) {
	logged := &loggedLines{}
	run := r.startLogged(logged)
	topic := r.log.cfg.Topics.Writes
	for id := range 20 {
		r.send(topic, on(int32(id%2), withID(write(fmt.Sprintf("C%d", id), day.Add(time.Duration(id)*time.Second), 1, id), fmt.Sprint(id))))
	}
	r.total(20)
	before := r.saved()[source{topic, 0}]
	for i := range 2 {
		if err := r.log.PutState(r.ctx, FirstState(topic, 0, before.TopicID)); err != nil {
			r.Fatal(err)
		}
		// A broker answers before everybody sees what was put: until the partition is taken anew,
		// what was there before may be what a look finds.
		r.poll("the partition is taken anew", func(map[source]State) bool { return logged.count("partition taken") == 3+i })
		r.poll("the partition is read again from its start, with nothing new in it", func(states map[source]State) bool {
			return holds(states, topic, map[int32]uint64{0: 10, 1: 10}, 20)
		})
	}
	r.end(run)
	if n := testutil.ToFloat64(run.tap.metrics.errors.WithLabelValues("fenced")); n != 2 || logged.count("partition taken") != 4 {
		r.Errorf("%v sessions were fenced, and partitions taken %d times; want 2 and 4", n, logged.count("partition taken"))
	}
}
