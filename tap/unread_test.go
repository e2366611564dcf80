package tap

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// cutWrites deletes all records of the topic of writes, as a retention does.
func (r *rig) cutWrites() {
	r.Helper()
	topic := r.log.cfg.Topics.Writes
	ends, err := r.log.admin.ListEndOffsets(r.ctx, topic)
	if err == nil {
		cut, failed := r.log.admin.DeleteRecords(r.ctx, ends.Offsets())
		err = errors.Join(failed, cut.Error())
	}
	if err != nil {
		r.Fatal(err)
	}
}

// Records that the log deleted while no tap ran are counted and told of, and what comes after
// them is read; records that were read before they went are no loss.
func TestRecordsDeletedUnread(t *testing.T) {
	r := newRig(t, 1, delays())
	topic, id := r.log.cfg.Topics.Writes, 0
	send := func(n int) {
		for range n {
			r.send(topic, on(0, withID(write(fmt.Sprintf("C%d", id), day.Add(time.Duration(id)*time.Second), 1, id), fmt.Sprint(id))))
			id++
		}
	}
	logged := &loggedLines{}
	run := r.startLogged(logged)
	send(20)
	r.total(20)
	r.cutWrites()
	r.end(run)
	const line = "records were deleted from the log before they were read"
	run = r.startLogged(logged)
	send(5)
	r.total(25)
	if n := testutil.ToFloat64(run.tap.metrics.unread.WithLabelValues(topic)); n != 0 || logged.count(line) != 0 {
		t.Errorf("%v records are said to be unread that were read, %d lines", n, logged.count(line))
	}
	r.end(run)
	send(7)
	r.cutWrites()
	send(3)
	run = r.startLogged(logged)
	r.total(28)
	if n := testutil.ToFloat64(run.tap.metrics.unread.WithLabelValues(topic)); n != 7 || logged.count(line) != 1 {
		t.Errorf("%v records are said to be unread in %d lines, want 7 in one", n, logged.count(line))
	}
	r.end(run)
}
