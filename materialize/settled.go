package materialize

import (
	"context"
	"time"
)

// DecideAll decides every window that is complete, and returns once none is left: what
// Run does when there is news, for whoever hands windows over one by one. It must not be
// called beside Run. A window that cannot be decided is an error, and is tried again by
// the next call.
func (g *Gate) DecideAll(ctx context.Context) (decided int, err error) {
	for {
		found := false
		for _, t := range g.turns(ctx, g.deps.Definitions()) {
			if t.err != nil {
				g.seat(t.view).later = time.Time{}
				return decided, t.err
			}
			if t.decided {
				found = true
				decided++
			}
		}
		if !found {
			return decided, ctx.Err()
		}
	}
}
