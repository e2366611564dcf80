package sim

import (
	"context"

	"sluice/feature"
)

func (l *ledger) SaveOrigins(_ context.Context, verdict string, body []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.origins[verdict]; !known {
		l.origins[verdict] = body
	}
	return nil
}

func (l *ledger) Origins(_ context.Context, verdict string) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if body, known := l.origins[verdict]; known {
		return body, nil
	}
	return nil, feature.ErrNotFound
}

// Decided numbers verdicts by their place among all.
func (l *ledger) Decided(_ context.Context, after int64, limit int) (some []feature.Decided, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, n := int(max(0, after)), len(l.verdicts)
	if after < 0 && limit > 0 {
		from = max(0, n-limit)
	}
	for i := from; i < n && (limit <= 0 || len(some) < limit); i++ {
		v := &l.verdicts[i]
		some = append(some, feature.Decided{Seq: int64(i + 1), ID: v.ID, Kind: v.Kind, State: v.State})
	}
	return some, nil
}
