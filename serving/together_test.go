package serving

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/feature"
)

// gathering answers no read before as many are waiting as it wants.
type gathering struct {
	Rows
	mu    sync.Mutex
	want  int
	all   chan struct{}
	fail  feature.ViewID
	panic feature.ViewID
}

var errGathering = errors.New("this view is gone")

func (g *gathering) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	g.mu.Lock()
	if g.want--; g.want == 0 {
		close(g.all)
	}
	g.mu.Unlock()
	select {
	case <-g.all:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch view {
	case g.fail:
		return nil, errGathering
	case g.panic:
		panic("a bug in the store")
	}
	return g.Rows.Read(ctx, view, keys, dst)
}

const askThree = `{"features":["drivers:trips","users:f01","pairs:rate"],"entities":{"driver_id":[7],"user_id":["u7"]}}`

// TestViewsReadAtOnce wants the reads of a request's views to be under way together.
func TestViewsReadAtOnce(t *testing.T) {
	f, _ := newGathering(t, 0, 0)
	f.write(t, "users", 1, ago(time.Hour), user("u7"), float(1), float(5))
	f.write(t, "pairs", 1, ago(time.Hour), []feature.Value{feature.Int64Value(7), feature.StringValue("u7")}, float(3), float(4))
	code, got := f.post(t, "/get-online-features", askThree)
	if code != http.StatusOK || !strings.Contains(got, `{"values":[5.0]`) || !strings.Contains(got, `{"values":[3.0]`) || !strings.Contains(got, `{"values":[null],"statuses":["NOT_FOUND"]`) {
		t.Errorf("%d %s", code, got)
	}
}

func TestOneOfViewsFails(t *testing.T) {
	f, _ := newGathering(t, 2, 0)
	if code, got := f.post(t, "/get-online-features", askThree); code != http.StatusServiceUnavailable || !strings.Contains(got, "users") {
		t.Errorf("%d %s, want 503 that names users", code, got)
	}
}

// TestPanicOfARead wants a panic of any read to come out where the request is served.
func TestPanicOfARead(t *testing.T) {
	for _, view := range []feature.ViewID{1, 2, 3} {
		f, g := newGathering(t, 0, view)
		answers := make([]*partAnswer, 3)
		for i := range answers {
			answers[i] = newPartAnswer()
			answers[i].part = &part{view: f.lease.current.Load().catalog.views[i]}
		}
		func() {
			defer func() {
				if p := recover(); p != "a bug in the store" {
					t.Errorf("view %d: recovered %v", view, p)
				}
			}()
			_ = f.fetchAll(t.Context(), answers)
		}()
		if g.want != 0 {
			t.Errorf("view %d: %d reads did not happen", view, g.want)
		}
	}
}

func newGathering(t *testing.T, fail, panics feature.ViewID) (*fixture, *gathering) {
	g := &gathering{want: 3, all: make(chan struct{}), fail: fail, panic: panics}
	f := newFixture(t, func(_ *Config, d *Deps) { g.Rows, d.Rows = d.Rows, g })
	return f, g
}
