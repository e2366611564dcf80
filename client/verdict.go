package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Window is a span of event time: [Start, End).
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Verdict is what was judged of a window, and decided.
type Verdict struct {
	ID           string    `json:"id"`
	Kind         string    `json:"kind"` // window, probation, freshness, served or parity
	Project      string    `json:"project"`
	View         string    `json:"view"`
	Version      uint64    `json:"version"`
	Window       Window    `json:"window"`
	State        string    `json:"state"`    // pass, warn, fail, inconclusive or error
	Decision     string    `json:"decision"` // publish, hold, reject, rollback, notify or none
	RolledBack   []uint64  `json:"rolled_back"`
	Rows         uint64    `json:"rows"`
	DecidedAt    time.Time `json:"decided_at"`
	Uncalibrated bool      `json:"uncalibrated"`
	Reasons      []Reason  `json:"reasons"` // the worst first
}

// Reason is one thing that alarmed. Severity 1 is its threshold.
type Reason struct {
	Rule      string  `json:"rule"`
	Feature   string  `json:"feature"`
	Method    string  `json:"method"`
	Statistic float64 `json:"statistic"`
	Threshold float64 `json:"threshold"`
	Severity  float64 `json:"severity"`
	PValue    float64 `json:"p_value"`
	Slice     string  `json:"slice"`
	Producer  string  `json:"producer"`
	Text      string  `json:"text"`
}

// Verdict returns one verdict.
func (c *Client) Verdict(ctx context.Context, id string) (*Verdict, error) {
	if id == "" {
		return nil, invalid("a provenance and Verdicts have ids", "the verdict has no id")
	}
	out := &Verdict{}
	call := call{method: http.MethodGet, path: "/api/v1/verdicts/" + url.PathEscape(id), query: url.Values{"trace": {"false"}}}
	if err := c.do(ctx, call, out); err != nil {
		return nil, err
	}
	return out, nil
}

type verdictPage struct {
	Items []Verdict `json:"items"`
	Next  string    `json:"next"`
}

// Verdicts returns a view's verdicts behind the place after, in the order of decision,
// and the place behind the last; an empty after is the beginning.
func (c *Client) Verdicts(ctx context.Context, view, after string) ([]Verdict, string, error) {
	var all []Verdict
	for {
		var page verdictPage
		if err := c.do(ctx, call{method: http.MethodGet, path: viewPath(view, "verdicts"), query: listed(after)}, &page); err != nil {
			return all, after, err
		}
		if len(page.Items) == 0 {
			return all, after, nil
		}
		all, after = append(all, page.Items...), page.Next
	}
}

// poll is how long one request waits at the server.
const poll = 20 * time.Second

// WaitVerdict returns the first verdict of a view behind the place after, and the place
// behind it, and waits for it as long as ctx does: give it a deadline. What a deadline
// ends is ErrNoNews.
func (c *Client) WaitVerdict(ctx context.Context, view, after string) (*Verdict, string, error) {
	for {
		wait := poll
		if end, ok := ctx.Deadline(); ok {
			wait = max(time.Millisecond, min(wait, time.Until(end)-50*time.Millisecond))
		}
		query := listed(after)
		query.Set("limit", "1")
		query.Set("wait", wait.Round(time.Millisecond).String())
		var page verdictPage
		err := c.do(ctx, call{method: http.MethodGet, path: viewPath(view, "verdicts"), query: query, wait: wait}, &page)
		if err == nil && len(page.Items) > 0 {
			return &page.Items[0], page.Next, nil
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, after, &Error{Code: "unavailable", Message: "no verdict of " + view + " in the time that was waited", Hint: "Watermark closes windows", cause: ErrNoNews}
		}
		if err != nil && !errors.Is(err, ErrNoNews) {
			return nil, after, err
		}
	}
}

// listed is the query of a list.
func listed(after string) url.Values {
	query := url.Values{"limit": {"1000"}}
	if after != "" {
		query.Set("after", after)
	}
	return query
}
