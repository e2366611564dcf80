package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/feature"
	"sluice/tap"
)

// watch reads all the time: no row of the two windows of a view that never passed shows,
// none of another view, and no row of a former window after one of a later window. Views
// of a group are read at once.
func (p *platform) watch(ctx context.Context) error {
	n := &serverNode{handler: p.server.HTTP()}
	var names []string
	for _, v := range p.views {
		names = append(names, v.Name)
	}
	last := make([][cellKeys]float64, len(p.views))
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		status, _, answers, err := n.answers(names, cellNames())
		if err != nil {
			return fmt.Errorf("%w: %w", errWrong, err)
		}
		if status != 200 {
			continue // a store is away
		}
		for i, v := range p.views {
			if problem := v.watched(answers[i].cells, &last[i]); problem != "" {
				return p.wrong("%s: %s", v.Name, problem)
			}
		}
	}
}

// watched says what is wrong with what readers see of a view, who saw last before.
func (v cellView) watched(cells []slot, last *[cellKeys]float64) string {
	for i, c := range cells {
		if c.value == nil {
			if last[i] != 0 && c.status != "UNAVAILABLE" {
				return fmt.Sprintf("key %d had %v and now nothing (%s)", i, last[i], c.status)
			}
			continue
		}
		x := *c.value
		switch w := int(x-v.above) / 1000; {
		case x != v.amountOf(w, i):
			return fmt.Sprintf("key %d shows %v, which is of another key or view", i, x)
		case w == v.failing || w == v.holding:
			return fmt.Sprintf("key %d shows %v, of a window that never passed", i, x)
		case x < last[i]:
			return fmt.Sprintf("key %d went back from %v to %v", i, last[i], x)
		}
		last[i] = x
	}
	return ""
}

// wrong keeps what is wrong, for the parent of a process that is killed.
func (p *platform) wrong(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if err := os.WriteFile(filepath.Join(p.dir, "wrong"), []byte(text), 0o600); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", errWrong, text)
}

func cellNames() (names []string) {
	for i := range cellKeys {
		names = append(names, fmt.Sprint("k", i))
	}
	return names
}

// amountOf is the value of a row: its view, its window, and its place there.
func (v cellView) amountOf(window, row int) float64 {
	return v.above + float64(1000*window+row+1)
}

// feed appends one window after the other, each once the former is judged, and goes
// on where a former process came to: what that one appended and had not noted comes
// twice, with the same event ids.
func (p *platform) feed(ctx context.Context) error {
	for n := p.fed() - 1; n < cellWindows; n++ {
		if n >= p.fed() {
			if err := p.append(ctx, n); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(p.dir, "fed"), []byte(strconv.Itoa(n+1)), 0o600); err != nil {
				return err
			}
		}
		if n < 0 {
			continue
		}
		for _, v := range p.views {
			if err := errors.Join(p.judged(ctx, v, n), p.staged(ctx, v, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *platform) fed() int {
	b, err := os.ReadFile(filepath.Join(p.dir, "fed"))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return n
}

// append appends a window of every view, whose rows take turns in the log.
func (p *platform) append(ctx context.Context, n int) error {
	var out []tap.Out
	for i := range cellRows {
		for _, v := range p.views {
			partition := int32(i % cellPartitions)
			at := cellWindow(n).Start.Add(time.Duration(i) * time.Second)
			out = append(out, tap.Out{
				Partition: &partition, Headers: []tap.Header{{Key: tap.HeaderEventID, Value: fmt.Appendf(nil, "%s/%d/%d", v.Name, n, i)}},
				Value: fmt.Appendf(nil, `{"view":%q,"key":{"id":"k%d"},"event_time":%q,"values":{"amount":%v}}`, v.Name, i, at.Format(time.RFC3339), v.amountOf(n, i)),
			})
		}
	}
	for part := range slices.Chunk(out, 10) {
		if _, err := p.log.Append(ctx, topics(), part); err != nil {
			return err
		}
	}
	for _, v := range p.views {
		if err := p.log.WriteWatermark(ctx, topics(), v.Name, cellWindow(n).End); err != nil {
			return err
		}
	}
	return nil
}

// judged waits for the decision on a window, in the registry itself.
func (p *platform) judged(ctx context.Context, v cellView, n int) error {
	return p.until(ctx, fmt.Sprintf("window %d of %s is judged", n, v.Name), func() (bool, error) {
		info, err := p.registry.VersionOf(ctx, v.ID, cellWindow(n).Start)
		if errors.Is(err, feature.ErrNotFound) {
			return false, nil
		}
		return info.Step != feature.StepOpen && info.Step != feature.StepSealed, err
	})
}

// until waits for a condition; ctx has the deadline.
func (p *platform) until(ctx context.Context, what string, ok func() (bool, error)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: waited in vain until %s", errWrong, what)
		case <-tick.C:
		}
	}
}
