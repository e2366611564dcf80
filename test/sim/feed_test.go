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

// watch reads all the time: no row of the two windows that never passed shows, and
// no row of a former window after one of a later window.
func (p *platform) watch(ctx context.Context) error {
	n := &serverNode{handler: p.server.HTTP()}
	var last [cellKeys]float64
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		status, r, err := n.ask(p.view.Name, cellNames())
		if err != nil {
			return fmt.Errorf("%w: %w", errWrong, err)
		}
		if status != 200 {
			continue // a store is away
		}
		for i, row := range r.Rows {
			if row.Values.Amount == nil {
				if last[i] != 0 {
					return p.wrong("key %d had %v and now nothing", i, last[i])
				}
				continue
			}
			x := *row.Values.Amount
			if w := int(x) / 1000; w == failing || w == holding {
				return p.wrong("key %d shows %v, of a window that never passed", i, x)
			}
			if x < last[i] {
				return p.wrong("key %d went back from %v to %v", i, last[i], x)
			}
			last[i] = x
		}
	}
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

// amountOf is the value of a row: its window, and its place there.
func amountOf(window, row int) float64 { return float64(1000*window + row + 1) }

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
		if err := errors.Join(p.judged(ctx, n), p.staged(ctx, n)); err != nil {
			return err
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

func (p *platform) append(ctx context.Context, n int) error {
	var out []tap.Out
	for i := range cellRows {
		partition := int32(i % cellPartitions)
		at := cellWindow(n).Start.Add(time.Duration(i) * time.Second)
		out = append(out, tap.Out{
			Partition: &partition, Headers: []tap.Header{{Key: tap.HeaderEventID, Value: fmt.Appendf(nil, "%d/%d", n, i)}},
			Value: fmt.Appendf(nil, `{"view":%q,"key":{"id":"k%d"},"event_time":%q,"values":{"amount":%v}}`, p.view.Name, i, at.Format(time.RFC3339), amountOf(n, i)),
		})
	}
	for part := range slices.Chunk(out, 10) {
		if _, err := p.log.Append(ctx, topics(), part); err != nil {
			return err
		}
	}
	return p.log.WriteWatermark(ctx, topics(), p.view.Name, cellWindow(n).End)
}

// judged waits for the decision on a window, in the registry itself.
func (p *platform) judged(ctx context.Context, n int) error {
	return p.until(ctx, fmt.Sprintf("window %d is judged", n), func() (bool, error) {
		info, err := p.registry.VersionOf(ctx, p.view.ID, cellWindow(n).Start)
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
