package main

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"sluice/internal/control"
	"sluice/internal/definition"
	"sluice/materialize"
	"sluice/rules"
	"sluice/tap"
)

// readClock asks how far event times may go. A clock that is not set bounds none.
func (p *pushing) readClock() error {
	var clock struct {
		Now time.Time `json:"now"`
		Set bool      `json:"set"`
	}
	if err := p.cmd.get(p.env.ctx, "/api/v1/clock", &clock); err != nil {
		return fmt.Errorf("read the server's clock: %w", err)
	}
	if clock.Set {
		p.horizon = clock.Now.Add(tap.DefaultConfig().Ahead)
	}
	return nil
}

// future reports whether every row of a window is refused as too far ahead.
func (p *pushing) future(w *control.PushedWindow) bool {
	return !p.horizon.IsZero() && w.Start.After(p.horizon)
}

// seal writes the watermark that closes the last touched window. Windows in the
// future do not count: one wrong event time would make every row until then late.
func (p *pushing) seal() error {
	n := len(p.total.Windows)
	for n > 0 && p.future(&p.total.Windows[n-1]) {
		n--
	}
	if ahead := len(p.total.Windows) - n; ahead > 0 {
		p.progress.say("%d windows lie ahead of the server's clock: their rows are refused, and the seal leaves them out", ahead)
	}
	if n == 0 {
		p.progress.say("nothing to seal: no row has an event time that can be taken")
		return nil
	}
	lateness, err := definition.ParseDuration(p.view.Window.Lateness)
	if err != nil {
		return fmt.Errorf("lateness of view %s: %w", p.view.Name, err)
	}
	mark := p.total.Windows[n-1].End.Add(lateness)
	if err := p.cmd.post(p.env.ctx, viewPath(p.view.Name, "watermark"), map[string]any{"watermark": mark}, nil); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	p.progress.say("sealed with watermark %s", when(mark))
	return nil
}

// pollWait is how long one request waits at the server.
const pollWait = 30 * time.Second

// wait returns when every touched window is judged, or can never be because no
// row of it was accepted before it was closed.
func (p *pushing) wait() error {
	end := time.Now().Add(p.cmd.Timeout)
	for i := range p.total.Windows {
		w := &p.total.Windows[i]
		p.progress.say("waiting for window %s, %d of %d", when(w.Start), i+1, len(p.total.Windows))
		for {
			left := time.Until(end)
			if left <= 0 {
				return fmt.Errorf("window %s is not judged after %s: %w: `sluice windows %s` names what holds it open; --seal closes the windows of a file", when(w.Start), p.cmd.Timeout, errNoNews, p.view.Name)
			}
			done, err := p.waitFor(w, min(left, pollWait))
			if err != nil {
				return err
			}
			if done {
				break
			}
		}
	}
	return nil
}

type windowsAnswer struct {
	Items      []materialize.WindowStatus             `json:"items"`
	Partitions map[string]materialize.PartitionStatus `json:"partitions"`
}

// waitFor waits for one window and fills in what was decided; false if it is not
// judged yet.
func (p *pushing) waitFor(w *control.PushedWindow, wait time.Duration) (bool, error) {
	query := url.Values{"start": {w.Start.Format(time.RFC3339Nano)}}
	path := viewPath(p.view.Name, "windows")
	var answer windowsAnswer
	err := p.cmd.get(p.env.ctx, path+"?"+query.Encode(), &answer)
	if err != nil {
		return false, err
	}
	if len(answer.Items) == 0 && p.passed(w, answer.Partitions) {
		w.Decision = "none"
		return true, nil
	}
	if len(answer.Items) == 0 || answer.Items[0].State != "judged" {
		if err := p.cmd.await(p.env.ctx, path, query, shortWait(wait, len(answer.Items) == 0)); err != nil && !errors.Is(err, errNoNews) {
			return false, err
		}
		return false, nil
	}
	w.Version, w.Verdict = answer.Items[0].Version, answer.Items[0].Verdict
	if w.Verdict == "" {
		return true, nil
	}
	var v rules.Verdict
	if err := p.cmd.get(p.env.ctx, "/api/v1/verdicts/"+url.PathEscape(w.Verdict)+"?trace=false&statistics=false", &v); err != nil {
		return false, err
	}
	w.State, w.Decision = v.State, v.Decision
	return true, nil
}

// shortWait looks more often for a window that may never come.
func shortWait(wait time.Duration, absent bool) time.Duration {
	if absent {
		return min(wait, 2*time.Second)
	}
	return wait
}

// passed reports whether every row that was sent is read and every partition is
// past a window, by the view's own lateness: if the window is not known then, no row
// of it was accepted in time. A window in the future need not be passed for that.
func (p *pushing) passed(w *control.PushedWindow, partitions map[string]materialize.PartitionStatus) bool {
	for name, span := range p.total.Offsets {
		if s, known := partitions[name]; !known || s.Offset <= span[1] {
			return false
		}
	}
	if p.future(w) {
		return true
	}
	lateness, err := definition.ParseDuration(p.view.Window.Lateness)
	if err != nil || len(partitions) == 0 {
		return false
	}
	for _, s := range partitions {
		if s.Watermark.Before(w.End.Add(lateness)) && !s.Idle {
			return false
		}
	}
	return true
}

// print shows what was sent and what became of it.
func (p *pushing) print() error {
	if p.cmd.Format == "json" {
		return printJSON(p.env.stdout, p.total)
	}
	fmt.Fprintf(p.env.stdout, "%d rows sent to %s\n", p.total.Sent, plain(p.view.Name))
	var rows [][]string
	for _, w := range p.total.Windows {
		rows = append(rows, []string{when(w.Start), when(w.End), number(w.Version), string(w.State), w.Decision, w.Verdict})
	}
	return table(p.env.stdout, "START END VERSION STATE DECISION VERDICT", rows)
}

// blocked is the error of a push of which a window was not published.
func (p *pushing) blocked() error {
	var errs []error
	for _, w := range p.total.Windows {
		switch {
		case w.Decision == "publish":
		case w.Verdict == "":
			errs = append(errs, fmt.Errorf("window %s: no row of it was accepted before it was closed: later ones are late, and are in the oldest version that was open then; `sluice deadletters list --view %s` has those that were refused", when(w.Start), p.view.Name))
		default:
			errs = append(errs, fmt.Errorf("window %s: %s, %s: `sluice explain %s` says why", when(w.Start), w.State, w.Decision, w.Verdict))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", errBlocked, errors.Join(errs...))
}
