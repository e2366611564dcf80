package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrBlocked reports a pushed window that was not published.
var ErrBlocked = errors.New("a window was not published")

// Seal closes the windows that pushed rows fall into: no row before their end is still to
// come. Windows ahead of the platform's clock stay open, so that one wrong time does not
// make the rest late.
func (c *Client) Seal(ctx context.Context, pushed *Pushed) error {
	view, err := c.View(ctx, pushed.View)
	if err != nil {
		return err
	}
	now, err := c.clock(ctx)
	if err != nil {
		return err
	}
	var end time.Time
	for _, w := range pushed.Windows {
		if (!now.Set || !w.Start.After(now.Now)) && w.End.After(end) {
			end = w.End
		}
	}
	if end.IsZero() {
		return nil
	}
	return c.Watermark(ctx, pushed.View, end.Add(view.lateness))
}

// Judged waits until every window of pushed rows is judged, as long as ctx does, and fills
// in what was decided: Decision is none for a window of which no row was accepted. What
// a deadline ends is ErrNoNews; the verdict of a window that is judged by then is read
// within a second more.
func (c *Client) Judged(ctx context.Context, pushed *Pushed) error {
	view, err := c.View(ctx, pushed.View)
	if err != nil {
		return err
	}
	for i := range pushed.Windows {
		if err := c.decided(ctx, view, pushed, &pushed.Windows[i]); err != nil {
			return err
		}
	}
	return nil
}

// shortPoll is the wait for a window that is not known yet: its rows may all be refused,
// and of that there is no news.
const shortPoll = 2 * time.Second

// decided waits for one window. A judgement counts that arrives with the end of the time.
func (c *Client) decided(ctx context.Context, view *View, pushed *Pushed, window *PushedWindow) error {
	for wait := time.Duration(0); ; {
		page, err := c.windowAt(ctx, view.Name, window.Start, wait)
		switch {
		case err == nil && len(page.Items) > 0 && page.Items[0].State == "judged":
			return c.fill(ctx, view, window, page.Items[0])
		case err == nil && len(page.Items) == 0 && view.passed(pushed, window, page.Partitions):
			window.Decision = "none"
			return nil
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return late(view, window, "is not judged in the time that was waited", "Seal closes the windows of the rows; Windows names what holds one open")
		case errors.Is(err, ErrNoNews):
			wait = 0 // ask how far the partitions are
			continue
		case err != nil:
			return err
		}
		most := shortPoll
		if len(page.Items) > 0 {
			most = poll
		}
		wait = c.patience(ctx, most)
	}
}

// late is the error of a window of which too little was known in time.
func late(view *View, window *PushedWindow, what, hint string) error {
	return &Error{Code: "unavailable", Message: "window " + stamp(window.Start) + " of " + view.Name + " " + what, Hint: hint, cause: ErrNoNews}
}

// lastRead is how long the verdict of a window may take to be read that was judged at the
// end of the time that was waited.
const lastRead = time.Second

// fill reads the verdict of a window that is judged, for lastRead beyond ctx's deadline
// at most.
func (c *Client) fill(ctx context.Context, view *View, window *PushedWindow, status WindowStatus) error {
	window.Version, window.Verdict = status.Version, status.Verdict
	if status.Verdict == "" {
		return nil
	}
	verdict, err := c.Verdict(ctx, status.Verdict)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRead)
		defer cancel()
		verdict, err = c.Verdict(last, status.Verdict)
		if last.Err() != nil {
			return late(view, window, "is judged, and its verdict was not read in the time that was waited", "Verdict reads "+status.Verdict)
		}
	}
	if err != nil {
		return err
	}
	window.State, window.Decision = verdict.State, verdict.Decision
	return nil
}

// passed reports whether every row of a push is read and every partition past the window:
// then one that is not known has no row that was accepted.
func (v *View) passed(pushed *Pushed, window *PushedWindow, partitions map[string]partitionState) bool {
	for name, span := range pushed.Offsets {
		if p, ok := partitions[name]; !ok || p.Offset <= span[1] {
			return false
		}
	}
	for _, p := range partitions {
		if !p.Idle && p.Watermark.Before(window.End.Add(v.lateness)) {
			return false
		}
	}
	return len(partitions) > 0
}

// Blocked returns the windows that are decided and not published.
func (p *Pushed) Blocked() []PushedWindow {
	var out []PushedWindow
	for _, w := range p.Windows {
		if w.Decision != "" && w.Decision != "publish" {
			out = append(out, w)
		}
	}
	return out
}

// Check returns ErrBlocked, with what was decided, if a window was not published.
func (p *Pushed) Check() error {
	blocked := p.Blocked()
	if len(blocked) == 0 {
		return nil
	}
	each := each(blocked, func(w PushedWindow) string {
		if w.Verdict == "" {
			return "window " + stamp(w.Start) + ": no row was accepted"
		}
		return fmt.Sprintf("window %s: %s, %s, verdict %s", stamp(w.Start), w.State, w.Decision, w.Verdict)
	})
	return fmt.Errorf("%d of %d windows of %s: %s: %w", len(blocked), len(p.Windows), p.View, strings.Join(each, "; "), ErrBlocked)
}
