package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
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
	call := call{method: http.MethodGet, path: "/api/v1/verdicts/" + url.PathEscape(id), query: url.Values{"trace": {"false"}, "statistics": {"false"}}}
	if err := c.do(ctx, call, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Verify has the server recompute a verdict from its evidence, and says whether it comes
// out equal.
func (c *Client) Verify(ctx context.Context, id string) (bool, error) {
	if id == "" {
		return false, invalid("a provenance and Verdicts have ids", "the verdict has no id")
	}
	var out struct {
		OK bool `json:"ok"`
	}
	err := c.do(ctx, call{method: http.MethodPost, path: "/api/v1/verdicts/" + url.PathEscape(id) + "/verify", wait: verifyTime}, &out)
	return out.OK, err
}

// verifyTime is what recomputing takes beyond an ordinary call, at most.
const verifyTime = time.Minute

// Explain says in words what was decided and why, the worst first.
func (v *Verdict) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version %d of %s: %s, %s", v.Version, v.View, v.State, v.Decision)
	for _, r := range v.Reasons {
		fmt.Fprintf(&b, "\n  %s: %s [%s]", first(r.Feature, "rows"), first(r.Text, r.Method), r.Rule)
	}
	return b.String()
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
		wait := c.patience(ctx, poll)
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
