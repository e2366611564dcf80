package placement

import (
	"context"
	"fmt"
	"time"

	"sluice/feature"
)

// A store keeps under which name it was first opened, as a row of view 0, which no
// definition has: two stores whose addresses were exchanged, or that are one, would
// show rows of other views as missing.
const (
	claimKey     = feature.Key("online store")
	claimVersion = feature.Version(1)
)

// A read has a deadline that suits requests. At a start it is worth to wait for longer:
// connections are new, and the machine is busy.
const (
	claimTries = 10
	claimPause = 200 * time.Millisecond
)

// patiently reads the row of the name.
func patiently(ctx context.Context, store Store) (chains [][]feature.Record, err error) {
	for try := 1; ; try++ {
		chains, err = store.Read(ctx, 0, []feature.Key{claimKey}, nil)
		if err == nil || try == claimTries {
			return chains, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(claimPause):
		}
	}
}

// claim notes the name in the store, or returns ErrSwapped if it has another.
func claim(ctx context.Context, store Store, name string) error {
	chains, err := patiently(ctx, store)
	if err != nil {
		return fmt.Errorf("read its name: %w", err)
	}
	if chain := chains[0]; len(chain) > 0 {
		if former := string(chain[0].Row); former != name {
			return fmt.Errorf("%w: it was opened as %.64q before: give each name in online_stores, and redis, the servers, the prefix or the folder that it had", ErrSwapped, former)
		}
		return nil
	}
	row := feature.Row{Key: claimKey, Record: feature.Record{Version: claimVersion, Row: []byte(name)}}
	if _, err := store.Stage(ctx, 0, claimVersion, []feature.Row{row}); err != nil {
		return fmt.Errorf("note its name: %w", err)
	}
	return nil
}
