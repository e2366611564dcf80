package tabular

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Times are timestamps of a column of a file, rising: all of them, or so many that are
// evenly spread over its rows.
type Times []time.Time

// mostTimes is how many are kept.
const mostTimes = 4096

// Quantile returns the time that a share q of the times do not exceed; t must not be empty.
func (t Times) Quantile(q float64) time.Time { return t[int(q*float64(len(t)-1))] }

// ReadTimes reads the RFC 3339 timestamps of the named columns of the file at path; other
// values are passed over. Errors are those of ReadValues.
func ReadTimes(ctx context.Context, path string, columns ...string) (map[string]Times, error) {
	r := roster[*timed]{fresh: func(name string) *timed {
		if !slices.Contains(columns, name) {
			return &timed{}
		}
		return &timed{name: name, every: 1}
	}}
	if err := r.read(ctx, path, nil); err != nil {
		return nil, err
	}
	all := map[string]Times{}
	for _, c := range r.columns {
		if c.c.every > 0 {
			slices.SortFunc(c.c.kept, time.Time.Compare)
			all[c.name] = c.c.kept
		}
	}
	return all, nil
}

// timed keeps every so many of a column's times; none if every is 0.
type timed struct {
	name        string
	every, seen int
	kept        Times
}

func (c *timed) add(value []byte) error {
	if c.every == 0 || value[0] != '"' {
		return nil
	}
	inner, err := textIn(c.name, value)
	if err != nil {
		return fmt.Errorf("times: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, string(inner))
	if err != nil {
		return nil // no time
	}
	if c.seen++; (c.seen-1)%c.every != 0 {
		return nil
	}
	if c.kept = append(c.kept, at.UTC()); len(c.kept) == mostTimes {
		for i := range mostTimes / 2 {
			c.kept[i] = c.kept[2*i]
		}
		c.kept, c.every = c.kept[:mostTimes/2], 2*c.every
	}
	return nil
}
