package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Alert is something that a person should know.
type Alert struct {
	ID         string     `json:"id"`
	At         time.Time  `json:"at"`
	Kind       string     `json:"kind"` // fail, rollback, stale, frozen, hold, recovered or blind
	View       string     `json:"view"`
	Version    uint64     `json:"version"`
	Verdict    string     `json:"verdict"`
	Text       string     `json:"text"`
	ResolvedAt *time.Time `json:"resolved_at"` // nil: it still holds
}

// Alerts returns what a person should know.
func (c *Client) Alerts(ctx context.Context) ([]Alert, error) {
	return pages[Alert](ctx, c, "/api/v1/alerts", nil)
}

// Audit is one thing that somebody, or the gate, did.
type Audit struct {
	ID      string          `json:"id"`
	At      time.Time       `json:"at"`
	By      string          `json:"by"`
	Action  string          `json:"action"`
	View    string          `json:"view"`
	Version uint64          `json:"version"`
	Reason  string          `json:"reason"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
}

// Audits returns who did what and why.
func (c *Client) Audits(ctx context.Context) ([]Audit, error) {
	return pages[Audit](ctx, c, "/api/v1/audit", nil)
}

// DeadLetter is a record that was not accepted.
type DeadLetter struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`   // quarantined or dead_lettered
	Reason    string    `json:"reason"` // a word of the contract, such as decode or expect
	View      string    `json:"view"`
	Feature   string    `json:"feature"`
	Text      string    `json:"text"`
	Bytes     []byte    `json:"bytes"` // of the record, cut where it is long
	Size      int       `json:"size"`
}

// DeadLetters returns the records of a view that were not accepted; of all views if it
// is empty.
func (c *Client) DeadLetters(ctx context.Context, view string) ([]DeadLetter, error) {
	query := url.Values{}
	if view != "" {
		query.Set("view", view)
	}
	return pages[DeadLetter](ctx, c, "/api/v1/deadletters", query)
}

type clock struct {
	Now time.Time `json:"now"`
	Set bool      `json:"set"`
}

// Clock returns the platform's time; the zero time before a manual clock is set.
func (c *Client) Clock(ctx context.Context) (time.Time, error) {
	now, err := c.clock(ctx)
	return now.Now, err
}

func (c *Client) clock(ctx context.Context) (now clock, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/clock"}, &now)
	if !now.Set {
		now.Now = time.Time{}
	}
	return now, err
}

// SetClock moves a manual clock, which never goes back.
func (c *Client) SetClock(ctx context.Context, now time.Time) error {
	body, err := json.Marshal(map[string]time.Time{"now": now.UTC()})
	if err != nil {
		return invalid("", "clock: %v", err)
	}
	return c.do(ctx, call{method: http.MethodPost, path: "/api/v1/clock", body: body}, &clock{})
}
