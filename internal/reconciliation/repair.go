package reconciliation

import (
	"context"
	"fmt"

	"sluice/feature"
)

// repair writes what the log says of entities that differ, version by version, and returns
// how many it wrote. A row that is missing is staged; one with other bytes is put as it is;
// one that the log does not have is removed, and if another one is missing behind it the
// next look finds that.
//
// Rows of versions above the floor are left as they are: such a version may be rolled back
// and swept in this very moment, and a row that is written after that would come to show
// once the floor has passed it.
func (r *run) repair(ctx context.Context, findings []finding) (written int, err error) {
	by := map[feature.Version]*correction{}
	for _, f := range findings {
		version := f.want.record.Version
		if f.kind == Extra {
			version = f.got.Version
		} else if version > r.floor || f.unsure {
			continue
		}
		if by[version] == nil {
			by[version] = &correction{}
		}
		by[version].add(f)
		written++
	}
	if written == 0 {
		return 0, nil
	}
	if !r.asked && r.opts.Before != nil {
		if err := r.opts.Before(ctx, written); err != nil {
			return 0, fmt.Errorf("nothing is repaired: %w", err)
		}
	}
	r.asked = true
	for version, c := range by {
		if err := r.write(ctx, version, c); err != nil {
			return 0, fmt.Errorf("repair rows of version %d: %w", version, err)
		}
	}
	return written, r.Rows.Sync(ctx)
}

// correction is what is to be written of a version.
type correction struct {
	stage, put []feature.Row
	gone       []feature.Key
}

func (c *correction) add(f finding) {
	row := feature.Row{Key: f.key, Record: f.want.record}
	switch f.kind {
	case Missing:
		c.stage = append(c.stage, row)
	case Other, Damaged:
		c.put = append(c.put, row)
	case Extra:
		c.gone = append(c.gone, f.key)
	}
}

func (r *run) write(ctx context.Context, version feature.Version, c *correction) error {
	if len(c.stage) > 0 {
		if _, err := r.Rows.Stage(ctx, r.view.ID, version, c.stage); err != nil {
			return err
		}
	}
	if len(c.put)+len(c.gone) == 0 {
		return nil
	}
	return r.Rows.Correct(ctx, r.view.ID, version, c.put, c.gone)
}
