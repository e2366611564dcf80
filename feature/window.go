package feature

import "time"

// Window is the half-open interval [Start, End) of event time.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// WindowSpec says how a view's event time is cut into windows.
type WindowSpec struct {
	Size     time.Duration `json:"size"`     // length of a window; windows start at multiples of it since the Unix epoch
	Lateness time.Duration `json:"lateness"` // how far the watermark must pass a window's end before it closes
	Idle     time.Duration `json:"idle"`     // silence after which a partition no longer holds windows open
}

// Of returns the window that holds t.
func (s WindowSpec) Of(t time.Time) Window {
	size := int64(s.Size)
	start := t.UnixNano() - mod(t.UnixNano(), size)
	return s.Starting(time.Unix(0, start))
}

// Starting returns the window that starts at start.
func (s WindowSpec) Starting(start time.Time) Window {
	return Window{Start: start.UTC(), End: start.Add(s.Size).UTC()}
}

// Closed reports whether a watermark closes window w.
func (s WindowSpec) Closed(w Window, watermark time.Time) bool {
	return !watermark.Before(w.End.Add(s.Lateness))
}

func mod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}
