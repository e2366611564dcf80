package serving

import (
	"slices"

	"sluice/feature"
	"sluice/serving/refusal"
	"sluice/serving/wireform"
)

// bindWire fills q's join keys from the columns of a request.
func (q *query) bindWire(columns []wireform.Column, limit int) error {
	if len(columns) != len(q.plan.joins) {
		return q.joinProblem(wireform.Names(columns))
	}
	for i, join := range q.plan.joins {
		at := slices.IndexFunc(columns, func(c wireform.Column) bool { return string(c.Name) == join.Name })
		if at < 0 {
			return q.joinProblem(wireform.Names(columns))
		}
		rows, err := q.bindWireColumn(join, columns[at].List, limit)
		if err != nil {
			return err
		}
		if err := q.countRows(i, join.Name, rows, limit); err != nil {
			return err
		}
	}
	return nil
}

// bindWireColumn appends the values of one join key and returns how many there
// are, counted up to one more than limit.
func (q *query) bindWireColumn(join feature.Entity, list []byte, limit int) (rows int, err error) {
	for b := list; len(b) > 0; rows++ {
		if rows > limit {
			return rows, nil
		}
		number, value, rest, err := wireform.CutField(b)
		if err != nil || number != 1 {
			return 0, wireform.ErrUnusual
		}
		scalar, err := wireform.CutScalar(value)
		if err != nil {
			return 0, wireform.UnusualKey(value, join.Name, rows, err)
		}
		from := len(q.arena)
		if q.arena, err = scalar.AppendKey(q.arena, join.Type); err != nil {
			return 0, refusal.Key(join.Name, rows, err)
		}
		q.keys, b = append(q.keys, span{from, len(q.arena)}), rest
	}
	return rows, nil
}
