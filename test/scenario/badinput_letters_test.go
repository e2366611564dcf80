package scenario

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// letter is an item of `deadletters`.
type letter struct {
	Topic, Kind, Reason, View, Feature, Text string
	Partition                                int
	Offset                                   int64
	Bytes                                    []byte
}

// letters returns every dead letter, page by page.
func (h *house) letters(t *testing.T) (all []letter) {
	t.Helper()
	for next := ""; ; {
		var page struct {
			Items []letter
			Next  string
		}
		if err := h.get("/api/v1/deadletters?limit=50&after="+next, &page); err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
		if next = page.Next; next == "" {
			return all
		}
	}
}

// everyLetter compares the dead letters with the cases, by their bytes.
func (h *house) everyLetter(t *testing.T, cases []badWrite) {
	byBytes := map[string][]letter{}
	n := 0
	for _, l := range h.letters(t) {
		byBytes[string(l.Bytes)] = append(byBytes[string(l.Bytes)], l)
		n++
	}
	want := 0
	for _, c := range cases {
		if c.fate != quarantined && c.fate != deadLettered {
			continue
		}
		want++
		t.Run(c.name, func(t *testing.T) {
			found := byBytes[c.record]
			if len(found) != 1 {
				t.Fatalf("%d dead letters with the bytes of %.200q, want 1", len(found), c.record)
			}
			c.compare(t, found[0])
		})
	}
	if n != want {
		t.Errorf("%d dead letters, want %d", n, want)
	}
}

// compare holds a dead letter against what a case wants.
func (c *badWrite) compare(t *testing.T, l letter) {
	t.Helper()
	if l.Kind != c.fate || l.Reason != c.reason || l.Feature != c.feature {
		t.Errorf("record %.200q is %s for %s, feature %q: %q, want %s for %s, feature %q", c.record, l.Kind, l.Reason, l.Feature, l.Text, c.fate, c.reason, c.feature)
	}
	for _, part := range c.says {
		if !strings.Contains(l.Text, part) {
			t.Errorf("record %.200q: text %q does not say %q", c.record, l.Text, part)
		}
	}
	if len(l.Text) > 256 || strings.ContainsFunc(l.Text+l.View+l.Feature, func(r rune) bool { return r < ' ' }) {
		t.Errorf("record %.200q: text %q has %d bytes or control characters, want at most 256 and none", c.record, l.Text, len(l.Text))
	}
}

// countersAre compares the sums of the tap's counters with the accounting.
func (h *house) countersAre(t *testing.T, want tally) {
	a := h.call(http.MethodGet, "/metrics", "")
	for result, n := range map[string]int{accepted: want.Accepted, quarantined: want.Quarantined, deadLettered: want.DeadLettered, duplicate: want.Duplicate} {
		if got := sumOf(a.body, "sluice_tap_writes_total", `result="`+result+`"`); got != float64(n) {
			t.Errorf("sluice_tap_writes_total of result %s is %v, want %d", result, got, n)
		}
	}
	for _, kind := range []string{"decode", "type", "unknown_view", "unknown_feature", "invalid_argument", "future", "expect", "too_large"} {
		if sumOf(a.body, "sluice_invalid_values_total", `kind="`+kind+`"`) == 0 {
			t.Errorf("sluice_invalid_values_total of kind %s is 0, want records of each class counted", kind)
		}
	}
	for _, hostile := range []string{"!channel", "typo", "clean1", "colour"} {
		if strings.Contains(a.body, hostile) {
			t.Errorf("/metrics holds %q, which came with data", hostile)
		}
	}
}

// showsLetters lists dead letters on a terminal, which their bytes must not move.
func (h *house) showsLetters(t *testing.T) {
	controls := func(text string) bool {
		return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f })
	}
	list := h.command(t, "deadletters", "list")
	if list.code != 0 || controls(list.out) || strings.Count(list.out, "\n") < 100 {
		t.Errorf("deadletters list: %s, want exit 0, a line each, and no control characters", list)
	}
	for _, reason := range []string{"decode", "unknown_view", "type"} {
		for _, l := range h.letters(t) {
			if l.Reason != reason || !controls(string(l.Bytes)) && !strings.Contains(string(l.Bytes), "\\u001b") {
				continue
			}
			record := fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset)
			if o := h.command(t, "deadletters", "show", record); o.code != 0 || controls(o.out) {
				t.Errorf("deadletters show %s: %s, want exit 0 and no control characters", record, o)
			}
			break
		}
	}
}

// sumOf adds up the series of a metric that have a label.
func sumOf(text, metric, label string) (sum float64) {
	for line := range strings.SplitSeq(text, "\n") {
		var v float64
		if at := strings.LastIndexByte(line, ' '); strings.HasPrefix(line, metric+"{") && strings.Contains(line, label) {
			if _, err := fmt.Sscan(line[at:], &v); err == nil {
				sum += v
			}
		}
	}
	return sum
}
