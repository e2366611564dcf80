package control

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"sluice/feature"
)

// poll is how often a wait looks for changes that other processes made.
const poll = 500 * time.Millisecond

// await calls look until it reports news, at every change and every half second,
// for at most wait. Without news in time the error is answered as 408. A wait of
// 0 looks once and takes what there is.
func (a *API) await(ctx context.Context, wait time.Duration, look func() (news bool, err error)) error {
	if wait == 0 {
		_, err := look()
		return err
	}
	end := time.NewTimer(wait)
	defer end.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		registry, board := a.deps.Registry.Changed(), a.deps.Board.Changed()
		if news, err := look(); news || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait: %w", ctx.Err())
		case <-end.C:
			return &statusError{http.StatusRequestTimeout, &feature.Error{
				Code: feature.CodeUnavailable, Message: fmt.Sprintf("no news within %s", wait), Hint: "ask again",
			}}
		case <-registry:
		case <-board:
		case <-tick.C:
		}
	}
}
