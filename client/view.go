package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// View is a view with its state.
type View struct {
	Project       string  `json:"project"`
	Name          string  `json:"name"`
	Mode          string  `json:"mode"`  // gated or optimistic
	State         string  `json:"state"` // learning, serving or frozen
	Generation    uint64  `json:"generation"`
	ServedVersion uint64  `json:"served_version"` // the newest that readers see; 0 if none
	AgeSeconds    float64 `json:"age_seconds"`
	Entities      []Typed `json:"entities"` // join keys, in order
	Features      []Typed `json:"features"`

	// Raw is the whole answer, for fields without a place here.
	Raw json.RawMessage `json:"-"`

	lateness time.Duration
}

// Typed is a name with its declared type, such as int64 or list<string>.
type Typed struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// UnmarshalJSON reads the server's description, and keeps it in Raw.
func (v *View) UnmarshalJSON(text []byte) error {
	type plain View
	var read struct {
		plain
		Window struct{ Lateness string }
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	*v = View(read.plain)
	v.Raw = append(json.RawMessage(nil), text...)
	var err error
	v.lateness, err = span(read.Window.Lateness)
	return err
}

// span reads a duration as definitions write it: 30s, 1h30m, or 7d.
func span(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	days, rest, ok := strings.Cut(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration", text)
	}
	more, err := time.ParseDuration(first(rest, "0s"))
	return time.Duration(n)*24*time.Hour + more, err
}

// View describes a view.
func (c *Client) View(ctx context.Context, view string) (*View, error) {
	out := &View{}
	if err := c.do(ctx, call{method: http.MethodGet, path: "/api/v1/views/" + url.PathEscape(view)}, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Views describes all views, by name.
func (c *Client) Views(ctx context.Context) ([]View, error) {
	return pages[View](ctx, c, "/api/v1/views", nil)
}

// pages returns every item of a list.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	var all []T
	for after := ""; ; {
		ask := listed(after)
		for name, values := range query {
			ask[name] = values
		}
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next"`
		}
		if err := c.do(ctx, call{method: http.MethodGet, path: path, query: ask}, &page); err != nil {
			return all, err
		}
		if all = append(all, page.Items...); page.Next == "" {
			return all, nil
		}
		after = page.Next
	}
}

// WindowStatus is a window of a view, and how far its judgement is.
type WindowStatus struct {
	Window
	State   string   `json:"state"` // open, closing or judged
	Version uint64   `json:"version"`
	Rows    uint64   `json:"rows"`
	Verdict string   `json:"verdict"`
	Reason  string   `json:"reason"`
	Behind  []string `json:"behind"` // partitions that hold it open
}

type windowPage struct {
	Items      []WindowStatus            `json:"items"`
	Partitions map[string]partitionState `json:"partitions"`
}

// partitionState is how far a partition is read.
type partitionState struct {
	Watermark time.Time `json:"watermark"`
	Idle      bool      `json:"idle"`
	Offset    int64     `json:"offset"` // of the next record
}

// Windows returns the windows of a view that are known, by start.
func (c *Client) Windows(ctx context.Context, view string) ([]WindowStatus, error) {
	return pages[WindowStatus](ctx, c, viewPath(view, "windows"), nil)
}

// WaitWindow waits until the window that starts at start is judged, as long as ctx does:
// give it a deadline. What a deadline ends is ErrNoNews.
func (c *Client) WaitWindow(ctx context.Context, view string, start time.Time) (*WindowStatus, error) {
	for {
		page, err := c.windowAt(ctx, view, start, c.patience(ctx, poll))
		switch {
		case err == nil && len(page.Items) > 0 && page.Items[0].State == "judged":
			return &page.Items[0], nil
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return nil, &Error{Code: "unavailable", Message: "window " + stamp(start) + " of " + view + " is not judged in the time that was waited", Hint: "Seal or Watermark closes windows", cause: ErrNoNews}
		case err != nil && !errors.Is(err, ErrNoNews):
			return nil, err
		}
	}
}

// windowAt asks for one window, and waits at the server for news of it.
func (c *Client) windowAt(ctx context.Context, view string, start time.Time, wait time.Duration) (*windowPage, error) {
	query := url.Values{"start": {stamp(start)}}
	if wait > 0 {
		query.Set("wait", wait.Round(time.Millisecond).String())
	}
	page := &windowPage{}
	return page, c.do(ctx, call{method: http.MethodGet, path: viewPath(view, "windows"), query: query, wait: wait}, page)
}

// patience is how long a request may wait at the server: up to most, and short of ctx's
// deadline.
func (c *Client) patience(ctx context.Context, most time.Duration) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return max(time.Millisecond, min(most, time.Until(end)-50*time.Millisecond))
	}
	return most
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
