package judge

import (
	"fmt"

	"sluice/drift"
)

// Compared returns what the counts that a verdict rests on say of every feature, the
// current windows together against the merge of history. The error is ErrCase for a case
// that cannot be judged.
func (c *Case) Compared() ([]drift.Comparison, error) {
	err := c.check()
	if err != nil {
		return nil, fmt.Errorf("compare %s: %w", c.View.Name, err)
	}
	merged, err := c.merged()
	if err != nil {
		return nil, fmt.Errorf("compare %s: %w", c.View.Name, err)
	}
	return drift.Comparisons(&c.View, c.Layout, merged, c.Baseline), nil
}
