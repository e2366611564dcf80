package control

import (
	"context"
	"fmt"
	"net/http"

	"sluice/feature"
)

type accountingItem struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	feature.Counts
	NextOffset int64 `json:"next_offset"`
}

// accounting lists what became of the records of every partition, all on one page: it gives
// no cursor, and takes none.
func (a *API) accounting(r *http.Request) (any, error) {
	if after := r.URL.Query().Get("after"); after != "" {
		return nil, invalid("leave it out: every partition is on the first page, whose next is empty", "after %s", clip(after))
	}
	var items []accountingItem
	for _, p := range a.deps.Board.Accounting() {
		items = append(items, accountingItem{p.Topic, p.Partition, p.Counts, p.Offset})
	}
	return listOf(items, ""), nil
}

func (a *API) audit(r *http.Request) (any, error) {
	return page(r, a.deps.Registry.AuditLog)
}

func (a *API) alerts(r *http.Request) (any, error) {
	return page(r, a.deps.Registry.Alerts)
}

// page answers one page of a list of the registry. Next is empty on the last one.
func page[T any](r *http.Request, read func(ctx context.Context, after string, limit int) ([]T, string, error)) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	after, err := cursorOf(r)
	if err != nil {
		return nil, err
	}
	items, next, err := read(r.Context(), after, limit)
	if err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	if len(items) < limit {
		next = ""
	}
	return listOf(items, next), nil
}
