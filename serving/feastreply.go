package serving

import "sluice/serving/jsonform"

// epoch is the event time of what has none, as Feast's server writes it.
const epoch = `"1970-01-01T00:00:00Z"`

// appendFeastJSON appends the answer as Feast's servers write it: columns of
// values, statuses and event times, the join keys first, and their names last.
func (q *query) appendFeastJSON(dst []byte) []byte {
	dst = append(dst, `{"results":[`...)
	for i, join := range q.plan.joins {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"values":[`...)
		for row := range q.rows {
			dst = jsonform.Append(jsonform.Comma(dst, row), q.key(i, row), join.Type, jsonform.Feast)
		}
		dst = append(dst, `],"statuses":[`...)
		for row := range q.rows {
			dst = append(jsonform.Comma(dst, row), `"PRESENT"`...)
		}
		dst = append(dst, `],"event_timestamps":[`...)
		for row := range q.rows {
			dst = append(jsonform.Comma(dst, row), epoch...)
		}
		dst = append(dst, `]}`...)
	}
	for _, a := range q.answers {
		a.writeTimes()
	}
	for _, c := range q.plan.columns {
		dst = q.answers[c.part].appendFeastJSON(append(dst, ','), c.slot, q.words)
	}
	return append(dst, q.plan.tail...)
}

// writeTimes writes the list of event times, which every column of a repeats.
func (a *partAnswer) writeTimes() {
	a.times = a.times[:0]
	for row, r := range a.rows {
		a.times = jsonform.Comma(a.times, row)
		if r.state.hasTime() {
			a.times = jsonform.AppendTime(a.times, r.eventTime)
		} else {
			a.times = append(a.times, epoch...)
		}
	}
}

// appendFeastJSON appends the column of one slot.
func (a *partAnswer) appendFeastJSON(dst []byte, slot int, words *statusWords) []byte {
	slots, t := len(a.part.features), a.part.features[slot].Type
	dst = append(dst, `{"values":[`...)
	for row := range a.rows {
		dst = jsonform.Append(jsonform.Comma(dst, row), a.cells[row*slots+slot], t, jsonform.Feast)
	}
	dst = append(dst, `],"statuses":[`...)
	for row := range a.rows {
		dst = append(jsonform.Comma(dst, row), '"')
		dst = append(dst, feastName(words[a.state(row, slot).of(len(a.cells[row*slots+slot]) == 0)])...)
		dst = append(dst, '"')
	}
	dst = append(dst, `],"event_timestamps":[`...)
	return append(append(dst, a.times...), `]}`...)
}
