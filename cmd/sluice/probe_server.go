package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sluice/internal/definition"
	"sluice/internal/probe"
	"sluice/materialize"
	"sluice/rules"
)

// probed is the server as package probe sees it.
type probed struct {
	*connection
	by string
}

// prepare makes sure that the view is there, with windows of that size, and that the
// server's clock is this machine's.
func (s *probed) prepare(ctx context.Context, window time.Duration) error {
	var clock struct {
		Now time.Time `json:"now"`
		Set bool      `json:"set"`
	}
	if err := s.get(ctx, "/api/v1/clock", &clock); err != nil {
		return err
	}
	if skew := time.Until(clock.Now).Abs(); !clock.Set || skew > maxSkew {
		return fmt.Errorf("probe: the server's clock is %s, set %t: it must be the wall, within %s of this machine's", when(clock.Now), clock.Set, maxSkew)
	}
	var view shownView
	err := s.get(ctx, viewPath(probe.View), &view)
	var answer *answerError
	switch {
	case errors.As(err, &answer) && answer.Status == http.StatusNotFound:
		return s.define(ctx, window)
	case err != nil:
		return err
	case view.Project != probe.Project:
		return fmt.Errorf("probe: the server has a view %s of project %s: rename it, since the probe writes to that name", probe.View, plain(view.Project))
	}
	size, err := definition.ParseDuration(view.Window.Size)
	if err != nil {
		return fmt.Errorf("answer about view %s: %w", probe.View, err)
	}
	if size != window {
		return fmt.Errorf("probe: the view %s has windows of %s: say --window %s, or remove the view first", probe.View, size, size)
	}
	return nil
}

// define adds the view to what is in force.
func (s *probed) define(ctx context.Context, window time.Duration) error {
	files := []definition.File{{Name: "probe.yaml", Text: probe.Definition(window)}}
	request := map[string]any{"files": files, "add": true, "by": s.by, "reason": "sluice probe"}
	if err := s.post(ctx, "/api/v1/apply", request, nil); err != nil {
		return fmt.Errorf("probe: add its view: %w", err)
	}
	return nil
}

// Write implements probe.Server.
func (s *probed) Write(ctx context.Context, rows []probe.Row) error {
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	for _, r := range rows {
		row := map[string]any{"key": r.Key, "event_time": r.At.Format(time.RFC3339Nano), "value": r.Value, "shade": r.Shade}
		if err := enc.Encode(row); err != nil {
			return fmt.Errorf("encode row: %w", err)
		}
	}
	return s.post(ctx, viewPath(probe.View, "writes"), lines.Bytes(), nil)
}

// Seal implements probe.Server.
func (s *probed) Seal(ctx context.Context, t time.Time) error {
	return s.post(ctx, viewPath(probe.View, "watermark"), map[string]any{"watermark": t.UTC()}, nil)
}

// longestWait is how long one request waits for a verdict.
const longestWait = 30 * time.Second

// Decision implements probe.Server.
func (s *probed) Decision(ctx context.Context, start time.Time, wait time.Duration) (probe.Decision, error) {
	query := url.Values{"start": {start.UTC().Format(time.RFC3339Nano)}}
	if err := s.await(ctx, viewPath(probe.View, "windows"), query, min(wait, longestWait)); err != nil && !errors.Is(err, errNoNews) {
		return probe.Decision{}, err
	}
	var page struct {
		Items []materialize.WindowStatus `json:"items"`
	}
	if err := s.get(ctx, viewPath(probe.View, "windows")+"?"+query.Encode(), &page); err != nil {
		return probe.Decision{}, err
	}
	if len(page.Items) == 0 || page.Items[0].Verdict == "" {
		return probe.Decision{}, fmt.Errorf("window %s: %w", when(start), probe.ErrNotJudged)
	}
	var v rules.Verdict
	if err := s.get(ctx, "/api/v1/verdicts/"+url.PathEscape(page.Items[0].Verdict)+"?trace=false&statistics=false", &v); err != nil {
		return probe.Decision{}, err
	}
	return probe.Decision{State: string(v.State), Decision: v.Decision, Verdict: v.ID}, nil
}

// Read implements probe.Server.
func (s *probed) Read(ctx context.Context, keys []string) ([]probe.Row, error) {
	asked := make([]map[string]string, len(keys))
	for i, k := range keys {
		asked[i] = map[string]string{"key": k}
	}
	var answer rowsAnswer
	if err := s.post(ctx, viewPath(probe.View, "rows"), map[string]any{"keys": asked}, &answer); err != nil {
		return nil, err
	}
	var rows []probe.Row
	for _, r := range answer.Rows {
		if r.Statuses["shade"] == "NOT_FOUND" {
			continue
		}
		var row probe.Row
		at, err := time.Parse(time.RFC3339Nano, r.EventTimes["shade"])
		if err := errors.Join(err, json.Unmarshal(r.Key["key"], &row.Key), optional(r.Values["value"], &row.Value), optional(r.Values["shade"], &row.Shade)); err != nil {
			return nil, fmt.Errorf("answer about rows: %w", err)
		}
		row.At = at
		rows = append(rows, row)
	}
	return rows, nil
}

// optional decodes a value that may be left out.
func optional(raw json.RawMessage, to any) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, to)
}

// Judged implements probe.Server.
func (s *probed) Judged(ctx context.Context) (int, error) {
	page, err := s.pages(ctx, viewPath(probe.View, "versions"), nil, 1)
	if err != nil {
		return 0, err
	}
	var items []json.RawMessage
	if err := json.Unmarshal(page["items"], &items); err != nil {
		return 0, fmt.Errorf("answer about versions: %w", err)
	}
	return len(items), nil
}
