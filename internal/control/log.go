package control

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"sluice/feature"
)

type accountingItem struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	feature.Counts
	NextOffset int64 `json:"next_offset"`
}

// accounting lists what became of the records of every partition.
func (a *API) accounting(*http.Request) (any, error) {
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

// deadLetters lists what was not accepted; ?view=, ?kind= and ?reason= choose
// among a page's items, so a page may hold fewer than its limit.
func (a *API) deadLetters(r *http.Request) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	items, next, err := a.deps.DeadLetters(r.Context(), query.Get("after"), limit)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	if len(items) < limit {
		next = ""
	}
	var chosen []DeadLetter
	for _, d := range items {
		if is(query.Get("view"), d.View) && is(query.Get("kind"), d.Kind) && is(query.Get("reason"), string(d.Reason)) {
			chosen = append(chosen, d)
		}
	}
	return listOf(chosen, next), nil
}

func is(want, got string) bool { return want == "" || want == got }

// deadLetter answers the dead letter of one record of the log.
func (a *API) deadLetter(r *http.Request) (any, error) {
	topic := r.PathValue("topic")
	partition, err := strconv.ParseInt(r.PathValue("partition"), 10, 32)
	if err != nil {
		return nil, invalid("name it as topic/partition/offset", "partition %s", clip(r.PathValue("partition")))
	}
	offset, err := strconv.ParseInt(r.PathValue("offset"), 10, 64)
	if err != nil {
		return nil, invalid("name it as topic/partition/offset", "offset %s", clip(r.PathValue("offset")))
	}
	for after := ""; ; {
		items, next, err := a.deps.DeadLetters(r.Context(), after, defaultLimit)
		if err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		for i := range items {
			if d := &items[i]; d.Topic == topic && d.Partition == int32(partition) && d.Offset == offset {
				return d, nil
			}
		}
		if len(items) < defaultLimit || next == after {
			return nil, notFound("dead letter", fmt.Sprintf("%s/%d/%d", topic, partition, offset), "`sluice deadletters list` lists them")
		}
		after = next
	}
}
