package notify

import (
	"context"
	"time"
)

const (
	// maxAge is how old news may be that people are told: after that the list of alerts is
	// what they read. It bounds how often a message is tried as well.
	maxAge = 24 * time.Hour
	// maxRead is how much is looked at at once; the rest waits.
	maxRead = 1000
)

// Outbox keeps what people are to be told until they were: the registry does, from the
// transaction of the decision on.
type Outbox interface {
	// Waiting lists what they were not told yet, the first that happened first, at most
	// limit of it.
	Waiting(ctx context.Context, limit int) ([]Event, error)
	// Told forgets what has these ids; one that is not there is passed over.
	Told(ctx context.Context, ids ...string) error
	// Changed returns a channel that is closed when something new may wait.
	Changed() <-chan struct{}
}

func ids(events []Event) []string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = e.ID
	}
	return all
}
