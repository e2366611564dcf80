package serving

import (
	"slices"
	"strings"

	"sluice/feature"
	"sluice/serving/refusal"
)

// joinProblem says what is wrong with the names of a request's columns, which
// are not exactly the join keys of its plan.
func (q *query) joinProblem(given []string) error {
	var wanted []string
	for _, j := range q.plan.joins {
		wanted = append(wanted, j.Name)
	}
	hint := "the join keys are " + strings.Join(wanted, ", ")
	for _, name := range given {
		if !slices.Contains(wanted, name) {
			return refusal.Invalid(hint, "%s is no join key of what is asked for", refusal.Quoted(name))
		}
	}
	for _, name := range wanted {
		if !slices.Contains(given, name) {
			return refusal.Invalid(hint, "join key %s is missing", name)
		}
	}
	return refusal.Invalid(hint, "a join key is given twice")
}

// countRows checks the number of values of join key i against the first one's
// and the limit.
func (q *query) countRows(i int, name string, rows, limit int) error {
	switch {
	case rows > limit:
		return &refusal.Rows{Limit: refusal.Of(feature.CodeLimit, "split the request; serve.max_entities sets the limit", "more than the limit of %d entities", limit)}
	case rows == 0:
		return refusal.Invalid("give at least one", "join key %s has no values", name)
	case i == 0:
		q.rows = rows
	case rows != q.rows:
		return refusal.Invalid("give one value a row", "join key %s has %d values, %s has %d", name, rows, q.plan.joins[0].Name, q.rows)
	}
	return nil
}
