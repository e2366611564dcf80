package serving

import (
	"context"
	"fmt"
	"time"

	"sluice/expression"
	"sluice/feature"
)

// compute fills the computed columns of a, whose rows are resolved and held to the
// request's policy. It ends with ctx.
func (s *Server) compute(ctx context.Context, q *query, a *partAnswer) error {
	c, v := a.part.computed, a.part.view
	values, _ := v.computed.rows.Get().(*expression.Row)
	if values == nil {
		values = c.set.NewRow()
	}
	defer func() {
		values.Reset()
		v.computed.rows.Put(values)
	}()
	for row := range a.rows {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("compute features of %s: %w", v.Name, err)
		}
		values.Reset()
		if err := a.load(values, row); err != nil {
			return readError(ctx, v, err)
		}
		for _, in := range c.context {
			given := q.context[in.slot]
			values.SetContext(in.at, given[min(row, len(given)-1)])
		}
		for i := range c.features {
			s.computeOne(a, row, &c.features[i], values, q.policy)
		}
	}
	return nil
}

// load gives values the features of a row that are read.
func (a *partAnswer) load(values *expression.Row, row int) error {
	slots := len(a.part.features)
	for _, in := range a.part.computed.inputs {
		cell := a.cells[row*slots+in.slot]
		if len(cell) == 0 {
			continue
		}
		v, err := feature.DecodeValue(cell)
		if err != nil {
			return fmt.Errorf("row %d, feature %s: %w", row, a.part.features[in.slot].Name, err)
		}
		values.SetFeature(in.at, v)
	}
	return nil
}

// computeOne fills one computed cell and its state.
func (s *Server) computeOne(a *partAnswer, row int, c *computedSlot, values *expression.Row, policy policy) {
	at := row*len(a.part.features) + c.slot
	state, may := a.basis(row, c, policy)
	if may {
		v, failure := values.Compute(c.at)
		if failure != nil {
			state = rowFailed
			s.reportFailure(a.part.view, c.at, failure)
		}
		if !v.IsNull() {
			from := len(a.unpacked)
			a.unpacked = feature.AppendValue(a.unpacked, v)
			a.cells[at] = a.unpacked[from:len(a.unpacked):len(a.unpacked)]
			if state == rowNotFound {
				state = rowFound // made of what the request brought, or by an expression that asks about nulls
			}
		}
	}
	a.made[at] = state + 1
}

// basis returns the state of what c is computed from in a row, and whether there is
// anything to compute: not from what could not be read, nor from what the policy
// withholds without giving something instead. A row that is not there is one of nulls.
func (a *partAnswer) basis(row int, c *computedSlot, policy policy) (rowState, bool) {
	if len(c.inputs) == 0 {
		return rowFound, true
	}
	switch state := a.rows[row].state; state {
	case rowUnread:
		return state, false
	case rowWithheld:
		return state, policy == policyDefault // of the defaults
	case rowNotFound:
		return state, true
	}
	for _, slot := range c.inputs {
		if a.state(row, slot) == rowExpired {
			return rowExpired, policy != policyNull
		}
	}
	return rowFound, true
}

// reportFailure counts a value that could not be computed, and says so in the log, once
// a second at most.
func (s *Server) reportFailure(v *view, at int, failure *expression.Failure) {
	name := v.Computed[at].Name
	s.metrics.failures.WithLabelValues(v.Name, string(failure.Reason)).Inc()
	now, last := time.Now().UnixNano(), s.failureLogged.Load()
	if now-last >= int64(time.Second) && s.failureLogged.CompareAndSwap(last, now) {
		s.deps.Log.Warn("a computed feature could not be evaluated; it is FAILED, the others of the request are answered",
			"view", v.Name, "feature", name, "reason", string(failure.Reason), "err", failure)
	}
}
