package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"sluice/feature"
)

// verdicts lists a view's verdicts in the order in which they were decided. Next
// is the place behind the last item, also on the last page, so that whoever
// follows a view can go on from it; it is empty if the page is. With ?wait= it
// returns as soon as there is one behind the cursor.
func (a *API) verdicts(r *http.Request) (any, error) {
	v, err := a.find(r)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	wait, err := waitOf(r)
	if err != nil {
		return nil, err
	}
	after, err := cursorOf(r)
	if err != nil {
		return nil, err
	}
	var page list[json.RawMessage]
	err = a.await(r.Context(), wait, func() (bool, error) {
		rows, next, err := a.deps.Registry.Verdicts(r.Context(), v.ID, after, limit)
		if err != nil {
			return false, fmt.Errorf("list verdicts of %s: %w", v.Name, err)
		}
		var items []json.RawMessage
		for i := range rows {
			items = append(items, rows[i].Body)
		}
		if len(items) == 0 {
			next = ""
		}
		page = listOf(items, next)
		return len(items) > 0, nil
	})
	return page, err
}

// cursorOf reads ?after= of a list whose cursors are decimal numbers.
func cursorOf(r *http.Request) (string, error) {
	n, err := numberOf(r, "after")
	if err != nil || n == 0 {
		return "", err
	}
	return strconv.FormatUint(n, 10), nil
}

// verdict returns a verdict, with where in the log its reasons begin and with what the
// counts say that it rests on. Where its reasons begin is looked for in the records if it
// is not stored, unless ?trace=false says that nobody waits for it; ?statistics=false
// leaves the counts alone.
func (a *API) verdict(r *http.Request) (any, error) {
	plain, err := wantsNot(r, "trace")
	if err != nil {
		return nil, err
	}
	bare, err := wantsNot(r, "statistics")
	if err != nil {
		return nil, err
	}
	row, err := a.readVerdict(r)
	if err != nil {
		return nil, err
	}
	body := row.Body
	if a.deps.Trace != nil {
		if body, err = a.deps.Trace(r.Context(), row, !plain); err != nil {
			return nil, fmt.Errorf("verdict %s: where its reasons begin: %w", row.ID, err)
		}
	}
	if bare {
		return json.RawMessage(body), nil
	}
	statistics, err := a.deps.Statistics(r.Context(), row)
	if err != nil {
		// The verdict is what was decided, and is shown whatever became of its case.
		a.deps.Logger.Error("a verdict's statistics cannot be computed from what is stored with it", "verdict", row.ID, "err", err)
		return json.RawMessage(body), nil
	}
	return json.RawMessage(withStatistics(body, statistics)), nil
}

// withStatistics adds a member to a JSON object that has some.
func withStatistics(body, statistics []byte) []byte {
	body = bytes.TrimRight(body, " \n\t\r")
	if statistics == nil || len(body) == 0 {
		return body
	}
	return slices.Concat(body[:len(body)-1], []byte(`,"statistics":`), statistics, []byte("}"))
}

func (a *API) readVerdict(r *http.Request) (feature.VerdictRow, error) {
	id := r.PathValue("id")
	row, err := a.deps.Registry.Verdict(r.Context(), id)
	if errors.Is(err, feature.ErrNotFound) {
		return row, notFound("verdict", id, "`sluice verdicts VIEW` lists a view's verdicts")
	}
	if err != nil {
		return row, fmt.Errorf("read verdict: %w", err)
	}
	return row, nil
}

type verifyAnswer struct {
	ID          string   `json:"id"`
	OK          bool     `json:"ok"`
	Differences []string `json:"differences"`
}

// verify recomputes a verdict from what is stored with it.
func (a *API) verify(r *http.Request) (any, error) {
	row, err := a.readVerdict(r)
	if err != nil {
		return nil, err
	}
	differences, err := a.deps.Verify(r.Context(), row.ID)
	if err != nil {
		return nil, fmt.Errorf("verify verdict %s: %w", row.ID, err)
	}
	if differences == nil {
		differences = []string{}
	}
	return verifyAnswer{row.ID, len(differences) == 0, differences}, nil
}
