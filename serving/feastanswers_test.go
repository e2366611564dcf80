package serving

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	feastserving "sluice/api/feast/serving"
)

// TestFeastAnswers reads a value, a null, one that is too old and an entity that does not
// exist, over both doors, under each switch: values never change, statuses as it says.
func TestFeastAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		set  func(*FeastConfig)
		want [4]string // of driver 7, of a null of it, of driver 8, of driver 9
	}{
		"by default": {func(*FeastConfig) {}, [4]string{"PRESENT", "NULL_VALUE", "OUTSIDE_MAX_AGE", "NOT_FOUND"}},
		"missing":    {func(c *FeastConfig) { c.Missing = "present" }, [4]string{"PRESENT", "NULL_VALUE", "OUTSIDE_MAX_AGE", "PRESENT"}},
		"null":       {func(c *FeastConfig) { c.Null = "present" }, [4]string{"PRESENT", "PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND"}},
		"expired":    {func(c *FeastConfig) { c.Expired = "present" }, [4]string{"PRESENT", "NULL_VALUE", "PRESENT", "NOT_FOUND"}},
		"as Feast":   {func(c *FeastConfig) { c.Missing, c.Null, c.Expired = "present", "present", "present" }, [4]string{"PRESENT", "PRESENT", "PRESENT", "PRESENT"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(c *Config, _ *Deps) { tc.set(&c.Feast) })
			f.write(t, "drivers", 1, ago(time.Minute), driver(7), values[0])
			f.write(t, "drivers", 1, ago(25*time.Hour), driver(8), values...)
			status, got := f.post(t, "/get-online-features", `{"features":["drivers:rate","drivers:trips"],"entities":{"driver_id":[7,8,9]}}`)
			rate := fmt.Sprintf(`{"values":[5.0,5.0,null],"statuses":["%s","%s","%s"],"event_timestamps":["2026-11-23T11:59:00Z","2026-11-22T11:00:00Z","1970-01-01T00:00:00Z"]}`, tc.want[0], tc.want[2], tc.want[3])
			trips := fmt.Sprintf(`{"values":[null,-4611686018427387904,null],"statuses":["%s","%s","%s"]`, tc.want[1], tc.want[2], tc.want[3])
			if status != 200 || !strings.Contains(got, rate) || !strings.Contains(got, trips) {
				t.Errorf("HTTP = %d %s\nwant %s\nand %s", status, got, rate, trips)
			}
			reply, err := feastserving.NewServingServiceClient(f.dial(t)).GetOnlineFeatures(t.Context(), feastRequest(columnsOf{"driver_id": longs(7, 8, 9)}, "drivers:rate", "drivers:trips"))
			if err != nil {
				t.Fatal(err)
			}
			have := fmt.Sprint(reply.Results[1].Statuses, reply.Results[2].Statuses)
			if want := fmt.Sprintf("[%s %s %s] [%s %s %s]", tc.want[0], tc.want[2], tc.want[3], tc.want[1], tc.want[2], tc.want[3]); have != want {
				t.Errorf("gRPC statuses = %s, want %s", have, want)
			}
			if v := reply.Results[1].Values; v[0].GetDoubleVal() != 5 || v[1].GetDoubleVal() != 5 || v[2].GetVal() != nil {
				t.Errorf("gRPC values = %v", v)
			}
			_, own := f.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":9}],"features":["rate"]}`)
			if !strings.Contains(own, `"statuses":{"rate":"NOT_FOUND"}`) {
				t.Errorf("the platform's own door = %s, want NOT_FOUND whatever Feast's says", own)
			}
		})
	}
}

// TestFeastUnread loses the shard of a key: its values are INVALID, or the request fails.
func TestFeastUnread(t *testing.T) {
	const body = `{"features":["users:f00"],"entities":{"user_id":["well","hurt","new"]}}`
	for name, tc := range map[string]struct {
		unread string
		status int
		want   string
	}{
		"invalid": {"invalid", 200, `{"values":[1.0,null,null],"statuses":["PRESENT","INVALID","NOT_FOUND"]`},
		"refuse":  {"refuse", 503, `view users: 1 of 3 rows cannot be read`},
	} {
		t.Run(name, func(t *testing.T) {
			b := &broken{lost: "hurt"}
			f := newFixture(t, func(c *Config, d *Deps) { b.Rows, d.Rows, c.Feast.Unread = d.Rows, b, tc.unread })
			f.write(t, "users", 1, ago(time.Minute), user("well"), float(1))
			f.write(t, "users", 1, ago(time.Minute), user("hurt"), float(2))
			status, got := f.post(t, "/get-online-features", body)
			if status != tc.status || !strings.Contains(got, tc.want) {
				t.Errorf("= %d %s, want %d with %s", status, got, tc.status, tc.want)
			}
			if status, got = f.post(t, "/api/v1/views/users/rows", readWell[:strings.Index(readWell, `,"policy"`)]+"}"); status != 200 {
				t.Errorf("a key of another shard = %d %s", status, got)
			}
		})
	}
}

// TestFeastColumns pushes a column that the view has not.
func TestFeastColumns(t *testing.T) {
	const body = `{"push_source_name":"users","df":{"user_id":["a"],"f01":[1.0],"fo2":[2.0],"event_time":["2026-11-23T12:00:00Z"]}}`
	var log strings.Builder
	f := newFixture(t, func(c *Config, d *Deps) { c.Feast.Columns, d.Log = "ignore", slog.New(slog.NewTextHandler(&log, nil)) })
	if status, got := f.post(t, "/push", body); status != 200 || len(f.pushed) != 1 || strings.Contains(f.pushed[0], "fo2") || !strings.Contains(f.pushed[0], `"f01":1.0`) {
		t.Errorf("ignore = %d %s, pushed %q", status, got, f.pushed)
	}
	f.post(t, "/push", body)
	if n := strings.Count(log.String(), "fo2"); n != 1 {
		t.Errorf("two pushes within a second are logged %d times, want once: %s", n, log.String())
	}
}

func TestFeastConfig(t *testing.T) {
	c := DefaultConfig()
	c.Feast.Missing, c.Feast.Columns = "none", ""
	err := c.Validate()
	for _, want := range []string{`missing: "none": want not_found or present`, `columns: "": want refuse or ignore`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want %s", err, want)
		}
	}
}
