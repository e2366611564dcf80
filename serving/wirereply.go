package serving

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"sluice/serving/jsonform"
)

// Tags of the two reply messages, one byte each.
const (
	tagLen1 = 1<<3 | 2 // field 1, length-delimited; and so on
	tagLen2 = 2<<3 | 2
	tagLen3 = 3<<3 | 2
	tagLen4 = 4<<3 | 2
	tagLen6 = 6<<3 | 2
	tagInt1 = 1 << 3
	tagInt3 = 3 << 3
	tagInt5 = 5 << 3
	tag64n4 = 4<<3 | 1
	tagInt2 = 2 << 3
	tagInt7 = 7 << 3
)

func sizeBytes(n int) int { return protowire.SizeBytes(n) }

func appendLen(dst []byte, tag byte, n int) []byte {
	return binary.AppendUvarint(append(dst, tag), uint64(n))
}

func appendField(dst []byte, tag byte, value []byte) []byte {
	return append(appendLen(dst, tag, len(value)), value...)
}

// feastMetadata returns the field metadata of Feast's reply, and the end of its
// JSON reply: both depend on the plan alone.
func feastMetadata(p *plan) (wire, tail []byte) {
	var list []byte
	tail = append(tail, `],"metadata":{"feature_names":[`...)
	add := func(name string) {
		if len(list) > 0 {
			tail = append(tail, ',')
		}
		list = appendField(list, tagLen1, []byte(name))
		tail = jsonform.AppendString(tail, name)
	}
	for _, j := range p.joins {
		add(j.Name)
	}
	for _, c := range p.columns {
		add(c.name)
	}
	return appendField(nil, tagLen1, appendField(nil, tagLen1, list)), append(tail, "]}}"...)
}

// sizeTimestamp is the size of a google.protobuf.Timestamp of t, Unix nanoseconds.
func sizeTimestamp(t int64) int {
	secs, nanos := splitNanos(t)
	n := 0
	if secs != 0 {
		n += 1 + protowire.SizeVarint(uint64(secs))
	}
	if nanos != 0 {
		n += 1 + protowire.SizeVarint(uint64(nanos))
	}
	return n
}

func appendTimestamp(dst []byte, t int64) []byte {
	secs, nanos := splitNanos(t)
	if secs != 0 {
		dst = binary.AppendUvarint(append(dst, tagInt1), uint64(secs))
	}
	if nanos != 0 {
		dst = binary.AppendUvarint(append(dst, tagInt2), uint64(nanos))
	}
	return dst
}

// splitNanos returns t as seconds and 0 to 999,999,999 nanoseconds after them.
func splitNanos(t int64) (secs, nanos int64) {
	secs, nanos = t/1e9, t%1e9
	if nanos < 0 {
		secs, nanos = secs-1, nanos+1e9
	}
	return secs, nanos
}

// sizeFeast returns the size of Feast's reply, and keeps that of each column in
// q.sizes: the join keys' first, then the features'.
func (q *query) sizeFeast() int {
	q.sizes = q.sizes[:0]
	total := len(q.plan.metadata)
	statuses := sizeBytes(q.rows) + 1
	for join := range q.plan.joins {
		n := statuses + 2*q.rows // and an empty timestamp a row
		for row := range q.rows {
			n += 1 + sizeBytes(len(q.key(join, row)))
		}
		q.sizes = append(q.sizes, n)
		total += 1 + sizeBytes(n)
	}
	for _, c := range q.plan.columns {
		a, n := q.answers[c.part], statuses
		slots := len(a.part.features)
		for row, r := range a.rows {
			n += 1 + sizeBytes(len(a.cells[row*slots+c.slot])) + 2 + sizeTimestamp(r.eventTime)
		}
		q.sizes = append(q.sizes, n)
		total += 1 + sizeBytes(n)
	}
	return total
}

// appendFeast appends the answer as a feast.serving.GetOnlineFeaturesResponse,
// for which sizeFeast was called before: the join keys first, then the features
// as asked for. Values are copied as they are stored.
func (q *query) appendFeast(dst []byte) []byte {
	dst = append(dst, q.plan.metadata...)
	sizes := q.sizes
	for join := range q.plan.joins {
		dst = appendLen(dst, tagLen2, sizes[0])
		sizes = sizes[1:]
		for row := range q.rows {
			dst = appendField(dst, tagLen1, q.key(join, row))
		}
		dst = appendLen(dst, tagLen2, q.rows)
		for range q.rows {
			dst = append(dst, byte(statusPresent))
		}
		for range q.rows {
			dst = append(dst, tagLen3, 0)
		}
	}
	for i, c := range q.plan.columns {
		dst = appendLen(dst, tagLen2, sizes[i])
		a := q.answers[c.part]
		dst = a.appendColumn(dst, c.slot, tagLen1, tagLen2, q.words)
		for _, r := range a.rows {
			dst = appendLen(dst, tagLen3, sizeTimestamp(r.eventTime))
			dst = appendTimestamp(dst, r.eventTime)
		}
	}
	return dst
}

// appendColumn appends the values of a slot, each under tag value, and their
// statuses, packed under tag status, as words numbers them.
func (a *partAnswer) appendColumn(dst []byte, slot int, value, status byte, words *statusWords) []byte {
	slots := len(a.part.features)
	for row := range a.rows {
		dst = appendField(dst, value, a.cells[row*slots+slot])
	}
	dst = appendLen(dst, status, len(a.rows))
	for row := range a.rows {
		dst = append(dst, byte(words[a.state(row, slot).of(len(a.cells[row*slots+slot]) == 0)]))
	}
	return dst
}

// sizeOwn returns the size of the platform's own reply, and keeps in q.sizes, for
// each view, that of its message, of its provenance and of its columns.
func (q *query) sizeOwn() int {
	q.sizes = q.sizes[:0]
	total := 0
	for _, a := range q.answers {
		at := len(q.sizes)
		prov := a.provenance.size()
		q.sizes = append(q.sizes, 0, prov)
		n := 1 + sizeBytes(len(a.part.view.Name)) + 1 + sizeBytes(8*len(a.rows)) + 1 + sizeBytes(prov)
		slots := len(a.part.features)
		for slot, f := range a.part.columns() {
			column := 1 + sizeBytes(len(f.Name)) + 1 + sizeBytes(len(a.rows))
			for row := range a.rows {
				column += 1 + sizeBytes(len(a.cells[row*slots+slot]))
			}
			q.sizes = append(q.sizes, column)
			n += 1 + sizeBytes(column)
		}
		q.sizes[at] = n
		total += 1 + sizeBytes(n)
	}
	return total
}

// appendOwn appends the answer as a sluice.v1.GetFeaturesResponse, for which
// sizeOwn was called before.
func (q *query) appendOwn(dst []byte) []byte {
	sizes := q.sizes
	for _, a := range q.answers {
		dst = appendLen(dst, tagLen1, sizes[0])
		prov := sizes[1]
		sizes = sizes[2:]
		dst = appendLen(dst, tagLen1, len(a.part.view.Name))
		dst = append(dst, a.part.view.Name...)
		dst = appendLen(dst, tagLen2, 8*len(a.rows))
		for _, r := range a.rows {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(r.eventTime))
		}
		for slot, f := range a.part.columns() {
			dst = appendLen(dst, tagLen3, sizes[0])
			sizes = sizes[1:]
			dst = appendLen(dst, tagLen1, len(f.Name))
			dst = append(dst, f.Name...)
			dst = a.appendColumn(dst, slot, tagLen2, tagLen3, &ownWords)
		}
		dst = appendLen(dst, tagLen4, prov)
		dst = a.provenance.appendWire(dst)
	}
	return dst
}

// size is that of the sluice.v1.Provenance; zero fields are left out.
func (p *provenance) size() int {
	n := 0
	for _, u := range [...]uint64{uint64(p.Version), p.Generation, uint64(p.CachedRows)} {
		if u != 0 {
			n += 1 + protowire.SizeVarint(u)
		}
	}
	for _, text := range [...]string{p.Verdict, p.Fallback} {
		if text != "" {
			n += 1 + sizeBytes(len(text))
		}
	}
	if p.AgeSeconds != 0 {
		n += 9
	}
	if p.Stale {
		n += 2
	}
	return n
}

func (p *provenance) appendWire(dst []byte) []byte {
	if p.Version != 0 {
		dst = binary.AppendUvarint(append(dst, tagInt1), uint64(p.Version))
	}
	if p.Verdict != "" {
		dst = append(appendLen(dst, tagLen2, len(p.Verdict)), p.Verdict...)
	}
	if p.Generation != 0 {
		dst = binary.AppendUvarint(append(dst, tagInt3), p.Generation)
	}
	if p.AgeSeconds != 0 {
		dst = binary.LittleEndian.AppendUint64(append(dst, tag64n4), math.Float64bits(p.AgeSeconds))
	}
	if p.Stale {
		dst = append(dst, tagInt5, 1)
	}
	if p.Fallback != "" {
		dst = append(appendLen(dst, tagLen6, len(p.Fallback)), p.Fallback...)
	}
	if p.CachedRows != 0 {
		dst = binary.AppendUvarint(append(dst, tagInt7), uint64(p.CachedRows))
	}
	return dst
}
