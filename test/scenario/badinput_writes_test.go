package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tally is what became of records; late is a part of accepted.
type tally struct {
	Received     int
	Accepted     int
	Late         int
	Quarantined  int
	DeadLettered int `json:"dead_lettered"`
	Duplicate    int
}

func (t *tally) count(fate string) {
	t.Received++
	switch fate {
	case accepted:
		t.Accepted++
	case duplicate:
		t.Duplicate++
	case quarantined:
		t.Quarantined++
	case deadLettered:
		t.DeadLettered++
	}
}

// counts returns the sum over all partitions. Each must balance.
func (h *house) counts(t *testing.T) tally {
	t.Helper()
	var list struct {
		Items []struct {
			tally
			Topic     string
			Partition int
		}
	}
	if err := h.get("/api/v1/accounting", &list); err != nil {
		t.Fatal(err)
	}
	var sum tally
	for _, i := range list.Items {
		if i.Accepted+i.Quarantined+i.DeadLettered+i.Duplicate != i.Received || i.Late > i.Accepted {
			t.Errorf("accounting of %s/%d does not balance: %+v", i.Topic, i.Partition, i.tally)
		}
		sum.Received += i.Received
		sum.Accepted += i.Accepted
		sum.Late += i.Late
		sum.Quarantined += i.Quarantined
		sum.DeadLettered += i.DeadLettered
		sum.Duplicate += i.Duplicate
	}
	return sum
}

// addsUpTo waits until as many records were counted as were sent, and compares.
func (h *house) addsUpTo(t *testing.T, want tally) {
	t.Helper()
	var got tally
	h.until("all records are counted", 30*time.Second, func() error {
		if got = h.counts(t); got.Received < want.Received {
			return fmt.Errorf("%d of %d records are counted", got.Received, want.Received)
		}
		return nil
	})
	if got != want {
		t.Errorf("accounting %+v, want %+v", got, want)
	}
}

// writes posts lines to a view and returns how many were sent.
func (h *house) writes(t *testing.T, view string, records ...string) {
	t.Helper()
	a := h.call(http.MethodPost, "/api/v1/views/"+view+"/writes", strings.Join(records, "\n"))
	var push struct{ Sent int }
	if err := json.Unmarshal([]byte(a.body), &push); err != nil || a.status != http.StatusOK || push.Sent != len(records) {
		t.Fatalf("writes of %d lines to %s: %s (%v)", len(records), view, a, err)
	}
}

// close moves the watermark of views to the end of window i.
func (h *house) close(t *testing.T, i int, views ...string) {
	t.Helper()
	for _, view := range views {
		if err := h.post("/api/v1/views/"+view+"/watermark", map[string]any{"watermark": windowStart(i + 1)}, nil); err != nil {
			t.Fatalf("watermark of %s: %v", view, err)
		}
	}
}

// verdictOf waits for the verdict of a view's window.
func (h *house) verdictOf(t *testing.T, view string, i int) verdict {
	t.Helper()
	var list struct{ Items []window }
	if err := h.get("/api/v1/views/"+view+"/windows?wait=30s&start="+windowStart(i).Format(time.RFC3339), &list); err != nil {
		t.Fatalf("window %d of %s: %v\nserver log, its end:\n%s", i, view, err, tail(h.log.Bytes(), 3000))
	}
	var v verdict
	if err := h.get("/api/v1/verdicts/"+list.Items[0].Verdict, &v); err != nil {
		t.Fatalf("verdict of window %d of %s: %v", i, view, err)
	}
	return v
}

const cleanRows = 300

// cleanTyped returns good rows of the view typed in window i.
func cleanTyped(i int) (records []string) {
	for j := range cleanRows {
		records = append(records, fmt.Sprintf(`{"view":"typed","key":{"id":"clean%d"},"event_time":%q,"values":{"i32":%d,"i64":%d,"f32":0.5,"f64":%d.25,"text":"t%d","raw":"QQ==","flag":%t,"moment":"2026-05-01T00:00:00Z","many":[1,2],"doc":{"a":1}}}`,
			j, windowStart(i).Add(time.Duration(j)*time.Second).Format(time.RFC3339), j, j, j, j%5, j%2 == 0))
	}
	return records
}

// TestBadWrites sends every class of bad record among good ones. Each is counted
// and kept as a dead letter with its reason; the good ones are judged and shown.
func TestBadWrites(t *testing.T) {
	h := openHouse(t)
	h.apply(badDefinitions)
	cases := slices.Concat(notJSON(), wrongForm(), wrongValues(), oddButGood())
	want := tally{}
	rows := map[string]int{"typed": 0, "strict": 0}
	var records []string
	for i, c := range cases {
		records = append(records, c.record, typedRecord(fmt.Sprintf("between%d", i), `"f64":1`))
		want.count(c.fate)
		want.count(accepted)
		rows["typed"]++
		if c.fate == accepted {
			rows[map[bool]string{true: "strict", false: "typed"}[strings.Contains(c.record, `"view":"strict"`)]]++
		}
	}
	clean := cleanTyped(0)
	records = append(records, clean...)
	rows["typed"] += len(clean)
	want.Received, want.Accepted = want.Received+len(clean), want.Accepted+len(clean)
	h.writes(t, "typed", records...)
	h.close(t, 0, "typed", "strict", "pair")

	t.Run("windows", func(t *testing.T) {
		if v := h.verdictOf(t, "typed", 0); v.Rows != rows["typed"] || v.Decision != "publish" {
			t.Errorf("window of the view with dead letters: %s, %s, %d rows, want it published with %d: %+v", v.State, v.Decision, v.Rows, rows["typed"], v.Reasons)
		}
		v := h.verdictOf(t, "strict", 0)
		if v.Rows != rows["strict"] || v.State != "fail" || len(v.Reasons) == 0 || v.Reasons[0].Method != "expect" {
			t.Errorf("window of the view with broken expectations: %s with %d rows, want it failed by expect with %d: %+v", v.State, v.Rows, rows["strict"], v.Reasons)
		}
	})
	t.Run("accounting", func(t *testing.T) { h.addsUpTo(t, want) })
	t.Run("letters", func(t *testing.T) { h.everyLetter(t, cases) })
	t.Run("shown", func(t *testing.T) { h.oddRows(t) })
	t.Run("refused", func(t *testing.T) { h.refusedWrites(t, want) })
	t.Run("kafka", func(t *testing.T) { h.kafkaRecords(t, &want) })
	t.Run("clock", func(t *testing.T) { h.future(t, &want) })
	t.Run("metrics", func(t *testing.T) { h.countersAre(t, want) })
	t.Run("terminal", func(t *testing.T) { h.showsLetters(t) })
	t.Run("restart", func(t *testing.T) {
		letters := len(h.letters(t))
		h.stop(syscall.SIGTERM)
		h.open()
		h.addsUpTo(t, want)
		if got := len(h.letters(t)); got != letters {
			t.Errorf("%d dead letters after a restart, want %d", got, letters)
		}
	})
}

// oddRows reads what suspicious and good records wrote.
func (h *house) oddRows(t *testing.T) {
	for name, tc := range map[string]struct{ id, feature, want string }{
		"NaN":                 {"nan", "f64", `"NaN"`},
		"infinity":            {"nan", "f32", `"Infinity"`},
		"the largest int64":   {"max", "i64", `9223372036854775807`},
		"the smallest int32":  {"min", "i32", `-2147483648`},
		"2^53":                {"exact", "f64", `9007199254740992.0`},
		"subnormal":           {"tiny", "f64", `5e-324`},
		"hostile":             {"{}:*\x00\x1b[2J\n<!channel>\\\"", "text", quote("<script>alert(1)</script>\x00\u2028")},
		"empty key":           {"", "f64", `1.0`},
		"long key":            {strings.Repeat("k", 1000), "f64", `1.0`},
		"first of two events": {"e", "f64", `1.0`},
		"deleted":             {"gone", "f64", `null`},
		"not converted":       {"a", "f64", `null`},
	} {
		t.Run(name, func(t *testing.T) {
			body := fmt.Sprintf(`{"keys":[{"id":%s}],"features":[%q]}`, quote(tc.id), tc.feature)
			a := h.call(http.MethodPost, "/api/v1/views/typed/rows", body)
			var got struct {
				Rows []struct{ Values map[string]json.RawMessage }
			}
			if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK || len(got.Rows) != 1 {
				t.Fatalf("rows of %.80q: %s, want one row (%v)", tc.id, a, err)
			}
			if value := string(got.Rows[0].Values[tc.feature]); value != tc.want {
				t.Errorf("%s of %.80q is %s, want %s", tc.feature, tc.id, value, tc.want)
			}
		})
	}
}

// refusedWrites posts what is refused as a whole and counts nothing.
func (h *house) refusedWrites(t *testing.T, want tally) {
	good := typedRecord("r", `"f64":1`)
	for name, tc := range map[string]struct {
		view, body string
		status     int
		code, says string
	}{
		"unknown view":           {"typde", good, 404, "unknown_view", "typed"},
		"hostile view":           {"..%2f%00%1b[2J", good, 404, "unknown_view", ""},
		"a line above 1 MiB":     {"typed", good + "\n" + typedRecord("r", `"text":`+quote(strings.Repeat("x", 1<<20))) + "\n" + good, 413, "limit", "line 2"},
		"more than 50,000 lines": {"typed", strings.Repeat("{}\n", 50_001), 413, "limit", "50000"},
		"more than 16 MiB":       {"typed", strings.Repeat(strings.Repeat("x", 1023)+"\n", 16*1024+1), 413, "too_large", "16777216"},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.call(http.MethodPost, "/api/v1/views/"+tc.view+"/writes", tc.body)
			if p, ok := a.problem(); !ok || a.status != tc.status || p.Code != tc.code || p.Hint == "" || !strings.Contains(p.Message+p.Hint, tc.says) {
				t.Errorf("writes: %s, want %d %s that says %q and what to do", a, tc.status, tc.code, tc.says)
			}
		})
	}
	for name, body := range map[string]string{"nothing": "", "empty lines": "\n\n \r\n\t\n"} {
		t.Run(name, func(t *testing.T) {
			if a := h.call(http.MethodPost, "/api/v1/views/typed/writes", body); a.status != http.StatusOK || !strings.Contains(a.body, `"sent":0`) {
				t.Errorf("writes of %q: %s, want 200 and nothing sent", body, a)
			}
		})
	}
	for name, body := range map[string]string{
		"no watermark": `{}`, "watermark garbage": `{"watermark":"soon"}`, "watermark a number": `{"watermark":5}`, "watermark of 1900": `{"watermark":"1900-01-01T00:00:00Z"}`,
		"watermark of 9999": `{"watermark":"9999-01-01T00:00:00Z"}`, "no JSON": `{`, "two values": `{}{}`, "another key": `{"mark":"2026-05-01T00:00:00Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			a := h.call(http.MethodPost, "/api/v1/views/typed/watermark", body)
			if p, ok := a.problem(); !ok || a.status != 400 || p.Code != "invalid_argument" || p.Hint == "" {
				t.Errorf("watermark %s: %s, want 400 invalid_argument with a hint", body, a)
			}
		})
	}
	if got := h.counts(t); got != want {
		t.Errorf("accounting %+v after requests that were refused, want %+v as before", got, want)
	}
}
