package app

import (
	"context"
	"time"

	"sluice/feature"
	"sluice/internal/backtest"
	"sluice/rules"
)

// recordPage is how many records are in memory at once.
const recordPage = 2000

// lookBack is how many windows the memory of a rule reaches back.
const lookBack = 64

// backtest applies rules to what was read in the last days, up to the newest window that
// was judged. One runs at a time.
func (a *App) backtest(ctx context.Context, defs *feature.Definitions, list []rules.Rule, days int) (backtest.Report, error) {
	select {
	case a.backtesting <- struct{}{}:
		defer func() { <-a.backtesting }()
	default:
		return backtest.Report{}, &feature.Error{Code: feature.CodeLimit, Message: "another backtest is running", Hint: "try again in some seconds"}
	}
	to, err := a.parts.registry.LastRecord(ctx)
	if err != nil {
		return backtest.Report{}, err
	}
	from := to.Add(-time.Duration(days) * 24 * time.Hour)
	b, longest := backtest.New(list, from), time.Duration(0)
	for i := range defs.Views {
		view := &defs.Views[i]
		versions, err := a.parts.registry.Versions(ctx, view.ID, 0, 0)
		if err != nil {
			return backtest.Report{}, err
		}
		b.View(view, versions)
		longest = max(longest, view.Window.Size)
	}
	for after := int64(0); ; {
		rows, err := a.parts.registry.Records(ctx, from.Add(-lookBack*longest), to, after, recordPage)
		if err != nil {
			return backtest.Report{}, err
		}
		for i := range rows {
			if err := b.Add(&rows[i]); err != nil {
				return backtest.Report{}, err
			}
			after = rows[i].Seq
		}
		if len(rows) < recordPage {
			return b.Report(to), nil
		}
	}
}
