package serving

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/feature"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) log() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// TestSample compares sampled rows with what the store holds: all features of the row,
// whatever was asked for.
func TestSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		f := newFixture(t, func(c *Config, d *Deps) { d.Served = l.served })
		f.write(t, "drivers", 1, ago(time.Minute), driver(7), values...)
		f.write(t, "drivers", 1, ago(25*time.Hour), driver(8), values...)
		f.running(t)
		for range 10 {
			f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":6},{"driver_id":7}],"features":["rate"]}`)
			f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":8}],"features":["rate"],"policy":"null"}`)
			f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":8}],"features":["rate"],"policy":"refuse"}`)
		}
		time.Sleep(2 * time.Second)
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.rows) != 10 {
			t.Fatalf("%d rows are sampled, want the 10 that were returned", len(l.rows))
		}
		v := f.registry.defs.View("drivers")
		key, err := feature.NewKey(v, driver(7))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range l.rows {
			if r.View != 1 || r.Version != 1 || r.Key != key || !r.EventTime.Equal(ago(time.Minute)) || !r.At.Equal(start) || !bytes.Equal(r.Values, feature.AppendRow(nil, v, values)) {
				t.Fatalf("sampled %+v, want the row of driver 7", r)
			}
		}
	})
}
