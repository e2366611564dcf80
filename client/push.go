package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Pushed is where rows stand in the log, and the windows that they fall into.
type Pushed struct {
	View    string              `json:"view"`
	Sent    int                 `json:"sent"`
	Offsets map[string][2]int64 `json:"offsets"` // topic/partition to its first and last record
	Windows []PushedWindow      `json:"windows"` // by start
}

// PushedWindow is a window of a push. State and Decision are empty before it is judged.
type PushedWindow struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Version  uint64    `json:"version"`
	State    string    `json:"state"`
	Decision string    `json:"decision"`
	Verdict  string    `json:"verdict"`
}

// A body holds so many lines or bytes, within the server's limits.
const (
	pushLines = 5000
	pushBytes = 4 << 20
)

// Push appends rows to a view's log: a column a join key and feature, the event time
// (event_time unless the view says otherwise), and optionally op. Each row gets an
// event_id if it has none, so that one which had to be sent twice counts once. Rows that
// the platform cannot use become dead letters; they are no error here.
//
// Timeout bounds each request of up to 5,000 rows. If the error is not nil, what was sent
// before it is in Pushed; Push may be called again with rows that carry an event_id.
func (c *Client) Push(ctx context.Context, view string, rows []map[string]any) (*Pushed, error) {
	return c.push(ctx, view, rows, nil)
}

// PushBackfill is Push of rows of long ago: they are kept and served by event time, but no
// window is judged by them and none of them enters history.
func (c *Client) PushBackfill(ctx context.Context, view string, rows []map[string]any) (*Pushed, error) {
	return c.push(ctx, view, rows, url.Values{"backfill": {"true"}})
}

func (c *Client) push(ctx context.Context, view string, rows []map[string]any, query url.Values) (*Pushed, error) {
	total := &Pushed{View: view, Offsets: map[string][2]int64{}}
	if view == "" || len(rows) == 0 {
		return total, invalid("give a view and at least one row", "push to view %q of %d rows", view, len(rows))
	}
	var body bytes.Buffer
	count, push := 0, rand.Text()
	for i, row := range rows {
		line, err := lineOf(row, fmt.Sprintf("%s-%d", push, i))
		if err != nil {
			return total, &Error{Code: "decode", Message: fmt.Sprintf("row %d: %v", i, err), Hint: "nothing of it was sent; rows before it may have been", cause: err}
		}
		if count == pushLines || count > 0 && body.Len()+len(line) > pushBytes {
			if err := c.append(ctx, view, query, body.Bytes(), total); err != nil {
				return total, err
			}
			body.Reset()
			count = 0
		}
		body.Write(line)
		count++
	}
	return total, c.append(ctx, view, query, body.Bytes(), total)
}

func lineOf(row map[string]any, id string) ([]byte, error) {
	out := make(map[string]any, len(row)+1)
	out["event_id"] = id
	for k, v := range row {
		out[k] = writable(v)
	}
	line, err := json.Marshal(out)
	return append(line, '\n'), err
}

// writable returns what JSON can write of v: numbers that are none have the words of
// the platform.
func writable(v any) any {
	switch v := v.(type) {
	case float64:
		return number(v)
	case float32:
		return number(float64(v))
	case []float64:
		return each(v, number)
	case []float32:
		return each(v, func(x float32) any { return number(float64(x)) })
	}
	return v
}

func number(x float64) any {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	}
	return x
}

// append sends lines and adds the answer to total.
func (c *Client) append(ctx context.Context, view string, query url.Values, lines []byte, total *Pushed) error {
	var answer Pushed
	call := call{method: http.MethodPost, path: viewPath(view, "writes"), query: query, body: lines, content: "application/x-ndjson"}
	if err := c.do(ctx, call, &answer); err != nil {
		return err
	}
	total.Sent += answer.Sent
	for partition, span := range answer.Offsets {
		if had, ok := total.Offsets[partition]; ok {
			span = [2]int64{min(had[0], span[0]), max(had[1], span[1])}
		}
		total.Offsets[partition] = span
	}
	windows := map[time.Time]PushedWindow{}
	for _, w := range append(total.Windows, answer.Windows...) {
		windows[w.Start] = w
	}
	total.Windows = slices.SortedFunc(maps.Values(windows), func(a, b PushedWindow) int { return a.Start.Compare(b.Start) })
	return nil
}

// Watermark says that no row of the view before at is still to come: windows that end
// before it, less the view's lateness, are judged.
func (c *Client) Watermark(ctx context.Context, view string, at time.Time) error {
	body, err := json.Marshal(map[string]time.Time{"watermark": at.UTC()})
	if err != nil {
		return invalid("", "watermark of %s: %v", view, err)
	}
	var answer struct{}
	return c.do(ctx, call{method: http.MethodPost, path: viewPath(view, "watermark"), body: body}, &answer)
}
