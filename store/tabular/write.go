package tabular

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/parquet-go/parquet-go"

	"sluice/feature"
)

// Column is a column of a Parquet file that is written. Any value of it may be null.
type Column struct {
	Name string
	Type feature.Type
}

// Cell is what a row has in a column; the zero Cell is null. Time and JSON stand in the
// place of a Value that could not hold as much.
type Cell struct {
	Value feature.Value // of the column's type
	Time  time.Time     // of a timestamp, to the microsecond
	JSON  []byte        // of a json column: its text
}

// Writer writes rows as Parquet. It belongs to one goroutine.
type Writer struct {
	columns []Column
	out     *parquet.GenericWriter[any]
	row     parquet.Row
}

// groupRows is how many rows are held before they are written.
const groupRows = 1 << 17

// NewWriter returns a writer of a file with these columns, in their order. Names must
// differ. Integers are INT(32) or INT(64), timestamps of microseconds in UTC, text STRING,
// bytes without annotation, documents JSON, and lists LIST.
func NewWriter(out io.Writer, columns []Column) *Writer {
	group := orderedGroup{Group: parquet.Group{}}
	for _, c := range columns {
		group.Group[c.Name] = parquet.Optional(nodeOf(c.Type))
		group.order = append(group.order, c.Name)
	}
	return &Writer{columns: columns, out: parquet.NewGenericWriter[any](out, parquet.NewSchema("rows", group), parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(groupRows))}
}

// Write writes a row, one cell a column. The error is that of the output, or says that a
// cell is not of its column's type.
func (w *Writer) Write(cells []Cell) error {
	if len(cells) != len(w.columns) {
		return fmt.Errorf("write row: %d cells for %d columns", len(cells), len(w.columns))
	}
	w.row = w.row[:0]
	for i, c := range cells {
		if err := w.add(i, c); err != nil {
			return fmt.Errorf("write row: column %s: %w", w.columns[i].Name, err)
		}
	}
	if _, err := w.out.WriteRows([]parquet.Row{w.row}); err != nil {
		return fmt.Errorf("write row: %w", err)
	}
	return nil
}

// Close writes what is left and the footer. It does not close the output.
func (w *Writer) Close() error {
	if err := w.out.Close(); err != nil {
		return fmt.Errorf("end file: %w", err)
	}
	return nil
}

// add appends a cell to the row.
func (w *Writer) add(at int, c Cell) error {
	t := w.columns[at].Type
	switch {
	case t == feature.Timestamp && !c.Time.IsZero():
		w.leaf(at, parquet.Int64Value(c.Time.UnixMicro()))
	case t == feature.JSON && c.JSON != nil:
		w.leaf(at, parquet.ByteArrayValue(c.JSON))
	case c.Value.IsNull():
		w.row = append(w.row, parquet.NullValue().Level(0, 0, at))
	case c.Value.Type() != t || t == feature.JSON:
		return fmt.Errorf("a value of type %s where %s is wanted", c.Value.Type(), t)
	case t.Elem() == feature.Timestamp && !inMicros(c.Value):
		return errors.New("a time that 64 bits of microseconds do not hold")
	case !t.IsList():
		w.leaf(at, leafValue(c.Value))
	case len(c.Value.List()) == 0:
		w.row = append(w.row, parquet.NullValue().Level(0, 1, at))
	default:
		for i, e := range c.Value.List() {
			w.row = append(w.row, leafValue(e).Level(min(i, 1), 2, at))
		}
	}
	return nil
}

// inMicros reports whether a timestamp, or each of a list, can be written.
func inMicros(v feature.Value) bool {
	const most = math.MaxInt64 / 1_000_000
	for _, e := range v.List() {
		if !inMicros(e) {
			return false
		}
	}
	return v.Type().IsList() || v.Time().Unix() <= most && v.Time().Unix() >= -most
}

func (w *Writer) leaf(at int, v parquet.Value) { w.row = append(w.row, v.Level(0, 1, at)) }

// orderedGroup is a group of columns that stay in their order.
type orderedGroup struct {
	parquet.Group
	order []string
}

// Fields returns the columns.
func (g orderedGroup) Fields() []parquet.Field {
	named := map[string]parquet.Field{}
	for _, f := range g.Group.Fields() {
		named[f.Name()] = f
	}
	fields := make([]parquet.Field, len(g.order))
	for i, name := range g.order {
		fields[i] = named[name]
	}
	return fields
}

// nodeOf returns the Parquet type of a type of ours.
func nodeOf(t feature.Type) parquet.Node {
	if t.IsList() {
		return parquet.List(nodeOf(t.Elem()))
	}
	switch t {
	case feature.Int32:
		return parquet.Int(32)
	case feature.Int64:
		return parquet.Int(64)
	case feature.Float32:
		return parquet.Leaf(parquet.FloatType)
	case feature.Float64:
		return parquet.Leaf(parquet.DoubleType)
	case feature.Bytes:
		return parquet.Leaf(parquet.ByteArrayType)
	case feature.Bool:
		return parquet.Leaf(parquet.BooleanType)
	case feature.Timestamp:
		return parquet.Timestamp(parquet.Microsecond)
	case feature.JSON:
		return parquet.JSON()
	}
	return parquet.String()
}

// leafValue returns a value that is no list, and not null.
func leafValue(v feature.Value) parquet.Value {
	switch v.Type() {
	case feature.Int32:
		return parquet.Int32Value(int32(v.Int()))
	case feature.Int64:
		return parquet.Int64Value(v.Int())
	case feature.Float32:
		return parquet.FloatValue(float32(v.Float()))
	case feature.Float64:
		return parquet.DoubleValue(v.Float())
	case feature.Bool:
		return parquet.BooleanValue(v.Bool())
	case feature.Timestamp:
		return parquet.Int64Value(v.Time().UnixMicro())
	}
	return parquet.ByteArrayValue([]byte(v.Text()))
}
