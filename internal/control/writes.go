package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// Limits of one request with writes.
const (
	MaxWrites = 16 << 20 // bytes of the body
	MaxLines  = 50_000
	MaxLine   = 1 << 20 // bytes of a line; a larger record cannot be appended
)

// Push is the contract's answer to writes.
type Push struct {
	View    string              `json:"view"`
	Sent    int                 `json:"sent"`
	Offsets map[string][2]int64 `json:"offsets"` // first and last, by topic/partition
	Windows []PushedWindow      `json:"windows"`
}

// PushedWindow is a window that a pushed line falls into, and what is known of
// it: its verdict's state and decision are empty before it is judged.
type PushedWindow struct {
	feature.Window
	Version  feature.Version `json:"version"`
	State    rules.State     `json:"state"`
	Decision string          `json:"decision"`
	Verdict  string          `json:"verdict"`
}

// writes appends the lines of the body to the view's topic: all of them, or none
// if one is beyond a limit.
func (a *API) writes(r *http.Request) (any, error) {
	v, err := a.find(r)
	if err != nil {
		return nil, err
	}
	backfill, err := backfillOf(r)
	if err != nil {
		return nil, err
	}
	body, err := readBody(r, MaxWrites)
	if err != nil {
		return nil, err
	}
	lines, err := splitLines(body)
	if err != nil {
		return nil, err
	}
	own := v.Source.Topic != "" && v.Source.Topic != a.deps.DefaultTopic
	push := Push{View: v.Name, Sent: len(lines), Offsets: map[string][2]int64{}, Windows: []PushedWindow{}}
	records, touched := make([]Record, len(lines)), map[int64]bool{}
	for i, text := range lines {
		l := readLine(v, own, text)
		records[i] = l.record
		records[i].Backfill = backfill
		if !l.at.IsZero() {
			touched[v.Window.Of(l.at).Start.UnixNano()] = true
		}
	}
	if len(records) > 0 {
		if push.Offsets, err = a.append(r.Context(), v, records); err != nil {
			return nil, err
		}
	}
	push.Windows, err = a.touched(r.Context(), v, touched)
	return push, err
}

// backfillOf reads whether the writes are declared to be a backfill.
func backfillOf(r *http.Request) (bool, error) {
	switch text := r.URL.Query().Get("backfill"); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, invalid("use true or false", "backfill: %.40q", text)
	}
}

// append hands records to the log.
func (a *API) append(ctx context.Context, v *feature.View, records []Record) (map[string][2]int64, error) {
	spans, err := a.deps.Log.Append(ctx, v, records)
	var known *feature.Error
	switch {
	case errors.As(err, &known): // it was refused, before anything was appended
		return nil, err
	case err != nil:
		acknowledged := int64(0)
		for _, s := range spans {
			acknowledged += s.Last - s.First + 1
		}
		a.deps.Logger.Warn("writes not appended", "view", v.Name, "err", err)
		return nil, &feature.Error{
			Code: feature.CodeUnavailable, Message: fmt.Sprintf("append %d lines to the log of %s: about %d were", len(records), v.Name, acknowledged),
			Hint: "send them again: lines with an event_id count once",
		}
	}
	offsets := make(map[string][2]int64, len(spans))
	for _, s := range spans {
		offsets[fmt.Sprintf("%s/%d", s.Topic, s.Partition)] = [2]int64{s.First, s.Last}
	}
	return offsets, nil
}

// splitLines parts the body at its line ends. Blank lines are passed over.
func splitLines(body []byte) ([][]byte, error) {
	var lines [][]byte
	number := 0
	for text := range bytes.SplitSeq(body, []byte("\n")) {
		number++
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if len(text) > MaxLine {
			return nil, &feature.Error{
				Code: feature.CodeLimit, Message: fmt.Sprintf("line %d has %d bytes, and a record takes at most %d; nothing was appended", number, len(text), MaxLine),
				Hint: "make the line shorter, or leave it out",
			}
		}
		if len(lines) == MaxLines {
			return nil, &feature.Error{
				Code: feature.CodeLimit, Message: fmt.Sprintf("line %d: more than %d lines; nothing was appended", number, MaxLines), Hint: "send them in parts",
			}
		}
		lines = append(lines, text)
	}
	return lines, nil
}

// maxLookedUp bounds the windows of one answer whose state is looked up.
const maxLookedUp = 1000

// touched describes the windows that start at the keys of starts, by their start.
func (a *API) touched(ctx context.Context, v *feature.View, starts map[int64]bool) ([]PushedWindow, error) {
	items := make([]PushedWindow, 0, len(starts))
	for start := range starts {
		items = append(items, PushedWindow{Window: v.Window.Starting(time.Unix(0, start))})
	}
	slices.SortFunc(items, func(x, y PushedWindow) int { return x.Start.Compare(y.Start) })
	for i := range items[:min(len(items), maxLookedUp)] {
		if err := a.lookUp(ctx, v, &items[i]); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// lookUp fills in what the registry knows of a window.
func (a *API) lookUp(ctx context.Context, v *feature.View, w *PushedWindow) error {
	info, err := a.deps.Registry.VersionOf(ctx, v.ID, w.Start)
	if errors.Is(err, feature.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read window of %s at %s: %w", v.Name, w.Start.Format(time.RFC3339), err)
	}
	w.Version, w.Verdict = info.Version, info.Verdict
	if info.Verdict == "" {
		return nil
	}
	row, err := a.deps.Registry.Verdict(ctx, info.Verdict)
	if err != nil {
		return fmt.Errorf("read verdict of %s version %d: %w", v.Name, info.Version, err)
	}
	w.State, w.Decision = rules.State(row.State), row.Decision
	return nil
}

// watermark tells every partition that the view's event time has reached a time.
func (a *API) watermark(r *http.Request) (any, error) {
	v, err := a.find(r)
	if err != nil {
		return nil, err
	}
	var req struct {
		Watermark time.Time `json:"watermark"`
	}
	if err := decode(r, maxBody, &req); err != nil {
		return nil, err
	}
	if req.Watermark.IsZero() || req.Watermark.Unix() < 0 || req.Watermark.Year() >= 2262 {
		return nil, invalid(`send {"watermark":"2013-01-01T05:05:30Z"}, of 1970 to 2261`, "watermark %s", req.Watermark.Format(time.RFC3339))
	}
	if err := a.deps.Log.Watermark(r.Context(), v, req.Watermark.UTC()); err != nil {
		a.deps.Logger.Warn("watermark not written", "view", v.Name, "err", err)
		return nil, &feature.Error{Code: feature.CodeUnavailable, Message: "write a watermark to the log of " + v.Name, Hint: "look at the server's log and try again"}
	}
	return json.RawMessage(fmt.Sprintf(`{"view":%q,"watermark":%q}`, v.Name, req.Watermark.UTC().Format(time.RFC3339Nano))), nil
}
