package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	sluicev1 "sluice/api/sluice/v1"
)

var publishRounds = flag.Int("publish.rounds", 30, "publications of TestPublishUnderLoad, each of which is rolled back")

// everyone are accounts that every window writes, so that a read of all of them shows one
// window; publishReaders read them all the while.
const (
	everyone       = 40
	publishReaders = 2 // over each of HTTP, Feast's gRPC and the platform's own
	publishPause   = 5 * time.Millisecond
)

// TestPublishUnderLoad publishes windows and rolls each back while others read: no read
// fails, and none shows rows of two windows, or of another than its provenance says. So it
// is with the row cache too, which many of the rows come from then.
func TestPublishUnderLoad(t *testing.T) {
	t.Run("store", func(t *testing.T) { publishUnderLoad(t, openHouse(t)) })
	t.Run("row cache", func(t *testing.T) {
		h := openHouse(t, "--serve.cached_rows=10000")
		publishUnderLoad(t, h)
		if n := h.sum("sluice_serve_cached_rows_total"); n < float64(everyone**publishRounds) {
			t.Errorf("%.0f rows were of the cache, too few to say anything of it", n)
		}
	})
}

func publishUnderLoad(t *testing.T, h *house) {
	t.Helper()
	h.define()
	r := &generationReaders{}
	h.whole(0)
	if v, err := h.judged(0); err != nil || v.Decision != "publish" {
		t.Fatalf("the first window: %+v, %v", v, err)
	}
	h.until("the first window is served", time.Minute, func() error {
		_, err := readEveryone(*h.base.Load())
		return err
	})
	r.read(t, h)
	begun := time.Now()
	for i := 1; i <= *publishRounds; i++ {
		before := r.windows()
		h.whole(i)
		var v verdict
		h.until(fmt.Sprintf("window %d is judged", i), 5*time.Minute, func() (err error) {
			v, err = h.judged(i)
			return err
		})
		if v.Decision != "publish" {
			h.fatalf("window %d: %+v, want it published", i, v)
		}
		if i%2 == 0 { // of the others some go before anybody has looked
			h.until(fmt.Sprintf("window %d is read", i), time.Minute, func() error {
				if r.windows() == before {
					return errors.New("no read saw it")
				}
				return nil
			})
		}
		if err := h.post("/api/v1/views/payments/actions/rollback", map[string]any{"version": v.Version, "by": "tester", "reason": "to be read under"}, nil); err != nil {
			h.fatalf("rollback of window %d: %v", i, err)
		}
	}
	took := time.Since(begun)
	r.stop()
	t.Logf("%d publications and %d rollbacks in %s (%.1f a second); %d reads (%.0f a second), %d windows seen, %d failed, %d mixed",
		*publishRounds, *publishRounds, took.Round(time.Millisecond), 2*float64(*publishRounds)/took.Seconds(), r.reads.Load(), float64(r.reads.Load())/took.Seconds(), r.windows(), len(r.failed), len(r.mixed))
	if r.reads.Load() < int64(10**publishRounds) || r.windows() < min(*publishRounds/2, 10) {
		t.Errorf("%d reads that saw %d windows prove nothing of %d publications", r.reads.Load(), r.windows(), *publishRounds)
	}
	for what, list := range map[string][]string{"failed": r.failed, "mixed generations": r.mixed} {
		if len(list) > 0 {
			t.Errorf("%d reads %s, such as %s", len(list), what, list[0])
		}
	}
}

// sum returns that of a metric's series.
func (h *house) sum(metric string) (total float64) {
	h.t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^`+metric+`(?:{.*})? (\S+)$`).FindAllStringSubmatch(h.call(http.MethodGet, "/metrics", "").body, -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			h.fatalf("metric %s: %v", metric, err)
		}
		total += n
	}
	return total
}

// whole pushes window i, in which everyone has a row, and closes it.
func (h *house) whole(i int) {
	h.t.Helper()
	rows := payments(i, 1)
	for j := range everyone {
		rows[j].Key = map[string]any{"account": fmt.Sprintf("e%02d", j)}
	}
	if err := h.push(i, rows); err != nil {
		h.fatalf("push window %d: %v", i, err)
	}
}

// generationReaders read everyone's rows until they are stopped.
type generationReaders struct {
	reads atomic.Int64
	stop  func()

	mu     sync.Mutex
	seen   map[int64]bool // event times of windows, Unix seconds
	failed []string
	mixed  []string
}

func (r *generationReaders) windows() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// read begins to read at every door.
func (r *generationReaders) read(t *testing.T, h *house) {
	t.Helper()
	r.seen = map[int64]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	conn := h.dial(t)
	var group sync.WaitGroup
	r.stop = sync.OnceFunc(func() {
		cancel()
		group.Wait()
	})
	t.Cleanup(r.stop)
	for _, one := range []func() ([]int64, error){
		func() ([]int64, error) { return readEveryone(*h.base.Load()) },
		func() ([]int64, error) { return callEveryone(ctx, conn) },
		func() ([]int64, error) { return callEveryoneOwn(ctx, conn) },
	} {
		for range publishReaders {
			group.Go(func() {
				tick := time.NewTicker(publishPause)
				defer tick.Stop()
				for ctx.Err() == nil {
					<-tick.C
					times, err := one()
					if ctx.Err() == nil {
						r.check(times, err)
					}
				}
			})
		}
	}
}

// check holds what a read saw against itself: the event times of everyone, in seconds.
func (r *generationReaders) check(times []int64, err error) {
	r.reads.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed = append(r.failed, err.Error())
		return
	}
	for i, at := range times {
		times[i] = at - at%3600
	}
	slices.Sort(times)
	times = slices.Compact(times)
	if len(times) != 1 {
		r.mixed = append(r.mixed, fmt.Sprint(times))
		return
	}
	r.seen[times[0]] = true
}

func everyoneNames() (names []string) {
	for j := range everyone {
		names = append(names, fmt.Sprintf("e%02d", j))
	}
	return names
}

func readEveryone(base string) (times []int64, err error) {
	answer, err := readAt(base, everyoneNames()...)
	if err != nil {
		return nil, err
	}
	for _, row := range answer.Rows {
		at, err := time.Parse(time.RFC3339Nano, row.EventTimes["amount"])
		if err != nil || row.Statuses["amount"] != "PRESENT" {
			return nil, fmt.Errorf("row %+v, event time: %v", row, err)
		}
		times = append(times, at.Unix())
	}
	return times, nil
}

func everyoneRequest() *sluicev1.GetFeaturesRequest {
	request := &sluicev1.GetFeaturesRequest{}
	// The messages share their field numbers.
	if err := proto.Unmarshal(feastRead(1, "account", textValue("-"), "payments:amount", "payments:country"), request); err != nil {
		panic(err)
	}
	request.Keys["account"].Val = nil
	for _, name := range everyoneNames() {
		request.Keys["account"].Val = append(request.Keys["account"].Val, textValue(name))
	}
	return request
}

func callEveryone(ctx context.Context, conn *grpc.ClientConn) (times []int64, err error) {
	request, reply := encoded(everyoneRequest()), []byte(nil)
	if err := conn.Invoke(ctx, callFeast, &request, &reply, grpc.ForceCodec(bytesCodec{})); err != nil {
		return nil, err
	}
	var m feastserving.GetOnlineFeaturesResponse
	if err := proto.Unmarshal(reply, &m); err != nil {
		return nil, err
	}
	for _, column := range m.Results[1:] {
		for i, at := range column.EventTimestamps {
			if column.Statuses[i] != feastserving.FieldStatus_PRESENT {
				return nil, fmt.Errorf("value %d is %s", i, column.Statuses[i])
			}
			times = append(times, at.Seconds)
		}
	}
	return times, nil
}

func callEveryoneOwn(ctx context.Context, conn *grpc.ClientConn) (times []int64, err error) {
	m, err := sluicev1.NewFeatureServiceClient(conn).GetFeatures(ctx, everyoneRequest())
	if err != nil {
		return nil, err
	}
	for _, v := range m.Views {
		for i, at := range v.EventTimes {
			if s := v.Columns[0].Statuses[i]; s != sluicev1.Status_PRESENT {
				return nil, fmt.Errorf("value %d is %s", i, s)
			}
			times = append(times, at/1e9)
		}
	}
	return times, nil
}
